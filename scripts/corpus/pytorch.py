"""What PyTorch's family writes: torch, transformers, accelerate, peft, Lightning. Two saves of each, tiny, random."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from making import RANKS, SEED, elsewhere, run

os.environ.update(
    CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", ACCELERATE_USE_CPU="true"
)
PACKAGES = ("torch", "transformers", "accelerate", "peft", "lightning", "safetensors")


def small_model() -> Any:
    """A model of a few kilobytes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(SEED)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=24,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=16,
        )
    )


def train(folder: Path, model: Any, resume: str | None = None, **more: Any) -> None:
    """transformers' Trainer, two saves; `resume`: a checkpoint to go on from."""
    from transformers import Trainer, TrainingArguments

    rows = [{"input_ids": [1, 2, 3, 4], "labels": [1, 2, 3, 4]} for _ in range(16)]
    arguments = TrainingArguments(
        str(folder),
        max_steps=4,
        save_steps=2,
        per_device_train_batch_size=1,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        **more,
    )
    Trainer(model, arguments, train_dataset=rows).train(resume_from_checkpoint=resume)


def hf_trainer(folder: Path) -> None:
    """Trainer, one process."""
    train(folder, small_model())


def hf_peft(folder: Path) -> None:
    """Trainer over an adapter of PEFT."""
    from peft import LoraConfig, get_peft_model

    train(folder, get_peft_model(small_model(), LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")))


def hf_model(folder: Path) -> None:
    """`save_pretrained`: one file, shards with an index, and of the adapter alone."""
    from peft import LoraConfig, get_peft_model

    small_model().save_pretrained(folder / "whole")
    small_model().save_pretrained(folder / "sharded", max_shard_size="2KB")
    get_peft_model(small_model(), LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(folder / "adapter")


def hf_ranks(folder: Path) -> None:
    """Trainer, two processes with a copy of the model each (DDP)."""
    train(folder, small_model(), ddp_backend="gloo")


def _fsdp(folder: Path, kind: str, use_dcp: bool = True) -> None:
    """Trainer and accelerate shard on accelerators alone. So the Trainer writes everything else, and accelerate's own
    functions (utils/fsdp_utils.py), which the Trainer calls, the model and the optimizer of a model sharded on CPUs."""
    import torch
    from accelerate import Accelerator, FullyShardedDataParallelPlugin
    from accelerate.utils.fsdp_utils import save_fsdp_model, save_fsdp_optimizer
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    train(folder, small_model(), ddp_backend="gloo")
    plugin = FullyShardedDataParallelPlugin(fsdp_version=2, state_dict_type=kind)
    accelerator, model = Accelerator(cpu=True), small_model()
    fully_shard(model, mesh=init_device_mesh("cpu", (RANKS,)))
    optimizer = torch.optim.AdamW(model.parameters())
    for step in (2, 4):
        for _ in range(2):
            model(input_ids=torch.ones(1, 4, dtype=torch.long)).logits.sum().backward()
            optimizer.step()
        target = folder / f"checkpoint-{step}"
        if accelerator.process_index == 0:
            (target / "model.safetensors").unlink()
            (target / "optimizer.pt").unlink()
        accelerator.wait_for_everyone()
        save_fsdp_model(plugin, accelerator, model, str(target), use_dcp=use_dcp)
        save_fsdp_optimizer(plugin, accelerator, optimizer, model, str(target), use_dcp=use_dcp)


def hf_fsdp_sharded(folder: Path) -> None:
    """Trainer with FSDP, every process its part in a folder of `torch.distributed.checkpoint`."""
    _fsdp(folder, "SHARDED_STATE_DICT")


def hf_fsdp_full(folder: Path) -> None:
    """Trainer with FSDP, the first process all of it."""
    _fsdp(folder, "FULL_STATE_DICT")


def hf_fsdp_each_rank(folder: Path) -> None:
    """Trainer with FSDP, every process a file (`use_dcp=False`)."""
    _fsdp(folder, "SHARDED_STATE_DICT", use_dcp=False)


def _accelerate(folder: Path, models: int) -> None:
    import torch
    from accelerate import Accelerator
    from torch.utils.data import DataLoader

    torch.manual_seed(SEED)
    accelerator = Accelerator(cpu=True)
    nets = [torch.nn.Linear(4, 2) for _ in range(models)]
    optimizers = [torch.optim.AdamW(each.parameters()) for each in nets]
    schedulers = [torch.optim.lr_scheduler.StepLR(each, 1) for each in optimizers]
    data = DataLoader(torch.ones(8, 4), batch_size=2, shuffle=True)
    prepared = accelerator.prepare(*nets, *optimizers, *schedulers, data)
    for step in (1, 2):
        for net, optimizer, scheduler in zip(
            prepared[:models], prepared[models : 2 * models], prepared[2 * models : 3 * models], strict=True
        ):
            accelerator.backward(net(torch.ones(2, 4)).sum())
            optimizer.step()
            scheduler.step()
        accelerator.save_state(str(folder / f"step_{step}"))


def accelerate_state(folder: Path) -> None:
    """`save_state` of one model."""
    _accelerate(folder, 1)


def accelerate_two_models(folder: Path) -> None:
    """`save_state` of two models with an optimizer and a scheduler each."""
    _accelerate(folder, 2)


def accelerate_ranks(folder: Path) -> None:
    """`save_state` of two processes."""
    _accelerate(folder, 1)


def torch_files(folder: Path) -> None:
    """`torch.save` of the usual dictionary, and of weights and optimizer each by itself."""
    import torch

    torch.manual_seed(SEED)
    net = torch.nn.Linear(4, 2)
    optimizer = torch.optim.AdamW(net.parameters())
    for step in (10, 20):
        net(torch.ones(4)).sum().backward()
        optimizer.step()
        whole = {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
        torch.save(whole, folder / f"ckpt-{step}.pt")
        apart = folder / f"apart/step-{step}"
        apart.mkdir(parents=True)
        torch.save(net.state_dict(), apart / "model.pt")
        torch.save(optimizer.state_dict(), apart / "optimizer.pt")


def llama(folder: Path) -> None:
    """The form in which Meta publishes Llama: a part of every rank of model parallelism, by `torch.save`."""
    import torch

    torch.manual_seed(SEED)
    for rank in range(2):
        part = {"tok_embeddings.weight": torch.randn(24, 4), "layers.0.attention.wq.weight": torch.randn(4, 8)}
        torch.save(part, folder / f"consolidated.{rank:02d}.pth")
    (folder / "params.json").write_text('{"dim": 8, "n_heads": 2, "n_layers": 1}')


def dcp(folder: Path) -> None:
    """`torch.distributed.checkpoint.save`, two processes, a sharded tensor and a value."""
    _distributed_save(folder, hugging_face=False)


def dcp_hugging_face(folder: Path) -> None:
    """`torch.distributed.checkpoint.save` through `HuggingFaceStorageWriter`, without consolidation: no index."""
    _distributed_save(folder, hugging_face=True)


def _distributed_save(folder: Path, hugging_face: bool) -> None:
    import torch
    import torch.distributed as distributed
    import torch.distributed.checkpoint as saving
    from torch.distributed.checkpoint import HuggingFaceStorageWriter
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    distributed.init_process_group("gloo")
    mesh = init_device_mesh("cpu", (distributed.get_world_size(),))
    torch.manual_seed(SEED)
    for step in (5, 10):
        state: dict[str, Any] = {"weight": distribute_tensor(torch.randn(6, 4), mesh, [Shard(0)])}
        target = folder / f"step-{step}"
        if hugging_face:
            writer = HuggingFaceStorageWriter(str(target), fqn_to_index_mapping={"weight": 1}, save_distributed=True)
            saving.save(state, storage_writer=writer)
        else:
            saving.save(state | {"step": step, "bias": torch.zeros(3)}, checkpoint_id=str(target))
    distributed.destroy_process_group()


def lightning_file(folder: Path) -> None:
    """`Trainer.save_checkpoint` in Lightning, by its callback: two saves and the last."""
    import lightning
    import torch
    from lightning.pytorch.callbacks import ModelCheckpoint
    from torch.utils.data import DataLoader

    class Net(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 2)

        def training_step(self, batch: Any, number: int) -> Any:
            return self.layer(batch).sum()

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters())

    torch.manual_seed(SEED)
    with elsewhere(folder) as place:
        saves = ModelCheckpoint(place, every_n_train_steps=2, save_top_k=-1, save_last=True)
        trainer = lightning.Trainer(
            max_steps=4, accelerator="cpu", logger=False, callbacks=[saves], enable_progress_bar=False, devices=1
        )
        trainer.fit(Net(), DataLoader(torch.ones(16, 4), batch_size=2))


ALONE = {
    "hf-trainer": hf_trainer,
    "hf-peft": hf_peft,
    "hf-model": hf_model,
    "accelerate": accelerate_state,
    "accelerate-two-models": accelerate_two_models,
    "torch-files": torch_files,
    "llama": llama,
    "lightning-file": lightning_file,
}
SEVERAL = {
    "hf-ranks": hf_ranks,
    "hf-fsdp-sharded": hf_fsdp_sharded,
    "hf-fsdp-full": hf_fsdp_full,
    "hf-fsdp-each-rank": hf_fsdp_each_rank,
    "accelerate-ranks": accelerate_ranks,
    "torch-dcp": dcp,
    "torch-dcp-hugging-face": dcp_hugging_face,
}

if __name__ == "__main__":
    sys.exit(run(__file__, ALONE, SEVERAL, PACKAGES))
