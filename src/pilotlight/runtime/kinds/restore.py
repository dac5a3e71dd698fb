"""Restoring one asset to a moment: what is asked for, the plan that answers it, and what came of it.

A plan is data, and a file of JSON: one item a line, written and read as it streams by, so that millions of items need
no memory. It is carried out as it was written (plan = effect): what moved on since is named and left. A kind makes the
plan and carries it out (kind.py, `plan_restore` and `restore`); nothing here knows how.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from pilotlight.runtime.clock import stamp
from pilotlight.runtime.errors import BadOption, RestorePlanUnusable
from pilotlight.runtime.records.point import RecoveryPoint

SCHEMA = "pilotlight/restore/1"
RESTORED = "pilotlight/restored/1"
NAMED_MAX = 20
"""How many items are named that were not restored; all are counted."""
EXPECTED_TO = "a moment with its zone, as 2026-01-31T08:00:00Z, or the id of a recovery point"


@dataclass(frozen=True)
class Wanted:
    """What somebody asks for. `moment` in seconds since 1970; with a `point`, what that names is restored."""

    region: str
    moment: float
    point: RecoveryPoint | None = None
    prefix: str = ""
    """Below the asset's own."""
    beside: str = ""
    """Where to, when not in place."""
    step: int | None = None
    """Of checkpoints: this one, not the newest."""
    zone: str = ""
    """Of volumes: the Availability Zone; empty where any will do."""
    latest: bool = False
    """Of checkpoints: pointers to the newest are rewritten, too."""

    @property
    def in_place(self) -> bool:
        return not self.beside

    @property
    def to(self) -> str:
        """As the plan says it."""
        return self.point.id if self.point else stamp(self.moment)


@dataclass(frozen=True)
class Item:
    """One thing that changes: what it is, from what it is made, what is done, and what is hidden by it."""

    item: str
    source: dict[str, Any] | None
    """`from` in the JSON; None where nothing is brought."""
    action: str
    shadows: dict[str, Any] | None = None
    """What is current there when the plan is made; None where nothing is."""
    why: str = ""

    def told(self) -> dict[str, Any]:
        """As JSON."""
        found = {"item": self.item, "from": self.source, "action": self.action, "shadows": self.shadows}
        return found | ({"why": self.why} if self.why else {})


def item_of(raw: dict[str, Any]) -> Item:
    """The inverse of `told`."""
    return Item(str(raw["item"]), raw["from"], str(raw["action"]), raw.get("shadows"), str(raw.get("why", "")))


@dataclass
class Planned:
    """What a kind plans: `items` once, and `totals` when they have all been taken."""

    where: dict[str, Any]
    items: Iterator[Item]
    totals: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NotRestored:
    """One item that was not restored."""

    item: str
    why: str


@dataclass
class Restored:
    """What was done, and what was not: `done` items are as the plan says, `left` are not."""

    asset: str
    plan: str
    done: int = 0
    left: int = 0
    failures: list[NotRestored] = field(default_factory=list)
    evidence: dict[str, Any] = field(default_factory=dict)
    """What proves it: counts by strength, endpoints, ids."""
    schema: str = RESTORED

    def leave(self, item: str, why: str) -> None:
        """One more that was not restored; the first are named."""
        self.left += 1
        if len(self.failures) < NAMED_MAX:
            self.failures.append(NotRestored(item, why))


Tell = Callable[[str, int, int], None]
"""(what is done, items done, items in all)."""


def silent(what: str, done: int, total: int) -> None:
    """The progress of whoever does not want to know."""


# -- the file --------------------------------------------------------------------------------------------------

_ITEMS, _TOTALS = ' "items": [\n', ' ],\n "totals": '


def write(into: IO[str], asset: str, kind: str, wanted: Wanted, planned: Planned, made_at: float) -> dict[str, Any]:
    """Write a plan as it is made; its totals. `items` counts its lines, so that a file that was cut off is told."""
    header = {
        "schema": SCHEMA,
        "asset": asset,
        "kind": kind,
        "to": wanted.to,
        "made_at": stamp(made_at),
        "where": planned.where,
    }
    into.write("{\n")
    for name, value in header.items():
        into.write(f" {json.dumps(name)}: {json.dumps(value)},\n")
    into.write(_ITEMS)
    count = 0
    for each in planned.items:
        into.write(f"{',' if count else ' '} {json.dumps(each.told())}\n")
        count += 1
    totals = {"items": count} | planned.totals
    into.write(f"{_TOTALS}{json.dumps(totals)}\n}}\n")
    return totals


@dataclass(frozen=True)
class PlanFile:
    """A plan that was read whole once, and can be read again."""

    path: Path
    id: str
    """Digest of its bytes."""
    asset: str
    kind: str
    to: str
    made_at: str
    where: dict[str, Any]
    totals: dict[str, Any]

    def items(self) -> Iterator[Item]:
        """All of them, in their order."""
        with self.path.open(encoding="utf-8") as opened:
            for line in opened:
                if line == _ITEMS:
                    break
            for line in opened:
                if line.startswith(" ]"):
                    return
                yield item_of(json.loads(line[1:]))


def read(path: Path) -> PlanFile:
    """Read a plan whole; RestorePlanUnusable where it is none, was cut off, or was changed."""
    digest, header, count, totals = hashlib.sha256(), dict[str, Any](), -1, None
    try:
        with path.open(encoding="utf-8") as opened:
            for line in opened:
                digest.update(line.encode())
                if line == _ITEMS:
                    count = 0
                elif line.startswith(_TOTALS.splitlines()[1]):
                    totals = json.loads(line.removeprefix(_TOTALS.splitlines()[1]))
                elif count < 0 and ": " in line:
                    header |= json.loads("{" + line.strip().rstrip(",") + "}")
                elif count >= 0 and totals is None and not line.startswith(" ]"):
                    item_of(json.loads(line[1:]))
                    count += 1
        asset, kind, to, made_at = (str(header[name]) for name in ("asset", "kind", "to", "made_at"))
        found = PlanFile(path, digest.hexdigest(), asset, kind, to, made_at, dict(header["where"]), dict(totals or {}))
    except (OSError, ValueError, TypeError, KeyError) as problem:
        raise RestorePlanUnusable(path=str(path), reason=f"it cannot be read as one ({problem})") from problem
    if header.get("schema") != SCHEMA:
        raise RestorePlanUnusable(path=str(path), reason=f"its schema is {header.get('schema')!r}, not {SCHEMA!r}")
    if totals is None or found.totals.get("items") != count:
        raise RestorePlanUnusable(path=str(path), reason=f"it has {count} items and says {found.totals.get('items')}")
    return found


def moment_of(text: str) -> float | None:
    """Seconds since 1970 of a moment with a zone; None where the text is none (pure). BadOption without a zone.

    A date has its hyphens: without, it is the id of a point, or its beginning.
    """
    if not text[:5].endswith("-"):
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    if found.tzinfo is None:
        raise BadOption(option="--to", value=text, reason="says no time zone", expected=EXPECTED_TO)
    return found.timestamp()
