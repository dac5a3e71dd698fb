"""Claims: which files of a listing are which checkpoint, from names alone.

Every format looks at every folder. For one path the earlier format in the list wins; of claims that share files the
outermost wins: a folder or a file inside a claimed checkpoint is a part of it and not another one. A checkpoint that
owns only the files directly in its folder (safetensors) leaves the folders below it to others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from pilotlight.runtime.checkpoints.format import Candidate, File, Format, Reader

FILES_MAX = 500_000
"""What one listing may hold in memory (about 200 MB); a prefix above it has to be narrowed in the declaration."""
STRAYS_NAMED_MAX = 100
_SLASH = re.compile("/")


class TooManyFiles(Exception):
    """More files below the prefix than are looked at."""


@dataclass(frozen=True)
class Found:
    """A candidate and the format that claims it."""

    candidate: Candidate
    format: Format


@dataclass(frozen=True)
class Listing:
    """Checkpoints in the order of their paths, and the first of the files that belong to none, with their count."""

    found: tuple[Found, ...]
    strays: tuple[str, ...]
    strays_count: int


def listing(reader: Reader, formats: Iterable[Format]) -> Listing:
    """Everything below the reader's root."""
    files = list(_files(reader))
    found = claimed(files, formats)
    taken = {file.key for each in found for file in each.candidate.files}
    strays = [file.key for file in files if file.key not in taken]
    return Listing(tuple(found), tuple(strays[:STRAYS_NAMED_MAX]), len(strays))


def claimed(files: Iterable[File], formats: Iterable[Format], closed: Collection[str] = ()) -> list[Found]:
    """Checkpoints in the order of their paths; in folders that are `closed` nothing is looked for."""
    return list(outermost(of([each for each in folders(files) if each.path not in closed], formats)))


def outermost(claims: Iterable[Found]) -> Iterator[Found]:
    """Those claims none of whose files an outer, kept claim owns already; in the order of their paths."""
    taken: set[str] = set()
    for claim in sorted(claims, key=lambda claim: claim.candidate.path):
        keys = {file.key for file in claim.candidate.files}
        if taken.isdisjoint(keys):
            taken |= keys
            yield claim


def folders(files: Iterable[File]) -> Iterator[Candidate]:
    """Each folder with everything below it, in the order of their paths."""
    below: dict[str, list[File]] = {}
    for file in files:
        below.setdefault("", []).append(file)
        for slash in _SLASH.finditer(file.key):
            below.setdefault(file.key[: slash.end()], []).append(file)
    for path in sorted(below):
        yield Candidate(path, tuple(below[path]))


def _files(reader: Reader) -> Iterator[File]:
    for number, file in enumerate(reader.files()):
        if number >= FILES_MAX:
            raise TooManyFiles(f"more than {FILES_MAX} files")
        yield file


def of(folders: list[Candidate], formats: Iterable[Format]) -> Iterable[Found]:
    """What every format makes of these folders; of one path, what the first does."""
    claimed: dict[str, Found] = {}
    for format in formats:
        for candidate in format.find(folders):
            claimed.setdefault(candidate.path, Found(candidate, format))
    return claimed.values()
