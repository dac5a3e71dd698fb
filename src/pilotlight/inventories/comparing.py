"""The comparison of two inventories, by whichever engine: fingerprints first, then the prefixes that differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pilotlight.inventories import statements
from pilotlight.inventories.compared import Compared, Side, limits
from pilotlight.inventories.dialects import Dialect
from pilotlight.inventories.manifest import BucketInventory
from pilotlight.inventories.statements import (
    DELETED,
    ETAG,
    EXTRA,
    LENGTHS,
    RANGES_MAX,
    SIZE,
    VERSION,
    WAITING,
    Question,
)
from pilotlight.runtime.clock import stamp

GROUPS = 8192
"""Prefixes that get a fingerprint, about: few enough for a table that stays in a core's cache, so many that the few
that differ are a small part of all. Measured by benchmarks/inventory.py."""
GAUGED_MIN, GAUGED_MAX = 2_000, 200_000
"""Rows by which the length of the prefixes is chosen: so many that they have EACH_MIN prefixes."""
EACH_MIN = 4
"""Fewer say nothing of what is elsewhere."""
JUMP = 8
"""Where the next length has so many times more prefixes than are wanted, a somewhat shorter one is the better one."""
PREFIXES_SHOWN = 100

Rows = Sequence[Sequence[Any]]


class Engine(Protocol):
    """Answers SQL over two tables that have the columns of S3 Inventory."""

    name: str
    dialect: Dialect
    source: str
    """Table of the source's rows."""
    copy: str

    def rows(self, statement: str) -> Rows:
        """Every row of the answer; numbers may come as text. QueryFailed where there is none."""
        ...


def compare(
    engine: Engine,
    asset: str,
    prefix: str,
    source: BucketInventory,
    copy: BucketInventory,
    patience_seconds: float,
    now: float,
) -> Compared:
    """What the copy holds of the source, below a prefix; an object may be on its way for so many seconds."""
    waiting_since = min(source.created_at, copy.created_at) - patience_seconds
    question = Question(engine.source, engine.copy, engine.dialect, prefix, 0, int(waiting_since * 1000))
    counts = [int(engine.rows(statements.rows(table))[0][0]) for table in (engine.source, engine.copy)]
    question = question.by(_length(engine, question, max(counts)))
    alike, differing = _fingerprints(engine, question)
    found, named = _states(engine, question, differing)
    deleted = int(engine.rows(statements.markers(question))[0][0]) - sum(marked for _, marked in found.values())
    keys = {state: keys for state, (keys, _) in found.items()}
    strengths = {
        VERSION: alike + deleted + keys.get(VERSION, 0) + keys.get(DELETED, 0),
        ETAG: keys.get(ETAG, 0),
        SIZE: keys.get(SIZE, 0),
    }
    strengths = {name: count for name, count in strengths.items() if count}
    return Compared(
        asset=asset,
        engine=engine.name,
        source=_side(source, prefix, counts[0]),
        copy=_side(copy, prefix, counts[1]),
        settled=sum(strengths.values()),
        strengths=strengths,
        waiting=keys.get(WAITING, 0),
        unsettled={state: keys.get(state, 0) for state in (statements.MISSING, statements.DIFFERENT)},
        extra=keys.get(EXTRA, 0),
        keys=named,
        prefixes=tuple(differing[:PREFIXES_SHOWN]),
        prefixes_all=len(differing) <= PREFIXES_SHOWN,
        cannot_prove=limits(source.created_at, copy.created_at, waiting_since, now, strengths.get(SIZE, 0)),
    )


def _length(engine: Engine, question: Question, count: int) -> int:
    """The shortest prefixes of which there are about GROUPS, by the first rows. Where an inventory is in order these
    are neighbours, and prefixes elsewhere have about as many rows."""
    wanted = min(max(EACH_MIN * count // GROUPS, GAUGED_MIN), GAUGED_MAX)
    seen, *prefixes = (int(each) for each in engine.rows(statements.gauge(question, wanted))[0])
    return chosen(seen, prefixes, count)


def chosen(seen: int, prefixes: Sequence[int], count: int) -> int:
    """The length for `count` rows of which `seen` have so many prefixes of each of LENGTHS (pure)."""
    wanted, least = min(GROUPS, count), min(EACH_MIN, seen)
    for place, (length, found) in enumerate(zip(LENGTHS, prefixes, strict=True)):
        if found * count < wanted * seen or found < least:
            continue
        before = prefixes[place - 1] if place else 0
        jumps = found * count > wanted * seen * JUMP and before > 1 and before * count * JUMP >= wanted * seen
        return LENGTHS[place - 1] if jumps else length
    return LENGTHS[-1]


def _fingerprints(engine: Engine, question: Question) -> tuple[int, list[str]]:
    """(objects of the prefixes that are alike, the prefixes that are not: RANGES_MAX and one more where more are)."""
    alike, differing = 0, list[str]()
    for same, prefix, objects in engine.rows(statements.fingerprints(question)):
        if int(same):
            alike += int(objects)
        else:
            differing.append(str(prefix))
    return alike, differing[: RANGES_MAX + 1]


def _states(
    engine: Engine, question: Question, differing: list[str]
) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[str, ...]]]:
    """(state -> (keys, of them delete markers of the source), state -> its first keys)."""
    counts, named = dict[str, tuple[int, int]](), dict[str, list[str]]()
    for state, number, marked, key in engine.rows(statements.states(question, differing)) if differing else ():
        if key:
            named.setdefault(str(state), []).append(str(key))
        else:
            counts[str(state)] = (int(number), int(marked))
    return counts, {state: tuple(sorted(keys, key=str.encode)) for state, keys in named.items()}


def _side(inventory: BucketInventory, prefix: str, rows: int) -> Side:
    return Side(
        region=inventory.region,
        bucket=inventory.bucket,
        prefix=prefix,
        as_of=stamp(inventory.created_at),
        inventory=inventory.manifest,
        files=len(inventory.files),
        rows=rows,
        passed_over=inventory.passed_over,
    )
