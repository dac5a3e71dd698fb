"""Choosing and judging, with no call to anybody (pure): does a point hold together, and which point is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.kinds.kind import AssetKind
from pilotlight.runtime.kinds.registry import in_order, kind_named, kind_of
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.records.point import COMPLETE, PARTIAL, REFUSED, Loss, Part, RecoveryPoint
from pilotlight.runtime.store.ledger import PointLine


def point(
    inventory: Inventory, id: str, created_at: str, parts: tuple[Part, ...], remarks: tuple[str, ...] = ()
) -> RecoveryPoint:
    """The point of these parts, with everything that is wrong with it in sentences; remarks do not make it partial.

    A point is refused where every checkpoint that could be used is unhealthy: then it is not its copy that is at fault.
    """
    told = tuple(_with_loss(inventory, part, created_at) for part in parts)
    unhealthy_parts = tuple(unhealthy(parts))
    between = (*edges(inventory, parts), *loose_ends(parts))
    problems = (*lacking(parts), *between)
    status = REFUSED if unhealthy_parts else PARTIAL if problems else COMPLETE
    outdated = status == PARTIAL and not between and not any(lacking(blocking(parts)))
    said = (*unhealthy_parts, *problems, *remarks)
    return RecoveryPoint(id, inventory.workload, created_at, status, told, said, outdated)


def blocking(parts: Iterable[Part]) -> list[Part]:
    """Without those that a run may use though they are not proven, because only their software is older."""
    return [each for each in parts if not each.outdated]


def lacking(parts: Iterable[Part], where: str = "in the standby region") -> Iterator[str]:
    """A sentence for everything that is missing of a part."""
    for part in parts:
        if not part.proven:
            for reason in part.missing or ("nothing was found",):
                yield f"{part.asset} is not proven {where}: {reason}."


def unhealthy(parts: Iterable[Part]) -> Iterator[str]:
    """A sentence for what is there, whole, and refused for its health."""
    return (told for part in parts if (kind := kind_named(part.kind)) for told in kind.unhealthy(part))


def loose_ends(parts: Iterable[Part]) -> Iterator[str]:
    """A sentence for what a part refers to and is not there."""
    return (told for part in parts if (kind := kind_named(part.kind)) for told in kind.loose_ends(part))


def edges(inventory: Inventory, parts: Iterable[Part]) -> Iterator[str]:
    """A sentence for every `uses` edge that does not hold between proven parts."""
    by_name = {part.asset: part for part in parts}
    for kind, asset in in_order(inventory):
        for used in asset.uses:
            user, of = by_name.get(asset.name), by_name.get(used)
            if user and of and user.proven and of.proven and not _holds(kind, user, of):
                yield (
                    f"{asset.name} of {user.as_of} uses {used}, which is proven only up to {of.as_of}; "
                    f"what it refers to may be missing."
                )


def _holds(kind: AssetKind[Any], user: Part, used: Part) -> bool:
    """By time, where the kind says that time tells: a checkpoint refers to data that was there when it was written. A
    database names its checkpoints row by row, and a compute group has no state, so time says nothing about those."""
    if used.kind not in kind.timed_by or not user.as_of or not used.as_of:
        return True
    return parse_stamp(used.as_of) > parse_stamp(user.as_of)


# -- what would be lost ----------------------------------------------------------------------------------------


def _with_loss(inventory: Inventory, part: Part, created_at: str) -> Part:
    found = loss(inventory, part, created_at)
    return part if found is None else replace(part, loss=found)


def loss(inventory: Inventory, part: Part, moment: str) -> Loss | None:
    """What ends with the primary at this moment; None where nothing is proven, or nothing can be lost."""
    asset = next((each for each in inventory.assets if each.name == part.asset), None)
    if asset is None or not part.proven or not part.as_of:
        return None
    return kind_of(asset).loss(asset, part, moment)


# -- which point -----------------------------------------------------------------------------------------------


def usable_newest_first(points: Iterable[PointLine]) -> list[PointLine]:
    """The points a recovery may use: complete, or lacking new software alone, and refused by nobody."""
    return sorted((each for each in points if each.usable), key=lambda each: each.created_at, reverse=True)


def newest_usable(points: Iterable[PointLine]) -> PointLine | None:
    """The first of them."""
    return next(iter(usable_newest_first(points)), None)


def newest_of(points: Iterable[PointLine], status: str, since: str = "") -> PointLine | None:
    """The newest point of this status that was made since then."""
    found = [each for each in points if each.status == status and each.created_at >= since]
    return max(found, key=lambda each: each.created_at, default=None)


def newest_complete(points: Iterable[PointLine]) -> PointLine | None:
    """The newest point that is complete, and that nobody refused since."""
    return newest_of(points, COMPLETE)
