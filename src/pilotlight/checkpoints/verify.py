"""Verifying: find the checkpoints of a listing, and judge each.

A checkpoint is a folder or a single file. `auto` lets every format look; what none claims is no checkpoint and is not
guessed at. Whatever a format meets inside files becomes a problem of the verdict: a judge that fails has not proven.
What was found complete can be remembered by its fingerprint: one whose files are the same need not be read again.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase

from pilotlight.checkpoints import claims
from pilotlight.checkpoints.claims import Found, Listing, TooManyFiles
from pilotlight.checkpoints.dcp import Dcp
from pilotlight.checkpoints.deepspeed import DeepSpeed
from pilotlight.checkpoints.format import (
    SAID_CHARACTERS_MAX,
    Candidate,
    Format,
    Hashed,
    KnowsNames,
    Metered,
    Problem,
    Reader,
    TellsKind,
    TellsStep,
    Unreadable,
    Verdict,
    step_of,
)
from pilotlight.checkpoints.generic import Generic
from pilotlight.checkpoints.hf_bin import HfBin
from pilotlight.checkpoints.megatron import Megatron
from pilotlight.checkpoints.orbax import Orbax
from pilotlight.checkpoints.safetensors import Sharded, Single
from pilotlight.checkpoints.torch_files import Lightning, Torch
from pilotlight.errors import PilotlightError

__all__ = ["AUTO", "FORMATS", "Found", "Listing", "TooManyFiles"]

AUTO = "auto"
FORMATS: tuple[Format, ...] = (
    Generic(),
    Sharded(),
    Single(),
    Orbax(),
    Megatron(),
    DeepSpeed(),
    Dcp(),
    HfBin(),
    Torch(),
)
"""In the order in which they may claim a path: a manifest of ours decides before what it lists."""
NARROW: tuple[Format, ...] = (Lightning(),)
"""Kinds of a format, for whoever declares that there is nothing else."""
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
    if name == AUTO:
        return FORMATS
    return tuple(each for each in (*FORMATS, *NARROW) if each.name == name or each.name.startswith(f"{name}-"))


def verify(found: Found, reader: Reader) -> Verdict:
    """Judge one."""
    metered = Metered(reader, found.candidate.bytes_total)
    wrong = judged(found, metered, lambda: found.format.verify(found.candidate, metered))
    problems = (*_names_that_lead_astray(found.candidate), *wrong)
    step, kind = _told_step(found, metered), _told_kind(found, metered)
    return verdict(found, problems, step, metered.bytes_read, kind=kind)


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
    kind: str = "",
) -> Verdict:
    """The paper on one candidate."""
    candidate = found.candidate
    problems = tuple(dict.fromkeys(problems))
    unknown = list(_unknown(found))
    return Verdict(
        path=candidate.path,
        format=kind or found.format.name,
        step=step,
        complete=not problems,
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
    if not isinstance(found.format, TellsStep):
        return found.candidate.step
    try:
        told = found.format.step(found.candidate, metered)
    except PilotlightError:
        raise
    except Exception:
        told = None
    return told if type(told) is int and told >= 0 else found.candidate.step


def _told_kind(found: Found, metered: Metered) -> str:
    """What the files say of their format, else its name."""
    if not isinstance(found.format, TellsKind):
        return found.format.name
    try:
        return found.format.kind(found.candidate, metered)
    except PilotlightError:
        raise
    except Exception:
        return found.format.name


def _names_that_lead_astray(candidate: Candidate) -> Iterator[Problem]:
    """S3 takes any key; on the disk of the machine that resumes, some of them are other files."""
    for file in candidate.files:
        parts = file.key.split("/")
        if ".." in parts or file.key.startswith("/") or "\\" in file.key:
            yield Problem(candidate.name(file), "has a name that leads out of its folder")
        elif any(unicodedata.category(character) in ("Cc", "Cs") for character in file.key):
            yield Problem(candidate.name(file), "has control characters in its name")


def _unknown(found: Found) -> Iterator[str]:
    """Names of its own files that fit none of the patterns that its format knows."""
    if not isinstance(found.format, KnowsNames):
        return
    for file in found.candidate.files:
        name = found.candidate.name(file)
        if not any(fnmatchcase(name, pattern) for pattern in found.format.knows):
            yield name
