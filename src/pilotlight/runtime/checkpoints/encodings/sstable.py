"""A table of sorted keys and values in blocks, as TensorFlow's `.index` is one: LevelDB's format.

tensorflow/tsl/lib/io/format.cc (`Footer`, `BlockHandle`, `ReadBlock`), block.cc (`DecodeEntry`): data blocks, a
metaindex block, an index block with a handle for each data block, 48 bytes of footer. Behind each block its type and
the masked CRC-32C of both. Blocks lie one behind the other from the first byte to the footer: every byte is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pilotlight.runtime.checkpoints.encodings.crc32c import crc32c
from pilotlight.runtime.checkpoints.encodings.protobuf import varint
from pilotlight.runtime.checkpoints.encodings.windows import Window
from pilotlight.runtime.checkpoints.format import Damaged, File, Reader

FOOTER_BYTES = 48
BLOCK_BYTES_MAX = 64 * 1024 * 1024
"""TensorFlow writes blocks of 256 KiB (table_options.h, `block_size`)."""
TABLE_BYTES_MAX = 512 * 1024 * 1024
TRAILER_BYTES = 5
MAGIC = 0xDB4775248B80FB57
_MASK_DELTA = 0xA282EAD8
"""tsl/lib/hash/crc32c.h, `kMaskDelta`."""


@dataclass(frozen=True)
class Handle:
    """Where a block lies, without its trailer."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.offset + self.size + TRAILER_BYTES


def entries(file: File, reader: Reader) -> Iterator[tuple[bytes, bytes]]:
    """Every key with its value, in order; Damaged where the file is not exactly such a table."""
    metaindex, index = _footer(file, reader)
    handles = [_handle(Window.over(value)) for _, value in _block(index, file, reader)]
    end = 0
    for handle in [*handles, metaindex, index]:
        if handle.offset != end:
            raise Damaged(f"has a block at {handle.offset}, not at {end}")
        end = handle.end
    if end + FOOTER_BYTES != file.size:
        raise Damaged(f"has {file.size} bytes, its blocks and footer end at {end + FOOTER_BYTES}")
    if next(_block(metaindex, file, reader), None) is not None:
        raise Damaged("has a metaindex with entries, which TensorFlow does not write")
    last = None
    for handle in handles:
        for key, value in _block(handle, file, reader):
            if last is not None and key <= last:
                raise Damaged("has keys that are not in order")
            last = key
            yield key, value


def unmasked(crc: int) -> int:
    """`crc32c::Unmask`."""
    rotated = (crc - _MASK_DELTA) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def _footer(file: File, reader: Reader) -> tuple[Handle, Handle]:
    if not FOOTER_BYTES <= file.size <= TABLE_BYTES_MAX:
        raise Damaged(f"{file.size} bytes are too few or too many for a table")
    footer = reader.read_range(file, file.size - FOOTER_BYTES, FOOTER_BYTES)
    if int.from_bytes(footer[-8:], "little") != MAGIC:
        raise Damaged("does not end as a table does: it was cut short, or something follows it")
    window = Window.over(footer[:-8])
    handles = _handle(window), _handle(window)
    if window.take(window.end - window.position).strip(b"\0"):
        raise Damaged("has a footer that does not end with zeros")
    return handles


def _handle(window: Window) -> Handle:
    return Handle(varint(window), varint(window))


def _block(handle: Handle, file: File, reader: Reader) -> Iterator[tuple[bytes, bytes]]:
    """The entries of one block, its checksum compared."""
    if handle.end > file.size - FOOTER_BYTES or handle.size > BLOCK_BYTES_MAX:
        raise Damaged(f"has a block that ends at {handle.end}, in a file of {file.size}")
    data = reader.read_range(file, handle.offset, handle.size + TRAILER_BYTES)
    if crc32c(data[:-4]) != unmasked(int.from_bytes(data[-4:], "little")):
        raise Damaged(f"does not have the bytes at {handle.offset} that their CRC-32C was made of")
    if data[-TRAILER_BYTES]:
        raise Damaged("has compressed blocks, which are not judged")
    return _entries(data[:-TRAILER_BYTES])


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """block.cc: bytes shared with the key before, bytes of its own, bytes of the value; behind them the restarts."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    if len(block) < 4 or end < 0:
        raise Damaged(f"has a block of {len(block)} bytes with {restarts} restarts")
    window, key = Window.over(block[:end]), b""
    while window.position < end:
        shared, own, size = varint(window), varint(window), varint(window)
        if shared > len(key):
            raise Damaged("has a key that shares more than the key before it has")
        key = key[:shared] + window.take(own)
        yield key, window.take(size)
