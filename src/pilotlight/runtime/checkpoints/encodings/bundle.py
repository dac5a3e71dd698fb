"""TensorFlow's tensor bundle: an `.index` that names every tensor, and the data files that hold them.

tensorflow/core/protobuf/tensor_bundle.proto; core/util/tensor_bundle/tensor_bundle.cc (`BundleWriter`, `MergeBundles`,
`ReadStringTensor`), naming.cc: the header under the empty key counts the data files, an entry says which of them holds
a tensor, where, how long and with which CRC-32C. A tensor in slices has an entry of its own without bytes, and one for
each slice, whose key begins with a zero byte and the name (core/util/saved_tensor_slice_util.cc).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from pilotlight.runtime.checkpoints.encodings import sstable
from pilotlight.runtime.checkpoints.encodings.crc32c import crc32c
from pilotlight.runtime.checkpoints.encodings.protobuf import BYTES, Field, fields, varint
from pilotlight.runtime.checkpoints.encodings.windows import Window
from pilotlight.runtime.checkpoints.format import SAID_CHARACTERS_MAX, Damaged, File, Reader

SHARDS_MAX = 99_999
"""naming.cc: five digits."""
VERSION = 1
"""`kTensorBundleVersion`."""
CHUNK_BYTES = 8 * 1024 * 1024
SAMPLES_MAX, SAMPLE_BYTES_MAX = 64, 4096
"""Tensors that are read of a large checkpoint, and the bytes of one: together a quarter of the smallest budget."""

_STRING, _VARIANT = 7, 21
_BYTES = {
    1: 4, 2: 8, 3: 4, 4: 1, 5: 2, 6: 1, 8: 8, 9: 8, 10: 1, 11: 1, 12: 1, 13: 4, 14: 2, 15: 2, 16: 2, 17: 2, 18: 16,
    19: 2, 22: 4, 23: 8, 24: 1, 25: 1, 26: 1, 27: 1, 28: 1, 29: 1, 30: 1, 31: 1, 32: 1, 33: 1,
}  # fmt: skip
"""framework/types.proto, `DataType` -> bytes of an element; strings and variants have none."""


@dataclass
class Entry:
    """One tensor, or one slice of it."""

    key: bytes
    dtype: int = 0
    shape: list[int] = field(default_factory=list)
    shard: int = 0
    offset: int = 0
    size: int = 0
    crc: int = 0
    slices: int = 0


@dataclass
class Bundle:
    """What an index says: how many data files, and by their numbers what they hold, in the order of the bytes."""

    shards: int
    held: dict[int, list[Entry]]


def read(index: File, reader: Reader) -> Bundle:
    """The index, whole; Damaged where it is not one."""
    shards, found = 0, list[Entry]()
    for number, (key, value) in enumerate(sstable.entries(index, reader)):
        if (number == 0) != (key == b""):
            raise Damaged("does not begin with a header")
        if number == 0:
            shards = _header(Window.over(value))
        else:
            found.append(_entry(Window.over(value), key, shards))
    if not shards:
        raise Damaged("has no header")
    _sliced(found)
    held: dict[int, list[Entry]] = {}
    for entry in sorted(found, key=lambda entry: (entry.offset, entry.size)):
        if not entry.slices:
            held.setdefault(entry.shard, []).append(entry)
    return Bundle(shards, held)


def measure(bundle: Bundle, number: int, file: File) -> None:
    """A data file ends where its last tensor does, and no two of its tensors share a byte."""
    end = 0
    for entry in bundle.held.get(number, []):
        if entry.offset < end:
            raise Damaged(f"has two tensors at {entry.offset}, says the index")
        end = entry.offset + entry.size
    if end != file.size:
        raise Damaged(f"has {file.size} bytes, its tensors end at {end}, says the index")


def samples(bundle: Bundle) -> dict[int, list[Entry]]:
    """The smallest tensors of each data file, few enough to be read in any budget: steps, counters and biases, by which
    the data of another save is told from the right one."""
    each, chosen = max(1, SAMPLES_MAX // bundle.shards), dict[int, list[Entry]]()
    for number in sorted(bundle.held)[:SAMPLES_MAX]:
        small = [entry for entry in bundle.held[number] if 0 < entry.size <= SAMPLE_BYTES_MAX]
        plain = (entry for entry in small if entry.dtype not in (_STRING, _VARIANT))
        chosen[number] = sorted(plain, key=lambda entry: entry.size)[:each]
    return chosen


def compare(entries: list[Entry], file: File, reader: Reader) -> Iterator[str]:
    """Each of these tensors of a data file against its CRC-32C; variants are left out."""
    for entry in entries:
        if entry.dtype != _VARIANT and entry.offset + entry.size <= file.size:
            window = Window(file, reader, entry.offset, entry.offset + entry.size)
            crc = _strings(window, entry) if entry.dtype == _STRING and entry.size else 0
            while window.position < window.end:
                crc = crc32c(window.take(min(CHUNK_BYTES, window.end - window.position)), crc)
            if crc != sstable.unmasked(entry.crc):
                yield f"tensor {_said(entry.key)} does not have the bytes that its CRC-32C was made of"


def _strings(window: Window, entry: Entry) -> int:
    """`ReadStringTensor`: the checksum is of the lengths as numbers of 4 or 8 bytes, then of what follows them."""
    crc = 0
    for _ in range(math.prod(entry.shape)):
        length = varint(window)
        crc = crc32c(length.to_bytes(4 if length < 1 << 32 else 8, "little"), crc)
    return crc


def _header(window: Window) -> int:
    """How many data files there are."""
    shards = minimum = 0
    for each in fields(window, window.end):
        if each.number == 1:
            shards = each.value
        elif each.number == 3 and each.wire == BYTES:
            minimum = max((inner.value for inner in fields(window, each.end) if inner.number == 2), default=0)
    if not 0 < shards <= SHARDS_MAX or minimum > VERSION:
        raise Damaged(f"names {shards} data files, for readers of version {minimum}")
    return shards


def _entry(window: Window, key: bytes, shards: int) -> Entry:
    entry, numbers = Entry(key), dict[int, int]()
    for each in fields(window, window.end):
        numbers[each.number] = each.value
        entry.slices += each.number == 7
        if each.number == 2 and each.wire == BYTES:
            entry.shape = list(_shape(window, each))
    entry.dtype, entry.shard, entry.offset, entry.size, entry.crc = (numbers.get(each, 0) for each in (1, 3, 4, 5, 6))
    if entry.slices:
        return entry
    if entry.shard >= shards:
        raise Damaged(f"puts tensor {_said(key)} into data file {entry.shard} of {shards}")
    one = _BYTES.get(entry.dtype)
    if one is not None and math.prod(entry.shape) * one != entry.size:
        what = f"gives tensor {_said(key)} of shape {entry.shape} {entry.size} bytes"
        raise Damaged(what[:SAID_CHARACTERS_MAX])
    return entry


def _shape(window: Window, shape: Field) -> Iterator[int]:
    """TensorShapeProto: `dim` is 2, its `size` 1, left out where it is 0."""
    for dim in fields(window, shape.end):
        if dim.number == 2 and dim.wire == BYTES:
            yield sum(each.value for each in fields(window, dim.end) if each.number == 1)


def _sliced(found: list[Entry]) -> None:
    """The slices of a tensor have all its elements. (`EncodeTensorNameSlice`, OrderedCode: a zero, the name with its
    zero and 0xff bytes escaped, a zero and a one, the slice.)"""
    elements: dict[bytes, int] = {}
    for entry in found:
        if entry.key.startswith(b"\0") and not entry.slices:
            name = entry.key[1:].partition(b"\0\1")[0].replace(b"\0\xff", b"\0").replace(b"\xff\0", b"\xff")
            elements[name] = elements.get(name, 0) + math.prod(entry.shape)
    for entry in found:
        if entry.slices and elements.get(entry.key) != math.prod(entry.shape):
            raise Damaged(f"names slices of tensor {_said(entry.key)} that are not all of it")


def _said(key: bytes) -> str:
    return key.decode("utf-8", "replace")[:200]
