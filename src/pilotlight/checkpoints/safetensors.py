"""Safetensors: one file, or Hugging Face's shards with an index.

Format: github.com/huggingface/safetensors, README "Format": 8 bytes little-endian header length, that many bytes of
JSON, then the tensors; `data_offsets` are relative to the end of the header, leave no holes and reach the end of the
file. Its reader refuses headers above 100 MB (`MAX_HEADER_SIZE` in tensor.rs) and so do we. Sharded: transformers,
"Sharded checkpoints": `*.safetensors.index.json` with `weight_map`, tensor name -> file name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pilotlight.checkpoints.format import Candidate, Damaged, File, Problem, Reader, Unreadable
from pilotlight.checkpoints.json_text import parse

HEADER_BYTES_MAX = 100_000_000
LENGTH_BYTES = 8
INDEX_SUFFIX = ".safetensors.index.json"
SUFFIX = ".safetensors"
INDEX_KEYS = {"metadata", "weight_map"}
FIRST_READ_BYTES_MAX = 16 * 1024
"""Most headers fit into this, so one read does; the budget of small checkpoints with many files makes it smaller."""
BITS: dict[str, int] = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
"""Bits of one element of each dtype (safetensors `Dtype`)."""

_SHARD = re.compile(r"^(?P<stem>.+)-\d{5,}-of-(?P<count>\d{5,})\.safetensors$")


class Single:
    """One or more `.safetensors` files that are whole each by itself."""

    name = "safetensors"

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find."""
        return (folder for folder in folders if _own(folder, SUFFIX) and not _is_sharded(folder))

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        files = _own(candidate, SUFFIX)
        problems = []
        for file in files:
            try:
                tensors(file, reader, _first_read(len(files)))
            except (Damaged, Unreadable) as damage:
                problems.append(Problem(_name(candidate, file), str(damage)))
        return tuple(problems)


class Sharded:
    """Shards named by an index: every shard present and whole, every tensor in the shard that the index names."""

    name = "safetensors-sharded"

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find; shards whose index has not arrived are a checkpoint in the making."""
        return (folder for folder in folders if _is_sharded(folder))

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        indexes = _own(candidate, INDEX_SUFFIX)
        if not indexes:
            return tuple(
                Problem(name, "missing: there are shards, but nothing says which belong to it")
                for name in _lost(candidate)
            )
        problems = [problem for index in indexes for problem in _verify_index(candidate, index, reader)]
        return tuple(problems) or tuple(_foreign(candidate, indexes, reader))


def _lost(candidate: Candidate) -> list[str]:
    """Names of the indexes that the shards should have."""
    shards = [_SHARD.match(_name(candidate, file)) for file in _own(candidate, SUFFIX)]
    return sorted({match["stem"] + INDEX_SUFFIX for match in shards if match})


def _verify_index(candidate: Candidate, index: File, reader: Reader) -> Iterator[Problem]:
    try:
        shards = read_index(index, reader)
    except (Damaged, Unreadable) as damage:
        yield Problem(_name(candidate, index), str(damage))
        return
    for name in sorted(shards):
        problem = _verify_shard(candidate, name, shards[name], reader, len(shards))
        if problem:
            yield Problem(name, problem)


def _verify_shard(candidate: Candidate, name: str, wanted: set[str], reader: Reader, count: int) -> str:
    """What is wrong with one shard; empty when it is whole and holds exactly its tensors."""
    file = candidate.named(name)
    if file is None:
        return "missing"
    try:
        found = tensors(file, reader, _first_read(count))
    except (Damaged, Unreadable) as damage:
        return str(damage)
    if absent := sorted(wanted - found):
        return f"tensor {absent[0]} is not in it, {len(absent)} in all"
    if extra := sorted(found - wanted):
        return f"tensor {extra[0]} is in it but not in the index, {len(extra)} in all"
    return ""


def _foreign(candidate: Candidate, indexes: list[File], reader: Reader) -> Iterator[Problem]:
    """Shards of the indexes' stems that no index names: of another save, or of another count."""
    named = {name for index in indexes for name in read_index(index, reader)}
    stems = {_name(candidate, index).removesuffix(INDEX_SUFFIX) for index in indexes}
    for file in _own(candidate, SUFFIX):
        name = _name(candidate, file)
        match = _SHARD.match(name)
        if match and match["stem"] in stems and name not in named:
            yield Problem(name, "foreign: the index does not name it")


