"""Sound checkpoints of every layout, made of bytes that frameworks wrote and of archives in their form, in memory."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from archives import archive

from pilotlight.runtime.checkpoints.format import File, Unreadable

Files = dict[str, bytes]
FIXTURES = Path(__file__).parent.parent / "fixtures"
CASES = FIXTURES / "checkpoints-cases"


class Kept:
    """Files in memory, as a Reader has them."""

    def __init__(self, contents: Files) -> None:
        self._contents = contents

    def files(self) -> Iterator[File]:
        return (File(key, len(body)) for key, body in sorted(self._contents.items()))

    def read_range(self, file: File, start: int, length: int) -> bytes:
        if file.key not in self._contents:
            raise Unreadable("is gone")
        return self._contents[file.key][start : start + length]


class Registered:
    """An object of the user's own, which Accelerate saves as it is."""


@dataclass(frozen=True)
class Layout:
    """`roots`: paths of its checkpoints. `free`: files whose absence nothing in the folder can tell. `unread`: files
    that no judge knows. `counted`: files that tell the step, and their bytes at another one."""

    files: Files
    roots: tuple[str, ...]
    layout: str
    free: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    counted: Files | None = None


def tensors(*names: str, header: dict[str, object] | None = None) -> bytes:
    """A safetensors file."""
    entries = {name: {"dtype": "F32", "shape": [2], "data_offsets": [8 * i, 8 * i + 8]} for i, name in enumerate(names)}
    text = json.dumps((header or {}) | entries).encode()
    return struct.pack("<Q", len(text)) + text + b"\x01" * (8 * len(names))


def saved(value: object) -> bytes:
    """A file of torch.save without tensors."""
    return archive(pickle.dumps(value, protocol=2))


