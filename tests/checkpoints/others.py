"""What the tests of one format by itself share: its claims below a folder, judged by it alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pilotlight.runtime.checkpoints import claims, deep, verify
from pilotlight.runtime.checkpoints.format import Format, Verdict
from pilotlight.runtime.checkpoints.readers import FolderReader


def judged_by(folder: Path, *formats: Format) -> list[Verdict]:
    """Every checkpoint that these formats see below a folder."""
    reader = FolderReader(folder)
    return [verify.verify(each, reader) for each in claims.listing(reader, formats).found]


def judged_deeply_by(folder: Path, *formats: Format) -> list[Verdict]:
    """The same, every byte read."""
    reader = FolderReader(folder)
    return [deep.verify_deeply(each, reader) for each in claims.listing(reader, formats).found]


def complete(verdicts: Iterable[Verdict]) -> list[str]:
    """The paths of those that are called complete."""
    return [verdict.path for verdict in verdicts if verdict.complete]


def said(verdicts: Iterable[Verdict]) -> str:
    """All that is wrong with them."""
    return "; ".join(f"{problem.file}: {problem.what}" for verdict in verdicts for problem in verdict.problems)


def never_judged(verdicts: Iterable[Verdict]) -> bool:
    """Whether a judge stumbled, which is no damage that it saw."""
    return any("cannot be judged" in problem.what for verdict in verdicts for problem in verdict.problems)
