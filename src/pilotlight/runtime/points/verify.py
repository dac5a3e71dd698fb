"""Verifying a point that was made earlier: is every part of it still in the standby region as it was proven?

Nothing is taken from the record but what was promised; the standby region is read again. Time passes between a point
and its verification, so what was written since by replication is no damage; what was deleted or changed there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RecordUnreadable
from pilotlight.runtime.kinds.kind import PartVerified, Progress, silent
from pilotlight.runtime.kinds.registry import kind_of
from pilotlight.runtime.records.point import Part, RecoveryPoint


@dataclass(frozen=True)
class Verification:
    """A point read again."""

    SCHEMA: ClassVar[str] = "pilotlight/verification/1"

    point: str
    deep: bool
    verified_at: str
    holds: bool
    parts: tuple[PartVerified, ...]
    schema: str = "pilotlight/verification/1"


def verify_point(
    context: RecoveryContext, point: RecoveryPoint, deep: bool, verified_at: str, progress: Progress = silent
) -> Verification:
    """Read every part again; a part that cannot be read does not hold, with the reason."""
    parts = tuple(_part(context, part, deep, progress) for part in point.parts)
    parts += tuple(
        PartVerified(each.name, each.kind, remarks=("was declared after this point, which has nothing of it",))
        for each in context.inventory.assets
        if point.part(each.name) is None
    )
    return Verification(point.id, deep, verified_at, all(part.holds for part in parts), parts)


def _part(context: RecoveryContext, part: Part, deep: bool, progress: Progress) -> PartVerified:
    asset = next((each for each in context.inventory.assets if each.name == part.asset), None)
    if asset is None:
        return PartVerified(part.asset, part.kind, remarks=("is no part of the workload any more",))
    if not part.proven:
        return PartVerified(part.asset, part.kind, ("was not proven when the point was made", *part.missing))
    try:
        return kind_of(asset).verify(context, asset, part, deep, progress)
    except CallRefused as refusal:
        return PartVerified(part.asset, part.kind, undecided=(refusal.message,))
    except RecordUnreadable as problem:
        return PartVerified(part.asset, part.kind, (problem.message,))
