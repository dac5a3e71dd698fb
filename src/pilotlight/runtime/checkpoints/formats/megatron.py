"""Megatron-LM: `iter_0000100/`, either with one file for each model-parallel rank, or as PyTorch's distributed format.

megatron/training/checkpointing.py (`get_checkpoint_name`, `save_checkpoint`), megatron/core/dist_checkpointing/core.py
(`metadata.json`, written when all else is): `mp_rank_TT[_PPP][_EEE]/model_optim_rng.pt` (with the distributed optimizer
`distrib_optim.pt` too), or `.metadata`, `*.distcp`, `common.pt`. `latest_checkpointed_iteration.txt`, beside the
folders, is a pointer. The ranks are counted by what the files' own arguments tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pilotlight.runtime.checkpoints.encodings.json_text import parse
from pilotlight.runtime.checkpoints.encodings.pickles import Made
from pilotlight.runtime.checkpoints.format import Candidate, Damaged, Problem, Reader, Unreadable
from pilotlight.runtime.checkpoints.formats import dcp, torch_archive, torch_files
from pilotlight.runtime.checkpoints.formats.torch_archive import Saved

COMPLETE = "metadata.json"
COMMON = "common.pt"
MODEL = "model_optim_rng.pt"
COMPLETE_BYTES_MAX = 1024 * 1024
RANKS_MAX = 100_000

_FOLDER = re.compile(r"(?:^|/)(?:iter_(?P<iteration>\d{7})|release)/$")
_RANK = re.compile(r"^mp_rank_(?P<tp>\d{2})(?:_(?P<pp>\d{3}))?(?:_(?P<ep>\d{3}))?/(?P<file>[^/]+\.pt)$")


class Megatron:
    """The folder of one iteration."""

    name = "megatron"
    knows = (COMPLETE, COMMON, "*.distcp", ".metadata", "mp_rank_*/*.pt", "modelopt*", "*.json")

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find; a folder of ranks looked at alone is one too."""
        return (folder for folder in folders if _FOLDER.search(folder.path) or (not folder.path and _ranks(folder)))

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        if _ranks(candidate):
            return tuple(_by_rank(candidate, reader))
        return tuple(distributed(candidate, reader))

    def step(self, candidate: Candidate, reader: Reader) -> int | None:
        """See TellsStep."""
        file = candidate.named(COMMON)
        saved = _read(candidate, reader)[0] if file is None else {COMMON: torch_archive.read(file, reader, False)}
        return next((step for step in map(_iteration, saved.values()) if step is not None), candidate.step)

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See ChecksDeeply."""
        parts = dcp.deep(candidate, reader) if candidate.named(dcp.METADATA) else ()
        return (*torch_files.deep(candidate, reader, (".pt",)), *parts)


def _ranks(candidate: Candidate) -> list[str]:
    return [name for file in candidate.files if _RANK.match(name := candidate.name(file))]


def _read(candidate: Candidate, reader: Reader) -> tuple[dict[str, Saved], list[Problem]]:
    return torch_archive.read_all(
        candidate, [file for name in _ranks(candidate) if (file := candidate.named(name))], reader
    )


def _iteration(saved: Saved) -> int | None:
    told = saved.value.get("iteration")
    return told if type(told) is int else None


def _other_iteration(candidate: Candidate, name: str, saved: Saved) -> Iterator[Problem]:
    folder, told = _FOLDER.search(candidate.path), _iteration(saved)
    if folder and folder["iteration"] and told is not None and told != int(folder["iteration"]):
        yield Problem(name, f"is of iteration {told}, its folder of {int(folder['iteration'])}")


# -- one file for each rank ------------------------------------------------------------------------------------


def _by_rank(candidate: Candidate, reader: Reader) -> Iterator[Problem]:
    saved, problems = _read(candidate, reader)
    yield from problems
    present = set(_ranks(candidate))
    model = {name: each for name, each in sorted(saved.items()) if name.endswith(f"/{MODEL}")}
    for name, each in model.items():
        yield from _other_iteration(candidate, name, each)
    sizes = next((size for size in map(_sizes, model.values()) if size), None)
    if sizes is None:
        if not any(problem.file.endswith(MODEL) for problem in problems):
            name = f"{sorted(present)[0].partition('/')[0]}/{MODEL}"
            yield Problem(name, "missing, or does not tell how many ranks there were")
        return
    tp, pp, ep = sizes
    if tp * pp * ep > RANKS_MAX:
        yield Problem(next(iter(model)), f"tells of {tp} by {pp} by {ep} ranks")
        return
    files = {match["file"] for name in present if (match := _RANK.match(name))}
    expected = {f"{folder}/{file}" for folder in _folders(tp, pp, ep) for file in files | {MODEL}}
    yield from (Problem(name, f"missing: there were {tp} by {pp} by {ep} ranks") for name in sorted(expected - present))
    yield from (Problem(name, f"foreign: there were {tp} by {pp} by {ep} ranks") for name in sorted(present - expected))


def _sizes(saved: Saved) -> tuple[int, int, int] | None:
    """(tensor, pipeline, expert parallel ranks), as the arguments of the run tell."""
    arguments = saved.value.get("args")
    told = arguments.fields if isinstance(arguments, Made) else {}
    names = ("tensor_model_parallel_size", "pipeline_model_parallel_size", "expert_model_parallel_size")
    tp, pp, ep = (told.get(name, 1) for name in names)
    known = names[0] in told and all(type(each) is int and each > 0 for each in (tp, pp, ep))
    return (tp, pp, ep) if known else None


def _folders(tp: int, pp: int, ep: int) -> Iterator[str]:
    """`get_checkpoint_name`: the pipeline's rank is told where there are several, the expert's too."""
    for t in range(tp):
        for p in range(pp):
            for e in range(ep):
                yield f"mp_rank_{t:02d}" + (f"_{p:03d}" if pp > 1 else "") + (f"_{e:03d}" if ep > 1 else "")


# -- PyTorch's distributed format ------------------------------------------------------------------------------


def distributed(candidate: Candidate, reader: Reader) -> Iterator[Problem]:
    """What is wrong with a folder of the distributed format: its marker, the common state, the parts."""
    yield from _marker(candidate, reader)
    common = candidate.named(COMMON)
    if common is None:
        yield Problem(COMMON, "missing")
    else:
        saved, problems = torch_archive.read_all(candidate, [common], reader)
        yield from problems
        for name, each in saved.items():
            yield from _other_iteration(candidate, name, each)
    yield from dcp.problems(candidate, reader)


def _marker(candidate: Candidate, reader: Reader) -> Iterator[Problem]:
    file = candidate.named(COMPLETE)
    if file is None:
        yield Problem(COMPLETE, "missing: the checkpoint was not finished, or has not arrived whole")
        return
    try:
        parsed = parse(reader.read_range(file, 0, min(file.size, COMPLETE_BYTES_MAX)))
        backend = parsed.get("sharded_backend") if isinstance(parsed, dict) else None
        if backend != "torch_dist":
            raise Damaged(f"names the backend {backend}, which is not known: it cannot be judged")
    except (Damaged, Unreadable) as damage:
        yield Problem(COMPLETE, str(damage))
