"""Pruning: what the ladder lets go - points first, then the snapshots that no point stands on any more.

Killed in between, the next firing goes on: what is unneeded is computed from what is there, not remembered.
"""

from __future__ import annotations

from collections.abc import Iterable

from pilotlight.cloud.door import aws_code
from pilotlight.errors import CallRefused, RegionUnreachable
from pilotlight.records.inventory import Volumes
from pilotlight.recovery import snapshots
from pilotlight.recovery.retention import kept
from pilotlight.recovery.site import Site

NOT_NOW = ("InvalidSnapshot.InUse", "InvalidSnapshot.NotFound")
"""A copy is being made of it, or it is gone: met again at the next firing."""


def prune(site: Site, primary_answers: bool) -> None:
    """Let go of what the ladder does not keep: points first, then snapshots that no point stands on any more."""
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
    for asset in site.inventory.volumes:
        _prune_snapshots(site, asset, needed, primary_answers)


def _prune_snapshots(site: Site, asset: Volumes, needed: set[str], primary_answers: bool) -> None:
    inventory, door = site.inventory, site.door
    copies = snapshots.listed(door, inventory.standby, inventory.workload, asset.name)
    _delete(site, inventory.standby, unneeded_copies(copies, needed))
    if primary_answers:
        try:
            sources = snapshots.listed(door, inventory.primary, inventory.workload, asset.name)
            _delete(site, inventory.primary, unneeded_sources(sources, copies))
        except RegionUnreachable:
            return


def unneeded_copies(copies: list[snapshots.Snapshot], needed: set[str]) -> list[snapshots.Snapshot]:
    """Copies that no kept point stands on and that are older than the newest complete set (pure)."""
    newest_done = max((each.true_at for each in snapshots.sets(copies) if each.complete), default="")
    return [each for each in copies if each.set not in needed and each.true_at < newest_done]


def unneeded_sources(sources: list[snapshots.Snapshot], copies: list[snapshots.Snapshot]) -> list[snapshots.Snapshot]:
    """Snapshots of the primary that are older than the newest complete set of the standby region (pure).

    The one behind that set stays: the next copy is incremental against it.
    """
    newest_done = max((each.true_at for each in snapshots.sets(copies) if each.complete), default="")
    return [each for each in sources if each.set and each.true_at < newest_done]


def _delete(site: Site, region: str, unneeded: Iterable[snapshots.Snapshot]) -> None:
    for each in unneeded:
        try:
            snapshots.delete(site.door, region, each.id)
        except CallRefused as refusal:
            if aws_code(refusal) not in NOT_NOW:
                raise
