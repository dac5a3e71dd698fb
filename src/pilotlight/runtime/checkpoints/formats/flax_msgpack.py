"""Flax: `flax_model.msgpack`, `checkpoint_1200` of flax.training.checkpoints, and any other `.msgpack` with arrays.

google/flax, flax/serialization.py: one MessagePack map of strings, arrays as extension 1 (`_ndarray_to_bytes`: shape,
dtype's name, bytes), scalars as 3, complex numbers as 2; what is above 2**30 bytes in chunks
(`__msgpack_chunked_array__`). MessagePack: github.com/msgpack/msgpack, spec.md. Every object is walked, the bytes of
arrays are skipped; the walk ends exactly at the file's end. flax/training/checkpoints.py: names, and
`//GDAPlaceholder:`, where an array lies in a folder beside, which is not judged. transformers' shards:
`flax_model.msgpack.index.json` with `weight_map`, names joined by / (`flax_shard_checkpoint`). Values have no checksum.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.checkpoints.encodings.windows import Window
from pilotlight.runtime.checkpoints.format import (
    SAID_CHARACTERS_MAX,
    BudgetSpent,
    Candidate,
    Damaged,
    File,
    Problem,
    Reader,
    Unreadable,
)
from pilotlight.runtime.checkpoints.formats.safetensors import read_index

SUFFIX = ".msgpack"
INDEX_SUFFIX = ".msgpack.index.json"
DEPTH_MAX = 200
DIMENSIONS_MAX = 64
"""`NPY_MAXDIMS` of numpy 2."""
NAME_BYTES_MAX = 64 * 1024
PLACEHOLDER = b"//GDAPlaceholder:"
CHUNKED = "__msgpack_chunked_array__"

_ARRAY, _COMPLEX, _SCALAR = 1, 2, 3
"""`_MsgpackExtType`."""
_COMPLEX_BYTES = 19
"""A list of two floats."""
_BYTES = {
    "bool": 1, "int2": 1, "uint2": 1, "int4": 1, "uint4": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2,
    "int32": 4, "uint32": 4, "int64": 8, "uint64": 8, "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8,
    "complex64": 8, "complex128": 16,
}  # fmt: skip
"""numpy's and ml_dtypes' names -> bytes of one element."""
_TEXT = re.compile(r"^(?:str|bytes)(\d{1,9})$")
"""numpy's names of texts, with the bits of one."""
_NUMBERS = {
    0xCC: (1, False), 0xCD: (2, False), 0xCE: (4, False), 0xCF: (8, False),
    0xD0: (1, True), 0xD1: (2, True), 0xD2: (4, True), 0xD3: (8, True),
}  # fmt: skip
"""First byte -> bytes of the integer behind it, and whether it has a sign."""
_OTHERS = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8}
"""Nil, booleans, floats -> bytes behind it."""
_SIZED = {
    0xC4: ("bytes", 1), 0xC5: ("bytes", 2), 0xC6: ("bytes", 4), 0xD9: ("text", 1), 0xDA: ("text", 2), 0xDB: ("text", 4),
    0xC7: ("extension", 1), 0xC8: ("extension", 2), 0xC9: ("extension", 4),
    0xDC: ("list", 2), 0xDD: ("list", 4), 0xDE: ("map", 2), 0xDF: ("map", 4),
}  # fmt: skip
"""First byte -> what it is, and bytes of the length behind it."""
_FIXEXT = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_CHECKPOINT = re.compile(r"^checkpoint_(?P<step>\d{1,18})$")
"""`save_checkpoint`: prefix `checkpoint_` and the step; newer Flax makes it a folder, which is Orbax's."""
_SHARD = re.compile(r"^(?P<stem>.+)-\d{5}-of-\d{5}\.msgpack$")


@dataclass
class Tree:
    """What was seen: the names of arrays from the root, and the step beside them."""

    arrays: set[str] = field(default_factory=set)
    step: int | None = None


@dataclass(frozen=True)
class Elements:
    """How many an array has."""

    count: int


