"""Rosters: which volumes a scheduled run is to snapshot, kept in the journal table before the first snapshot is made.

Tags of the copies say how many belong together; the roster says which, so that the standby region can name a volume
whose copy was deleted, or never begun, without asking the primary. It also remembers volumes that are gone, and
whether all copies of the run were once there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pilotlight.runtime.clock import parse_stamp

GONE_TOLD_SECONDS = 7 * 24 * 3600.0
"""How long points tell of a volume that is gone; after a week it is no news, and its copies follow the retention."""
VOLUMES_MAX = 2000
"""Volumes of one group: an item of DynamoDB ends at 400 KB, and a place takes up to 190 bytes."""


@dataclass(frozen=True)
class Place:
    """Where one volume belongs; `index` is below 0 with a reason in `why`."""

    volume: str
    device: str
    instance: str
    index: int
    label: str = ""
    why: str = ""

    def said(self) -> str:
        """How a sentence names it."""
        where = " of ".join(each for each in (self.device, self.instance) if each)
        return f"volume {self.volume} ({where})" if where else f"volume {self.volume}"


@dataclass(frozen=True)
class Gone:
    """A volume that an earlier run had and that is selected no more; `since`: it was there at the run before."""

    volume: str
    device: str
    instance: str
    since: str

    def said(self) -> str:
        """How a sentence tells it."""
        place = Place(self.volume, self.device, self.instance, 0)
        return f"{place.said()} is gone since {self.since}: it was deleted, or carries the tag no more"


@dataclass(frozen=True)
class Roster:
    """What one scheduled run is to snapshot; `proven` once every copy of it was seen completed."""

    run: str
    as_of: str
    places: tuple[Place, ...]
    represented: tuple[Place, ...] = ()
    gone: tuple[Gone, ...] = ()
    proven: bool = False

    def has(self, volume: str) -> bool:
        """Whether the run snapshots this volume, or one that stands for it."""
        return any(each.volume == volume for each in (*self.places, *self.represented))


def newest(rosters: Iterable[Roster]) -> Roster | None:
    """The roster of the newest run (pure)."""
    return max(rosters, key=lambda each: (each.as_of, each.run), default=None)


def gone(before: Roster | None, here: Collection[str], now: float) -> tuple[Gone, ...]:
    """What the run before had, or told to be gone, and what is not among the volumes that are here now (pure)."""
    if before is None:
        return ()
    lost = [
        Gone(each.volume, each.device, each.instance, before.as_of) for each in (*before.places, *before.represented)
    ]
    told = {each.volume: each for each in (*lost, *before.gone)}
    return tuple(
        each for each in told.values() if each.volume not in here and now - parse_stamp(each.since) < GONE_TOLD_SECONDS
    )


def to_text(roster: Roster) -> str:
    """As JSON with short rows: an item of the table has an end."""
    rows = asdict(replace(roster, places=(), represented=(), gone=()))
    places = {name: [list(asdict(each).values()) for each in getattr(roster, name)] for name in _ROWS}
    return json.dumps(rows | places, separators=(",", ":"))


def from_text(text: str) -> Roster:
    """Fields that are not known are left out, those that lack have their defaults; `as_of` had another name once."""
    raw: dict[str, Any] = json.loads(text)
    rows = {name: tuple(kind(*row[: len(fields(kind))]) for row in raw.get(name, ())) for name, kind in _ROWS.items()}
    return Roster(str(raw["run"]), str(raw.get("as_of") or raw["true_at"]), proven=bool(raw.get("proven")), **rows)


_ROWS: dict[str, Any] = {"places": Place, "represented": Place, "gone": Gone}
