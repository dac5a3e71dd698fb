"""A training checkpoint as a folder: weights, optimizer, scheduler, random state, trainer state, and their files.

Writers: transformers' Trainer (trainer.py, `_save_checkpoint`), Accelerate (checkpointing.py,
`save_accelerator_state`), PEFT (`save_pretrained`), Llama (`consolidated.NN.pth`), and whoever puts a model beside an
optimizer. The folder owns what lies directly in it and the parts below it that belong to a role (roles.py); another
checkpoint below it is its own. Every file is judged, and a role that the others imply is missing where no file has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.checkpoints import judging, needed, roles
from pilotlight.runtime.checkpoints.format import (
    LOAD,
    RESUME,
    Candidate,
    Damaged,
    File,
    Judged,
    Problem,
    Reader,
    Role,
    Unjudged,
    Unreadable,
)
from pilotlight.runtime.checkpoints.formats import (
    dcp,
    deepspeed,
    hf_bin,
    llama,
    safetensors,
    torch_archive,
    torch_files,
)
from pilotlight.runtime.checkpoints.judging import Told
from pilotlight.runtime.checkpoints.roles import DEEPSPEED, OTHER, TRAINER, WEIGHTS

SAFETENSORS, SHARDED, BIN, FOLDER = "safetensors", "safetensors-sharded", "hf-bin-sharded", "folder"
KINDS = (SHARDED, SAFETENSORS, BIN)


@dataclass
class Contents:
    """What was found in one folder: names by role, what files say, what is wrong."""

    candidate: Candidate
    by_role: dict[str, list[str]] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def names(self, role: str) -> list[str]:
        return self.by_role.get(role, [])

    def value(self, name: str) -> Any:
        """What a file says; None where it was not read, or could not be."""
        told = self.told.get(name)
        return told.value if told else None


class Folder:
    """Any folder of roles; under the name of a kind of weights those that have it."""

    def __init__(self, name: str = FOLDER) -> None:
        self.name = name

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find; it owns what lies directly in it, and the folders below that belong to a role."""
        for folder in folders:
            names = {name for name in _direct(folder) if not roles.OF_OTHERS.search(name)}
            if self.name in (FOLDER, kind_of(names)):
                singles = _one_each(names)
                yield from (Candidate(folder.path + name, (folder.required(name),)) for name in sorted(singles))
                rest = _owned(folder, names - singles)
                if any(roles.of(name).implies for name in names - singles):
                    yield Candidate(folder.path, rest)

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        return self.judge(candidate, reader).problems

    def judge(self, candidate: Candidate, reader: Reader) -> Judged:
        """See Judges."""
        found = Contents(candidate)
        for name in sorted(_direct(candidate)):
            found.by_role.setdefault(roles.of(name).role, []).append(name)
        _promote(found)
        _weights(found, reader)
        _others(found, reader)
        layout, wanted = needed.roles_of(found)
        found.problems += [problem for role in wanted for problem in role.problems]
        found.problems += _other_step(found)
        shown = tuple(
            Role(each.name, each.need, tuple(found.names(each.name)), each.missing, each.why) for each in wanted
        )
        unknown = [name for name, told in found.told.items() if not told.judged]
        unjudged = tuple(Unjudged(name, candidate.required(name).size) for name in unknown)
        return Judged(layout, shown, tuple(found.problems), unjudged, _step(found))

    def step(self, candidate: Candidate, reader: Reader) -> int | None:
        """See TellsStep; of all its files only the trainer's state is read."""
        found = Contents(candidate)
        found.by_role[TRAINER] = sorted(name for name in _direct(candidate) if roles.of(name).role == TRAINER)
        _judge(found, found.names(TRAINER), RESUME, reader)
        return _step(found)

    def kind(self, candidate: Candidate, reader: Reader) -> str:
        """See TellsKind."""
        return kind_of(_direct(candidate)) or self.name

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See ChecksDeeply: every member of every archive, below too."""
        found = list(torch_files.deep(candidate, reader, judging.TORCH_SUFFIXES, strict=False))
        for part in _parts(candidate):
            below = _below(candidate, part)
            found += [_placed(each, part) for each in dcp.deep(below, reader)] if below.named(dcp.METADATA) else []
        return tuple(found)


# -- which files -----------------------------------------------------------------------------------------------


def kind_of(names: Iterable[str]) -> str:
    """What the weights are, from names alone (pure)."""
    names = list(names)
    if any(name.endswith(safetensors.INDEX_SUFFIX) or safetensors.is_shard(name) for name in names):
        return SHARDED
    if any(name.endswith(safetensors.SUFFIX) for name in names):
        return SAFETENSORS
    return BIN if any(name.endswith(hf_bin.INDEX_SUFFIX) or hf_bin.is_shard(name) for name in names) else ""


def _direct(candidate: Candidate) -> set[str]:
    """Names of what lies directly in the folder; folders end in a slash."""
    return {*candidate.direct, *candidate.subfolders}


def _owned(folder: Candidate, names: set[str]) -> tuple[File, ...]:
    parts = tuple(_parts_among(folder, names))
    return tuple(
        file for file in folder.files if (name := folder.name(file)) in names or (parts and name.startswith(parts))
    )


def _parts(candidate: Candidate) -> list[str]:
    return [name for name in sorted(_direct(candidate)) if name.endswith("/")]


def _parts_among(folder: Candidate, names: set[str]) -> Iterator[str]:
    """Folders of a role, where their files are what the role's are; and shards that an index names in a folder."""
    trainer = any(roles.of(name).role in (TRAINER, roles.RANDOM, roles.SCHEDULER) for name in names)
    index = any(name.endswith((safetensors.INDEX_SUFFIX, hf_bin.INDEX_SUFFIX)) for name in names)
    for name in sorted(each for each in names if each.endswith("/")):
        role = roles.of(name).role
        if (
            (role == DEEPSPEED and trainer)
            or role in (WEIGHTS, roles.OPTIMIZER)
            or (role == OTHER and index and _only_shards(_below(folder, name)))
        ):
            yield name


