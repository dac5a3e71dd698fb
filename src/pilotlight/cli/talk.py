"""How commands speak: data to stdout, talk to stderr, and the options that many of them share.

What a person waits for is printed line by line as it happens, on stdout, so that a file it is piped into grows; with
`--json` stdout is the one JSON value and the same lines go to stderr. Whoever stops reading stops nothing.
"""

from __future__ import annotations

import contextlib
import getpass
import io
import json
import os
import select
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from pilotlight.runtime.records.codec import encode

KEPT = ".pilotlight"


def home(of: Callable[[], Path] = Path.home) -> Path:
    """Where this person's files are kept; the folder of the command where the machine knows no home of theirs."""
    with contextlib.suppress(RuntimeError):
        return of() / KEPT
    return Path(KEPT)


DEFAULT_DIRECTORY = home() / "local"

Directory = Annotated[
    Path,
    typer.Option(
        help="Folder of the embedded cloud.",
        show_default="~/.pilotlight/local",
        default_factory=lambda: DEFAULT_DIRECTORY,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Report = Annotated[Path | None, typer.Option("--report", help="Write the report to this HTML file.")]


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


def who(name: Callable[[], str] = getpass.getuser) -> str:
    """Who typed it; a user without a name (a container that runs as any number) by the number."""
    try:
        return name()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def say(text: str) -> None:
    """Talk to the person; scripts do not read this."""
    sys.stderr.write(f"{text}\n")


def progress(json: bool) -> Callable[[str], None]:
    """Where lines go while somebody waits: stdout, or stderr where stdout is JSON."""

    def tell(text: str) -> None:
        stream = sys.stderr if json else sys.stdout
        stream.write(f"{text}\n")  # in one piece: lines of two threads stay apart
        stream.flush()

    return tell


def print_json(record: Any) -> None:
    """Print data; records and plain values alike."""
    print(json.dumps(encode(record), indent=2, sort_keys=True))