def written(folder: Path, into: str = "") -> Files:
    """What a framework wrote."""
    return {
        into + path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def state(step: int) -> bytes:
    return json.dumps({"global_step": step, "log_history": [{"loss": float("nan"), "step": step}]}).encode()


def optimizer(step: int) -> bytes:
    return saved({"state": {0: {"step": step}}, "param_groups": [{"lr": 0.1}]})


def trainers(step: int, ranks: int = 1) -> Files:
    """What transformers' Trainer writes beside the weights."""
    random = {"rng_state.pth": saved({"python": 1})}
    if ranks > 1:
        random = {f"rng_state_{rank}.pth": saved({"python": rank}) for rank in range(ranks)}
    return random | {
        "optimizer.pt": optimizer(step),
        "scheduler.pt": saved({"last_epoch": step}),
        "trainer_state.json": state(step),
        "training_args.bin": saved({"lr": 0.1}),
        "config.json": b'{"model_type": "llama"}',
    }


def below(folder: str, files: Files) -> Files:
    return {folder + name: body for name, body in files.items()}


def index(stem: str, **shards: str) -> Files:
    names = {f"{tensor}": shard for tensor, shard in shards.items()}
    return {f"{stem}.index.json": json.dumps({"metadata": {"total_size": 1}, "weight_map": names}).encode()}


SHARDS = {f"model-0000{n}-of-00002.safetensors": tensors(f"w{n}") for n in (1, 2)}
INDEX = index("model.safetensors", w1="model-00001-of-00002.safetensors", w2="model-00002-of-00002.safetensors")
FREE = ("training_args.bin", "config.json")
COUNTED = {"trainer_state.json": state(50), "optimizer.pt": optimizer(50), "scheduler.pt": saved({"last_epoch": 50})}
FSDP = written(CASES / "hf-fsdp-no-optimizer" / "checkpoint-1000" / "pytorch_model_fsdp_0", "pytorch_model_fsdp_0/")
FSDP_OPTIMIZER = written(CASES / "hf-fsdp-no-optimizer" / "checkpoint-500" / "optimizer_0", "optimizer_0/")
ZERO3 = written(CASES / "deepspeed-zero3" / "global_step2", "global_step2/")
TORCH_DIST = written(CASES / "megatron-core-torch-dist" / "iter_0000100")
DCP = written(FIXTURES / "checkpoints" / "torch-dcp" / "step-1200")


def hf(weights: Files, ranks: int = 1, drop: tuple[str, ...] = ()) -> Files:
    rest = {name: body for name, body in trainers(100, ranks).items() if name not in drop}
    return below("run/checkpoint-100/", weights | rest)


def accelerated() -> Files:
    return below("out/step_7/", {
        "model.safetensors": tensors("w"), "model_1.safetensors": tensors("v"),
        "optimizer.bin": optimizer(7), "optimizer_1.bin": optimizer(7), "scheduler.bin": saved({"last_epoch": 7}),
        "random_states_0.pkl": saved({"step": 0}), "random_states_1.pkl": saved({"step": 1}),
        "sampler.bin": saved({"epoch": 1}), "custom_checkpoint_0.pkl": saved(Registered()),
    })  # fmt: skip


LAYOUTS = {
    "hf": Layout(hf({"model.safetensors": tensors("w")}), ("run/checkpoint-100/",), "hf-trainer", FREE, (), COUNTED),
    "hf-ranks": Layout(hf({"model.safetensors": tensors("w")}, 3), ("run/checkpoint-100/",), "hf-trainer",
                       (*FREE, "rng_state_2.pth")),
    "hf-bin": Layout(hf({"pytorch_model.bin": saved({"w": 1})}), ("run/checkpoint-100/",), "hf-trainer", FREE),
    "hf-sharded": Layout(hf(SHARDS | INDEX), ("run/checkpoint-100/",), "hf-trainer", FREE),
    "hf-peft": Layout(hf({"adapter_model.safetensors": tensors("w"), "adapter_config.json": b"{}"}),
                      ("run/checkpoint-100/",), "hf-trainer", FREE),
    "hf-fsdp-sharded": Layout(hf(FSDP | FSDP_OPTIMIZER, 2, ("optimizer.pt",)), ("run/checkpoint-100/",), "hf-trainer",
                              FREE),
    "hf-deepspeed": Layout(hf(ZERO3, 2, ("optimizer.pt", "scheduler.pt")), ("run/checkpoint-100/",), "hf-trainer",
                           FREE),
    "accelerate": Layout(accelerated(), ("out/step_7/",), "accelerate",
                         ("model_1.safetensors", "optimizer_1.bin", "scheduler.bin", "sampler.bin",
                          "custom_checkpoint_0.pkl", "random_states_1.pkl")),
    "peft": Layout(below("lora/", {"adapter_model.safetensors": tensors("w"), "adapter_config.json": b"{}"}),
                   ("lora/",), "peft"),
    "llama": Layout(below("llama/", {f"consolidated.{n:02d}.pth": saved({"tok": n}) for n in range(3)} |
                          {"params.json": b'{"dim": 8}'}), ("llama/",), "llama", ("consolidated.02.pth",)),
    "torch-folder": Layout(below("exp/step-9/", {"net.pt": saved({"w": 1}), "optimizer.pt": optimizer(9)}),
                           ("exp/step-9/",), "torch-folder", ("optimizer.pt",)),
    "nemo": Layout(below("nemo/step=9-last/", below("weights/", TORCH_DIST) | {"context/io.json": b"{}",
                                                                             "context/model.yaml": b"a: 1"}),
                   ("nemo/step=9-last/",), "nemo", ("context/model.yaml",), ("context/io.json", "context/model.yaml")),
    "lightning-fsdp": Layout(below("ck/epoch=0-step=1200.ckpt/", DCP | {"meta.pt": saved({"global_step": 1200})}),
                             ("ck/epoch=0-step=1200.ckpt/",), "torch-dcp"),
    "lightning-deepspeed": Layout(below("ck/epoch=0-step=2.ckpt/checkpoint/", {
        name.removeprefix("global_step2/"): body for name, body in ZERO3.items()}),
        ("ck/epoch=0-step=2.ckpt/checkpoint/",), "deepspeed"),
    "torchtitan": Layout(below("outputs/checkpoint/step-1200/", DCP), ("outputs/checkpoint/step-1200/",), "torch-dcp"),
    "megatron": Layout(below("mg/iter_0000100/", TORCH_DIST), ("mg/iter_0000100/",), "megatron"),
    "deepspeed-zero3": Layout(below("ds/", ZERO3), ("ds/global_step2/",), "deepspeed"),
    "composer": Layout({f"cp/ep0-ba10-rank{rank}.pt": saved({"rank": rank}) for rank in range(3)},
                       ("cp/ep0-ba10-rank0.pt",), "composer", ("cp/ep0-ba10-rank2.pt",)),
    "adapters": Layout({f"loras/style-00000{n}.safetensors": tensors(f"w{n}") for n in (2, 4)} |
                       {"loras/style.safetensors": tensors("w9")},
                       tuple(f"loras/style{n}.safetensors" for n in ("-000002", "-000004", "")), "model",
                       tuple(f"loras/style{n}.safetensors" for n in ("-000002", "-000004", ""))),
    "hf-storage": Layout(below("titan/", {f"shard-0000{n}-model-00001-of-00001.safetensors": tensors(
        "w", header={"__metadata__": {"DCP_SHARDING_INFO": json.dumps({"w": {"saved_offsets": [2 * (n - 1)]}})}})
        for n in (1, 2, 3)}), ("titan/",), "model", ("shard-00003-model-00001-of-00001.safetensors",)),
}  # fmt: skip
"""One of each. What `free` names, only siblings can miss (runtime/checkpoints/siblings.py)."""
