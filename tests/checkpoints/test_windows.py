"""What a user loses when one of these fails: a judge that reads gigabytes, or asks a bucket a million times."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from pilotlight.runtime.checkpoints.encodings.hdf5 import lookup3
from pilotlight.runtime.checkpoints.encodings.windows import READ_BYTES_MAX, Window
from pilotlight.runtime.checkpoints.format import BYTES_READ_MIN, BudgetSpent, Damaged, File, Metered


class Counting:
    """A reader of bytes that say where they lie; it remembers what was asked."""

    def __init__(self, size: int) -> None:
        self.file, self.asked = File("f", size), list[tuple[int, int]]()

    def files(self) -> Iterator[File]:
        return iter([self.file])

    def read_range(self, file: File, start: int, length: int) -> bytes:
        assert start >= 0 and start + length <= file.size
        self.asked.append((start, length))
        return bytes(at % 251 for at in range(start, start + length))


def test_fields_one_after_the_other_are_right_and_read_once_in_few_requests() -> None:
    reader = Counting(100_000)
    window = Window(reader.file, reader)
    sizes = itertools.cycle([1, 8, 3, 40])
    position = 0
    while position < 90_000:
        size = next(sizes)
        assert window.take(size) == bytes(at % 251 for at in range(position, position + size))
        position += size
    assert sum(length for _, length in reader.asked) <= 100_000 and len(reader.asked) < 10


def test_values_that_are_left_out_are_not_read() -> None:
    reader = Counting(10**9)
    window = Window(reader.file, reader)
    for _ in range(500):
        window.take(40)
        window.skip(10**6)
    assert sum(length for _, length in reader.asked) < BYTES_READ_MIN // 4
    assert max(length for _, length in reader.asked) <= READ_BYTES_MAX


def test_nothing_beyond_the_end_is_asked_for() -> None:
    reader = Counting(1000)
    window = Window(reader.file, reader, 900, 950)
    assert window.take(50)[0] == 900 % 251
    for claim in (lambda: window.take(1), lambda: window.skip(2**70), lambda: window.take(-1)):
        with pytest.raises(Damaged, match="claims"):
            claim()


def test_reading_ahead_does_not_spend_a_budget_that_is_enough() -> None:
    reader = Counting(10**6)
    metered = Metered(reader, 0)
    metered.budget = 5000
    window = Window(reader.file, metered)
    for _ in range(50):
        window.take(100)
    with pytest.raises(BudgetSpent):
        window.take(1)


def test_the_checksum_of_a_superblock_is_the_one_that_its_author_published() -> None:
    """burtleburtle.net, lookup3.c, driver5."""
    assert lookup3(b"Four score and seven years ago") == 0x17770551
