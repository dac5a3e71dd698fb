"""Pruning: what the ladder lets go - points first, then the snapshots that no point stands on any more.

Killed in between, the next firing goes on: what is unneeded is computed from what is there, not remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pilotlight.cloud.door import aws_code
from pilotlight.errors import CallRefused, RegionUnreachable
from pilotlight.records.inventory import Volumes
from pilotlight.recovery import images, snapshots
from pilotlight.recovery.retention import kept
from pilotlight.recovery.rosters import Roster
from pilotlight.recovery.site import Site
from pilotlight.recovery.snapshots import Snapshot, newest_complete, runs

NOT_NOW = ("InvalidSnapshot.InUse", "InvalidSnapshot.NotFound")
"""A copy is being made of it, or it is gone: met again at the next firing."""


def prune(site: Site, primary_answers: bool) -> None:
    """Let go of what the ladder does not keep: points first, then images and snapshots that no point stands on."""
    ledger, papers = site.ledger, site.papers
    lines = ledger.points()
    stay = kept(lines, site.inventory.keep)
    for line in lines:
        if line.id not in stay:
            ledger.forget_point(line.id)
            papers.delete_point(line.id)
    manifests = {key for line in lines if line.id in stay for key in line.manifests}
    for key in sorted({key for line in lines for key in line.manifests} - manifests):
        papers.delete_manifest(key)
    needed = {name for line in lines if line.id in stay for name in line.sets}
    images.prune(site, needed)
    for asset in site.inventory.volumes:
        _prune_snapshots(site, asset, needed, primary_answers)


def _prune_snapshots(site: Site, asset: Volumes, needed: set[str], primary_answers: bool) -> None:
    inventory, door = site.inventory, site.door
    copies = snapshots.listed(door, inventory.standby, inventory.workload, asset.name)
    for roster in unneeded_rosters(site.ledger.rosters(asset.name), copies):
        site.ledger.forget_roster(asset.name, roster.run)
    _delete(site, inventory.standby, unneeded_copies(copies, needed))
    if primary_answers:
        try:
            sources = snapshots.listed(door, inventory.primary, inventory.workload, asset.name)
            _delete(site, inventory.primary, unneeded_sources(sources, copies))
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


def _delete(site: Site, region: str, unneeded: Iterable[Snapshot]) -> None:
    for each in unneeded:
        try:
            snapshots.delete(site.door, region, each.id)
        except CallRefused as refusal:
            if aws_code(refusal) not in NOT_NOW:
                raise
