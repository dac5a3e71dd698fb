"""How commands speak: data to stdout, talk to stderr, and the options that many of them share.

What a person waits for is printed line by line as it happens, on stdout, so that a file it is piped into grows; with
`--json` stdout is the one JSON value and the same lines go to stderr. Whoever stops reading stops nothing.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from pilotlight.records.codec import encode

DEFAULT_DIRECTORY = Path.home() / ".pilotlight" / "local"

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


def by_the_line() -> None:
    """Every line leaves this process when it is printed, and none fails on what a terminal has no letter for."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")


def say(text: str) -> None:
    """Talk to the person; scripts do not read this."""
    sys.stderr.write(f"{text}\n")


def progress(json: bool) -> Callable[[str], None]:
    """Where lines go while somebody waits: stdout, or stderr where stdout is JSON."""

    def tell(text: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            stream = sys.stderr if json else sys.stdout
            stream.write(f"{text}\n")  # in one piece: lines of two threads stay apart
            stream.flush()

    return tell


def print_json(paper: Any) -> None:
    """Print data; papers and plain values alike."""
    print(json.dumps(encode(paper), indent=2, sort_keys=True))
