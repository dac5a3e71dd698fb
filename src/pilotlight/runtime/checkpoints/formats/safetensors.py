"""Safetensors: one file, or Hugging Face's shards with an index.

Format: github.com/huggingface/safetensors, README "Format": 8 bytes little-endian header length, that many bytes of
JSON, then the tensors; `data_offsets` are relative to the end of the header, leave no holes and reach the end of the
file. Its reader refuses headers above 100 MB (`MAX_HEADER_SIZE` in tensor.rs) and so do we. Sharded: transformers,
"Sharded checkpoints": `*.safetensors.index.json` with `weight_map`, tensor name -> file name.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from typing import Any

from pilotlight.runtime.checkpoints.encodings.json_text import parse
from pilotlight.runtime.checkpoints.format import Candidate, Damaged, File, Metered, Problem, Reader, Unreadable

HEADER_BYTES_MAX = 100_000_000
LENGTH_BYTES = 8
INDEX_SUFFIX = ".safetensors.index.json"
SUFFIX = ".safetensors"
INDEX_KEYS = {"metadata", "weight_map"}
FIRST_READ_BYTES_MAX = 16 * 1024
"""Most headers fit into this, so one read does; the budget of small checkpoints with many files makes it smaller."""
FIRST_READS_BYTES_MAX = 512 * 1024
"""Half of the smallest budget."""
BITS: dict[str, int] = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
"""Bits of one element of each dtype (safetensors `Dtype`)."""

_SHARD = re.compile(r"^(?P<stem>.+)-\d{5,}-of-(?P<count>\d{5,})\.safetensors$")
_RANK_SHARD = re.compile(r"^shard-(?P<rank>\d{5,})-model-(?P<number>\d{5,})-of-(?P<count>\d{5,})\.safetensors$")
_CANONICAL = re.compile(
    r"^(?:model(?:_\d+)?|adapter_model|pytorch_model|diffusion_pytorch_model|consolidated)(?:\.|-|$)"
)
_NUMBER_BEHIND = re.compile(r"[-_]?\d+$")


def is_shard(name: str) -> bool:
    """Whether a file is called as a shard of an index is (pure)."""
    return _SHARD.match(name) is not None and _RANK_SHARD.match(name) is None


def is_canonical(name: str) -> bool:
    """Whether a library loads a file of this name without being told it (pure)."""
    return _CANONICAL.match(name) is not None


def stem_of(name: str) -> str:
    """A file's name without the number behind it: `style-000004.safetensors` and `style.safetensors` have one stem."""
    return _NUMBER_BEHIND.sub("", name.removesuffix(SUFFIX))


def problems(candidate: Candidate, reader: Reader) -> list[Problem]:
    """Everything that is wrong with the safetensors of a folder: those that an index names, and every other one."""
    indexes, files = _own(candidate, INDEX_SUFFIX), _own(candidate, SUFFIX)
    found = [problem for index in indexes for problem in _verify_index(candidate, index, reader)]
    named = _named(indexes, reader)
    found += [Problem(name, "missing: there are shards, but nothing says which belong to it")
              for name in _lost(candidate, indexes)]  # fmt: skip
    rest = [file for file in files if _name(candidate, file) not in named]
    _ahead(reader, rest, len(files))
    found += [problem for file in rest for problem in _alone(candidate, file, reader, len(files), indexes)]
    return found + _ranks(candidate, rest, reader)


def _ahead(reader: Reader, files: list[File], count: int) -> None:
    if files and isinstance(reader, Metered):
        reader.ahead(files, max(LENGTH_BYTES, first_read(count)))


def _named(indexes: list[File], reader: Reader) -> set[str]:
    """What readable indexes name; of one that cannot be read its own problem tells."""
    names: set[str] = set()
    for index in indexes:
        with contextlib.suppress(Damaged, Unreadable):
            names |= read_index(index, reader).keys()
    return names


