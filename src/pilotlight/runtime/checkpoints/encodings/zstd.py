"""Zstandard, decompression only: OCDBT keeps its tree in it, and Python has no reader of it before 3.14.

RFC 8878, "Zstandard Compression and the 'application/zstd' Media Type"; the numbers of the sections stand beside the
parts. One frame, no dictionary, no window beyond `at_most`; the frame's own checksum is left to the CRC-32C that OCDBT
puts around it. For nodes of a tree, not for bulk: about a megabyte a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pilotlight.runtime.checkpoints.encodings.entropy import (
    FINISHED,
    Backward,
    Fse,
    Huffman,
    read_fse,
    read_huffman,
    read_order,
)
from pilotlight.runtime.checkpoints.format import Damaged

MAGIC = 0xFD2FB528
BLOCK_BYTES_MAX = 128 * 1024
"""3.1.1.2.3: no block, compressed or not, is larger."""
HEADER_BYTES_MAX = 18
"""3.1.1.1: magic number, descriptor, window, dictionary and size."""
BLOCK_HEADER_BYTES = 3

_RAW, _RLE, _COMPRESSED, _RESERVED = range(4)
_LITERAL_BASES = (*range(16), 16, 18, 20, 22, 24, 28, 32, 40, 48, 64, *(1 << n for n in range(7, 17)))
_LITERAL_BITS = (*[0] * 16, 1, 1, 1, 1, 2, 2, 3, 3, 4, *range(6, 17))
_MATCH_BASES = (*range(3, 35), 35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, *(3 + (1 << n) for n in range(7, 17)))
_MATCH_BITS = (*[0] * 32, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, *range(7, 17))
"""3.1.1.3.2.1.1: lengths by code."""
_OFFSET_CODE_MAX = 31
_LITERAL_DEFAULT = read_order(
    6, (4, 3, *[2] * 6, *[2] * 5, 1, 1, 1, *[2] * 9, 3, 2, *[1] * 5, -1, -1, -1, -1)
)  # fmt: skip
_MATCH_DEFAULT = read_order(6, (1, 4, 3, 2, 2, 2, 2, 2, 2, *[1] * 37, *[-1] * 7))
_OFFSET_DEFAULT = read_order(5, (1, 1, 1, 1, 1, 1, 2, 2, 2, *[1] * 15, *[-1] * 5))
"""3.1.1.3.2.2: what a block uses that describes no distribution of its own."""


@dataclass
class _State:
    """What one block leaves for the next: tables, and the last three offsets (3.1.1.5)."""

    huffman: Huffman | None = None
    literals: Fse | None = None
    offsets: Fse | None = None
    matches: Fse | None = None
    last_offsets: list[int] = field(default_factory=lambda: [1, 4, 8])


def decompress(data: bytes, at_most: int) -> bytes:
    """What one frame holds; Damaged when it is not exactly one frame, or holds more than `at_most` bytes."""
    try:
        return _frame(data, at_most)
    except (IndexError, OverflowError) as problem:
        raise Damaged("its zstd frame ends too early") from problem


def start(data: bytes) -> tuple[int | None, bool, int]:
    """Of a frame's first HEADER_BYTES_MAX bytes: (size of the content where it is told, whether a checksum follows the
    blocks, where these begin); Damaged where it is none."""
    if int.from_bytes(data[:4], "little") != MAGIC:
        raise Damaged("is no zstd frame")
    try:
        return _header(data)
    except IndexError as problem:
        raise Damaged("its zstd frame ends too early") from problem


def block(head: bytes) -> tuple[bool, int]:
    """Of a block's header: (whether it is the last, how many bytes follow); Damaged where there is no such block."""
    found = int.from_bytes(head, "little")
    block, length = found >> 1 & 3, found >> 3
    if block == _RESERVED or length > BLOCK_BYTES_MAX:
        raise Damaged(f"its zstd frame holds a block of {length} bytes")
    return bool(found & 1), 1 if block == _RLE else length


