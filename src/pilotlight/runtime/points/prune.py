"""Pruning: what the retention policy lets go - points first, then the snapshots that no point stands on any more.

A point that is let go is taken off the list, and what it stands on stays for GRACE_SECONDS more, or for as long as a
run that has chosen it goes on. The order makes that safe without a lock: here a point leaves the list before the
choices are read; a run registers its choice before it asks whether the point is listed still. One of them sees the
other. Killed in between, the next scheduled run goes on: what is unneeded is computed from what is there, not
remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pilotlight.runtime.aws.client import aws_code
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RegionUnreachable
from pilotlight.runtime.kinds.autoscaling import images
from pilotlight.runtime.kinds.volumes import snapshots
from pilotlight.runtime.kinds.volumes.snapshots import Snapshot, newest_complete, runs
from pilotlight.runtime.points.retention import kept
from pilotlight.runtime.records.inventory import Volumes
from pilotlight.runtime.records.runs import RUNNING
from pilotlight.runtime.store.ledger import PointLine
from pilotlight.runtime.store.rosters import Roster

GRACE_SECONDS = 900.0
"""The longest life of a Lambda function (Lambda quotas): whoever read of a point before has ended by then, or has
registered that it goes by it."""
NOT_NOW = ("InvalidSnapshot.InUse", "InvalidSnapshot.NotFound")
"""A copy is being made of it, or it is gone: met again at the next scheduled run."""


def prune(context: RecoveryContext, primary_answers: bool) -> None:
    """Let go of what the retention policy does not keep: points first, then images and snapshots that no point stands
    on."""
    ledger = context.ledger
    lines = ledger.points()
    stay = kept(lines, context.inventory.keep)
    for line in lines:
        if line.id not in stay:
            ledger.let_go(line)
    chosen = _chosen(context)
    before = stamp(context.clock.now() - GRACE_SECONDS)
    gone = ledger.gone_points()
    over = [line for line, at in gone if at < before and line.id not in chosen]
    needed_by = [each for each in lines if each.id in stay]
    needed_by += [line for line, _ in gone if line not in over]
    _forget(context, over, {key for line in needed_by for key in line.manifests})
    needed = {name for line in needed_by for name in line.sets}
    images.prune(context, needed)
    for asset in context.inventory.volumes:
        _prune_snapshots(context, asset, needed, primary_answers)


def _forget(context: RecoveryContext, over: list[PointLine], manifests: set[str]) -> None:
    """Delete their papers; the manifests that nothing else names first, as the lines alone remember them."""
    for key in sorted({key for line in over for key in line.manifests} - manifests):
        context.records.delete_manifest(key)
    for line in over:
        context.records.delete_point(line.id)
        context.ledger.forget_point(line.id)


def _chosen(context: RecoveryContext) -> set[str]:
    """The points that runs go by which have not ended; a choice of one that has is forgotten."""
    ledger, found = context.ledger, set[str]()
    active = ledger.active(context.inventory.primary)
    for run, point in ledger.choices().items():
        journal = ledger.journal(run)
        if journal is not None and journal.state != RUNNING and active.run != run:
            ledger.forget_choice(run)
        else:
            found.add(point)
    return found


def _prune_snapshots(context: RecoveryContext, asset: Volumes, needed: set[str], primary_answers: bool) -> None:
    inventory, client = context.inventory, context.client
    copies = snapshots.listed(client, inventory.standby, inventory.workload, asset.name)
    for roster in unneeded_rosters(context.ledger.rosters(asset.name), copies):
        context.ledger.forget_roster(asset.name, roster.run)
    _delete(context, inventory.standby, unneeded_copies(copies, needed))
    if primary_answers:
        try:
            sources = snapshots.listed(client, inventory.primary, inventory.workload, asset.name)
            _delete(context, inventory.primary, unneeded_sources(sources, copies))
        except RegionUnreachable:
            return


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
    old = [each for run in found if run.true_at < newest and run.id not in needed for each in run.snapshots]
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
    return [snapshot for each in oldest_first if each.true_at < newest or each in dead for snapshot in each.snapshots]


def _delete(context: RecoveryContext, region: str, unneeded: Iterable[Snapshot]) -> None:
    for each in unneeded:
        try:
            snapshots.delete(context.client, region, each.id)
        except CallRefused as refusal:
            if aws_code(refusal) not in NOT_NOW:
                raise
