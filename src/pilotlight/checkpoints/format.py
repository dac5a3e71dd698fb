"""The words of this room: File, Reader, Candidate, Format, Verdict.

A Format finds its candidates in a listing and verifies one by reading as little as possible. A marker file proves
nothing in a replica: S3 promises time per object, not order, so every file that a checkpoint names is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

BYTES_READ_MIN = 1024 * 1024
BYTES_READ_SHARE = 0.001
"""At most 1 MiB or 0.1 % of the checkpoint is read, whichever is larger, whatever the files claim of themselves."""

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class File:
    """One file: its key relative to the reader's root, its size in bytes, its entity tag and when it was written."""

    key: str
    size: int
    etag: str = ""
    modified_at: str = ""


class Unreadable(Exception):
    """A range that could not be read; the text says why."""


class Reader(Protocol):
    """Where checkpoints lie: a folder, or a prefix of a bucket."""

    def files(self) -> Iterator[File]:
        """Every file below the root, in the order of the keys."""
        ...

    def read_range(self, file: File, start: int, length: int) -> bytes:
        """Exactly these bytes of the file as it was listed; Unreadable when that is not possible."""
        ...


@dataclass(frozen=True)
class Problem:
    """One file that is missing, short, foreign or damaged, and what is wrong with it."""

    file: str
    what: str


@dataclass(frozen=True)
class Candidate:
    """One folder that may be a checkpoint: its path below the root (ending in / or empty) and all files below it."""

    path: str
    files: tuple[File, ...]

    def named(self, name: str) -> File | None:
        """The file of this name directly in the folder."""
        return next((file for file in self.files if file.key == self.path + name), None)

    @property
    def bytes_total(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def step(self) -> int | None:
        return step_of(self.path)


@dataclass(frozen=True)
class Verdict:
    """Whether the checkpoint at `path` is complete; `bytes_read` is what it cost to know."""

    path: str
    format: str
    step: int | None
    complete: bool
    problems: tuple[Problem, ...]
    bytes_total: int
    bytes_read: int
    written_at: str = ""
    """When the newest of its files was written, as the listing says."""


class Format(Protocol):
    """One format. `name` is what the declaration calls it."""

    name: str

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """Those folders that are, or were becoming, a checkpoint of this format (from names alone)."""
        ...

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """Everything that is wrong with it; empty means complete. Never raises for what the files hold."""
        ...


class BudgetSpent(Unreadable):
    """The file claims more than may be read to decide."""


class Metered:
    """A Reader that counts what is read of one candidate and stops at its budget."""

    def __init__(self, inner: Reader, bytes_total: int) -> None:
        self._inner = inner
        self.budget = max(BYTES_READ_MIN, int(bytes_total * BYTES_READ_SHARE))
        self.bytes_read = 0

    def files(self) -> Iterator[File]:
        """See Reader.files."""
        return self._inner.files()

    def read_range(self, file: File, start: int, length: int) -> bytes:
        """See Reader.read_range; BudgetSpent before anything is read beyond the budget."""
        if self.bytes_read + length > self.budget:
            raise BudgetSpent(f"{length} more bytes to read, {self.budget - self.bytes_read} of {self.budget} left")
        data = self._inner.read_range(file, start, length)
        self.bytes_read += len(data)
        if len(data) != length:
            raise Unreadable(f"{len(data)} of {length} bytes came back")
        return data


def step_of(path: str) -> int | None:
    """The last number of the folder's name, else of the nearest folder above that has one: a/step-000120/ -> 120."""
    for part in reversed([part for part in path.split("/") if part]):
        numbers = _NUMBER.findall(part)
        if numbers:
            return int(numbers[-1][-18:])
    return None
