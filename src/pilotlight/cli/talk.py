"""How commands speak: data to stdout, talk to stderr, and the options that many of them share.

What a person waits for is printed line by line as it happens, on stdout, so that a file it is piped into grows; with
`--json` stdout is the one JSON value and the same lines go to stderr. Whoever stops reading stops nothing.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

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
