"""DeepSpeed's universal checkpoint: a folder for each parameter, cut by no number of ranks.

deepspeed/checkpoint/ds_to_universal.py: `zero/<parameter>/` with `fp32.pt`, a file for each state of the optimizer and
`step.pt`; `zero/optimizer_state.pt` with what all parameters share; the model states of the tag that it was made of,
whose `param_shapes` name the parameters. Whoever loads it takes what files lie in a parameter's folder
(checkpoint/universal_checkpoint.py, `load_hp_checkpoint_state`), so one that is missing is missed by nobody there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pilotlight.runtime.checkpoints.format import LOAD, RESUME, Candidate, Judged, Problem, Reader, Role
from pilotlight.runtime.checkpoints.formats import torch_archive, torch_files
from pilotlight.runtime.checkpoints.formats.deepspeed import MODEL, RANKS_MAX, own_parameters
from pilotlight.runtime.checkpoints.formats.torch_archive import Saved

ZERO = "zero/"
SHARED = "zero/optimizer_state.pt"
WEIGHTS, STEP = "fp32.pt", "step.pt"
_STATE = re.compile(r"^zero/(?P<parameter>[^/]+)/(?P<state>[^/]+\.pt)$")


class Universal:
    """The folder around `zero/`."""

    name = "deepspeed-universal"

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find."""
        for folder in folders:
            if ZERO in folder.subfolders and any(_is_sign(folder.name(file)) for file in folder.files):
                named = {folder.name(file): file for file in folder.files}
                own = tuple(file for name, file in named.items() if name.startswith(ZERO) or MODEL.match(name))
                yield Candidate(folder.path, own)

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        return self.judge(candidate, reader).problems

    def judge(self, candidate: Candidate, reader: Reader) -> Judged:
        """See Judges."""
        saved, problems = torch_archive.read_all(candidate, list(candidate.files), reader)
        names = {candidate.name(file) for file in candidate.files}
        models = {name: each for name, each in saved.items() if MODEL.match(name)}
        missing = {
            "weights": tuple(_models(models, names) + _missing(models, names, (WEIGHTS,))),
            "optimizer": tuple(_missing(models, names, _states(names))),
            "optimizer's shared state": () if SHARED in names else (SHARED,),
        }
        why = "the model states name every parameter, and each has the states that the others have"
        roles = tuple(
            Role(role, need, tuple(sorted(name for name in names if _role(name) == role)), missing[role], why)
            for role, need in (("weights", LOAD), ("optimizer", RESUME), ("optimizer's shared state", RESUME))
        )
        problems += [
            Problem(name, f"missing: {each.name}; {why}", each.need) for each in roles for name in each.missing
        ]
        problems += _other_steps(saved)
        return Judged(self.name, roles, tuple(problems), (), _told(models))

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See ChecksDeeply."""
        return torch_files.deep(candidate, reader, (".pt",))


def _is_sign(name: str) -> bool:
    match = _STATE.match(name)
    return name == SHARED or (match is not None and match["state"] in (WEIGHTS, STEP))


def _role(name: str) -> str:
    match = _STATE.match(name)
    if match:
        return "weights" if match["state"] == WEIGHTS else "optimizer"
    return "weights" if MODEL.match(name) else "optimizer's shared state"


def _states(names: Iterable[str]) -> tuple[str, ...]:
    """Every state of the optimizer that any parameter has."""
    return tuple(sorted({match["state"] for name in names if (match := _STATE.match(name))} - {WEIGHTS}))


def _models(models: dict[str, Saved], names: set[str]) -> list[str]:
    """Model states of every rank of model parallelism."""
    told = [each.value.get("mp_world_size") for each in models.values()]
    count = max([1, *(each for each in told if type(each) is int and each <= RANKS_MAX)])
    there = {int(match["mp"]) for name in names if (match := MODEL.match(name))}
    return [f"mp_rank_{rank:02d}_model_states.pt" for rank in range(count) if rank not in there]


def _missing(models: dict[str, Saved], names: set[str], states: tuple[str, ...]) -> list[str]:
    parameters = {match["parameter"] for name in names if (match := _STATE.match(name))}
    for each in models.values():
        parameters |= own_parameters(each.value)
    wanted = (f"{ZERO}{parameter}/{state}" for parameter in sorted(parameters) for state in states)
    return [name for name in wanted if name not in names]


def _told(models: dict[str, Saved]) -> int | None:
    steps = (each.value.get("global_steps") for _, each in sorted(models.items()))
    return next((step for step in steps if type(step) is int), None)


def _other_steps(saved: dict[str, Saved]) -> Iterator[Problem]:
    """All parameters have counted the same steps."""
    counted = {name: torch_archive.scalar(each, each.walked.value) for name, each in saved.items()}
    steps = {name: step for name, step in counted.items() if name.endswith(f"/{STEP}") and step is not None}
    usual = max(sorted(set(steps.values())), key=list(steps.values()).count, default=None)
    for name, step in sorted(steps.items()):
        if step != usual:
            yield Problem(name, f"has counted {step} steps, the other parameters {usual}", RESUME)