def _only_shards(below: Candidate) -> bool:
    return all(safetensors.is_shard(name) or hf_bin.is_shard(name) for name in _direct(below))


def _one_each(names: set[str]) -> set[str]:
    """Files that are checkpoints each by themselves: several of one stem that differ in a number, and no other role.

    kohya-ss/sd-scripts, train_util.py (EPOCH_FILE_NAME, `name-000004.safetensors`), and the last without a number.
    """
    files = {name for name in names if name.endswith(safetensors.SUFFIX) and not safetensors.is_canonical(name)}
    others = {roles.of(name).role for name in names - files if roles.of(name).implies}
    stems: dict[str, set[str]] = {}
    for name in files:
        stems.setdefault(safetensors.stem_of(name), set()).add(name)
    return set() if others else {name for group in stems.values() if len(group) > 1 for name in group}


def _below(candidate: Candidate, part: str) -> Candidate:
    path = candidate.prefix + part
    return Candidate(path, tuple(file for file in candidate.files if file.key.startswith(path)))


def _placed(problem: Problem, part: str) -> Problem:
    return Problem(part + problem.file, problem.what, problem.need)


# -- judging ---------------------------------------------------------------------------------------------------


def _promote(found: Contents) -> None:
    """A model under a name of its own, beside an optimizer: what no other role has are the weights."""
    if found.names(WEIGHTS) or found.names(DEEPSPEED) or not found.names(roles.OPTIMIZER):
        return
    models = [name for name in found.names(OTHER) if name.endswith(judging.TORCH_SUFFIXES)]
    if models:
        found.by_role[WEIGHTS] = models
        found.by_role[OTHER] = [name for name in found.names(OTHER) if name not in models]


