"""Verifying: find the checkpoints of a listing, and judge each.

A checkpoint is a folder or a single file. `auto` lets every format look; what none claims is no checkpoint and is not
guessed at. Whatever a format meets inside files becomes a problem of the verdict: a judge that fails has not proven.
What was found complete can be remembered by its fingerprint: one whose files are the same need not be read again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from typing import TypeVar

from pilotlight.runtime.checkpoints import claims
from pilotlight.runtime.checkpoints.claims import Found, Listing, TooManyFiles
from pilotlight.runtime.checkpoints.format import (
    BYTES_READ_MIN,
    LOAD,
    SAID_CHARACTERS_MAX,
    Candidate,
    Damaged,
    Format,
    Hashed,
    Judged,
    Judges,
    KnowsNames,
    KnowsUnnamed,
    Metered,
    Problem,
    Reader,
    ReadsMore,
    Role,
    TellsKind,
    TellsStep,
    Unjudged,
    Unreadable,
    Verdict,
)
from pilotlight.runtime.checkpoints.steps import step_of
from pilotlight.runtime.errors import PilotlightError

__all__ = ["AUTO", "Found", "Listing", "TooManyFiles"]

AUTO = "auto"
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
"""Unicode's categories Cc and Cs."""
_T = TypeVar("_T")
UNKNOWN_NAMED_MAX = 20
"""How many unknown files a verdict names; it counts them all."""


def find(reader: Reader, format: str = AUTO) -> list[Found]:
    """Every checkpoint below the reader's root, complete or not, in the order of their paths."""
    return list(listing(reader, format).found)


def listing(reader: Reader, format: str = AUTO) -> Listing:
    """The same, with the files that belong to none."""
    return claims.listing(reader, formats(format))


def formats(name: str) -> tuple[Format, ...]:
    """The formats that a declaration's `format` stands for; `safetensors` means both of its forms."""
    every, narrow = _catalogue()
    if name == AUTO:
        return every
    return tuple(each for each in (*every, *narrow) if each.name == name or each.name.startswith(f"{name}-"))


@cache
def _catalogue() -> tuple[tuple[Format, ...], tuple[Format, ...]]:
    """Read when the first checkpoint is looked for: most commands, and the probe, look for none."""
    from pilotlight.runtime.checkpoints import catalogue

    return catalogue.FORMATS, catalogue.NARROW


def verify(found: Found, reader: Reader, least: int = BYTES_READ_MIN) -> Verdict:
    """Judge one; `least` bytes may be read in any case."""
    more = found.format.bytes_read_min if isinstance(found.format, ReadsMore) else least
    metered = Metered(reader, found.candidate.bytes_total, least=max(least, more))
    seen = _judged(found, metered)
    problems = (*_names_that_lead_astray(found.candidate), *seen.problems, *_unfinished(found.candidate))
    step = seen.step if seen.step is not None else _told_step(found, metered)
    made = verdict(found, problems, step, metered.bytes_read, kind=_told_kind(found, metered))
    return replace(
        made, layout=seen.layout or made.format, roles=seen.roles, unjudged=seen.unjudged[:UNKNOWN_NAMED_MAX]
    )


def _judged(found: Found, metered: Metered) -> Judged:
    """What the layout finds; a format of one role has all its files in it."""
    format, candidate = found.format, found.candidate
    if not isinstance(format, Judges):
        problems = judged(found, metered, lambda: format.verify(candidate, metered))
        unknown = {*_unknown(found), *_unnamed(found, metered)}
        sizes = {candidate.name(file): file.size for file in candidate.files}
        role = Role("checkpoint", LOAD, tuple(name for name in sizes if name not in unknown))
        return Judged("", (role,), problems, tuple(Unjudged(name, sizes[name]) for name in sorted(unknown)))
    seen = Judged("", (), ())

    def look() -> tuple[Problem, ...]:
        nonlocal seen
        seen = format.judge(candidate, metered)
        return seen.problems

    wrong = judged(found, metered, look)
    return replace(seen, problems=wrong)


def _unnamed(found: Found, metered: Metered) -> tuple[str, ...]:
    if not isinstance(found.format, KnowsUnnamed):
        return ()
    try:
        return found.format.unnamed(found.candidate, metered)
    except (Damaged, Unreadable):
        return ()


