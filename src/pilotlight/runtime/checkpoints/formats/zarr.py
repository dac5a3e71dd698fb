"""Orbax's arrays outside of OCDBT: a folder of Zarr for each value of the tree, a file for each chunk.

Zarr storage specification, version 2 (`.zarray`: shape, chunks, dtype, compressor; a chunk's name is its place in the
grid); orbax, checkpoint/_src/serialization (type_handlers.py: a folder is called by the value's keys joined by dots,
strings lie together in `_strings.json`; tensorstore_utils.py: TensorStore leaves chunks out that hold the fill value
alone, unless the tree says `store_array_data_equal_to_fill_value`). A chunk is one zstd frame (RFC 8878): whole where
its blocks end where the file does. Blocks are of 128 KiB at most and each tells only where the next begins, so of very
many the verdict is left open unless all bytes may be read. Zarr of version 3 outside of OCDBT is not judged.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from typing import Any

from pilotlight.runtime.checkpoints.encodings import zstd
from pilotlight.runtime.checkpoints.encodings.json_text import read_object
from pilotlight.runtime.checkpoints.format import (
    UNDECIDED,
    BudgetSpent,
    Candidate,
    Damaged,
    File,
    Metered,
    Problem,
    Reader,
    Unreadable,
)

DESCRIPTION = ".zarray"
STRINGS = "_strings.json"
STORED = ("jax.Array", "np.ndarray", "scalar")
TEXT = "string"
NODES = ("None", "Dict", "List", "Tuple", "NamedTuple")
"""Parts of the tree that hold no value: nothing is stored for them."""
BLOCKS_MAX = 1_000
"""Requests for one checkpoint's blocks: half a minute in the same region."""
CHUNKS_MAX = 1_000_000
"""Parts of one array, twice what a listing may hold; a description that claims more is damaged, or of another thing."""
LACKING_NAMED_MAX = 20
DESCRIPTION_BYTES_MAX = 1024 * 1024
_ITEM_BYTES = re.compile(r"^[<>|][a-zA-Z](\d+)$|^bfloat16$|^(?:u?int|float)(\d+)")


def problems(candidate: Candidate, item: str, tree: dict[str, Any], reader: Reader) -> Iterator[Problem]:
    """Everything that is wrong with the arrays of a tree; `item` is its folder, relative, ending in / or empty."""
    if tree.get("use_zarr3"):
        raise Damaged("keeps its arrays as Zarr 3 outside of OCDBT: they cannot be judged")
    always = tree.get("store_array_data_equal_to_fill_value") is True
    own = _by_folder(candidate, item)
    walk = _Blocks(reader, isinstance(reader, Metered) and reader.budget >= candidate.bytes_total)
    for name, stored in _values(tree):
        if stored in STORED:
            yield from _array(f"{item}{name}/", own.get(name, {}), always, reader, walk)
        elif stored == TEXT and candidate.named(item + STRINGS) is None:
            yield Problem(item + STRINGS, f"missing: the tree has the text {name}")
        elif stored not in (TEXT, *NODES):
            yield Problem(item, f"holds {name}, a {stored}: where that is kept is not known here, it cannot be judged")


