"""What the standby region holds of a volume group: the newest set of snapshot copies that is complete there."""

from __future__ import annotations

from pilotlight.cloud.door import Door
from pilotlight.records.inventory import Inventory, Volumes
from pilotlight.records.point import Part
from pilotlight.recovery.snapshots import SnapshotSet, listed, sets


def observe(door: Door, inventory: Inventory, asset: Volumes) -> Part:
    """The part of a volume group: all copies of one set, or none."""
    found = sets(listed(door, inventory.standby, inventory.workload, asset.name))
    newest = next((each for each in found if each.complete), None)
    if newest is None:
        return Part(asset.name, asset.kind, asset.mechanism, False, "", missing=(_lacking(inventory, found),))
    copies = {each.device: each.id for each in newest.done}
    return Part(
        asset=asset.name,
        kind=asset.kind,
        mechanism=asset.mechanism,
        proven=True,
        true_at=newest.true_at,
        reference={"set": newest.id, "snapshots": copies},
        evidence={"copies": len(copies), "sources": {each.device: each.source for each in newest.done}},
    )


def _lacking(inventory: Inventory, found: list[SnapshotSet]) -> str:
    if not found:
        return f"no snapshot copy has been begun in {inventory.standby}"
    newest = found[0]
    return f"{len(newest.done)} of {newest.size} copies of set {newest.id} are completed in {inventory.standby}"
