"""Choosing and judging, with no call to anybody (pure): does a cut hold together, and which point is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pilotlight.clock import parse_stamp
from pilotlight.records.inventory import Inventory
from pilotlight.records.point import COMPLETE, PARTIAL, Part, RecoveryPoint
from pilotlight.recovery.ledger import PointLine

TIMED_EDGES = {("checkpoints", "dataset")}
"""(user, used) kinds whose edge is decided by time: a checkpoint refers to data that was there when it was written.
A database names its checkpoints row by row, and a compute group has no state, so time says nothing about those."""


def point(
    inventory: Inventory, id: str, created_at: str, parts: tuple[Part, ...], remarks: tuple[str, ...] = ()
) -> RecoveryPoint:
    """The point of these parts, with everything that is wrong with it in sentences; remarks do not make it partial."""
    problems = (*lacking(parts), *edges(inventory, parts))
    status = PARTIAL if problems else COMPLETE
    return RecoveryPoint(id, inventory.workload, created_at, status, parts, (*problems, *remarks))


def lacking(parts: Iterable[Part]) -> Iterator[str]:
    """A sentence for everything that is missing of a part."""
    for part in parts:
        if not part.proven:
            for reason in part.missing or ("nothing was found",):
                yield f"{part.asset} is not proven in the standby region: {reason}."


def edges(inventory: Inventory, parts: Iterable[Part]) -> Iterator[str]:
    """A sentence for every `uses` edge that does not hold between proven parts."""
    by_name = {part.asset: part for part in parts}
    for asset in inventory.assets:
        for used in asset.uses:
            user, of = by_name.get(asset.name), by_name.get(used)
            if user and of and user.proven and of.proven and not _holds(user, of):
                yield (
                    f"{asset.name} of {user.true_at} uses {used}, which is proven only up to {of.true_at}; "
                    f"what it refers to may be missing."
                )


def _holds(user: Part, used: Part) -> bool:
    if (user.kind, used.kind) not in TIMED_EDGES or not user.true_at or not used.true_at:
        return True
    return parse_stamp(used.true_at) >= parse_stamp(user.true_at)


def newest_complete(points: Iterable[PointLine]) -> PointLine | None:
    """The point a recovery uses: the newest that is complete."""
    complete = [each for each in points if each.status == COMPLETE]
    return max(complete, key=lambda each: each.created_at, default=None)