def _frame(data: bytes, at_most: int) -> bytes:
    size, checksum, position = start(data)
    if size is not None and size > at_most:
        raise Damaged(f"its zstd frame claims {size} bytes, at most {at_most} are read")
    out, state, last = bytearray(), _State(), False
    while not last:
        head = int.from_bytes(_cut(data, position, 3), "little")
        last, block, length = bool(head & 1), head >> 1 & 3, head >> 3
        position += 3
        if length > BLOCK_BYTES_MAX or len(out) + length > at_most + BLOCK_BYTES_MAX:
            raise Damaged(f"its zstd frame holds a block of {length} bytes")
        position += _block(_cut(data, position, 1 if block == _RLE else length), block, length, out, state)
        if len(out) > at_most:
            raise Damaged(f"its zstd frame holds more than {at_most} bytes")
    if size not in (None, len(out)) or position + 4 * checksum != len(data):
        raise Damaged("its zstd frame is not as long as it says")
    return bytes(out)


def _header(data: bytes) -> tuple[int | None, bool, int]:
    """3.1.1.1: (size of the content where it is told, whether a checksum follows, where the blocks begin)."""
    descriptor = data[4]
    size_flag, single, checksum = descriptor >> 6, bool(descriptor & 0x20), bool(descriptor & 4)
    if descriptor & 0b1011:
        raise Damaged("its zstd frame needs a dictionary, or is of an unknown kind")
    position = 5 if single else 6
    width = (1 if single else 0, 2, 4, 8)[size_flag]
    size = int.from_bytes(_cut(data, position, width), "little") + (256 if width == 2 else 0)
    return (size if width else None), checksum, position + width


def _block(body: bytes, block: int, length: int, out: bytearray, state: _State) -> int:
    """3.1.1.2: append what the block holds; the bytes that it took."""
    if block == _RAW:
        out += body
    elif block == _RLE:
        out += body * length
    elif block == _COMPRESSED:
        literals, position = _literals(body, state)
        _sequences(body[position:], literals, out, state)
    else:
        raise Damaged("its zstd frame holds a block of a reserved kind")
    return len(body)


# -- literals (3.1.1.3.1) --------------------------------------------------------------------------------------


def _literals(body: bytes, state: _State) -> tuple[bytes, int]:
    block, form = body[0] & 3, body[0] >> 2 & 3
    if block in (_RAW, _RLE):
        width = (1, 2, 1, 3)[form]
        size = int.from_bytes(_cut(body, 0, width), "little") >> (3 if width == 1 else 4)
        if size > BLOCK_BYTES_MAX:
            raise Damaged("its zstd frame claims too many literals")
        taken = _cut(body, width, 1 if block == _RLE else size)
        return (taken * size if block == _RLE else taken), width + len(taken)
    width, bits = ((3, 10), (3, 10), (4, 14), (5, 18))[form]
    head = int.from_bytes(_cut(body, 0, width), "little") >> 4
    size, length = head & (1 << bits) - 1, head >> bits
    if size > BLOCK_BYTES_MAX:
        raise Damaged("its zstd frame claims too many literals")
    packed = _cut(body, width, length)
    if block == _COMPRESSED:
        state.huffman, used = read_huffman(packed)
        packed = packed[used:]
    if state.huffman is None:
        raise Damaged("its zstd frame uses a table that it has not given")
    return _decoded(packed, size, 1 if form == 0 else 4, state.huffman), width + length


def _decoded(packed: bytes, size: int, streams: int, huffman: Huffman) -> bytes:
    if streams == 1:
        return huffman.decode(packed, size)
    lengths = [int.from_bytes(_cut(packed, 2 * n, 2), "little") for n in range(3)]
    quarter, position, out = (size + 3) // 4, 6, bytearray()
    for length in lengths:
        out += huffman.decode(_cut(packed, position, length), quarter)
        position += length
    return bytes(out + huffman.decode(packed[position:], size - 3 * quarter))


# -- sequences (3.1.1.3.2) -------------------------------------------------------------------------------------


