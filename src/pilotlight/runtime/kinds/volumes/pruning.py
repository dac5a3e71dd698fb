"""Which snapshots go: those that no kept point stands on, once a newer scheduled run is complete."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable

from pilotlight.runtime.aws.client import aws_code
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RegionUnreachable
from pilotlight.runtime.kinds.volumes import snapshots
from pilotlight.runtime.kinds.volumes.snapshots import Snapshot, newest_complete, runs
from pilotlight.runtime.records.inventory import Volumes
from pilotlight.runtime.store.rosters import Roster

NOT_NOW = ("InvalidSnapshot.InUse", "InvalidSnapshot.NotFound")
"""A copy is being made of it, or it is gone: met again at the next scheduled run."""


def prune(context: RecoveryContext, asset: Volumes, needed: Collection[str], primary_answers: bool) -> None:
    """Of one group: what was kept of its scheduled runs, copies in the standby region, snapshots in the primary."""
    inventory, client = context.inventory, context.client
    copies = snapshots.listed(client, inventory.standby, inventory.workload, asset.name)
    for roster in unneeded_rosters(context.ledger.rosters(asset.name), copies):
        context.ledger.forget_roster(asset.name, roster.run)
    delete(context, inventory.standby, unneeded_copies(copies, needed))
    if primary_answers:
        with contextlib.suppress(RegionUnreachable):
            sources = snapshots.listed(client, inventory.primary, inventory.workload, asset.name)
            delete(context, inventory.primary, unneeded_sources(sources, copies))


def unneeded_rosters(known: Iterable[Roster], copies: list[Snapshot]) -> list[Roster]:
    """Those of runs older than the newest that is complete: the copies' own tags say all that is asked of them (pure).

    Ids of runs sort by their beginning. The newest stays: it alone remembers the place of a volume that is detached.
    """
    complete = max((each.id for each in runs(copies) if each.complete), default="")
    rosters = sorted(known, key=lambda each: each.run)
    return [each for each in rosters[:-1] if each.run < complete]


def unneeded_copies(copies: list[Snapshot], needed: Collection[str]) -> list[Snapshot]:
    """Copies that no kept point stands on and whose run is older than the newest that is complete (pure)."""
    found = runs(copies)
    newest = newest_complete(found)
    old = [each for run in found if run.as_of < newest and run.id not in needed for each in run.snapshots]
    return [each for each in old if each.set not in needed]


def unneeded_sources(sources: list[Snapshot], copies: list[Snapshot]) -> list[Snapshot]:
    """Snapshots of the primary whose run is older than the newest that is complete in the standby region, or that can
    never be whole while a newer one was begun (pure).

    The run behind the newest stays: the next copy is incremental against it.
    """
    found = runs(sources)
    oldest_first = reversed(found)
    newest = newest_complete(runs(copies))
    dead = [each for each in found[1:] if not each.whole]
    return [snapshot for each in oldest_first if each.as_of < newest or each in dead for snapshot in each.snapshots]


def delete(context: RecoveryContext, region: str, unneeded: Iterable[Snapshot]) -> None:
    """What cannot be now is met again at the next scheduled run."""
    for each in unneeded:
        try:
            snapshots.delete(context.client, region, each.id)
        except CallRefused as refusal:
            if aws_code(refusal) not in NOT_NOW:
                raise