def _alone(candidate: Candidate, file: File, reader: Reader, count: int, indexes: list[File]) -> Iterator[Problem]:
    """A file that no index names: a shard of an index is foreign, any other has to be whole by itself."""
    name = _name(candidate, file)
    match = _SHARD.match(name)
    stems = {_name(candidate, index).removesuffix(INDEX_SUFFIX) for index in indexes}
    if match and match["stem"] in stems:
        yield Problem(name, "foreign: the index does not name it")
        return
    try:
        tensors(file, reader, first_read(count))
    except (Damaged, Unreadable) as damage:
        yield Problem(name, str(damage))


# -- shards of ranks, without an index -------------------------------------------------------------------------


def _ranks(candidate: Candidate, files: list[File], reader: Reader) -> list[Problem]:
    """Every rank has written its share, and the shares of each tensor fill it.

    torch/distributed/checkpoint/hf_storage.py and _hf_utils.py: `shard-<rank>-model-<file>-of-<files>.safetensors`,
    with `DCP_SHARDING_INFO` in the header saying where each share begins. How many ranks there were nothing says.
    """
    own = {name: match for file in files if (match := _RANK_SHARD.match(name := _name(candidate, file)))}
    if not own:
        return []
    ranks = {int(match["rank"]) for match in own.values()}
    count = max(int(match["count"]) for match in own.values())
    there = {int(match["number"]) for match in own.values()}
    lacking = [f"shard-{rank:05d}-model-*" for rank in range(1, max(ranks) + 1) if rank not in ranks]
    lacking += [f"shard-*-model-{each:05d}-of-{count:05d}{SUFFIX}" for each in range(1, count + 1) if each not in there]
    found = [Problem(name, f"missing: there were {max(ranks)} ranks with {count} files") for name in lacking]
    return found or list(_shares(candidate, [file for file in files if _name(candidate, file) in own], reader))


def _shares(candidate: Candidate, files: list[File], reader: Reader) -> Iterator[Problem]:
    """Shares of a tensor are as many elements as the box that they span."""
    shares: dict[str, list[tuple[list[int], list[int]]]] = {}
    for file in files:
        try:
            for name, begin, shape in _placed(header(file, reader, first_read(len(files)))):
                shares.setdefault(name, []).append((begin, shape))
        except (Damaged, Unreadable) as damage:
            yield Problem(_name(candidate, file), str(damage))
            return
    for name, boxes in sorted(shares.items()):
        ends = [max(begin[axis] + shape[axis] for begin, shape in boxes) for axis in range(len(boxes[0][1]))]
        if sum(math.prod(shape) for _, shape in boxes) != math.prod(ends):
            yield Problem(
                _name(candidate, files[0]), f"a share of tensor {name} is missing: {len(boxes)} do not fill it"
            )


def _placed(parsed: dict[str, Any]) -> Iterator[tuple[str, list[int], list[int]]]:
    told = (parsed.get("__metadata__") or {}).get("DCP_SHARDING_INFO")
    where = parse(told.encode()) if isinstance(told, str) else {}
    for name, tensor in parsed.items():
        if name != "__metadata__":
            shape = list(tensor["shape"])
            begin = (where.get(name) or {}).get("saved_offsets", [0] * len(shape))
            if len(begin) != len(shape) or any(type(each) is not int or each < 0 for each in begin):
                raise Damaged(f"says that tensor {name} begins at {begin}"[:300])
            yield name, begin, shape


# -- an index --------------------------------------------------------------------------------------------------


def _lost(candidate: Candidate, indexes: list[File]) -> list[str]:
    """Names of the indexes that the shards should have and that are not there."""
    names = [name for file in _own(candidate, SUFFIX) if is_shard(name := _name(candidate, file))]
    wanted = {match["stem"] + INDEX_SUFFIX for name in names if (match := _SHARD.match(name))}
    return sorted(wanted - {_name(candidate, index) for index in indexes})


