"""Where a command prints: no line is kept back, and none fails. Imports nothing that takes a while."""

from __future__ import annotations

import io
import os
import select
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO


class Steady(io.FileIO):
    """A file descriptor that takes every word: what cannot be written any more is dropped, and why is remembered.

    A run goes on though its log's disk is full or nobody reads it any more: its journal is in the standby region.
    """

    problem = ""

    def write(self, data: Any) -> int:
        """How much of it was taken: none where the reader is slow, and then it is waited for."""
        try:
            written = super().write(data)
            if written is None:
                select.select([], [self], [])
            return written or 0
        except BrokenPipeError:
            return len(data)
        except OSError as problem:
            self.problem = problem.strerror or str(problem)
            return len(data)


@dataclass(frozen=True)
class Streams:
    """Where this process prints."""

    raw: tuple[Steady, ...]

    def lost(self) -> str:
        """Why something that was printed did not arrive; empty where all did, or its reader wanted no more."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return next((each.problem for each in self.raw if each.problem), "")


def by_the_line() -> Streams:
    """Every line leaves this process when it is printed, and none fails: not on what a terminal has no letter for, nor
    on a reader who went away or a disk that is full."""
    if sys.stdin is None:
        sys.stdin = io.StringIO()
    found = [_steady(stream, number) for number, stream in ((1, sys.stdout), (2, sys.stderr))]
    sys.stdout, sys.stderr = (text for text, _ in found)
    return Streams(tuple(raw for _, raw in found if raw))


def _steady(stream: TextIO | None, number: int) -> tuple[TextIO, Steady | None]:
    """A stream that is closed goes nowhere; one that is no file of this process stays as it is."""
    if stream is None:
        return Path(os.devnull).open("w"), None
    if not isinstance(stream, io.TextIOWrapper):
        return stream, None
    raw = Steady(number, "w", closefd=False)
    buffer = io.BufferedWriter(raw)
    return io.TextIOWrapper(buffer, stream.encoding, "backslashreplace", line_buffering=True), raw
