"""Choosing and judging, with no call to anybody (pure): does a cut hold together, and which point is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.records.inventory import Datasets, Inventory, Training
from pilotlight.runtime.records.point import COMPLETE, PARTIAL, REFUSED, Loss, Part, RecoveryPoint
from pilotlight.runtime.store.ledger import PointLine

TIMED_EDGES = {("checkpoints", "dataset")}
"""(user, used) kinds whose edge is decided by time: a checkpoint refers to data that was there when it was written.
A database names its checkpoints row by row, and a compute group has no state, so time says nothing about those."""
STATELESS = ("compute",)
NAMED_MAX = 3
"""How many rows a sentence names; the part's evidence names more."""
SECONDS_PER_HOUR = 3600


def point(
    inventory: Inventory, id: str, created_at: str, parts: tuple[Part, ...], remarks: tuple[str, ...] = ()
) -> RecoveryPoint:
    """The point of these parts, with everything that is wrong with it in sentences; remarks do not make it partial.

    A point is refused where every checkpoint that could be used is poisoned: then it is not its copy that is at fault.
    """
    told = tuple(_with_loss(inventory, part, created_at) for part in parts)
    poisons = tuple(poisoned(parts))
    between = (*edges(inventory, parts), *dangling(parts))
    problems = (*lacking(parts), *between)
    status = REFUSED if poisons else PARTIAL if problems else COMPLETE
    outdated = status == PARTIAL and not between and not any(lacking(blocking(parts)))
    said = (*poisons, *problems, *remarks)
    return RecoveryPoint(id, inventory.workload, created_at, status, told, said, outdated)


def blocking(parts: Iterable[Part]) -> list[Part]:
    """Without those that a run may use though they are not proven, because only their software is older."""
    return [each for each in parts if not each.outdated]


def lacking(parts: Iterable[Part]) -> Iterator[str]:
    """A sentence for everything that is missing of a part."""
    for part in parts:
        if not part.proven:
            for reason in part.missing or ("nothing was found",):
                yield f"{part.asset} is not proven in the standby region: {reason}."


def poisoned(parts: Iterable[Part]) -> Iterator[str]:
    """A sentence for checkpoints that are there, whole, and all refused for their health."""
    for part in parts:
        passed = part.evidence.get("passed_over", []) if not part.proven else []
        sick = [each for each in passed if each.get("poisoned")]
        if sick:
            yield f"{part.asset} has no healthy checkpoint: {sick[0].get('path', '')} {sick[0].get('why', '')}."


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


def dangling(parts: Iterable[Part]) -> Iterator[str]:
    """A sentence for rows that name what has not arrived, and for rows that are newer than the point's checkpoint."""
    for part in parts:
        rows = part.evidence.get("rows", {}) if part.proven else {}
        counts = rows.get("counts", {})
        if counts.get("dangling"):
            yield (
                f"{part.asset} has {counts['dangling']} rows that name checkpoints which are not complete in the "
                f"standby region: {_few(rows['dangling'])}."
            )
        if rows.get("more"):
            yield (
                f"{part.asset} has more rows that name checkpoints than the {rows['named']} that are looked at, the "
                "last in the order of their names; let `references.table` name a view of those that matter."
            )
        if counts.get("ahead"):
            yield (
                f"{part.asset} has {counts['ahead']} rows that name checkpoints newer than the one whose data is "
                f"proven: {_few(rows['ahead'])}."
            )


def _few(names: list[str]) -> str:
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def _holds(user: Part, used: Part) -> bool:
    if (user.kind, used.kind) not in TIMED_EDGES or not user.true_at or not used.true_at:
        return True
    return parse_stamp(used.true_at) > parse_stamp(user.true_at)


# -- what would be lost ----------------------------------------------------------------------------------------


def _with_loss(inventory: Inventory, part: Part, created_at: str) -> Part:
    if not part.proven or not part.true_at or part.kind in STATELESS:
        return part
    training = next(
        (each.training for each in inventory.datasets if isinstance(each, Datasets) and each.name == part.asset), None
    )
    return replace(part, loss=loss(part, created_at, training))


def loss(part: Part, moment: str, training: Training | None) -> Loss:
    """What ends with the primary at this moment; lost steps are those begun, or those that the declared rate makes."""
    seconds = max(0.0, parse_stamp(moment) - parse_stamp(part.true_at))
    begun, taken = part.evidence.get("newest_started_step"), part.reference.get("step")
    steps = max(0, begun - taken) if isinstance(begun, int) and isinstance(taken, int) else None
    if training is None:
        return Loss(round(seconds, 3), steps)
    hours = seconds / SECONDS_PER_HOUR
    if training.steps_per_hour is not None:
        steps = max(steps or 0, int(hours * training.steps_per_hour))
    return Loss(round(seconds, 3), steps, round(hours * training.gpus, 3))


# -- which point -----------------------------------------------------------------------------------------------


def usable_newest_first(points: Iterable[PointLine]) -> list[PointLine]:
    """The points a recovery may use: complete, or lacking new software alone, and refused by nobody."""
    return sorted((each for each in points if each.usable), key=lambda each: each.created_at, reverse=True)


def newest_usable(points: Iterable[PointLine]) -> PointLine | None:
    """The first of them."""
    return next(iter(usable_newest_first(points)), None)


def newest_complete(points: Iterable[PointLine]) -> PointLine | None:
    """The newest point that is complete, and that nobody refused since."""
    complete = [each for each in points if each.status == COMPLETE]
    return max(complete, key=lambda each: each.created_at, default=None)
