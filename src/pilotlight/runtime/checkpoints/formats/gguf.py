"""GGUF: the files of llama.cpp, one by itself or parts named `-00001-of-00003.gguf`.

ggml-org/llama.cpp, ggml/src/gguf.cpp (`gguf_init_from_reader`): magic, version, counts, keys with values, one entry for
each tensor, then the tensors in that order, each padded to the alignment; what it refuses is refused here. Its own
writers pad the last tensor, too; a file may also end with its last value, which is all that the loader asks for
(src/llama-model-loader.h, "not within the file bounds"). The sizes of ggml's types: gguf-py, constants.py
(`GGML_QUANT_SIZES`; Q8_1, which differs from ggml's own and lies in no file, is left out). Parts: tools/gguf-split
(`split.no` from 0, `split.count`, `split.tensors.count`, in every part). Values have no checksum, and a part of another
save of the same model cannot be told from the right one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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

SUFFIX = ".gguf"
VERSIONS = (2, 3)
ALIGNMENT = 32
"""`GGUF_DEFAULT_ALIGNMENT`."""
NAME_BYTES_MAX = 65_535
"""ggml, docs/gguf.md: what a key may have."""
DIMENSIONS_MAX = 4
"""`GGML_MAX_DIMS`."""
MISSING_NAMED_MAX = 20

_UINT16, _UINT32, _INT32, _STRING, _ARRAY = 2, 4, 5, 8, 9
_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""`gguf_type` -> bytes of one value; strings and arrays have none of their own."""
_SIZES = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74),
    18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2),
    26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip
"""`ggml_type` -> (elements of one block, its bytes)."""
_KEPT = {"general.alignment": _UINT32, "split.no": _UINT16, "split.count": _UINT16, "split.tensors.count": _INT32}
"""The keys that say something of the file itself, with the types that they are written in."""
_PART = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")
"""llama.cpp, `llama_split_path`."""
_STEP = re.compile(r"(?:step|checkpoint|ckpt|iter|iteration)[-_=]?(\d{1,18})(?!\d)", re.IGNORECASE)


@dataclass
class Header:
    """What a file says of itself."""

    order: str
    kept: dict[str, int] = field(default_factory=dict)
    tensors: set[str] = field(default_factory=set)