def _unfinished(candidate: Candidate) -> Iterator[Problem]:
    """A name that writers give what is not finished: it is renamed then, and S3 knows no rename."""
    if candidate.staging:
        yield Problem(candidate.staging, "is called as its writer calls what is not finished")


def believed(found: Found, reader: Reader | None = None) -> Verdict:
    """The verdict on a state that was found complete before; at most its step is read, where only files tell it."""
    return verdict(found, (), found.candidate.step if reader is None else step(found, reader))


def verify_all(reader: Reader, format: str = AUTO) -> list[Verdict]:
    """Judge every checkpoint."""
    return [verify(each, reader) for each in find(reader, format)]


def step(found: Found, reader: Reader) -> int | None:
    """The step that its own name tells, else its files, else the folders above it."""
    candidate = found.candidate
    if step_of(candidate.path.rstrip("/").rpartition("/")[2]) is not None:
        return candidate.step
    return _told_step(found, Metered(reader, candidate.bytes_total))


def fingerprint(candidate: Candidate) -> str:
    """One text for the whole state of a folder: equal when nothing in it changed."""
    digest = hashlib.sha256()
    for file in sorted(candidate.files, key=lambda file: file.key):
        digest.update(f"{file.key}\0{file.size}\0{file.etag}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def verdict(
    found: Found,
    problems: Iterable[Problem],
    step: int | None,
    bytes_read: int = 0,
    files: tuple[Hashed, ...] = (),
    kind: str | None = None,
) -> Verdict:
    """The record on one candidate."""
    candidate = found.candidate
    problems = tuple(dict.fromkeys(problems))
    unknown = list(_unknown(found))
    return Verdict(
        path=candidate.path,
        format=kind or found.format.name,
        step=step,
        complete=not problems,
        resumable=not problems,
        loadable=not any(each.need == LOAD for each in problems),
        layout=kind or found.format.name,
        problems=problems,
        bytes_total=candidate.bytes_total,
        bytes_read=bytes_read,
        written_at=max((file.modified_at for file in candidate.files), default=""),
        unknown=tuple(unknown[:UNKNOWN_NAMED_MAX]),
        unknown_count=len(unknown),
        files=files,
    )


def judged(found: Found, metered: Metered, judge: Callable[[], Iterable[Problem]]) -> tuple[Problem, ...]:
    """What the format says; and where it stumbles over what a file holds, that."""
    try:
        return tuple(judge())
    except PilotlightError:
        raise
    except Exception as stumble:
        what = str(stumble) if isinstance(stumble, Unreadable) else f"cannot be judged: {type(stumble).__name__}"
        named = metered.last_read.removeprefix(found.candidate.prefix) or found.candidate.path
        return (Problem(named, what[:SAID_CHARACTERS_MAX]),)


def _told_step(found: Found, metered: Metered) -> int | None:
    """The step that the files tell, else the path."""
    told = _told(found.format.step, found, metered) if isinstance(found.format, TellsStep) else None
    return told if type(told) is int and told >= 0 else found.candidate.step


def _told_kind(found: Found, metered: Metered) -> str | None:
    """What the files say of their format."""
    return _told(found.format.kind, found, metered) if isinstance(found.format, TellsKind) else None


def _told(tell: Callable[[Candidate, Reader], _T], found: Found, metered: Metered) -> _T | None:
    """What files say; None where a format stumbles over what they hold."""
    try:
        return tell(found.candidate, metered)
    except Exception as stumble:
        if isinstance(stumble, PilotlightError):
            raise
    return None


def _names_that_lead_astray(candidate: Candidate) -> Iterator[Problem]:
    """S3 takes any key; on the disk of the machine that resumes, some of them are other files."""
    for file in candidate.files:
        parts = file.key.split("/")
        if file.refused:
            yield Problem(candidate.name(file), file.refused)
        elif ".." in parts or file.key.startswith("/") or "\\" in file.key:
            yield Problem(candidate.name(file), "has a name that leads out of its folder")
        elif _CONTROL.search(file.key):
            yield Problem(candidate.name(file), "has control characters in its name")


def _unknown(found: Found) -> Iterator[str]:
    """Names of its own files that fit none of the patterns that its format knows."""
    if not isinstance(found.format, KnowsNames):
        return
    for file in found.candidate.files:
        name = found.candidate.name(file)
        if not any(fnmatchcase(name, pattern) for pattern in found.format.knows):
            yield name
