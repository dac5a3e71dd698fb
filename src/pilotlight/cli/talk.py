"""How commands speak: data to stdout, talk to stderr, and the options that many of them share."""

from __future__ import annotations

import json
import sys
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


def say(text: str) -> None:
    """Talk to the person; scripts do not read this."""
    print(text, file=sys.stderr)


def print_json(paper: Any) -> None:
    """Print data; papers and plain values alike."""
    print(json.dumps(encode(paper), indent=2, sort_keys=True))