def _sequences(body: bytes, literals: bytes, out: bytearray, state: _State) -> None:
    count, position = _count(body)
    if not count:
        out += literals
        return
    modes = body[position]
    if modes & 3:
        raise Damaged("its zstd frame uses reserved bits")
    position += 1
    state.literals, used = _table(body[position:], modes >> 6, 9, 35, _LITERAL_DEFAULT, state.literals)
    position += used
    state.offsets, used = _table(body[position:], modes >> 4 & 3, 8, _OFFSET_CODE_MAX, _OFFSET_DEFAULT, state.offsets)
    position += used
    state.matches, used = _table(body[position:], modes >> 2 & 3, 9, 52, _MATCH_DEFAULT, state.matches)
    position += used
    _execute(Backward(body[position:]), count, literals, out, state)


def _count(body: bytes) -> tuple[int, int]:
    first = body[0]
    if first < 128:
        return first, 1
    if first < 255:
        return ((first - 128) << 8) + body[1], 2
    return body[1] + (body[2] << 8) + 0x7F00, 3


def _table(body: bytes, mode: int, log_max: int, code_max: int, default: Fse, last: Fse | None) -> tuple[Fse, int]:
    """3.1.1.3.2.1: the table of one of the three codes, and the bytes that describe it."""
    if mode == 0:
        return default, 0
    if mode == 1:
        if body[0] > code_max:
            raise Damaged("its zstd frame uses a code that there is not")
        return Fse(0, [body[0]], [0], [0]), 1
    if mode == 2:
        return read_fse(body, log_max, code_max)
    if last is None:
        raise Damaged("its zstd frame uses a table that it has not given")
    return last, 0


def _execute(bits: Backward, count: int, literals: bytes, out: bytearray, state: _State) -> None:
    """3.1.1.4: copy literals, then a match from what is there already, for every sequence; then the literals left."""
    lengths, offsets, matches = state.literals, state.offsets, state.matches
    assert lengths and offsets and matches
    length_at, offset_at, match_at = (bits.read(table.log) for table in (lengths, offsets, matches))
    position, limit = 0, len(out) + BLOCK_BYTES_MAX
    for number in range(count):
        offset_code = offsets.symbols[offset_at]
        offset = (1 << offset_code) + bits.read(offset_code)
        match_code, length_code = matches.symbols[match_at], lengths.symbols[length_at]
        match = _MATCH_BASES[match_code] + bits.read(_MATCH_BITS[match_code])
        length = _LITERAL_BASES[length_code] + bits.read(_LITERAL_BITS[length_code])
        if number + 1 < count:
            length_at, match_at = lengths.next(length_at, bits), matches.next(match_at, bits)
            offset_at = offsets.next(offset_at, bits)
        out += _cut(literals, position, length)
        position += length
        if len(out) + match > limit:
            raise Damaged("its zstd frame holds a block that is too large")
        _copy(out, _offset(offset, length, state.last_offsets), match)
    if bits.left != FINISHED:
        raise Damaged("its zstd frame holds more than its sequences")
    out += literals[position:]


def _offset(value: int, length: int, last: list[int]) -> int:
    """3.1.1.5: values up to 3 stand for one of the last offsets."""
    if value > 3:
        offset = value - 3
        last[:] = [offset, last[0], last[1]]
        return offset
    index = value - 1 + (length == 0)
    offset = last[index] if index < 3 else last[0] - 1
    if index == 1:
        last[:] = [last[1], last[0], last[2]]
    elif index > 1:
        last[:] = [offset, last[0], last[1]]
    return offset


def _copy(out: bytearray, offset: int, length: int) -> None:
    if not 0 < offset <= len(out):
        raise Damaged("its zstd frame refers to what is before its beginning")
    start = len(out) - offset
    if offset >= length:
        out += out[start : start + length]
    else:
        piece = bytes(out[start:])
        out += (piece * (length // offset + 1))[:length]


def _cut(data: bytes, start: int, length: int) -> bytes:
    piece = data[start : start + length]
    if len(piece) != length:
        raise Damaged("its zstd frame ends too early")
    return piece
