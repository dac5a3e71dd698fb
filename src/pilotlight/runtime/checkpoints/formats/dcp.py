"""PyTorch Distributed Checkpoint: `.metadata` says which bytes of which `.distcp` file hold which part of which tensor.

pytorch, torch/distributed/checkpoint/metadata.py (Metadata) and filesystem.py (`_StorageInfo`: relative path, offset,
length; `.metadata` is renamed into place after all ranks have written). Every part is one archive of torch.save. The
parts of a file lie end to end and reach its end; the parts of a tensor are as large as the tensor; a file that nothing
names is foreign. Small checkpoints are read whole, of large ones the contents of the parts are for `--deep`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.checkpoints.encodings.pickles import Made, walk
from pilotlight.runtime.checkpoints.encodings.zips import Span
from pilotlight.runtime.checkpoints.format import RESUME, Candidate, Damaged, Problem, Reader, Unreadable
from pilotlight.runtime.checkpoints.formats import torch_archive
from pilotlight.runtime.checkpoints.formats.torch_files import STEP_KEYS

METADATA = ".metadata"
SUFFIX = ".distcp"
STRATEGY = "meta.pt"
METADATA_BYTES_MAX = 2 * 1024**3


@dataclass(frozen=True)
class Part:
    """What the metadata says of some bytes of a file: `item` is the name of a tensor or of other data."""

    item: str
    path: str
    offset: int
    length: int


@dataclass
class Contents:
    """The metadata as data: parts, and the names of what is no tensor."""

    parts: list[Part] = field(default_factory=list)
    plain: set[str] = field(default_factory=set)


class Dcp:
    """A folder with `.metadata` and `.distcp` files."""

    name = "torch-dcp"
    knows = (METADATA, f"*{SUFFIX}", STRATEGY)

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find."""
        return (folder for folder in folders if folder.named(METADATA) or files(folder))

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        return (*_strategy(candidate, reader), *problems(candidate, reader))

    def step(self, candidate: Candidate, reader: Reader) -> int | None:
        """See TellsStep."""
        return told_step(candidate, reader)

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See ChecksDeeply."""
        return deep(candidate, reader)


def _strategy(candidate: Candidate, reader: Reader) -> Iterator[Problem]:
    """Lightning's trainer state beside the shards (lightning/fabric/strategies/fsdp.py, `meta.pt`); its own names of
    checkpoints end in .ckpt."""
    file = candidate.named(STRATEGY)
    if file is None:
        if candidate.path.rstrip("/").endswith(".ckpt"):
            yield Problem(
                STRATEGY, "missing: strategy metadata; Lightning writes it beside the shards of a .ckpt", RESUME
            )
        return
    try:
        torch_archive.read(file, reader, torch_archive.is_small(candidate), strict=False)
    except (Damaged, Unreadable) as damage:
        yield Problem(STRATEGY, str(damage), RESUME)


def files(candidate: Candidate) -> list[str]:
    """Names of the data files directly in the folder."""
    return [name for name in candidate.direct if name.endswith(SUFFIX)]


def problems(candidate: Candidate, reader: Reader) -> Iterator[Problem]:
    """Everything that is wrong with one."""
    try:
        found = contents(candidate, reader)
    except (Damaged, Unreadable) as damage:
        yield Problem(METADATA, str(damage))
        return
    wrong = list(_covered(candidate, found.parts))
    yield from wrong
    if not wrong and torch_archive.is_small(candidate):
        yield from _contents(candidate, found.parts, reader)


def deep(candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
    """The contents of every part."""
    return tuple(_contents(candidate, contents(candidate, reader).parts, reader))


def told_step(candidate: Candidate, reader: Reader) -> int | None:
    """The number that was saved under one of the usual names."""
    found = contents(candidate, reader)
    for part in found.parts:
        file = candidate.named(part.path)
        if file and part.item in found.plain and part.item.rpartition(".")[2] in STEP_KEYS:
            span = Span(file, part.offset, part.length)
            value = torch_archive.opened(span, reader, torch_archive.TAIL_BYTES_MAX, False).walked.value
            if type(value) is int:
                return value
    return None


def contents(candidate: Candidate, reader: Reader) -> Contents:
    """What the metadata says, or Damaged."""
    file = candidate.named(METADATA)
    if file is None:
        raise Damaged("missing: the checkpoint was not finished, or has not arrived whole")
    if file.size > METADATA_BYTES_MAX:
        raise Damaged(f"{file.size} bytes are too many")
    walked = walk(reader.read_range(file, 0, file.size))
    if walked.strange:
        raise Damaged(f"names {walked.strange[0]}: loading it would run what nobody looked at")
    metadata = walked.value
    if not isinstance(metadata, Made) or not metadata.is_a("Metadata"):
        raise Damaged("is no metadata of a checkpoint")
    items, places = metadata.fields.get("state_dict_metadata"), metadata.fields.get("storage_data")
    if not isinstance(items, dict) or not isinstance(places, dict) or not places:
        raise Damaged("says nothing of what was saved where")
    found = Contents([_part(index, place) for index, place in places.items()])
    _complete(items, places, found)
    _planned(metadata.fields.get("planner_data"), items)
    return found


def _part(index: Any, place: Any) -> Part:
    try:
        item, info = index.fields["fqn"], place.fields
        part = Part(item, info["relative_path"], info["offset"], info["length"])
    except (AttributeError, KeyError) as problem:
        raise Damaged("says where something lies in a way that is not known") from problem
    if not all(isinstance(each, str) for each in (part.item, part.path)):
        raise Damaged("says where something lies in a way that is not known")
    if any(type(each) is not int or each < 0 for each in (part.offset, part.length)):
        raise Damaged(f"says that {part.item} lies at {part.offset}, {part.length} bytes long")
    return part


def _complete(items: dict[Any, Any], places: dict[Any, Any], found: Contents) -> None:
    """Every item has its parts: a tensor as many elements as its size says, other data one."""
    stored = dict[str, list[tuple[int, ...]]]()
    for index in places:
        stored.setdefault(index.fields["fqn"], []).append(_size(index.fields.get("offset")))
    for name, item in items.items():
        if not isinstance(item, Made) or not isinstance(name, str):
            raise Damaged("describes what was saved in a way that is not known")
        if item.is_a("BytesStorageMetadata"):
            found.plain.add(name)
        wanted: list[tuple[int, ...]] = [()] if name in found.plain else _chunks(name, item)
        if sorted(stored.get(name, [])) != sorted(wanted):
            raise Damaged(f"does not say where all of {name} lies")
    if stranger := next(iter(stored.keys() - items.keys()), None):
        raise Damaged(f"says where {stranger} lies, which was not saved")


def _planned(planned: Any, items: dict[Any, Any]) -> None:
    """default_planner.py: the names of items are their paths through the state, joined by dots."""
    if not isinstance(planned, dict) or not planned:
        return
    names = {name: path for name, path in planned.items() if isinstance(path, tuple)}
    wrong = [name for name, path in names.items() if name != ".".join(map(str, path)) or name not in items]
    if wrong or items.keys() - planned.keys():
        raise Damaged(f"plans {[*wrong, *(items.keys() - planned.keys())][0]} otherwise than it was saved")


def _chunks(name: str, item: Made) -> list[tuple[int, ...]]:
    """Offsets of a tensor's chunks; together they are as large as the tensor."""
    size, chunks = _size(item.fields.get("size")), item.fields.get("chunks")
    if not isinstance(chunks, list) or not all(isinstance(each, Made) for each in chunks):
        raise Damaged(f"describes {name} in a way that is not known")
    elements = sum(math.prod(_size(each.fields.get("sizes"))) for each in chunks)
    if elements != math.prod(size):
        raise Damaged(f"has {elements} elements of {name}, which has {math.prod(size)}")
    return [_size(each.fields.get("offsets")) for each in chunks]


def _size(value: Any) -> tuple[int, ...]:
    """A torch.Size as numbers; of what is no tensor, none."""
    if isinstance(value, Made) and len(value.arguments) == 1:
        (value,) = value.arguments
    numbers = () if value is None else value
    if not isinstance(numbers, tuple) or any(type(each) is not int or each < 0 for each in numbers):
        raise Damaged("holds a size that is none")
    return numbers


def _covered(candidate: Candidate, parts: list[Part]) -> Iterator[Problem]:
    """The parts of each file lie end to end and reach its end; no other data file lies there."""
    by_file = dict[str, list[Part]]()
    for part in parts:
        by_file.setdefault(part.path, []).append(part)
    for path, own in sorted(by_file.items()):
        file = candidate.named(path)
        if ".." in path.split("/") or path.startswith("/"):
            yield Problem(path, "is outside of the checkpoint's folder")
        elif file is None:
            yield Problem(path, f"missing: {own[0].item} lies in it, {len(own)} parts in all")
        elif wrong := _gap(own, file.size):
            yield Problem(path, wrong)
    for name in files(candidate):
        if name not in by_file:
            yield Problem(name, "foreign: the metadata does not name it")


def _gap(parts: list[Part], size: int) -> str:
    position = 0
    for part in sorted(parts, key=lambda part: (part.offset, part.length)):
        if part.offset != position:
            return f"{part.item} begins at {part.offset}, what is before it ends at {position}"
        position += part.length
    return "" if position == size else f"has {size} bytes, its parts end at {position}"


def _contents(candidate: Candidate, parts: list[Part], reader: Reader) -> Iterator[Problem]:
    """Every part is a whole archive."""
    for part in parts:
        try:
            span = Span(candidate.required(part.path), part.offset, part.length)
            tail = part.length if torch_archive.is_small(candidate) else torch_archive.TAIL_BYTES_MAX
            torch_archive.compare_all(torch_archive.opened(span, reader, tail, False).archive)
        except (Damaged, Unreadable) as damage:
            yield Problem(part.path, f"{part.item} {damage}")