def _values(tree: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, type) of everything in the tree."""
    for entry in tree["tree_metadata"].values():
        keys = ".".join(str(key["key"]) for key in entry["key_metadata"])
        yield keys, str(entry["value_metadata"]["value_type"])


def _by_folder(candidate: Candidate, item: str) -> dict[str, dict[str, File]]:
    """Folder of the item -> its files by their names below it."""
    found: dict[str, dict[str, File]] = {}
    for file in candidate.files:
        name = candidate.name(file)
        folder, slash, rest = name.removeprefix(item).partition("/")
        if slash and name.startswith(item):
            found.setdefault(folder, {})[rest] = file
    return found


def _array(folder: str, own: dict[str, File], always: bool, reader: Reader, walk: _Blocks) -> Iterator[Problem]:
    """One array; of parts that lack, the first by name."""
    try:
        described = _described(own.get(DESCRIPTION), reader)
        names, size = _chunks(described)
    except (Damaged, Unreadable) as damage:
        yield Problem(folder + DESCRIPTION, str(damage))
        return
    strange, lacking = own.keys() - {DESCRIPTION}, 0
    what = "missing: a part of the array" if always else "not there: it was all zeros, or is lost; nothing tells which"
    for name in names:
        file = own.get(name)
        if file is None:
            lacking += 1
            if lacking <= LACKING_NAMED_MAX:
                yield Problem(folder + name, what)
            continue
        strange.discard(name)
        try:
            walk.judge(file, described["compressor"], size)
        except (Damaged, Unreadable) as damage:
            yield Problem(folder + name, str(damage))
    if lacking > LACKING_NAMED_MAX:
        yield Problem(folder, f"lacks {lacking - LACKING_NAMED_MAX} parts more")
    for name in sorted(strange):
        yield Problem(folder + name, "foreign: no part of the array has this place")


def _described(file: File | None, reader: Reader) -> dict[str, Any]:
    if file is None:
        raise Damaged("missing: the tree has this array")
    return read_object(file, reader, DESCRIPTION_BYTES_MAX)


def _chunks(described: dict[str, Any]) -> tuple[Iterator[str], int]:
    """Names of all chunks, and how many bytes each holds when it is unpacked."""
    try:
        shape, chunks, dtype = described["shape"], described["chunks"], described["dtype"]
        separator, version = described.get("dimension_separator", "."), described["zarr_format"]
        sound = (
            version == 2
            and "compressor" in described
            and len(shape) == len(chunks)
            and all(type(each) is int for each in (*shape, *chunks))
        )
        if not sound or min([1, *chunks]) < 1 or min([0, *shape]) < 0 or separator not in (".", "/"):
            raise Damaged("describes an array in a way that is not known")
        match = _ITEM_BYTES.match(dtype)
    except (KeyError, TypeError) as problem:
        raise Damaged("describes an array in a way that is not known") from problem
    if match is None:
        raise Damaged(f"is of type {dtype}, which is not known here: it cannot be judged")
    bits = int(match[2]) if match[2] else 0
    item = int(match[1]) if match[1] else math.ceil(bits / 8) or 2
    grid = [math.ceil(whole / part) for whole, part in zip(shape, chunks, strict=True)]
    if math.prod(grid) > CHUNKS_MAX:
        raise Damaged(f"has {math.prod(grid)} parts: too many to be judged")
    places = itertools.product(*(range(count) for count in grid))
    names = (separator.join(str(each) for each in place) or "0" for place in places)
    return names, math.prod(chunks) * item


class _Blocks:
    """Walks frames from block to block; `whole`: every byte may be read."""

    def __init__(self, reader: Reader, whole: bool) -> None:
        self._reader, self._whole, self._left = reader, whole, BLOCKS_MAX

    def judge(self, file: File, compressor: Any, size: int) -> None:
        """One chunk; `size` is what it holds unpacked. Damaged where it is not whole."""
        if compressor is None:
            if file.size != size:
                raise Damaged(f"has {file.size} bytes, the array {size} for each part")
            return
        if not isinstance(compressor, dict) or compressor.get("id") != "zstd":
            raise Damaged("is not packed by zstd: it cannot be judged")
        head = self._reader.read_range(file, 0, min(file.size, zstd.HEADER_BYTES_MAX))
        told, checksum, position = zstd.start(head)
        if told not in (None, size):
            raise Damaged(f"holds {told} bytes, the array has {size} for each part")
        last = False
        while not last:
            last, position = self._next(file, position)
        if position + 4 * checksum != file.size:
            raise Damaged(f"its zstd frame ends at {position + 4 * checksum}, the file at {file.size}")

    def _next(self, file: File, position: int) -> tuple[bool, int]:
        """(whether the block there is the last, where it ends)."""
        if position + zstd.BLOCK_HEADER_BYTES > file.size:
            raise Damaged(f"its zstd frame goes on at {position}, the file ends at {file.size}")
        if not self._left and not self._whole:
            raise BudgetSpent(f"{UNDECIDED}: {file.size - position} bytes more are needed than may be asked for")
        self._left = max(0, self._left - 1)
        last, length = zstd.block(self._reader.read_range(file, position, zstd.BLOCK_HEADER_BYTES))
        return last, position + zstd.BLOCK_HEADER_BYTES + length
