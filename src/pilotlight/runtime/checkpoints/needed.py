"""Which roles a folder must have, told by the files that are there: who wrote it, and what that writer always writes.

transformers, trainer.py (`_save_checkpoint`: model, optimizer and scheduler, random state, trainer state; without
`save_only_model`; with DeepSpeed its own tag holds optimizer and scheduler). accelerate, checkpointing.py: every
prepared model, optimizer and scheduler under a number of its own, one random state a process. peft,
`save_pretrained`: the adapter's configuration beside it. llama, generation.py (`Llama.build`): `params.json` beside
the weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.runtime.checkpoints import roles
from pilotlight.runtime.checkpoints.format import LOAD, RESUME, Problem
from pilotlight.runtime.checkpoints.roles import (
    CONFIGURATION,
    DEEPSPEED,
    OPTIMIZER,
    RANDOM,
    SCHEDULER,
    TRAINER,
    WEIGHTS,
)

if TYPE_CHECKING:
    from pilotlight.runtime.checkpoints.folder import Contents

TRAINER_LAYOUT, ACCELERATE, LLAMA, ADAPTER, TORCH, MODEL = (
    "hf-trainer",
    "accelerate",
    "llama",
    "peft",
    "torch-folder",
    "model",
)
RANKS_MAX = 100_000
_NUMBERED = re.compile(
    r"^(?P<stem>model|pytorch_model|optimizer|scheduler|custom_checkpoint)_(?P<number>\d+)(?P<end>\.\w+)$"
)
_OF_RANK = re.compile(r"_rank\d+")
_DATA_OF_RANK = re.compile(r"/__(\d+)_\d+\.distcp$")


@dataclass(frozen=True)
class Wanted:
    """One role of a folder; `missing` are names that must be there, `why` who says so."""

    name: str
    need: str
    missing: tuple[str, ...] = ()
    why: str = ""

    def beside(self, other: Wanted | None) -> Wanted:
        """What this and another reason ask of the same role."""
        if other is None or not other.missing:
            return self
        missing = tuple(dict.fromkeys((*other.missing, *self.missing)))
        return Wanted(self.name, self.need, missing, "; ".join(dict.fromkeys((other.why, self.why))))

    @property
    def problems(self) -> list[Problem]:
        return [Problem(name, f"missing: {self.name}; {self.why}", self.need) for name in self.missing]


def roles_of(found: Contents) -> tuple[str, list[Wanted]]:
    """(layout, every role that is there or must be)."""
    layout = layout_of(found)
    wanted: dict[str, Wanted] = {}
    for each in _wanted(found, layout):
        wanted[each.name] = each.beside(wanted.get(each.name))
    for role, names in found.by_role.items():
        if names and role not in wanted:
            wanted[role] = Wanted(role, _need(names))
    return layout, list(wanted.values())


def _need(names: Iterable[str]) -> str:
    """What names of one role are needed for."""
    return next(roles.of(name).need for name in names)


def layout_of(found: Contents) -> str:
    """Who wrote it, by the names that nobody else gives (pure)."""
    random = found.names(RANDOM)
    if any(name.startswith("random_states_") for name in random):
        return ACCELERATE
    if random or _is_trainers(found):
        return TRAINER_LAYOUT
    if _ends(found.names(OPTIMIZER), ".bin") and _ends(found.names(SCHEDULER), ".bin"):
        return ACCELERATE
    if any(name.startswith("consolidated.") for name in found.names(WEIGHTS)):
        return LLAMA
    if _is_adapter(found):
        return ADAPTER
    return TORCH if found.names(OPTIMIZER) else MODEL


def _is_trainers(found: Contents) -> bool:
    """A trainer's state in the root of a run (`Trainer.save_state`) says nothing of what lies beside it."""
    name = found.candidate.path.rstrip("/").rpartition("/")[2]
    in_checkpoint = re.match(r"(?:tmp-)?checkpoint-\d+", name) is not None
    if found.names(TRAINER):
        return in_checkpoint or bool(found.names(OPTIMIZER) or found.names(SCHEDULER))
    return bool(found.names(SCHEDULER)) and (in_checkpoint or _ends(found.names(OPTIMIZER), "/"))


def _ends(names: Iterable[str], end: str) -> bool:
    return any(name.endswith(end) for name in names)


def _wanted(found: Contents, layout: str) -> Iterator[Wanted]:
    by = {TRAINER_LAYOUT: "transformers' Trainer", ACCELERATE: "Accelerate's save_state"}.get(layout, "")
    tag = found.names(DEEPSPEED)
    if by:
        said = f"{_witness(found)} says that {by} wrote this"
        yield _has(found, WEIGHTS, LOAD, () if tag else ("model.safetensors",), said)
        optimizer = "optimizer.pt" if layout == TRAINER_LAYOUT else "optimizer.bin"
        yield _has(found, OPTIMIZER, RESUME, () if tag else (optimizer,), said)
        yield from _random(found, layout, said)
    if layout == TRAINER_LAYOUT:
        yield _has(found, SCHEDULER, RESUME, () if tag else ("scheduler.pt",), said)
        yield _has(found, TRAINER, RESUME, ("trainer_state.json",), said)
    elif layout in (TORCH, MODEL):
        witness = next(iter([*found.names(OPTIMIZER), *found.names(SCHEDULER), *found.names(TRAINER)]), "")
        yield _has(found, WEIGHTS, LOAD, ("model.safetensors",), f"{witness} belongs to a model, and there is none")
    elif layout == LLAMA:
        yield _beside(found, "params.json", "consolidated.NN.pth is loaded by it")
    elif layout == ADAPTER:
        yield _has(found, WEIGHTS, LOAD, ("adapter_model.safetensors",), "adapter_config.json describes an adapter")
    if _is_adapter(found):
        yield _beside(found, "adapter_config.json", "an adapter is loaded by it")
    if "generation_config.json" in found.names(roles.OTHER):
        yield _beside(found, "config.json", "generation_config.json belongs to a model that is loaded by it")
    yield from _each_rank(found, layout)
    yield from _numbers(found)


