"""ONNX: a `.onnx` file, and the files beside that hold its values where those are not in it.

onnx/onnx, onnx/onnx.proto (ModelProto, GraphProto, NodeProto, AttributeProto, FunctionProto, TensorProto) and
external_data_helper.py (`_get_all_tensors`: initializers, attributes of nodes, graphs within them; `ExternalDataInfo`:
location, offset, length). The message is walked with its values skipped, and ends where the file does; values have as
many bytes as shape and type say; every external file is there and long enough. It may be longer: saving again appends.
Names do not tell which files those are (a writer may name them as its tensors), so a model owns the files beside it
whose names end as exporters' do; what else a model names is missing to us, and the problem says so. Where several
models lie in one folder, each owns what begins with its name; when one file fits none of them, all are one checkpoint.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pilotlight.runtime.checkpoints.encodings.protobuf import BYTES, DEPTH_MAX, VARINT, Field, fields, text, varint
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

SUFFIX = ".onnx"
CHUNK_BYTES = 8 * 1024 * 1024
PROBLEMS_MAX = 20

_DATA = re.compile(
    r"\.onnx[._-]?data.*$|\.data$|\.weights?$|\.bias$|[._](gamma|beta|running_mean|running_var|quantized|scale|zero_point)$"
    r"|^onnx__|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
)
"""Exporters' names: one file for all values; names of PyTorch's tensors; what its exporter names them; a UUID, which
`convert_model_to_external_data` takes where a tensor's name is no file name."""
_SCHEMA: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "version", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""Message -> the fields that lead to tensors, and what they are."""
_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
"""TensorProto.DataType -> bits of an element, packed; of strings (8) and newer types the length is not compared."""
_SEGMENT, _STORED, _RAW = 3, (4, 5, 6, 7, 10, 11), 9
"""TensorProto: a part of a tensor; values by their types; values as bytes."""


@dataclass(frozen=True)
class External:
    """Where the values of one tensor lie; `length` is -1 where neither the model nor its type says."""

    tensor: str
    location: str
    offset: int
    length: int
    sha1: str


@dataclass
class Seen:
    """What the walk found."""

    graphs: int = 0
    versions: int = 0
    external: list[External] = field(default_factory=list)


class Onnx:
    """Models, each with the files of its values."""

    name = "onnx"
    bytes_read_min = 16 * 1024 * 1024
    """What the smallest budget has to allow: every node of the graph is looked at, megabytes for a language model."""

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """See Format.find."""
        for folder in folders:
            models = {name: file for name, file in folder.direct.items() if name.endswith(SUFFIX)}
            if not models:
                continue
            data: dict[str, list[File]] = {}
            for file in folder.direct.values():
                if file.key.endswith(SUFFIX) or not _DATA.search(folder.name(file)):
                    continue
                data.setdefault(_owner(folder.name(file), models), []).append(file)
            if "" in data:
                yield Candidate(folder.path, (*models.values(), *(file for files in data.values() for file in files)))
            else:
                yield from (Candidate(file.key, (file, *data.get(name, []))) for name, file in models.items())

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See Format.verify."""
        problems = list[Problem]()
        for file in _models(candidate):
            try:
                seen = read(file, reader)
            except BudgetSpent:
                raise
            except (Damaged, Unreadable) as damage:
                problems.append(Problem(candidate.name(file), str(damage)))
                continue
            wrong = (_beside(candidate, each) for each in seen.external)
            problems += list(dict.fromkeys(problem for problem in wrong if problem))[:PROBLEMS_MAX]
        return tuple(problems)

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """See ChecksDeeply: the SHA-1 that a tensor may have of its file."""
        sums = {(each.location, each.sha1) for each in _external(candidate, reader) if each.sha1}
        wrong = []
        for location, wanted in sorted(sums):
            file = candidate.named(location)
            if file is not None and _sha1(file, reader) != wanted.lower():
                wrong.append(Problem(location, f"does not have the bytes that the SHA-1 {wanted} was made of"[:300]))
        return tuple(wrong)

    def unnamed(self, candidate: Candidate, reader: Reader) -> tuple[str, ...]:
        """Those of its own files that no tensor names: they are not judged."""
        named = {each.location for each in _external(candidate, reader)}
        names = (candidate.name(file) for file in candidate.files if not file.key.endswith(SUFFIX))
        return tuple(name for name in names if name not in named)


def read(file: File, reader: Reader) -> Seen:
    """A whole model; Damaged when the message does not end where the file ends."""
    window, seen = Window(file, reader), Seen()
    _walk(window, window.end, "model", seen, 0)
    if seen.graphs != 1 or not seen.versions:
        raise Damaged(f"holds {seen.graphs} graphs and {seen.versions} versions of operators: it is no model")
    return seen


