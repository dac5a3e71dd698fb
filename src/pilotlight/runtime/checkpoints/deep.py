"""Deep: read every byte of a checkpoint, in bounded memory, hash each file, and check what only whole files can show.

A format that keeps checksums compares them; of one that keeps none (safetensors, PyTorch DCP) the hashes are what a
person compares with those of another copy.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from pilotlight.runtime.checkpoints.claims import Found
from pilotlight.runtime.checkpoints.format import (
    ChecksDeeply,
    File,
    Hashed,
    KnowsSums,
    Metered,
    Problem,
    Reader,
    Unreadable,
    Verdict,
)
from pilotlight.runtime.checkpoints.verify import judged, verdict, verify

CHUNK_BYTES = 8 * 1024 * 1024

Progress = Callable[[int], None]
"""Called with the bytes read since it was called last."""


def verify_deeply(found: Found, reader: Reader, progress: Progress = lambda read: None) -> Verdict:
    """Judge one; what the shallow look finds counts too."""
    shallow = verify(found, reader, sys.maxsize)
    candidate, metered = found.candidate, Metered(reader, found.candidate.bytes_total, unbounded=True)
    hashed, unread = list[Hashed](), list[Problem]()
    for file in candidate.files:
        try:
            hashed.append(Hashed(candidate.name(file), file.size, _sha256(file, metered, progress)))
        except Unreadable as problem:
            unread.append(Problem(candidate.name(file), str(problem)))
    problems = [*shallow.problems, *unread, *judged(found, metered, lambda: _deep(found, metered, hashed))]
    read = shallow.bytes_read + metered.bytes_read
    made = verdict(found, problems, shallow.step, read, tuple(hashed), shallow.format)
    return replace(made, layout=shallow.layout, roles=shallow.roles, unjudged=shallow.unjudged)


def _deep(found: Found, metered: Metered, hashed: list[Hashed]) -> Iterator[Problem]:
    if isinstance(found.format, KnowsSums):
        yield from _other_sums(found.format.sums(found.candidate, metered), hashed)
    if isinstance(found.format, ChecksDeeply):
        yield from found.format.deep(found.candidate, metered)


def _other_sums(wanted: Mapping[str, str], hashed: list[Hashed]) -> Iterator[Problem]:
    for each in hashed:
        if wanted.get(each.file, each.sha256) != each.sha256:
            yield Problem(each.file, f"has SHA-256 {each.sha256}, {wanted[each.file]} was written")


def _sha256(file: File, reader: Reader, progress: Progress) -> str:
    digest = hashlib.sha256()
    for start in range(0, file.size, CHUNK_BYTES):
        chunk = reader.read_range(file, start, min(CHUNK_BYTES, file.size - start))
        digest.update(chunk)
        progress(len(chunk))
    return digest.hexdigest()