class Gguf:
    """Every file by itself; the parts of a split model together, under the name of the first."""

    name = "gguf"
    bytes_read_min = 32 * 1024 * 1024
    """What the smallest budget has to allow: the texts of a vocabulary lie before the tensor table, and nothing says
    how long they are together (Llama 3: 128,256 tokens and 280,147 merges, 7 MB)."""

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find; parts whose first has not arrived are a checkpoint in the making."""
        for folder in folders:
            split: dict[str, list[File]] = {}
            for name, file in folder.direct.items():
                if not name.endswith(SUFFIX):
                    continue
                part = _PART.match(name)
                first = f"{part['stem']}-00001-of-{part['count']}{SUFFIX}" if part else name
                split.setdefault(folder.path + first, []).append(file)
            yield from (Candidate(path, tuple(files)) for path, files in split.items())

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        parts = _parts(candidate)
        missing = [name for name in parts if candidate.named(name) is None]
        problems = [Problem(name, "missing") for name in missing[:MISSING_NAMED_MAX]]
        headers: dict[str, Header] = {}
        for number, name in enumerate(parts):
            if file := candidate.named(name):
                try:
                    headers[name] = read(file, reader)
                    _is_part(headers[name], number, len(parts))
                except BudgetSpent:
                    raise
                except (Damaged, Unreadable) as damage:
                    problems.append(Problem(name, str(damage)))
        return tuple(problems) or tuple(_fit_together(headers))

    def step(self, candidate: Candidate, reader: Reader) -> int | None:
        """See TellsStep; numbers of parts, of parameters and of bits are no steps."""
        told = _STEP.findall(candidate.path.rpartition("/")[2])
        return int(told[-1]) if told else None


def _parts(candidate: Candidate) -> list[str]:
    """The names that there must be."""
    name = candidate.path.rpartition("/")[2]
    part = _PART.match(name)
    if not part:
        return [name]
    return [f"{part['stem']}-{number:05d}-of-{part['count']}{SUFFIX}" for number in range(1, int(part["count"]) + 1)]


def _is_part(header: Header, number: int, count: int) -> None:
    """What the file says is what its name says."""
    told_number, told_count = header.kept.get("split.no", 0), header.kept.get("split.count", 1)
    if (told_number, max(1, told_count)) != (number, count):
        raise Damaged(f"says that it is part {told_number + 1} of {told_count}, its name says {number + 1} of {count}")
    if count > 1 and "split.tensors.count" not in header.kept:
        raise Damaged("does not say how many tensors all parts have")


def _fit_together(headers: dict[str, Header]) -> Iterator[Problem]:
    """All tensors that the parts count, each once."""
    seen: dict[str, str] = {}
    for name, header in headers.items():
        for tensor in sorted(header.tensors):
            if seen.setdefault(tensor, name) != name:
                yield Problem(name, f"tensor {tensor} is in it and in {seen[tensor]}"[:SAID_CHARACTERS_MAX])
                return
    for name, header in headers.items():
        told = header.kept.get("split.tensors.count", len(seen))
        if told != len(seen):
            yield Problem(name, f"says that all parts have {told} tensors, they have {len(seen)}")
    if not seen:
        yield Problem(next(iter(headers)), "holds no tensors: a vocabulary alone is no checkpoint")


def read(file: File, reader: Reader) -> Header:
    """The header of a whole file; Damaged when the file is not exactly as long as its tensors say."""
    window = Window(file, reader)
    magic, version = window.take(4), window.take(4)
    header = Header("little" if int.from_bytes(version, "little") & 0xFFFF else "big")
    if magic != b"GGUF":
        raise Damaged("does not begin with GGUF")
    if _number(version, header) not in VERSIONS:
        raise Damaged(f"is of version {_number(version, header)}, which is not known")
    tensors, values = (_number(window.take(8), header) for _ in range(2))
    keys = set[str]()
    for _ in range(values):
        _value(window, header, keys)
    alignment = header.kept.get("general.alignment", ALIGNMENT)
    if alignment == 0 or alignment & (alignment - 1):
        raise Damaged(f"is aligned to {alignment}, which is no power of 2")
    begins = ends = 0
    for _ in range(tensors):
        ends = begins + _tensor(window, header, begins)
        begins = _padded(ends, alignment)
    start = _padded(window.position, alignment)
    if file.size not in (start + begins, start + ends if tensors else window.position):
        raise Damaged(f"has {file.size} bytes, its tensors end at {start + begins}")
    return header


def _value(window: Window, header: Header, keys: set[str]) -> None:
    """One key; its value is skipped unless it says something of the file."""
    key = _text(window, header)
    if not key or key in keys:
        raise Damaged(f"has the key {key!r} twice, or without a name"[:SAID_CHARACTERS_MAX])
    keys.add(key)
    value_type, count = _number(window.take(4), header), 1
    if key in _KEPT:
        if value_type != _KEPT[key]:
            raise Damaged(f"has {key} as a value of type {value_type}")
        header.kept[key] = _number(window.take(_BYTES[value_type]), header)
        return
    if value_type == _ARRAY:
        value_type, count = _number(window.take(4), header), _number(window.take(8), header)
    if value_type == _STRING:
        for _ in range(count):
            window.skip(_number(window.take(8), header))
    elif value_type in _BYTES:
        window.skip(count * _BYTES[value_type])
    else:
        raise Damaged(f"has {key} as a value of type {value_type}, which is not known"[:SAID_CHARACTERS_MAX])


def _tensor(window: Window, header: Header, expected: int) -> int:
    """The bytes of the next tensor, which must begin where the last one ended."""
    name = _text(window, header)
    if name in header.tensors:
        raise Damaged(f"has the tensor {name} twice"[:SAID_CHARACTERS_MAX])
    header.tensors.add(name)
    dimensions = _number(window.take(4), header)
    if dimensions > DIMENSIONS_MAX:
        raise Damaged(f"tensor {name} has {dimensions} dimensions"[:SAID_CHARACTERS_MAX])
    shape = [_number(window.take(8), header) for _ in range(dimensions)] or [1]
    value_type, offset = _number(window.take(4), header), _number(window.take(8), header)
    if value_type not in _SIZES:
        raise Damaged(f"tensor {name} is of type {value_type}, which is not known"[:SAID_CHARACTERS_MAX])
    block, size = _SIZES[value_type]
    if shape[0] % block or offset != expected:
        raise Damaged(
            f"tensor {name} of shape {shape} begins at {offset}, not at {expected}, or ends within a block"[
                :SAID_CHARACTERS_MAX
            ]
        )
    return math.prod(shape) // block * size


def _text(window: Window, header: Header) -> str:
    length = _number(window.take(8), header)
    if length > NAME_BYTES_MAX:
        raise Damaged(f"has a name of {length} bytes")
    try:
        return window.take(length).decode()
    except UnicodeDecodeError as problem:
        raise Damaged("has a name that is no text") from problem


def _number(data: bytes, header: Header) -> int:
    return int.from_bytes(data, "little" if header.order == "little" else "big")


def _padded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment
