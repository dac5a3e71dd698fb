"""What the example's traffic writes, as the example says it: traffic/traffic.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from pilotlight.runtime.errors import DeclarationUnreadable

FILE = "traffic/traffic.toml"


@dataclass(frozen=True)
class TrafficFacts:
    """Where the numbered data lies and how it is named."""

    checkpoint_folder: str
    """What a checkpoint's folder begins with; six digits follow."""
    files_per_checkpoint: int
    step: int
    """From one checkpoint to the next."""
    objects: str
    """Prefix of the numbered objects."""
    table: str
    column: str
    volume_file: str


def facts_of(example: Path) -> TrafficFacts:
    """Read it; DeclarationUnreadable where it is not there, or lacks something."""
    path = example / FILE
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        checkpoints = raw["checkpoints"]
        return TrafficFacts(
            checkpoint_folder=str(checkpoints["folder"]),
            files_per_checkpoint=int(checkpoints["shards"]) + 1,
            step=int(checkpoints["step"]),
            objects=str(raw["objects"]["prefix"]),
            table=str(raw["rows"]["table"]),
            column=str(raw["rows"]["column"]),
            volume_file=str(raw["volumes"]["file"]),
        )
    except OSError as problem:
        raise DeclarationUnreadable(path=path, reason=problem.strerror or str(problem)) from None
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as problem:
        raise DeclarationUnreadable(path=path, reason=f"it does not say what the traffic writes ({problem})") from None