def _is_adapter(found: Contents) -> bool:
    weights = any(name.startswith("adapter_model.") for name in found.names(WEIGHTS))
    return weights or "adapter_config.json" in found.names(CONFIGURATION)


def _witness(found: Contents) -> str:
    """A file that tells who wrote the folder."""
    order = (RANDOM, TRAINER, SCHEDULER, OPTIMIZER, WEIGHTS)
    return next((name for role in order for name in sorted(found.names(role))), found.candidate.path)


def _has(found: Contents, role: str, need: str, otherwise: tuple[str, ...], why: str) -> Wanted:
    missing = () if found.names(role) else _as_written(found, role, otherwise)
    return Wanted(role, need, missing, why)


def _as_written(found: Contents, role: str, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """FSDP's sharded state has folders instead, or a file of every process (accelerate, utils/fsdp_utils.py,
    save_fsdp_model with and without `use_dcp`)."""
    there = (*found.names(WEIGHTS), *found.names(OPTIMIZER))
    each = any(roles.rank_of(name) is not None for name in there)
    named = {WEIGHTS: "pytorch_model_fsdp_0", OPTIMIZER: "optimizer_0"}
    if not otherwise or role not in named or not (each or _ends(there, "_0/")):
        return otherwise
    return (named[role] + ("_rank0.bin" if each else "/"),)


def _beside(found: Contents, name: str, why: str) -> Wanted:
    return Wanted(CONFIGURATION, LOAD, () if name in found.names(CONFIGURATION) else (name,), why)


def _random(found: Contents, layout: str, said: str) -> Iterator[Wanted]:
    """One of every process; transformers gives them numbers where there are several."""
    pattern = "rng_state_{}.pth" if layout == TRAINER_LAYOUT else "random_states_{}.pkl"
    count = _processes(found, layout)
    if not found.names(RANDOM):
        alone = "rng_state.pth" if layout == TRAINER_LAYOUT and not count else pattern.format(0)
        yield Wanted(RANDOM, RESUME, (alone,), said)
        return
    ranks = {rank for name in found.names(RANDOM) if (rank := roles.rank_of(name)) is not None}
    missing = tuple(pattern.format(rank) for rank in range(count) if rank not in ranks) if ranks else ()
    yield Wanted(RANDOM, RESUME, missing, f"there were at least {count} processes")


def _processes(found: Contents, layout: str) -> int:
    """How many there were at least: as the highest rank tells that wrote anything in the folder; 0 where none does."""
    random, others = found.names(RANDOM), (*found.names(WEIGHTS), *found.names(OPTIMIZER))
    ranks = [rank for name in (*random, *others) if (rank := roles.rank_of(name)) is not None]
    ranks += [int(match[1]) for file in found.candidate.files if (match := _DATA_OF_RANK.search(file.key))]
    if layout == TRAINER_LAYOUT and any(roles.rank_of(name) is not None for name in random):
        ranks.append(1)
    return min(max(ranks, default=-1) + 1, RANKS_MAX)


def _each_rank(found: Contents, layout: str) -> Iterator[Wanted]:
    """Weights and optimizers of which every process has written its own part."""
    for role in (WEIGHTS, OPTIMIZER):
        there = {name for name in found.names(role) if roles.rank_of(name) is not None}
        forms = sorted({_OF_RANK.sub("_rank{}", name) for name in there})
        count = _processes(found, layout) if forms else 0
        missing = tuple(name for form in forms for rank in range(count) if (name := form.format(rank)) not in there)
        if missing:
            yield Wanted(role, _need(missing), missing, f"there were at least {count} processes")


def _numbers(found: Contents) -> Iterator[Wanted]:
    """Several models, optimizers or schedulers are numbered from the first, which has no number, without a gap."""
    there = {name for names in found.by_role.values() for name in names}
    matched = [match for name in there if (match := _NUMBERED.match(name))]
    for role in sorted({roles.of(match[0]).role for match in matched}):
        own = [match for match in matched if roles.of(match[0]).role == role]
        missing = sorted({each for match in own for each in _before(match) if each not in there})
        if missing:
            yield Wanted(role, _need(missing), tuple(missing), "what is numbered higher is there")


def _before(match: re.Match[str]) -> Iterator[str]:
    """Names with the lower numbers of the same stem; objects are numbered from 0, the others' first has none."""
    stem, number, end = match["stem"], int(match["number"]), match["end"]
    for each in range(min(number, RANKS_MAX)):
        bare = each == 0 and stem != "custom_checkpoint"
        yield f"{stem}{end}" if bare else f"{stem}_{each}{end}"


def named_step(path: str) -> int | None:
    """The step that transformers' own name of a checkpoint tells; None where the folder is called otherwise."""
    match = re.match(r"^checkpoint-(\d+)$", path.rstrip("/").rpartition("/")[2])
    return int(match[1]) if match else None


__all__ = ["Wanted", "layout_of", "named_step", "roles_of"]
