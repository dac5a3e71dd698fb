"""The words of this room: File, Reader, Candidate, Format, Verdict.

A Format finds its candidates in a listing and verifies one by reading as little as possible. A marker file proves
nothing in a replica: S3 promises time per object, not order, so every file that a checkpoint names is looked at.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

BYTES_READ_MIN = 1024 * 1024
BYTES_READ_SHARE = 0.001
"""At most 1 MiB or 0.1 % of the checkpoint is read, whichever is larger, whatever the files claim of themselves."""

SAID_CHARACTERS_MAX = 300
"""What is said of one damage; numbers and names out of damaged files can be of any length."""

_NUMBER = re.compile(r"\d+")
_TEMPORARY = re.compile(r"\.orbax-checkpoint-tmp.*")
"""Orbax ends the names of what it is writing so, with a time behind it that is no step."""


@dataclass(frozen=True)
class File:
    """One file: its key relative to the reader's root, its size in bytes, its entity tag and when it was written."""

    key: str
    size: int
    etag: str = ""
    modified_at: str = ""


class Unreadable(Exception):
    """A range that could not be read; the text says why."""


class Damaged(Exception):
    """What is wrong with one file, in words."""


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
    """What may be a checkpoint: a folder (its path below the root ends in / or is empty) and those of the files below
    it that are its own, or a single file (its path is the file's key)."""

    path: str
    files: tuple[File, ...]

    @property
    def prefix(self) -> str:
        """What the keys of its files begin with: the folder itself, or the folder that the single file lies in."""
        return self.path[: self.path.rfind("/") + 1]

    def named(self, name: str) -> File | None:
        """The file of this name, relative to the folder."""
        return next((file for file in self.files if file.key == self.prefix + name), None)

    def name(self, file: File) -> str:
        """A file's name, relative to the folder."""
        return file.key.removeprefix(self.prefix)

    @property
    def bytes_total(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def step(self) -> int | None:
        """The step that the path tells."""
        return step_of(self.path)


@dataclass(frozen=True)
class Hashed:
    """One file that was read whole."""

    file: str
    bytes: int
    sha256: str


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
    unknown: tuple[str, ...] = ()
    """The first of the files among its own that the format does not know; they do not make it incomplete."""
    unknown_count: int = 0
    files: tuple[Hashed, ...] = ()
    """Every file with its hash, where every byte was read."""


class Format(Protocol):
    """One format. `name` is what the declaration calls it. What it can do beyond this is in the protocols below."""

    name: str

    def find(self, folders: Iterable[Candidate]) -> Iterator[Candidate]:
        """Those folders that are, or were becoming, a checkpoint of this format (from names alone). One that lies
        among files that are not its own, or is a single file, is a new Candidate of its own files."""
        ...

    def verify(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """Everything that is wrong with it; empty means complete."""
        ...


@runtime_checkable
class TellsStep(Protocol):
    """A format whose files say at which step they were written."""

    def step(self, candidate: Candidate, reader: Reader) -> int | None:
        """The step; None when the files do not tell."""
        ...


@runtime_checkable
class TellsKind(Protocol):
    """A format whose files say of which kind they are, where names do not."""

    def kind(self, candidate: Candidate, reader: Reader) -> str:
        """What the verdict calls the format."""
        ...


@runtime_checkable
class KnowsNames(Protocol):
    """A format that knows which files belong to it."""

    knows: tuple[str, ...]
    """Patterns of names (fnmatch, relative to the folder); what fits none is reported as unknown."""


@runtime_checkable
class KnowsSums(Protocol):
    """A format that keeps SHA-256 sums."""

    def sums(self, candidate: Candidate, reader: Reader) -> Mapping[str, str]:
        """Name -> SHA-256 in hexadecimal; read within the budget."""
        ...


@runtime_checkable
class ChecksDeeply(Protocol):
    """A format with checks of its own that need every byte."""

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """What only reading whole files shows; in bounded memory."""
        ...


class BudgetSpent(Unreadable):
    """The file claims more than may be read to decide."""


class Metered:
    """A Reader that counts what is read of one candidate and stops at its budget, where it has one; the first
    mebibyte of what was read is kept, so that the same bytes are not read for step, kind and verdict."""

    def __init__(self, inner: Reader, bytes_total: int, unbounded: bool = False) -> None:
        self._inner = inner
        self.budget = sys.maxsize if unbounded else max(BYTES_READ_MIN, int(bytes_total * BYTES_READ_SHARE))
        self.bytes_read = 0
        self.last_read = ""
        self._kept: dict[tuple[str, int, int], bytes] = {}
        self._kept_bytes = 0

    def files(self) -> Iterator[File]:
        """See Reader.files."""
        return self._inner.files()

    def read_range(self, file: File, start: int, length: int) -> bytes:
        """See Reader.read_range; BudgetSpent before anything is read beyond the budget."""
        self.last_read = file.key
        if start < 0 or length < 0 or start + length > file.size:
            raise Unreadable(f"has no bytes {start} to {start + length}, it ends at {file.size}"[:SAID_CHARACTERS_MAX])
        if (kept := self._kept.get((file.key, start, length))) is not None:
            return kept
        if self.bytes_read + length > self.budget:
            raise BudgetSpent(f"{length} more bytes to read, {self.budget - self.bytes_read} of {self.budget} left")
        data = self._inner.read_range(file, start, length) if length else b""
        self.bytes_read += len(data)
        if len(data) != length:
            raise Unreadable(f"{len(data)} of {length} bytes came back")
        if self._kept_bytes + length <= BYTES_READ_MIN:
            self._kept[(file.key, start, length)] = data
            self._kept_bytes += length
        return data


def step_of(path: str) -> int | None:
    """The last number of the folder's or file's name, else of the nearest folder above that has one:
    a/step-000120/ -> 120."""
    for part in reversed([part for part in path.split("/") if part]):
        numbers = _NUMBER.findall(_TEMPORARY.sub("", part))
        if numbers:
            return int(numbers[-1][-18:])
    return None
