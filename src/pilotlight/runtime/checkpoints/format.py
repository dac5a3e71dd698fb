"""The words of this room: File, Reader, Candidate, Format, Verdict.

A Format finds its candidates in a listing and verifies one by reading as little as possible. A marker file proves
nothing in a replica: S3 promises time per object, not order, so every file that a checkpoint names is looked at.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

from pilotlight.runtime.checkpoints.steps import staging, step_of
from pilotlight.runtime.errors import PilotlightError

BYTES_READ_MIN = 1024 * 1024
BYTES_READ_SHARE = 0.001
"""At most 1 MiB or 0.1 % of the checkpoint is read, whichever is larger, whatever the files claim of themselves."""
AHEAD_AT_ONCE = 16
"""Shards of a bucket that are read at once."""
SAID_CHARACTERS_MAX = 300
"""What is said of one damage; numbers and names out of damaged files can be of any length."""

UNDECIDED = "undecided"
"""How a problem begins that is none of the file: it may be sound, and was not read far enough to know."""


@dataclass(frozen=True)
class File:
    """One file: its key relative to the reader's root, its size in bytes, its entity tag and when it was written;
    `refused` is why it is not read, whatever its bytes."""

    key: str
    size: int
    etag: str = ""
    modified_at: str = ""
    refused: str = ""


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


LOAD, RESUME = "load", "resume"
"""What somebody may need of a checkpoint: its model, or all that a training goes on from."""


@dataclass(frozen=True)
class Problem:
    """One file that is missing, short, foreign or damaged, and what is wrong with it; `need` is what it stands in the
    way of: of loading, and so of resuming too, or of resuming alone."""

    file: str
    what: str
    need: str = LOAD


@dataclass(frozen=True)
class Role:
    """What some files of a checkpoint are for: their names, those that are missing, and who says that they must be
    there. `need` is empty where neither loading nor resuming needs it."""

    name: str
    need: str
    files: tuple[str, ...]
    missing: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Unjudged:
    """A file among a checkpoint's own that no judge knows: it is there, with this many bytes."""

    file: str
    bytes: int