class Flax:
    """Every file by itself; shards with their index, under its name."""

    name = "flax"

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find; shards whose index has not arrived are a checkpoint in the making."""
        for folder in folders:
            groups: dict[str, list[File]] = {}
            for name, file in folder.direct.items():
                if not (name.endswith((SUFFIX, INDEX_SUFFIX)) or _CHECKPOINT.match(name)):
                    continue
                shard = _SHARD.match(name)
                groups.setdefault(folder.path + (shard["stem"] + INDEX_SUFFIX if shard else name), []).append(file)
            yield from (Candidate(path, tuple(files)) for path, files in groups.items())

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        if candidate.path.endswith(INDEX_SUFFIX):
            return tuple(_sharded(candidate, reader))
        (file,) = candidate.files
        problem = _checked(candidate.name(file), file, reader, None)
        return (problem,) if problem else ()

    def step(self, candidate: Candidate, reader: Reader) -> int | None:
        """See TellsStep: `checkpoint_1200`, else what the state holds as its `step`."""
        named = _CHECKPOINT.match(candidate.path.rpartition("/")[2])
        if named:
            return int(named["step"])
        return None if candidate.path.endswith(INDEX_SUFFIX) else read(candidate.files[0], reader).step


def _sharded(candidate: Candidate, reader: Reader) -> Iterator[Problem]:
    """Every shard that the index names there, whole, and with its arrays; none besides."""
    index = candidate.path.rpartition("/")[2]
    file = candidate.named(index)
    if file is None:
        yield Problem(index, "missing: there are shards, but nothing says which belong to it")
        return
    try:
        wanted = read_index(file, reader)
    except BudgetSpent:
        raise
    except (Damaged, Unreadable) as damage:
        yield Problem(index, str(damage))
        return
    for name in sorted(wanted):
        shard = candidate.named(name)
        problem = _checked(name, shard, reader, wanted[name]) if shard else Problem(name, "missing")
        if problem:
            yield problem
    present = {candidate.name(file) for file in candidate.files} - {index}
    yield from (Problem(name, "foreign: the index does not name it") for name in sorted(present - wanted.keys()))


def _checked(name: str, file: File, reader: Reader, wanted: set[str] | None) -> Problem | None:
    """What is wrong with one file; `wanted` are the arrays that it must have."""
    try:
        tree = read(file, reader)
    except BudgetSpent:
        raise
    except (Damaged, Unreadable) as damage:
        return Problem(name, str(damage))
    if wanted is not None and wanted != tree.arrays:
        differ = sorted(wanted ^ tree.arrays)
        return Problem(
            name, f"array {differ[0]} is in it or in the index, not in both, {len(differ)} in all"[:SAID_CHARACTERS_MAX]
        )
    return None


def read(file: File, reader: Reader) -> Tree:
    """All of one file's structure; Damaged when it does not end where the file ends."""
    window, tree = Window(file, reader), Tree()
    family, length = _head(window)
    if family != "map":
        raise Damaged("does not begin with a map")
    found = _map(window, tree, (), length)
    if window.position != file.size:
        raise Damaged(f"ends at {window.position}, the file at {file.size}")
    if not tree.arrays:
        raise Damaged("holds no arrays: it is no checkpoint of Flax")
    step = found.get("step")
    tree.step = step if isinstance(step, int) else None
    return tree


def _walk(window: Window, tree: Tree, path: tuple[str, ...]) -> Any:
    """One object and all within it: a number, the Elements of an array, a map of them; None for what is skipped."""
    if len(path) > DEPTH_MAX:
        raise Damaged("is nested without end")
    family, length = _head(window)
    if family == "map":
        return _map(window, tree, path, length)
    if family == "list":
        for number in range(length):
            _walk(window, tree, (*path, str(number)))
    elif family == "extension":
        return _extension(window, tree, path, length)
    elif family == "text":
        start = window.take(min(length, len(PLACEHOLDER)))
        if start == PLACEHOLDER:
            raise Damaged(f"array {_said(path)} lies in a folder beside, which is not judged")
        window.skip(length - len(start))
    elif family == "bytes":
        window.skip(length)
    return length if family == "number" else None