def _verify_index(candidate: Candidate, index: File, reader: Reader) -> Iterator[Problem]:
    try:
        shards = read_index(index, reader)
    except (Damaged, Unreadable) as damage:
        yield Problem(_name(candidate, index), str(damage))
        return
    _ahead(reader, [file for name in sorted(shards) if (file := candidate.named(name))], len(shards))
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
        found = tensors(file, reader, first_read(count))
    except (Damaged, Unreadable) as damage:
        return str(damage)
    if absent := sorted(wanted - found):
        return f"tensor {absent[0]} is not in it, {len(absent)} in all"
    if extra := sorted(found - wanted):
        return f"tensor {extra[0]} is in it but not in the index, {len(extra)} in all"
    return ""


def read_index(index: File, reader: Reader) -> dict[str, set[str]]:
    """Shard name -> tensors; Damaged when the index is not what it must be."""
    parsed = parse(_whole(index, reader))
    mapping = parsed.get("weight_map") if isinstance(parsed, dict) else None
    if not isinstance(mapping, dict) or not mapping:
        raise Damaged("has no weight_map")
    if "metadata" not in parsed and (strange := sorted(parsed.keys() - INDEX_KEYS)):
        raise Damaged(f"holds {strange[0]!r} and no metadata, without which it is not loaded")
    shards: dict[str, set[str]] = {}
    for tensor, shard in mapping.items():
        if not isinstance(shard, str) or not _is_plain(shard):
            raise Damaged(f"weight_map names {shard!r}, which is not a file name")
        shards.setdefault(shard, set()).add(tensor)
    return shards


def tensors(file: File, reader: Reader, first_bytes: int = LENGTH_BYTES) -> set[str]:
    """The names of the tensors of a whole file; Damaged when length, header or offsets do not fit its size."""
    return header(file, reader, first_bytes).keys() - {"__metadata__"}


def header(file: File, reader: Reader, first_bytes: int = LENGTH_BYTES) -> dict[str, Any]:
    """The header of a whole file: tensor -> dtype, shape, offsets, and `__metadata__`."""
    if file.size < LENGTH_BYTES + 2:
        raise Damaged(f"{file.size} bytes are too few for a header")
    head = reader.read_range(file, 0, min(file.size, max(LENGTH_BYTES, first_bytes)))
    length = int.from_bytes(head[:LENGTH_BYTES], "little")
    if length > HEADER_BYTES_MAX or LENGTH_BYTES + length > file.size:
        raise Damaged(f"claims a header of {length} bytes in a file of {file.size}")
    have = head[LENGTH_BYTES : LENGTH_BYTES + length]
    rest = length - len(have)
    if rest:
        have += reader.read_range(file, len(head), rest)
    if have[:1] != b"{":
        raise Damaged("its header does not begin with {")
    parsed = parse(have)
    _covered(parsed, file.size - LENGTH_BYTES - length)
    return dict(parsed)


def _covered(header: dict[str, Any], data_bytes: int) -> None:
    """Tensors lie end to end from 0 to the end of the file, each as long as its shape and dtype say."""
    spans = sorted((_span(name, each), name) for name, each in header.items() if name != "__metadata__")
    position = 0
    for (begin, end), name in spans:
        if begin != position:
            raise Damaged(f"tensor {name} begins at {begin}, not at {position}")
        position = end
    if position != data_bytes:
        raise Damaged(f"tensors end at {position}, the file holds {data_bytes} bytes of them")


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


def _name(folder: Candidate, file: File) -> str:
    return folder.name(file)


def _is_plain(name: str) -> bool:
    """A path below the folder, as transformers joins it (utils/hub.py, get_checkpoint_shard_files)."""
    parts = name.split("/")
    return "\\" not in name and not any(part in ("", ".", "..") for part in parts)


def first_read(files: int) -> int:
    """Bytes of a file's first read, so that the first reads of all files stay within half of the smallest budget."""
    return max(LENGTH_BYTES, min(FIRST_READ_BYTES_MAX, FIRST_READS_BYTES_MAX // files))
