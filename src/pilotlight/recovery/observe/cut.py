"""One cut over all assets: datasets first, because their watermark says how new a checkpoint may be.

An asset that cannot be looked at is a part that is not proven, with the reason; the others are looked at all the same.
Only a standby region that does not answer ends the whole cut.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pilotlight.checkpoints.verify import TooManyFiles
from pilotlight.clock import parse_stamp
from pilotlight.errors import CallRefused, RegionUnreachable
from pilotlight.records.inventory import Compute, Database, Datasets, Volumes
from pilotlight.records.point import Part, RecoveryPoint
from pilotlight.recovery.observe import checkpoints, compute, database, datasets, volumes
from pilotlight.recovery.site import Site

CHECKPOINTS = "checkpoints"


def cut(site: Site, primary_answers: bool, last: RecoveryPoint | None) -> tuple[Part, ...]:
    """A part for every asset of the inventory, in its order. `last` is the last complete point."""
    found: dict[str, Part] = {}
    for asset in site.inventory.datasets:
        if asset.kind != CHECKPOINTS:
            found[asset.name] = _dataset(site, asset, primary_answers, last)
    for asset in site.inventory.datasets:
        if asset.kind == CHECKPOINTS:
            found[asset.name] = _checkpoints(site, asset, found)
    for group in site.inventory.volumes:
        found[group.name] = _looked(group, partial(volumes.observe, site.door, site.inventory, group))
    for one in site.inventory.databases:
        found[one.name] = _looked(one, partial(database.observe, site.door, site.inventory, one, site.clock))
    for fleet in site.inventory.computes:
        found[fleet.name] = _looked(fleet, partial(compute.observe, site.door, site.inventory, fleet, site.clock))
    return tuple(found[asset.name] for asset in site.inventory.assets)


def _dataset(site: Site, asset: Datasets, primary_answers: bool, last: RecoveryPoint | None) -> Part:
    before = last.part(asset.name) if last else None
    if not primary_answers:
        return datasets.observe_alone(asset, before)
    try:
        return _looked(asset, lambda: datasets.observe(site.door, site.inventory, asset, site.clock))
    except RegionUnreachable as problem:
        if problem.facts["region"] != site.inventory.primary:
            raise
        return datasets.observe_alone(asset, before)


def _checkpoints(site: Site, asset: Datasets, found: dict[str, Part]) -> Part:
    """Not newer than the watermark of any dataset that the checkpoints use."""
    used = [found[name].true_at for name in asset.uses if name in found and found[name].true_at]
    not_after = min((parse_stamp(moment) for moment in used), default=None)
    return _looked(asset, lambda: checkpoints.observe(site.door, site.inventory, asset, site.ledger, not_after))


def _looked(asset: Datasets | Volumes | Database | Compute, look: Callable[[], Part]) -> Part:
    try:
        return look()
    except CallRefused as refusal:
        reason = refusal.message
    except TooManyFiles as problem:
        reason = f"{problem} below its prefix; narrow the prefix in the declaration"
    return Part(asset.name, asset.kind, asset.mechanism, False, "", missing=(reason,))
