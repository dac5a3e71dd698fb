"""Judging one file of a checkpoint by what it is: an archive of torch.save, safetensors, JSON; the rest is unjudged.

A file beside the weights is whole or it is not, whatever it is for. What no judge knows is named with its size by the
verdict: it makes nothing incomplete, and nobody is told that it was looked at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.checkpoints.format import Candidate, Damaged, File, Reader
from pilotlight.runtime.checkpoints.formats import safetensors, torch_archive

TORCH_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".pkl")
JSON_BYTES_MAX = 16 * 1024 * 1024
"""A `trainer_state.json` of a hundred thousand logged steps; a tokenizer's vocabulary."""
JSON_READ_MAX = 256 * 1024
"""Configuration up to here is parsed; of what is longer only beginning and end are looked at."""


@dataclass(frozen=True)
class Told:
    """What a file says, as data; None where its judge reads no values. `judged` is whether there was a judge at all."""

    value: Any = None
    judged: bool = True


def judge(candidate: Candidate, file: File, reader: Reader, files: int) -> Told:
    """One file; Damaged or Unreadable where it is not whole. `files` share the budget."""
    name = file.key.rpartition("/")[2]
    if name.endswith(TORCH_SUFFIXES):
        saved = torch_archive.read(file, reader, torch_archive.is_small(candidate), files, strict=False)
        return Told(saved)
    if name.endswith(safetensors.SUFFIX):
        return Told(safetensors.tensors(file, reader, safetensors.first_read(files)))
    if name.endswith(".json"):
        return Told(_json(file, reader))
    return Told(judged=False)


def _json(file: File, reader: Reader) -> Any:
    """The value of a small file; of a large one only whether it begins and ends as an object or a list does."""
    if not file.size:
        raise Damaged("is empty")
    if file.size > JSON_READ_MAX:
        first, last = reader.read_range(file, 0, 1), reader.read_range(file, file.size - 64, 64).rstrip()[-1:]
        if (first, last) not in ((b"{", b"}"), (b"[", b"]")):
            raise Damaged("is not whole JSON: it does not end as it begins")
        return None
    try:
        return json.loads(reader.read_range(file, 0, file.size))
    except (ValueError, RecursionError) as problem:
        raise Damaged(f"is not JSON: {problem}") from problem