def read_index(index: File, reader: Reader) -> dict[str, set[str]]:
    """Shard name -> tensors; Damaged when the index is not what it must be."""
    parsed = parse(_whole(index, reader))
    mapping = parsed.get("weight_map") if isinstance(parsed, dict) else None
    if not isinstance(mapping, dict) or not mapping:
        raise Damaged("has no weight_map")
    if strange := sorted(parsed.keys() - INDEX_KEYS):
        raise Damaged(f"holds {strange[0]!r}, which an index does not have")
    shards: dict[str, set[str]] = {}
    for tensor, shard in mapping.items():
        if not isinstance(shard, str) or not _is_plain(shard):
            raise Damaged(f"weight_map names {shard!r}, which is not a file name")
        shards.setdefault(shard, set()).add(tensor)
    return shards


def tensors(file: File, reader: Reader, first_read: int = LENGTH_BYTES) -> set[str]:
    """The names of the tensors of a whole file; Damaged when length, header or offsets do not fit its size."""
    if file.size < LENGTH_BYTES + 2:
        raise Damaged(f"{file.size} bytes are too few for a header")
    head = reader.read_range(file, 0, min(file.size, max(LENGTH_BYTES, first_read)))
    length = int.from_bytes(head[:LENGTH_BYTES], "little")
    if length > HEADER_BYTES_MAX or LENGTH_BYTES + length > file.size:
        raise Damaged(f"claims a header of {length} bytes in a file of {file.size}")
    have = head[LENGTH_BYTES : LENGTH_BYTES + length]
    rest = length - len(have)
    if rest > 0:
        have += reader.read_range(file, len(head), rest)
    if have[:1] != b"{":
        raise Damaged("its header does not begin with {")
    return _covered(parse(have), file.size - LENGTH_BYTES - length)


def _covered(header: Any, data_bytes: int) -> set[str]:
    """Tensors lie end to end from 0 to the end of the file, each as long as its shape and dtype say."""
    if not isinstance(header, dict):
        raise Damaged("its header is not an object")
    spans = sorted((_span(name, each), name) for name, each in header.items() if name != "__metadata__")
    position = 0
    for (begin, end), name in spans:
        if begin != position:
            raise Damaged(f"tensor {name} begins at {begin}, not at {position}")
        position = end
    if position != data_bytes:
        raise Damaged(f"tensors end at {position}, the file holds {data_bytes} bytes of them")
    return {name for _, name in spans}


def _span(name: str, tensor: Any) -> tuple[int, int]:
    try:
        dtype, shape, (begin, end) = tensor["dtype"], tensor["shape"], tensor["data_offsets"]
        numbers = [begin, end, *shape]
        if dtype not in BITS or any(type(number) is not int or number < 0 for number in numbers):
            raise ValueError(f"dtype {dtype}, shape {shape}, offsets {begin} to {end}")
    except (KeyError, TypeError, ValueError) as problem:
        raise Damaged(f"tensor {name} is not described as the format says: {problem}"[:300]) from problem
    if math.prod(shape) * BITS[dtype] != (end - begin) * 8:
        raise Damaged(f"tensor {name} has {end - begin} bytes, {dtype} {shape} needs another number"[:300])
    return begin, end


def _whole(file: File, reader: Reader) -> bytes:
    if file.size > HEADER_BYTES_MAX:
        raise Damaged(f"{file.size} bytes are too many for an index")
    return reader.read_range(file, 0, file.size) if file.size else b""


def _own(folder: Candidate, suffix: str) -> list[File]:
    """The files directly in the folder whose names end so."""
    names = ((file, _name(folder, file)) for file in folder.files)
    return [file for file, name in names if "/" not in name and name.endswith(suffix)]


def _is_sharded(folder: Candidate) -> bool:
    shards = any(_SHARD.match(_name(folder, file)) for file in _own(folder, SUFFIX))
    return shards or bool(_own(folder, INDEX_SUFFIX))


def _name(folder: Candidate, file: File) -> str:
    return file.key.removeprefix(folder.path)


def _is_plain(name: str) -> bool:
    return bool(name) and "/" not in name and "\\" not in name and name not in (".", "..")


def _first_read(files: int) -> int:
    """Bytes of a file's first read, so that the first reads of all files stay within half of the smallest budget."""
    return max(LENGTH_BYTES, min(FIRST_READ_BYTES_MAX, 512 * 1024 // max(1, files)))