def _weights(found: Contents, reader: Reader) -> None:
    candidate, names = found.candidate, found.names(WEIGHTS)
    if any(name.endswith((safetensors.SUFFIX, safetensors.INDEX_SUFFIX)) for name in names):
        found.problems += safetensors.problems(candidate, reader)
    if any(name.endswith(hf_bin.INDEX_SUFFIX) or hf_bin.is_shard(name) for name in names):
        found.problems += hf_bin.problems(candidate, reader)
    rest = [name for name in names if name.endswith(judging.TORCH_SUFFIXES) and not hf_bin.is_shard(name)]
    _judge(found, rest, LOAD, reader)
    found.problems += llama.problems(found, [name for name in rest if llama.NAME.match(name)])
    for part in (name for role in (WEIGHTS, roles.OPTIMIZER, DEEPSPEED) for name in found.names(role)):
        if part.endswith("/"):
            found.problems += _part(_below(candidate, part), part, roles.of(part).need, reader)


def _part(below: Candidate, part: str, need: str, reader: Reader) -> list[Problem]:
    """A folder of a role is what one of the distributed formats writes."""
    if deepspeed.archives(below):
        wrong = deepspeed.DeepSpeed().verify(below, reader)
    elif below.named(dcp.METADATA) or dcp.files(below):
        wrong = tuple(dcp.problems(below, reader))
    else:
        wrong = (Problem("", "holds nothing that is known of such a folder"),)
    return [Problem(part + each.file, each.what, need if need == RESUME else each.need) for each in wrong]


def _others(found: Contents, reader: Reader) -> None:
    for role, names in found.by_role.items():
        if role not in (WEIGHTS, DEEPSPEED):
            for name in (each for each in names if not each.endswith("/")):
                _judge(found, [name], roles.of(name).need or LOAD, reader)


def _judge(found: Contents, names: list[str], need: str, reader: Reader) -> None:
    for name in names:
        try:
            file = found.candidate.required(name)
            found.told[name] = judging.judge(found.candidate, file, reader, len(found.candidate.files))
        except (Damaged, Unreadable) as damage:
            found.told[name] = Told()
            found.problems.append(Problem(name, str(damage), need))


def _other_step(found: Contents) -> Iterator[Problem]:
    """transformers calls its checkpoints by the step; a state that tells another one was written for another."""
    told, named = _step(found), needed.named_step(found.candidate.path)
    if told is None:
        return
    if named is not None and told != named:
        yield Problem(found.names(TRAINER)[0], f"is of step {told}, its folder of step {named}", RESUME)
    counted = list(_counted(found))
    ahead = [(name, count) for name, count in counted if count > told]
    behind = [(name, count) for name, count in counted if count < told] if told in dict(counted).values() else []
    for name, count in (*ahead, *behind):
        yield Problem(name, f"has counted {count} steps, the trainer's state {told}", RESUME)


def _counted(found: Contents) -> Iterator[tuple[str, int]]:
    """What scheduler and optimizer have counted. A step that overflowed moves neither, so both may be behind the
    trainer's count, and only one of them tells that they were not saved together. ReduceLROnPlateau counts evaluations
    (torch/optim/lr_scheduler.py)."""
    for name in found.names(roles.SCHEDULER):
        saved = found.value(name)
        state = saved.value if saved is not None else {}
        if type(state.get("last_epoch")) is int and "patience" not in state:
            yield name, state["last_epoch"]
    for name in found.names(roles.OPTIMIZER):
        saved = found.value(name)
        count = torch_archive.optimizer_step(saved, saved.value) if saved is not None else None
        if count is not None:
            yield name, count


def _step(found: Contents) -> int | None:
    """transformers' own word; else what DeepSpeed's tag is called."""
    for name in found.names(TRAINER):
        state = found.value(name)
        step = state.get("global_step") if isinstance(state, dict) else None
        if type(step) is int and step >= 0:
            return step
    return None
