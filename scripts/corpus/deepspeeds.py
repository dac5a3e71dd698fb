"""What DeepSpeed writes, by two processes on CPUs: ZeRO 1 to 3, pipeline, experts, universal."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from making import RANKS, SEED, Maker, run

os.environ.update(CUDA_VISIBLE_DEVICES="", DS_ACCELERATOR="cpu", DS_SKIP_CUDA_CHECK="1")
PACKAGES = ("torch", "deepspeed")
SETTINGS: dict[str, Any] = {
    "train_micro_batch_size_per_gpu": 1,
    "optimizer": {"type": "AdamW", "params": {"lr": 0.001, "torch_adam": True}},
    "scheduler": {"type": "WarmupLR", "params": {"warmup_num_steps": 2}},
}


def _net() -> Any:
    import torch

    torch.manual_seed(SEED)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 2))


def _save(folder: Path, net: Any, settings: dict[str, Any], **more: Any) -> None:
    """Two steps, a save after each."""
    import deepspeed
    import torch

    engine, _, _, _ = deepspeed.initialize(model=net, config=SETTINGS | settings, **more)
    for _ in range(2):
        engine.backward(engine(torch.ones(8, 4, dtype=torch.bfloat16)).sum())
        engine.step()
        engine.save_checkpoint(str(folder))


def _zero(folder: Path, stage: int) -> None:
    import deepspeed

    deepspeed.init_distributed("gloo")
    _save(folder, _net(), {"bf16": {"enabled": True}, "zero_optimization": {"stage": stage}})


def zero1(folder: Path) -> None:
    """ZeRO 1: the optimizer in parts; two processes."""
    _zero(folder, 1)


def zero2(folder: Path) -> None:
    """ZeRO 2: optimizer and gradients in parts; two processes."""
    _zero(folder, 2)


def zero3(folder: Path) -> None:
    """ZeRO 3: the model in parts, too; two processes."""
    _zero(folder, 3)


def universal(folder: Path) -> None:
    """ZeRO 1, made universal by `ds_to_universal`."""
    _zero(folder, 1)
    if os.environ["RANK"] == "0":
        alone = {key: value for key, value in os.environ.items() if key not in ("RANK", "LOCAL_RANK", "WORLD_SIZE")}
        script = "deepspeed.checkpoint.ds_to_universal"
        tag, target = str(folder / "global_step2"), str(folder / "global_step2_universal")
        command = [sys.executable, "-m", script, "--input_folder", tag, "--output_folder", target]
        subprocess.run(
            [*command, "--num_extract_workers", "1", "--num_merge_workers", "1", "--inject_missing_state"],
            check=True,
            env=alone,
        )


def pipeline(folder: Path) -> None:
    """Pipeline: a file for each layer, two stages."""
    import deepspeed
    import torch
    from deepspeed.pipe import PipelineModule

    deepspeed.init_distributed("gloo")
    torch.manual_seed(SEED)
    layers = [torch.nn.Linear(4, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)]
    net = PipelineModule(layers=layers, num_stages=RANKS, loss_fn=torch.nn.MSELoss(), partition_method="uniform")
    settings = SETTINGS | {"bf16": {"enabled": True}, "zero_optimization": {"stage": 1}, "train_batch_size": 2}
    settings |= {"gradient_accumulation_steps": 2}
    engine, _, _, _ = deepspeed.initialize(model=net, config=settings)
    for _ in range(2):
        rows = iter([(torch.ones(1, 4, dtype=torch.bfloat16), torch.zeros(1, 4, dtype=torch.bfloat16))] * 2)
        engine.train_batch(data_iter=rows)
        engine.save_checkpoint(str(folder))


def experts(folder: Path) -> None:
    """Mixture of experts: two, one in each process."""
    import deepspeed
    import torch
    from deepspeed.moe.layer import MoE
    from deepspeed.moe.utils import split_params_into_different_moe_groups_for_optimizer

    deepspeed.init_distributed("gloo")
    torch.manual_seed(SEED)

    class Net(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.front = torch.nn.Linear(4, 4)
            self.experts = MoE(4, torch.nn.Linear(4, 4), num_experts=RANKS, ep_size=RANKS, k=1)

        def forward(self, rows: Any) -> Any:
            return self.experts(self.front(rows))[0]

    net = Net()
    parameters = {"params": list(net.parameters()), "name": "parameters"}
    groups = split_params_into_different_moe_groups_for_optimizer(parameters)
    settings = {"bf16": {"enabled": True}, "zero_optimization": {"stage": 1}}
    _save(folder, net, settings, model_parameters=groups)


def _kept(make: Maker) -> Maker:
    """Without the copies of its own scripts that DeepSpeed leaves beside the tags."""

    @functools.wraps(make)
    def made(folder: Path) -> None:
        make(folder)
        if os.environ["RANK"] == "0":
            for script in folder.glob("zero_to_*.py"):
                script.unlink()

    return made


SEVERAL = {
    "deepspeed-zero1": _kept(zero1),
    "deepspeed-zero2": _kept(zero2),
    "deepspeed-zero3": _kept(zero3),
    "deepspeed-universal": _kept(universal),
    "deepspeed-pipeline": _kept(pipeline),
    "deepspeed-experts": _kept(experts),
}

if __name__ == "__main__":
    sys.exit(run(__file__, {}, SEVERAL, PACKAGES))
