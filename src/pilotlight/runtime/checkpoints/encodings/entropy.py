"""Entropy coding as Zstandard uses it: finite state entropy and Huffman tables, and bits that are read backwards.

RFC 8878, section 4. A table that does not add up is Damaged.
"""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.runtime.checkpoints.format import Damaged

HUFFMAN_BITS_MAX = 11
WEIGHTS_MAX = 255
FINISHED = 0
_WEIGHT_LOG_MAX = 6


class Backward:
    """Bits from the end of a stream to its beginning; before the beginning there are zeros (4.1)."""

    def __init__(self, data: bytes) -> None:
        if not data or not data[-1]:
            raise Damaged("its zstd frame holds a stream without an end mark")
        self._data = data
        self.left = 8 * (len(data) - 1) + data[-1].bit_length() - 1
        """Bits left; negative when more were read than there are."""

    def read(self, count: int) -> int:
        """The next bits, the first of them the highest."""
        value = self.peek(count)
        self.left -= count
        return value

    def peek(self, count: int) -> int:
        """The same, without passing them."""
        start = self.left - count
        if start >= 0:
            low = start >> 3
            piece = int.from_bytes(self._data[low : (start + count + 7) >> 3], "little")
            return piece >> (start & 7) & (1 << count) - 1
        have = max(0, self.left)
        whole = int.from_bytes(self._data[: (have + 7) >> 3], "little") & (1 << have) - 1
        return whole << (count - have)


@dataclass(frozen=True)
class Fse:
    """A decoding table: per state its symbol, the bits to read for the next state, and what they are added to."""

    log: int
    symbols: list[int]
    bits: list[int]
    bases: list[int]

    def next(self, state: int, stream: Backward) -> int:
        """The state after this one."""
        return self.bases[state] + stream.read(self.bits[state])


def read_order(log: int, probabilities: tuple[int, ...]) -> Fse:
    """4.1.1: the table of a distribution; -1 stands for "less than one"."""
    size = 1 << log
    table, high, counts = [0] * size, size, [max(1, each) for each in probabilities]
    for symbol, probability in enumerate(probabilities):
        if probability == -1:
            high -= 1
            table[high] = symbol
    position, stride = 0, (size >> 1) + (size >> 3) + 3
    for symbol, probability in enumerate(probabilities):
        for _ in range(max(0, probability)):
            table[position] = symbol
            position = (position + stride) & (size - 1)
            while position >= high:
                position = (position + stride) & (size - 1)
    bits, bases = [0] * size, [0] * size
    for state, symbol in enumerate(table):
        count = counts[symbol]
        counts[symbol] += 1
        bits[state] = log - (count.bit_length() - 1)
        bases[state] = (count << bits[state]) - size
    return Fse(log, table, bits, bases)


def read_fse(data: bytes, log_max: int, symbol_max: int) -> tuple[Fse, int]:
    """4.1.1: a distribution as it is written; (its table, the bytes it takes)."""
    value, position = int.from_bytes(data[:WEIGHTS_MAX], "little"), 4
    log = (value & 15) + 5
    if not data or log > log_max:
        raise Damaged("its zstd frame holds a table that is too large")
    left, probabilities = 1 << log, list[int]()
    while left > 0 and len(probabilities) <= symbol_max:
        width = (left + 1).bit_length()
        low, limit = (1 << width - 1) - 1, (1 << width) - 1 - (left + 1)
        read = value >> position & (1 << width) - 1
        if read & low < limit:
            read, width = read & low, width - 1
        elif read > low:
            read -= limit
        position += width
        probabilities.append(read - 1)
        left -= abs(read - 1)
        if read == 1:
            position = _zeros(value, position, probabilities, symbol_max)
    used = (position + 7) >> 3
    if left or used > len(data) or len(probabilities) > symbol_max + 1:
        raise Damaged("its zstd frame holds a table that does not add up")
    return read_order(log, tuple(probabilities)), used


def _zeros(value: int, position: int, probabilities: list[int], symbol_max: int) -> int:
    """After a probability of zero: how many more of them follow, two bits at a time."""
    more = 3
    while more == 3 and len(probabilities) <= symbol_max:
        more = value >> position & 3
        position += 2
        probabilities += [0] * more
    return position


@dataclass(frozen=True)
class Huffman:
    """A decoding table over the next `log` bits."""

    log: int
    symbols: list[int]
    bits: list[int]

    def decode(self, stream: bytes, size: int) -> bytes:
        """4.2.2: exactly `size` symbols, or Damaged."""
        bits, out = Backward(stream), bytearray()
        while len(out) < size and bits.left > 0:
            state = bits.peek(self.log)
            out.append(self.symbols[state])
            bits.left -= self.bits[state]
        if len(out) != size or bits.left != FINISHED:
            raise Damaged("its zstd frame holds literals that do not add up")
        return bytes(out)


def read_huffman(data: bytes) -> tuple[Huffman, int]:
    """4.2.1: a tree as it is written; (its table, the bytes it takes)."""
    head = data[0]
    if head >= 128:
        count = head - 127
        packed = data[1 : 1 + (count + 1) // 2]
        weights = [each for byte in packed for each in (byte >> 4, byte & 15)][:count]
        return _tree(weights), 1 + (count + 1) // 2
    packed = data[1 : 1 + head]
    if len(packed) != head:
        raise Damaged("its zstd frame ends too early")
    table, used = read_fse(packed, _WEIGHT_LOG_MAX, WEIGHTS_MAX)
    return _tree(_weights(table, Backward(packed[used:]))), 1 + head


def _weights(table: Fse, bits: Backward) -> list[int]:
    """4.2.1.2: two states take turns until the bits are at an end."""
    turns, weights = [bits.read(table.log), bits.read(table.log)], list[int]()
    while len(weights) < WEIGHTS_MAX:
        state = turns.pop(0)
        weights.append(table.symbols[state])
        turns.append(table.next(state, bits))
        if bits.left < 0:
            weights.append(table.symbols[turns[0]])
            return weights
    raise Damaged("its zstd frame holds too many weights")


def _tree(weights: list[int]) -> Huffman:
    """4.2.1.3: the last weight is what is missing to a power of two."""
    total = sum(1 << weight - 1 for weight in weights if weight)
    log = total.bit_length()
    missing = (1 << log) - total
    if not 0 < log <= HUFFMAN_BITS_MAX or missing & (missing - 1) or len(weights) > WEIGHTS_MAX:
        raise Damaged("its zstd frame holds a tree that does not add up")
    weights = [*weights, missing.bit_length()]
    symbols, bits = list[int](), list[int]()
    for weight in range(1, log + 1):
        for symbol, own in enumerate(weights):
            if own == weight:
                symbols += [symbol] * (1 << weight - 1)
                bits += [log + 1 - weight] * (1 << weight - 1)
    return Huffman(log, symbols, bits)
