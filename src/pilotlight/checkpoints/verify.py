"""Verifying: find the checkpoints of a listing, judge each, newest first where only the newest matters.

A checkpoint is a folder. `auto` lets every format look; a folder that none claims is no checkpoint and is not guessed
at. Verdicts can be remembered: a folder whose files are the same, by name, size and entity tag, is not read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pilotlight.checkpoints.format import Candidate, File, Format, Metered, Problem, Reader, Verdict
from pilotlight.checkpoints.generic import Generic
from pilotlight.checkpoints.safetensors import Sharded, Single

AUTO = "auto"
FORMATS: tuple[Format, ...] = (Generic(), Sharded(), Single())
"""In the order in which they may claim a folder: a manifest of ours decides before what it lists."""
FILES_MAX = 500_000
"""What one listing may hold in memory (about 200 MB); a prefix above it has to be narrowed in the declaration."""


class TooManyFiles(Exception):
    """More files below the prefix than are looked at."""


@dataclass(frozen=True)
class Found:
    """A candidate and the format that claims it."""

    candidate: Candidate
    format: Format


@dataclass(frozen=True)
class Newest:
    """The newest complete checkpoint, and the newest that was begun; `refused` are those in between, with reasons."""

    complete: Verdict | None
    newest_started_step: int | None
    refused: tuple[Verdict, ...] = ()
    fingerprint: str = ""
    """Of the complete one, to remember it by."""


Remember = Callable[[str, str], bool]
"""(path, fingerprint) -> whether this very state was found complete before."""


def find(reader: Reader, format: str = AUTO) -> list[Found]:
    """Every checkpoint below the reader's root, complete or not, in the order of their paths."""
    folders = list(_folders(reader))
    found: dict[str, Found] = {}
    for each in formats(format):
        for candidate in each.find(folders):
            found.setdefault(candidate.path, Found(candidate, each))
    return [found[path] for path in sorted(found)]


def formats(name: str) -> tuple[Format, ...]:
    """The formats that a declaration's `format` stands for; `safetensors` means both of its forms."""
    if name == AUTO:
        return FORMATS
    return tuple(each for each in FORMATS if each.name == name or each.name.startswith(f"{name}-"))


def verify(found: Found, reader: Reader) -> Verdict:
    """Judge one."""
    candidate = found.candidate
    metered = Metered(reader, candidate.bytes_total)
    problems = found.format.verify(candidate, metered)
    return _verdict(found, problems=tuple(problems), bytes_read=metered.bytes_read)


def verify_all(reader: Reader, format: str = AUTO) -> list[Verdict]:
    """Judge every checkpoint."""
    return [verify(each, reader) for each in find(reader, format)]


def newest_complete(
    reader: Reader,
    format: str = AUTO,
    acceptable: Callable[[Verdict], bool] = lambda verdict: True,
    remembered: Remember = lambda path, fingerprint: False,
) -> Newest:
    """Judge from the newest step down until one is complete and acceptable; checkpoints without a step come last."""
    candidates = sorted(find(reader, format), key=_age, reverse=True)
    refused: list[Verdict] = []
    begun = next((each.candidate.step for each in candidates), None)
    for each in candidates:
        state = fingerprint(each.candidate)
        verdict = _verdict(each) if remembered(each.candidate.path, state) else verify(each, reader)
        if verdict.complete and acceptable(verdict):
            return Newest(verdict, begun, tuple(refused), state)
        refused.append(verdict)
    return Newest(None, begun, tuple(refused))


def fingerprint(candidate: Candidate) -> str:
    """One text for the whole state of a folder: equal when nothing in it changed."""
    digest = hashlib.sha256()
    for file in sorted(candidate.files, key=lambda file: file.key):
        digest.update(f"{file.key}\0{file.size}\0{file.etag}\n".encode())
    return digest.hexdigest()


def _verdict(found: Found, problems: tuple[Problem, ...] = (), bytes_read: int = 0) -> Verdict:
    candidate = found.candidate
    return Verdict(
        path=candidate.path,
        format=found.format.name,
        step=candidate.step,
        complete=not problems,
        problems=problems,
        bytes_total=candidate.bytes_total,
        bytes_read=bytes_read,
        written_at=max((file.modified_at for file in candidate.files), default=""),
    )


def _age(found: Found) -> tuple[int, str]:
    step = found.candidate.step
    return (-1 if step is None else step, found.candidate.path)


def _folders(reader: Reader) -> Iterator[Candidate]:
    """Each folder that holds files directly, with everything below it."""
    by_folder: dict[str, list[File]] = {}
    direct: set[str] = set()
    for number, file in enumerate(reader.files()):
        if number >= FILES_MAX:
            raise TooManyFiles(f"more than {FILES_MAX} files")
        parts = file.key.split("/")[:-1]
        folders = ["".join(f"{part}/" for part in parts[:depth]) for depth in range(len(parts) + 1)]
        direct.add(folders[-1])
        for folder in folders:
            by_folder.setdefault(folder, []).append(file)
    for path in sorted(direct):
        yield Candidate(path, tuple(by_folder[path]))
