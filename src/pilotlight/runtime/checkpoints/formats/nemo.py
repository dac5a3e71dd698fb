"""NeMo 2: a folder with `weights/`, in Megatron-core's distributed format, and `context/`, which builds the model.

nemo_toolkit 2.4: nemo/lightning/ckpt_utils.py (WEIGHTS_PATH, CONTEXT_PATH), io/mixin.py (`io.json`, of which the model
is built) and pytorch/callbacks/model_checkpoint.py (UNFINISHED_CHECKPOINT_SUFFIX: such a file lies beside a checkpoint
that is being written and is removed after it). The format of the weights is megatron.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pilotlight.runtime.checkpoints.format import LOAD, RESUME, Candidate, File, Judged, Problem, Reader, Role, Unjudged
from pilotlight.runtime.checkpoints.formats import dcp, megatron

WEIGHTS, CONTEXT = "weights/", "context/"
UNFINISHED = "-unfinished"
CONTEXT_FILE = "context/io.json"


class Nemo:
    """The folder around weights and context."""

    name = "nemo"

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find; the marker beside the folder is one of its files, so that its verdict can tell of it."""
        listed = list(folders)
        markers = {file.key: file for folder in listed[:1] for file in folder.files if file.key.endswith(UNFINISHED)}
        for folder in listed:
            inside = folder.path and folder.subfolders & {WEIGHTS, CONTEXT}
            if inside and _is_one({folder.name(file) for file in folder.files}):
                marker = markers.get(folder.path.rstrip("/") + UNFINISHED)
                yield Candidate(folder.path, (*folder.files, *((marker,) if marker else ())))

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        return self.judge(candidate, reader).problems

    def judge(self, candidate: Candidate, reader: Reader) -> Judged:
        """See Judges."""
        weights = _below(candidate, WEIGHTS)
        context = [candidate.name(file) for file in candidate.files if candidate.name(file).startswith(CONTEXT)]
        problems = [
            Problem(WEIGHTS + each.file, each.what, each.need) for each in megatron.distributed(weights, reader)
        ]
        missing = () if CONTEXT_FILE in context else (CONTEXT_FILE,)
        problems += [Problem(name, "missing: context; the model is built from it", LOAD) for name in missing]
        problems += [
            Problem(file.key, "NeMo removes it when all is written") for file in candidate.files if _is_marker(file)
        ]
        roles = (
            Role("weights", LOAD, tuple(WEIGHTS + weights.name(file) for file in weights.files)),
            Role("context", LOAD, tuple(context), missing, "NeMo writes it beside the weights"),
            Role("optimizer", RESUME, (), (), "within the weights' folder, as Megatron-core has it"),
        )
        sizes = {candidate.name(file): file.size for file in candidate.files}
        return Judged(self.name, roles, tuple(problems), tuple(Unjudged(name, sizes[name]) for name in context))

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See ChecksDeeply."""
        below = _below(candidate, WEIGHTS)
        return tuple(Problem(WEIGHTS + each.file, each.what) for each in megatron.Megatron().deep(below, reader))


def _is_one(names: set[str]) -> bool:
    """Weights of Megatron-core's format below `weights/`, and a sign that NeMo wrote them."""
    data = any(name.startswith(WEIGHTS) and name.endswith((dcp.SUFFIX, dcp.METADATA)) for name in names)
    context = any(name.startswith(CONTEXT) for name in names)
    common = any(name in (WEIGHTS + megatron.COMMON, WEIGHTS + megatron.COMPLETE) for name in names)
    return (data and (context or common)) or (context and common)


def _is_marker(file: File) -> bool:
    return file.key.endswith(UNFINISHED)


def _below(candidate: Candidate, part: str) -> Candidate:
    path = candidate.path + part
    return Candidate(path, tuple(file for file in candidate.files if file.key.startswith(path)))
