"""Siblings as witnesses: checkpoints of one run have one shape, and one that lacks what all others have is suspect.

A file that no layout knows of (a tokenizer, a rank whose number nothing tells) is missed only this way. It proves
nothing: a run may have changed what it saves. So it is told, and another one is taken as long as there is one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from pilotlight.runtime.checkpoints.claims import Found

NEIGHBOURS_MIN = 2
"""One neighbour alone may be the one that is odd."""
_NUMBER = re.compile(r"\d+")


def suspects(found: Iterable[Found]) -> dict[str, tuple[str, ...]]:
    """Path of a checkpoint -> what it lacks of that which every neighbour has, in words (pure)."""
    runs: dict[tuple[str, str], list[Found]] = {}
    for each in found:
        runs.setdefault(run_of(each), []).append(each)
    return {path: words for run in runs.values() if len(run) > NEIGHBOURS_MIN for path, words in lacking(run).items()}


def run_of(found: Found) -> tuple[str, str]:
    """What it has in common with its neighbours: the folder that they are in, without its last slash, and their
    format (pure)."""
    return found.candidate.path.rstrip("/").rpartition("/")[0], found.format.name


def lacking(run: Sequence[Found]) -> dict[str, tuple[str, ...]]:
    """The same of one run, however few they are. What one lacks beside all its neighbours it lacks beside any of them:
    whoever is named here beside none is a suspect beside no more of them (pure)."""
    shapes = {each.candidate.path: _shape(each) for each in run}
    usual = _usual(shapes.values()) if len(shapes) > 1 else {}
    told = {path: tuple(_lacking(shape, usual, len(shapes) - 1)) for path, shape in shapes.items()}
    return {path: words for path, words in told.items() if words}


def _shape(found: Found) -> Counter[str]:
    """Names without their numbers, and how often each is there."""
    return Counter(_NUMBER.sub("#", found.candidate.name(file)) for file in found.candidate.files)


def _usual(shapes: Iterable[Counter[str]]) -> dict[str, list[int]]:
    """Name -> how often it is there, in each that has it, the fewest first."""
    found: dict[str, list[int]] = {}
    for shape in shapes:
        for name, times in shape.items():
            found.setdefault(name, []).append(times)
    return {name: sorted(times) for name, times in found.items()}


def _lacking(shape: Counter[str], usual: dict[str, list[int]], others: int) -> Iterable[str]:
    for name, times in sorted(usual.items()):
        own = shape[name]
        if len(times) - (own > 0) < others:
            continue
        least = times[1] if own and own == times[0] else times[0]
        if own < least:
            yield (f"its neighbours have {name}" if least == 1 else f"its neighbours have {least} of {name}, it {own}")