def _walk(window: Window, end: int, kind: str, seen: Seen, depth: int) -> None:
    """Every tensor in a message of this kind."""
    if depth > DEPTH_MAX:
        raise Damaged("is nested without end")
    for each in fields(window, end):
        inner = _SCHEMA[kind].get(each.number)
        if inner is None:
            continue
        if each.wire != BYTES:
            raise Damaged(f"has field {each.number} of a {kind} with wire type {each.wire}")
        seen.graphs += (kind, inner) == ("model", "graph")
        if inner == "tensor":
            _tensor(window, each.end, seen)
        elif inner == "version":
            seen.versions += any(part.number == 2 and part.value for part in fields(window, each.end))
        else:
            _walk(window, each.end, inner, seen, depth + 1)


def _tensor(window: Window, end: int, seen: Seen) -> None:
    """TensorProto: its values are as many as it says, here or elsewhere."""
    shape, name, raw, stored, facts, numbers = list[int](), "", -1, False, dict[str, str](), dict[int, int]()
    for each in fields(window, end):
        numbers[each.number] = each.value
        stored = stored or each.number in _STORED
        if each.number == 1:
            shape += _dims(window, each)
        elif each.number == 8:
            name = text(window, each)
        elif each.number == _RAW and each.wire == BYTES:
            raw = each.length
        elif each.number == 13 and each.wire == BYTES:
            facts |= [_entry(window, each)]
    needed = _needed(shape, numbers.get(2, 0))
    if numbers.get(14, 0) == 1:
        external = _placed(name, facts, needed)
        raw = external.length
        seen.external.append(external)
    elif raw < 0 and not stored and all(shape) and _SEGMENT not in numbers:
        raise Damaged(f"tensor {name} has no values"[:SAID_CHARACTERS_MAX])
    if raw >= 0 and needed >= 0 and raw != needed and _SEGMENT not in numbers:
        raise Damaged(f"tensor {name} of shape {shape} has {raw} bytes, not {needed}"[:SAID_CHARACTERS_MAX])


def _needed(shape: list[int], dtype: int) -> int:
    """Bytes of all elements; -1 where the type does not tell."""
    elements: int = math.prod(shape)
    return (elements * _BITS[dtype] + 7) // 8 if dtype in _BITS else -1


def _dims(window: Window, each: Field) -> Iterator[int]:
    """`dims`, one to a field or packed into one."""
    sizes = [each.value] if each.wire == VARINT else []
    while each.wire == BYTES and window.position < each.end:
        sizes.append(varint(window))
    for size in sizes:
        if size >= 1 << 63:
            raise Damaged("has a tensor of a negative size")
        yield size


def _entry(window: Window, each: Field) -> tuple[str, str]:
    """StringStringEntryProto."""
    parts = {inner.number: text(window, inner) for inner in fields(window, each.end) if inner.number in (1, 2)}
    return parts.get(1, ""), parts.get(2, "")


def _placed(name: str, facts: dict[str, str], needed: int) -> External:
    """`ExternalDataInfo`; the location is within the model's own folder."""
    location, numbers = facts.get("location", ""), [facts.get("offset", "0"), facts.get("length", "")]
    parts = location.split("/")
    if not location or location.startswith("/") or "\\" in location or ".." in parts or not location.isprintable():
        raise Damaged(f"tensor {name} lies at {location!r}, which is no file of its folder"[:SAID_CHARACTERS_MAX])
    if any(number and not re.fullmatch(r"[0-9]{1,19}", number) for number in numbers):
        raise Damaged(f"tensor {name} lies at {numbers[0]}, {numbers[1]} bytes long"[:SAID_CHARACTERS_MAX])
    plain = "/".join(part for part in parts if part not in ("", "."))
    return External(name, plain, int(numbers[0] or 0), int(numbers[1] or needed), facts.get("checksum", ""))


def _beside(candidate: Candidate, each: External) -> Problem | None:
    """What is wrong with the file that holds a tensor's values."""
    file = candidate.named(each.location)
    if file is None:
        what = "missing: the model names it"
        if not _DATA.search(each.location) or "/" in each.location:
            what += "; under this name it is not looked for"
        return Problem(each.location, what)
    if each.offset + max(each.length, 0) > file.size:
        what = f"ends at {file.size}, tensor {each.tensor} in it at {each.offset + max(each.length, 0)}"
        return Problem(each.location, what[:SAID_CHARACTERS_MAX])
    return None


def _owner(name: str, models: dict[str, File]) -> str:
    """The model whose name the file's begins with, the longest; the only one there is; else none."""
    begins = [model for model in models if name.startswith((model, model.removesuffix("onnx")))]
    return max(begins, key=len) if begins else next(iter(models)) if len(models) == 1 else ""


def _models(candidate: Candidate) -> Iterator[File]:
    return (file for file in candidate.files if file.key.endswith(SUFFIX))


def _external(candidate: Candidate, reader: Reader) -> Iterator[External]:
    """Of all models that can be read; what is wrong with the others is said elsewhere."""
    for file in _models(candidate):
        try:
            yield from read(file, reader).external
        except Damaged:
            continue


def _sha1(file: File, reader: Reader) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    for start in range(0, file.size, CHUNK_BYTES):
        digest.update(reader.read_range(file, start, min(CHUNK_BYTES, file.size - start)))
    return digest.hexdigest()
