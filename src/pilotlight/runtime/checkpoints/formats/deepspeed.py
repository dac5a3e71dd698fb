"""DeepSpeed: a tag's folder with the states of the model and, for every rank, those of the optimizer.

deepspeed/runtime/engine.py (`_get_ckpt_name`, `_get_zero_ckpt_name`, `_save_checkpoint`): `mp_rank_XX_model_states.pt`
(ZeRO-3: one for each data-parallel rank too), `[bf16_]zero_pp_rank_D_mp_rank_XX_optim_states.pt`. `latest`, beside the
folder, is a pointer that is written before all ranks are done, and proves nothing. How many ranks there are is read
from the model states and counted in the optimizer's files; the steps that all of them tell must be the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from pilotlight.runtime.checkpoints.format import LOAD, RESUME, Candidate, Judged, Problem, Reader, Role, Unjudged
from pilotlight.runtime.checkpoints.formats import torch_archive, torch_files
from pilotlight.runtime.checkpoints.formats.torch_archive import Saved, entries

MODEL = re.compile(r"^(?:zero_pp_rank_(?P<dp>\d+)_)?mp_rank_(?P<mp>\d+)(?:_\d+)?_model_states\.pt$")
OPTIMIZER = re.compile(
    r"^(?P<kind>(?:bf16_|fp16_)?)zero_pp_rank_(?P<dp>\d+)_mp_rank_(?P<mp>\d+)(?:_\d+)?_optim_states\.pt$"
)
LAYER = re.compile(r"^layer_(?P<layer>\d+)-(?:model_(?P<mp>\d+)-)?model_states\.pt$")
"""Pipeline layers (pipe/module.py, `ckpt_layer_path`); those without parameters have none, so numbers may lack."""
EXPERT = re.compile(r"^layer_(?P<layer>\d+)_expert_(?P<expert>\d+)_mp_rank_(?P<mp>\d+)_model_states\.pt$")
"""Experts (engine.py, `_get_expert_ckpt_name`), as many a layer as the model states' `num_experts` says."""
EXPERTS_OPTIMIZER = re.compile(r"^expp_rank_.*\.pt$")
RANKS_MAX = 100_000
ZERO_3 = 3
_OWN_STATE = ("base_optimizer_state", "optimizer_state_dict")
_TAG = re.compile(r"(?:^|/)global_step(\d+)/$")


class DeepSpeed:
    """The folder of one tag."""

    name = "deepspeed"
    knows = ("*_model_states.pt", "*_optim_states.pt")

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find."""
        return (folder for folder in folders if archives(folder))

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        return self.judge(candidate, reader).problems

    def judge(self, candidate: Candidate, reader: Reader) -> Judged:
        """See Judges; what the optimizer keeps is needed for loading only where it keeps the weights, too."""
        saved, problems = _read(candidate, reader)
        need = _need_of_optimizer(saved)
        found = tuple(
            Problem(each.file, each.what, need) if _is_optimizers(each.file) else each
            for each in (*problems, *_wrong(candidate, saved))
        )
        names = [candidate.name(file) for file in candidate.files]
        missing = {each.file for each in found if each.what.startswith("missing")}
        roles = tuple(
            Role(
                role,
                needed,
                tuple(name for name in names if own(name)),
                tuple(sorted(name for name in missing if own(name))),
                "the model states count ranks, layers and experts",
            )
            for role, needed, own in (("weights", LOAD, _is_models), ("optimizer", need, _is_optimizers))
        )
        unknown = [
            file for file in candidate.files if not (_is_models(name := candidate.name(file)) or _is_optimizers(name))
        ]
        unjudged = tuple(Unjudged(candidate.name(file), file.size) for file in unknown)
        return Judged("", roles, found, unjudged, _models_step(saved))

    def step(self, candidate: Candidate, reader: Reader) -> int | None:
        """See TellsStep."""
        return _models_step(_read(candidate, reader)[0])

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See ChecksDeeply."""
        return torch_files.deep(candidate, reader, (".pt",))


def archives(folder: Candidate) -> list[str]:
    """Names of what DeepSpeed writes, directly in the folder (pure)."""
    states = (name for name in folder.direct if name.endswith("_states.pt"))
    return [name for name in states if MODEL.match(name) or OPTIMIZER.match(name) or _is_besides(name)]


def _is_besides(name: str) -> bool:
    """Of a layer or an expert: whole by itself, and not counted by the ranks alone."""
    return any(pattern.match(name) for pattern in (LAYER, EXPERT, EXPERTS_OPTIMIZER))


def _is_optimizers(name: str) -> bool:
    return bool(OPTIMIZER.match(name) or EXPERTS_OPTIMIZER.match(name))


def _is_models(name: str) -> bool:
    return bool(MODEL.match(name) or LAYER.match(name) or EXPERT.match(name))


def _need_of_optimizer(saved: dict[str, Saved]) -> str:
    """ZeRO 3 has the weights nowhere else (utils/zero_to_fp32.py); where nothing tells the stage, that is assumed."""
    world = _world(saved)
    return RESUME if world is not None and world[2] < ZERO_3 else LOAD


def _models_step(saved: dict[str, Saved]) -> int | None:
    return next((step for name, step in _steps(saved) if MODEL.match(name)), None)


def _read(candidate: Candidate, reader: Reader) -> tuple[dict[str, Saved], list[Problem]]:
    return torch_archive.read_all(candidate, [f for f in map(candidate.named, archives(candidate)) if f], reader)


def _wrong(candidate: Candidate, saved: dict[str, Saved]) -> Iterator[Problem]:
    present = set(archives(candidate))
    yield from _other_ranks(saved)
    yield from _other_kinds(saved)
    world = _world(saved)
    if world is None:
        models = sorted(name for name in present if MODEL.match(name))
        if not models:
            yield Problem("mp_rank_00_model_states.pt", "missing: nothing tells how many ranks there were")
        elif models[0] in saved:
            yield Problem(models[0], "does not tell how many ranks there were")
        return
    dp, mp, stage = world
    if dp * mp > RANKS_MAX:
        yield Problem(sorted(present)[0], f"tells of {dp} by {mp} ranks")
        return
    expected = set(_model_files(mp, dp, stage, present)) | set(_optimizer_files(mp, dp, stage, present))
    yield from (Problem(name, f"missing: there were {dp} by {mp} ranks") for name in sorted(expected - present))
    for name in sorted(present - expected):
        if not _is_besides(name):
            yield Problem(name, f"foreign: there were {dp} by {mp} ranks")
    yield from _layers(saved, present)
    yield from _experts(saved, present, mp)
    yield from _partitions(saved, dp)
    yield from _other_steps(candidate, saved)


def _world(saved: dict[str, Saved]) -> tuple[int, int, int] | None:
    """(data-parallel ranks, model-parallel ranks, ZeRO stage), as the first readable model states tell."""
    for name, each in sorted(saved.items()):
        value = each.value
        dp, mp = value.get("dp_world_size"), value.get("mp_world_size")
        if MODEL.match(name) and type(dp) is int and type(mp) is int and dp > 0 and mp > 0:
            return dp, mp, _stage(value)
    return None


def _stage(value: dict[Any, Any]) -> int:
    """As the configuration says; without one it is none that keeps weights, and the optimizer's files tell the rest."""
    stage = entries(entries(value.get("ds_config")).get("zero_optimization")).get("stage")
    return stage if type(stage) is int else 0


def _model_files(mp: int, dp: int, stage: int, present: set[str]) -> Iterator[str]:
    per_rank = stage >= ZERO_3 and any((match := MODEL.match(name)) and match["dp"] for name in present)
    for model in range(mp):
        if per_rank:
            yield from (f"zero_pp_rank_{rank}_mp_rank_{model:02d}_model_states.pt" for rank in range(dp))
        else:
            yield f"mp_rank_{model:02d}_model_states.pt"


def _optimizer_files(mp: int, dp: int, stage: int, present: set[str]) -> Iterator[str]:
    kinds = {match["kind"] for name in present if (match := OPTIMIZER.match(name))}
    if stage or kinds:
        kind = min(kinds, default="")
        yield from (f"{kind}zero_pp_rank_{d}_mp_rank_{m:02d}_optim_states.pt" for m in range(mp) for d in range(dp))


def _other_ranks(saved: dict[str, Saved]) -> Iterator[Problem]:
    """torch.save names the root of an archive after the file that it is saved to."""
    for name, each in saved.items():
        written_as = each.root.rstrip("/") + ".pt"
        if written_as != name and (MODEL.match(written_as) or OPTIMIZER.match(written_as)):
            yield Problem(name, f"was written as {written_as}")


def _other_kinds(saved: dict[str, Saved]) -> Iterator[Problem]:
    """Model states tell of the ranks, the optimizer's files hold its state."""
    for name, each in saved.items():
        told = "optimizer_state_dict" if OPTIMIZER.match(name) else "dp_world_size"
        if not _is_besides(name) and told not in each.value:
            yield Problem(name, f"has no {told}: it is none of DeepSpeed's, or another file under its name")


