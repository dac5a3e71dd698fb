"""Damage to one file of a checkpoint, and the question whether it was found; shared by the tests of all formats."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from pilotlight.runtime.checkpoints.format import Verdict
from pilotlight.runtime.checkpoints.readers import FolderReader
from pilotlight.runtime.checkpoints.verify import verify_all

FIXTURES = Path(__file__).parent.parent / "fixtures/checkpoints"


def flipped(data: bytes, position: int, bit: int = 0) -> bytes:
    """The same bytes but for one bit."""
    return data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "removed": lambda data: None,
    "shorter by a byte": lambda data: data[:-1],
    "longer by a byte": lambda data: data + b"\0",
    "first byte flipped": lambda data: flipped(data, 0),
    "emptied": lambda data: b"",
}
"""What happens to a file on its way; None removes it."""


def copied(fixture: str, folder: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(FIXTURES / fixture, folder / fixture))


def files(fixture: str) -> list[str]:
    """Every file of a fixture, relative."""
    root = FIXTURES / fixture
    return [path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file()]


def damage(folder: Path, file: str, how: str) -> None:
    """Do it."""
    path = folder / file
    body = DAMAGES[how](path.read_bytes())
    if body is None:
        path.unlink()
    else:
        path.write_bytes(body)


def judged(folder: Path, format: str = "auto") -> list[Verdict]:
    """Every checkpoint below a folder."""
    return verify_all(FolderReader(folder), format)


def accuses(verdicts: list[Verdict], file: str) -> bool:
    """Whether the checkpoint that owns the file is refused, and the file is named."""
    for verdict in verdicts:
        prefix = verdict.path[: verdict.path.rfind("/") + 1]
        if file.startswith(prefix) and file in (verdict.path, *(prefix + each.file for each in verdict.problems)):
            return not verdict.complete
    return False