def _map(window: Window, tree: Tree, path: tuple[str, ...], length: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(length):
        name = _text(window, "a key")
        if name in found:
            raise Damaged(f"has the key {_said((*path, name))} twice")
        found[name] = _walk(window, tree, (*path, name))
    if CHUNKED in found:
        _joined(tree, path, found)
    return found


def _joined(tree: Tree, path: tuple[str, ...], found: dict[str, Any]) -> None:
    """`_unchunk`: the chunks, one behind the other, are the array of that shape."""
    shape, chunks = found.get("shape"), found.get("chunks")
    if not isinstance(shape, dict) or not isinstance(chunks, dict):
        raise Damaged(f"array {_said(path)} has no shape or no chunks")
    if not all(type(size) is int for size in shape.values()):
        raise Damaged(f"array {_said(path)} has a shape that is no numbers")
    counts = [chunk.count for chunk in chunks.values() if isinstance(chunk, Elements)]
    if len(counts) != len(chunks) or sum(counts) != math.prod(shape.values()):
        what = f"array {_said(path)} has {sum(counts)} elements in its chunks, not {math.prod(shape.values())}"
        raise Damaged(what[:SAID_CHARACTERS_MAX])
    tree.arrays -= {"/".join((*path, "chunks", name)) for name in chunks}
    tree.arrays.add("/".join(path))


def _extension(window: Window, tree: Tree, path: tuple[str, ...], length: int) -> Any:
    """An array: shape and dtype are compared with its length, its bytes are skipped; a lone integer is its value."""
    family, end = window.byte(), window.position + length
    if family == _COMPLEX and length == _COMPLEX_BYTES and window.byte() == 0x92:
        return window.skip(length - 1)
    if family not in (_ARRAY, _SCALAR):
        raise Damaged(f"has an extension of type {family}, which Flax does not write")
    if _head(window) != ("list", 3):
        raise Damaged(f"array {_said(path)} is not shape, dtype and bytes")
    shape, dtype = _shape(window), _text(window, "a dtype")
    if family == _SCALAR and shape:
        raise Damaged(f"array {_said(path)} says that it is a scalar")
    what, size = _head(window)
    if what != "bytes" or window.position + size != end:
        raise Damaged(f"array {_said(path)} ends at {window.position + size}, what holds it at {end}")
    count, one = math.prod(shape), _element(dtype)
    if one < 0:
        raise Damaged(f"array {_said(path)} is of the dtype {dtype[:50]}, which is not known")
    if count * one != size:
        what = f"array {_said(path)} has {size} bytes, {dtype} {shape} needs another number"
        raise Damaged(what[:SAID_CHARACTERS_MAX])
    tree.arrays.add("/".join(path))
    if not shape and "int" in dtype:
        return int.from_bytes(window.take(size), "little", signed=not dtype.startswith("u"))
    window.skip(size)
    return Elements(count)


def _element(dtype: str) -> int:
    """Bytes of an element; -1 where the name of its dtype is not known."""
    if text := _TEXT.match(dtype):
        return int(text[1]) // 8
    if dtype.startswith(("float8_", "float6_", "float4_")):
        return 1
    return 8 if dtype.startswith(("datetime64", "timedelta64")) else _BYTES.get(dtype, -1)


def _shape(window: Window) -> list[int]:
    family, count = _head(window)
    if family != "list" or count > DIMENSIONS_MAX:
        raise Damaged(f"has an array without a shape before {window.position}")
    sizes = [_head(window) for _ in range(count)]
    if any(family != "number" or size < 0 for family, size in sizes):
        raise Damaged(f"has an array whose shape is no numbers before {window.position}")
    return [size for _, size in sizes]


def _text(window: Window, what: str) -> str:
    family, size = _head(window)
    if family not in ("text", "bytes") or size > NAME_BYTES_MAX:
        raise Damaged(f"has {what} that is no text before {window.position}")
    try:
        return window.take(size).decode()
    except UnicodeDecodeError as problem:
        raise Damaged(f"has {what} that is no text before {window.position}") from problem


def _head(window: Window) -> tuple[str, int]:
    """What comes next, and its number: of a list or map the entries, of bytes the length, of an integer itself."""
    first = window.byte()
    if first < 0x80 or first >= 0xE0:
        return "number", first if first < 0x80 else first - 0x100
    if first < 0xC0:
        bits = ("map", 0x0F) if first < 0x90 else ("list", 0x0F) if first < 0xA0 else ("text", 0x1F)
        return bits[0], first & bits[1]
    if first in _SIZED:
        family, width = _SIZED[first]
        return family, int.from_bytes(window.take(width), "big")
    if first in _FIXEXT:
        return "extension", _FIXEXT[first]
    if first in _NUMBERS:
        width, signed = _NUMBERS[first]
        return "number", int.from_bytes(window.take(width), "big", signed=signed)
    if first in _OTHERS:
        window.skip(_OTHERS[first])
        return "other", 0
    raise Damaged(f"has the byte {first:#x} before {window.position}, with which nothing begins")


def _said(path: tuple[str, ...]) -> str:
    return "/".join(path)[:200]