@dataclass(frozen=True)
class Judged:
    """What a layout finds: its name, its roles, what is wrong, and the files that no judge knows."""

    layout: str
    roles: tuple[Role, ...]
    problems: tuple[Problem, ...]
    unjudged: tuple[Unjudged, ...] = ()
    step: int | None = None


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

    @cached_property
    def direct(self) -> dict[str, File]:
        """Name -> file, of those that lie directly in the folder."""
        start = len(self.prefix)
        return {file.key[start:]: file for file in self.files if file.key.find("/", start) < 0}

    @cached_property
    def subfolders(self) -> frozenset[str]:
        """Names of the folders that lie directly in it, each with its slash."""
        start = len(self.prefix)
        return frozenset(file.key[start : end + 1] for file in self.files if (end := file.key.find("/", start)) >= 0)

    def named(self, name: str) -> File | None:
        """The file of this name, relative to the folder."""
        if "/" not in name:
            return self.direct.get(name)
        return self._by_key.get(self.prefix + name)

    def required(self, name: str) -> File:
        """The same; Damaged where there is none."""
        file = self.named(name)
        if file is None:
            raise Damaged("missing")
        return file

    @cached_property
    def _by_key(self) -> dict[str, File]:
        return {file.key: file for file in self.files}

    def name(self, file: File) -> str:
        """A file's name, relative to the folder."""
        return file.key.removeprefix(self.prefix)

    @cached_property
    def bytes_total(self) -> int:
        """Of all its files."""
        return sum(file.size for file in self.files)

    @property
    def step(self) -> int | None:
        """The step that the path tells."""
        return step_of(self.path)

    @property
    def staging(self) -> str:
        """The part of its path that says that its writer had not finished; empty where none does."""
        return staging(self.path)


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
    layout: str = ""
    roles: tuple[Role, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    """The first of its files that no judge knows."""
    resumable: bool = False
    loadable: bool = False

    @property
    def undecided(self) -> bool:
        """Whether a file of it could not be read, or not enough of it: what else seems wrong may come of that."""
        return any(each.what.startswith(UNDECIDED) for each in self.problems)

    def serves(self, need: str) -> bool:
        """Whether it is complete for whoever needs this of it."""
        return self.loadable if need == LOAD else self.resumable


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
class Judges(Protocol):
    """A layout of several roles; `verify` gives its problems alone."""

    def judge(self, candidate: Candidate, reader: Reader) -> Judged:
        """Roles, problems, and what no judge knows."""
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
class ReadsMore(Protocol):
    """A format whose structure lies before its data, however small that is."""

    bytes_read_min: int
    """What may be read of one in any case."""


@runtime_checkable
class KnowsUnnamed(Protocol):
    """A format that tells which of its own files nothing in it names."""

    def unnamed(self, candidate: Candidate, reader: Reader) -> tuple[str, ...]:
        """Their names: they are not judged."""
        ...


@runtime_checkable
class ChecksDeeply(Protocol):
    """A format with checks of its own that need every byte."""

    def deep(self, candidate: Candidate, reader: Reader) -> tuple[Problem, ...]:
        """What only reading whole files shows; in bounded memory."""
        ...


class Undecided(Unreadable):
    """Nothing is known of the file: neither damage nor proof. Its words begin with UNDECIDED."""


class BudgetSpent(Undecided):
    """The file claims more than may be read to decide."""


class Metered:
    """A Reader that counts what is read of one candidate and stops at its budget, where it has one; the first
    mebibyte of what was read is kept, so that the same bytes are not read for step, kind and verdict."""

    def __init__(self, inner: Reader, bytes_total: int, unbounded: bool = False, least: int = BYTES_READ_MIN) -> None:
        self._inner = inner
        self.budget = sys.maxsize if unbounded else max(least, int(bytes_total * BYTES_READ_SHARE))
        self.bytes_read = 0
        self.last_read = ""
        self._kept: dict[tuple[str, int, int], bytes] = {}
        self._kept_bytes = 0

    def files(self) -> Iterator[File]:
        """See Reader.files."""
        return self._inner.files()

    def ahead(self, files: Iterable[File], length: int) -> None:
        """Read the beginnings of these files at once where each is waited for, as far as they are kept: what is asked
        for then is here. One that does not come is asked for again, by whoever needs it."""
        if not getattr(self._inner, "waits", False):
            return
        with ThreadPoolExecutor(AHEAD_AT_ONCE, thread_name_prefix="ahead") as pool:
            begun = [
                (file, size, pool.submit(self._inner.read_range, file, 0, size))
                for file, size in self._fitting(files, length)
            ]
            for file, size, reading in begun:
                with contextlib.suppress(PilotlightError, Unreadable):
                    self._keep(file, 0, size, reading.result())

    def _fitting(self, files: Iterable[File], length: int) -> Iterator[tuple[File, int]]:
        """(file, bytes) of those that are within the budget, and that can be kept."""
        left = min(self.budget - self.bytes_read, BYTES_READ_MIN - self._kept_bytes)
        for file in files:
            size = min(file.size, length)
            if not file.refused and 0 < size <= left and (file.key, 0, size) not in self._kept:
                left -= size
                yield file, size

    def _keep(self, file: File, start: int, length: int, data: bytes) -> None:
        self.bytes_read += len(data)
        if len(data) == length and self._kept_bytes + length <= BYTES_READ_MIN:
            self._kept[(file.key, start, length)] = data
            self._kept_bytes += length

    def read_range(self, file: File, start: int, length: int) -> bytes:
        """See Reader.read_range; BudgetSpent before anything is read beyond the budget."""
        self.last_read = file.key
        if start < 0 or length < 0 or start + length > file.size:
            raise Unreadable(f"has no bytes {start} to {start + length}, it ends at {file.size}"[:SAID_CHARACTERS_MAX])
        if (kept := self._kept.get((file.key, start, length))) is not None:
            return kept
        if self.bytes_read + length > self.budget:
            lacking = self.bytes_read + length - self.budget
            raise BudgetSpent(f"{UNDECIDED}: {lacking} bytes more are needed than the {self.budget} that may be read")
        data = self._inner.read_range(file, start, length) if length else b""
        self._keep(file, start, length, data)
        if len(data) != length:
            raise Unreadable(f"{len(data)} of {length} bytes came back")
        return data
