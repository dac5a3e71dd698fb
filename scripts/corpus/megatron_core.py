"""What megatron-core writes: `dist_checkpointing.save`, torch_dist, two ranks of tensor parallelism."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from making import RANKS, SEED, run

os.environ["CUDA_VISIBLE_DEVICES"] = ""
PACKAGES = ("torch", "megatron-core")


def torch_dist(folder: Path) -> None:
    """`dist_checkpointing.save`: a tensor in two shards, one that both ranks have, and what is common to all."""
    import torch
    import torch.distributed as distributed
    from megatron.core import dist_checkpointing, parallel_state
    from megatron.core.dist_checkpointing import ShardedTensor

    distributed.init_process_group("gloo")
    torch.cuda.current_device, torch.cuda.synchronize = (lambda: "cpu"), (lambda *_: None)
    parallel_state.initialize_model_parallel(tensor_model_parallel_size=RANKS)
    rank = distributed.get_rank()
    torch.manual_seed(SEED)
    for step in (100, 200):
        target = folder / f"iter_{step:07d}"
        if not rank:
            target.mkdir()
        distributed.barrier()
        state = {
            "model": {
                "weight": ShardedTensor.from_rank_offsets("model.weight", torch.randn(3, 4), (0, rank, RANKS)),
                "bias": ShardedTensor.from_rank_offsets("model.bias", torch.zeros(4), replica_id=rank),
            },
            "iteration": step,
            "checkpoint_version": 3.0,
        }
        dist_checkpointing.save(state, str(target))
    if not rank:
        (folder / "latest_checkpointed_iteration.txt").write_text("200")
    distributed.barrier()
    distributed.destroy_process_group()


SEVERAL = {"megatron-core-torch-dist": torch_dist}

if __name__ == "__main__":
    sys.exit(run(__file__, {}, SEVERAL, PACKAGES))