def _layers(saved: dict[str, Saved], present: set[str]) -> Iterator[Problem]:
    """A pipeline's model states hold no module (pipe/engine.py, `module_state_dict`): the layers' files do."""
    models = {name: each.value for name, each in saved.items() if MODEL.match(name)}
    empty = {name: value for name, value in sorted(models.items()) if "module" in value and value["module"] is None}
    layers = {match["layer"] for name in present if (match := LAYER.match(name))}
    for name, value in empty.items():
        wanted = {f"{layer:02d}" for layer in _own_layers(value)} or ({"00"} if not layers else set())
        for layer in sorted(wanted - layers):
            yield Problem(
                f"layer_{layer}-model_states.pt", f"missing: weights; {name} tells of parameters of this layer"
            )
    ranks = {match["mp"] for name in present if (match := LAYER.match(name)) and match["mp"]}
    for layer in sorted(layers):
        for rank in sorted(ranks):
            name = f"layer_{layer}-model_{rank}-model_states.pt"
            if name not in present:
                yield Problem(name, "missing: weights; other layers have this rank, or other ranks this layer")


def _own_layers(value: dict[Any, Any]) -> set[int]:
    """Layers with parameters on this rank: `param_shapes` has their names, which begin with the layer's number
    (pipe/module.py, `_build`)."""
    heads = [name.partition(".")[0] for name in own_parameters(value)]
    return {int(head) for head in heads if head.isdigit() and len(head) < len(str(RANKS_MAX))}


def own_parameters(value: dict[Any, Any]) -> set[str]:
    """Names of the parameters of this rank (engine.py, `_get_zero_param_shapes`)."""
    groups = value.get("param_shapes")
    names = [name for group in groups for name in entries(group)] if isinstance(groups, list) else []
    return {name for name in names if isinstance(name, str)}


def _experts(saved: dict[str, Saved], present: set[str], mp: int) -> Iterator[Problem]:
    """Every expert of every layer with experts (engine.py, `_save_moe_checkpoint`)."""
    told = next((each.value.get("num_experts") for name, each in sorted(saved.items()) if MODEL.match(name)), None)
    counts = [count for count in told if type(count) is int] if isinstance(told, list) else []
    if sum(counts) * mp > RANKS_MAX:
        return
    for layer, count in enumerate(counts):
        for expert in range(count) if count > 1 else ():
            for rank in range(mp):
                name = f"layer_{layer}_expert_{expert}_mp_rank_{rank:02d}_model_states.pt"
                if name not in present:
                    yield Problem(name, f"missing: weights; the model states tell of {count} experts in layer {layer}")


def _partitions(saved: dict[str, Saved], dp: int) -> Iterator[Problem]:
    """The optimizer's files tell themselves into how many parts they were cut: as many as ranks, or, for a group of
    experts, as a share of them that divides them."""
    for name, each in saved.items():
        state = entries(each.value.get("optimizer_state_dict"))
        counts = state.get("partition_count")
        numbers = [count for count in counts if type(count) is int] if isinstance(counts, list) else []
        wrong = [count for count in numbers if count < 1 or dp % count or (len(numbers) == 1 and count != dp)]
        if OPTIMIZER.match(name) and wrong:
            yield Problem(name, f"is a part of {wrong[0]}, there were {dp} data-parallel ranks")


def _other_steps(candidate: Candidate, saved: dict[str, Saved]) -> Iterator[Problem]:
    """What files tell of their step agrees, with each other and with the tag that DeepSpeed gives by default."""
    steps = list(_steps(saved))
    tag = _TAG.search(candidate.path)
    model = next((step for name, step in steps if MODEL.match(name)), None)
    wanted = int(tag[1]) if tag else model
    for name, step in steps:
        is_model = MODEL.match(name) is not None
        if wanted is not None and step != wanted and (is_model or step > wanted or _skipped(saved) == 0):
            yield Problem(name, f"is of step {step}, the checkpoint of step {wanted}")


def _skipped(saved: dict[str, Saved]) -> int:
    """Steps that overflowed and moved no parameter: the optimizer has counted as many fewer."""
    counts = [each.value.get("skipped_steps") for each in saved.values()]
    return max((count for count in counts if type(count) is int), default=0)


def _steps(saved: dict[str, Saved]) -> Iterator[tuple[str, int]]:
    """(file, step): of model states `global_steps`, of the optimizer's what its own state counts."""
    for name, each in sorted(saved.items()):
        if MODEL.match(name):
            told = each.value.get("global_steps")
        else:
            told = _optimizer_step(each)
        if type(told) is int:
            yield name, told


def _optimizer_step(saved: Saved) -> int | None:
    """ZeRO 1 and 2 keep the optimizer's own state under the first name (zero/stage_1_and_2.py, `state_dict`), ZeRO 3
    under the second (zero/stage3.py, `_rigid_state_dict`)."""
    state = entries(saved.value.get("optimizer_state_dict"))
    counted = (torch_archive.optimizer_step(saved, state.get(name)) for name in _OWN_STATE)
    return next((step for step in counted if step is not None), None)
