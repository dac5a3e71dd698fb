"""Hugging Face's older shards: `pytorch_model-*.bin`, each a file of torch.save, and an index.

transformers, modeling_utils.py (`shard_checkpoint`): `*.bin.index.json` with `weight_map`, tensor name -> file name.
Every shard is whole, and holds the tensors that the index puts there and no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pilotlight.runtime.checkpoints.format import Candidate, Damaged, Problem, Reader, Unreadable
from pilotlight.runtime.checkpoints.formats import torch_archive
from pilotlight.runtime.checkpoints.formats.safetensors import read_index

INDEX_SUFFIX = ".bin.index.json"
SUFFIX = ".bin"

_SHARD = re.compile(r"^(?P<stem>.+)-\d{5,}-of-\d{5,}\.bin$")


def is_shard(name: str) -> bool:
    """Whether a file is called as a shard is (pure)."""
    return _SHARD.match(name) is not None


def problems(candidate: Candidate, reader: Reader) -> Iterator[Problem]:
    """What is wrong with the shards of a folder and their indexes."""
    names = {candidate.name(file) for file in candidate.files}
    shards = {name: match["stem"] for name in names if (match := _SHARD.match(name))}
    indexes = {name for name in names if name.endswith(INDEX_SUFFIX)}
    for stem in sorted(set(shards.values())):
        if stem + INDEX_SUFFIX not in indexes:
            yield Problem(stem + INDEX_SUFFIX, "missing: there are shards, but nothing says which belong to it")
    for index in sorted(indexes):
        yield from _index(
            candidate, index, {name for name, stem in shards.items() if stem + INDEX_SUFFIX == index}, reader
        )


def _index(candidate: Candidate, index: str, present: set[str], reader: Reader) -> Iterator[Problem]:
    file = candidate.named(index)
    try:
        if file is None:
            raise Damaged("missing")
        wanted = read_index(file, reader)
    except (Damaged, Unreadable) as damage:
        yield Problem(index, str(damage))
        return
    there = [file for name in sorted(wanted) if (file := candidate.named(name))]
    yield from (Problem(name, "missing") for name in sorted(wanted) if candidate.named(name) is None)
    yield from (Problem(name, "foreign: the index does not name it") for name in sorted(present - wanted.keys()))
    saved, wrong = torch_archive.read_all(candidate, there, reader)
    yield from wrong
    for name, each in saved.items():
        held = set(each.value)
        if absent := sorted(wanted[name] - held):
            yield Problem(name, f"tensor {absent[0]} is not in it, {len(absent)} in all")
        elif extra := sorted(map(str, held - wanted[name])):
            yield Problem(name, f"tensor {extra[0]} is in it but not in the index, {len(extra)} in all")
