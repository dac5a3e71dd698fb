"""Volumes while the standby region serves: snapshots of what its instances have, in that region alone.

They carry a name of their own for the group (TAG_ASSET), so that nobody takes them for copies of what the primary had.
"""

from __future__ import annotations

from collections.abc import Collection

from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.autoscaling.observe import group
from pilotlight.runtime.kinds.volumes import pruning, schedule, snapshots
from pilotlight.runtime.kinds.volumes.reference import VolumeReference, VolumeSet
from pilotlight.runtime.kinds.volumes.schedule import DUE_SHARE
from pilotlight.runtime.kinds.volumes.selection import Instance, instances_of
from pilotlight.runtime.kinds.volumes.snapshots import Snapshot, SnapshotRun
from pilotlight.runtime.records.inventory import LAUNCH_ORDER, Volumes
from pilotlight.runtime.records.point import Part
from pilotlight.runtime.store.rosters import Place, Roster

IN_SERVICE = "InService"


def name_of(asset: Volumes) -> str:
    """Of the group in tags and rosters; no asset's name has an at sign."""
    return f"{asset.name}@standby"


def keep_up(context: RecoveryContext, asset: Volumes) -> tuple[str, ...]:
    """Begin a scheduled run where one is due; remarks where there is nothing to begin."""
    inventory, name = context.inventory, name_of(asset)
    found = snapshots.runs(snapshots.listed(context.client, inventory.standby, inventory.workload, name))
    now = context.clock.now()
    if found and now - parse_stamp(found[0].as_of) < inventory.every_seconds * DUE_SHARE:
        return ()
    instances = _instances(context, asset)
    if not instances:
        return (f"{asset.name}: no instance in service in {inventory.standby} has its volumes.",)
    run, moment = schedule.run_id(stamp(now)), stamp(now)
    places = tuple(
        Place(volume, device, each.id, index)
        for index, each in enumerate(instances)
        for volume, device in sorted(_own(asset, each).items(), key=lambda item: item[1])
    )
    context.ledger.keep_roster(name, Roster(run, moment, places))
    ours = schedule.tags_of(inventory.workload, name)
    for index, each in enumerate(instances):
        own = _own(asset, each)
        like = Snapshot("", "", "", f"{run}-{each.id}", len(own), moment, "", "", run, len(places), each.id, index)
        others = tuple(sorted(each.mounted.keys() - own.keys() - {each.root}))
        snapshots.create_of_instance(context.client, inventory.standby, ours, like, others, with_root=False)
    return ()


def observe(context: RecoveryContext, asset: Volumes) -> Part:
    """The newest run all of whose snapshots are completed."""
    inventory, name = context.inventory, name_of(asset)
    listed = snapshots.listed(context.client, inventory.standby, inventory.workload, name)
    found = snapshots.runs(schedule.placed(listed, context.ledger.rosters(name), {}))
    newest = next((each for each in found if each.complete), None)
    if newest is None:
        told = f"no scheduled run of its volumes in {inventory.standby} is completed yet"
        return Part(asset.name, asset.kind, asset.mechanism, False, "", missing=(told,))
    return Part(
        asset.name,
        asset.kind,
        asset.mechanism,
        proven=True,
        as_of=newest.as_of,
        reference=_reference(newest),
        evidence={"one_region": inventory.standby, "snapshots": newest.size},
    )


def prune(context: RecoveryContext, asset: Volumes, needed: Collection[str]) -> None:
    """Snapshots that no kept point stands on, once a newer run is complete."""
    inventory, name = context.inventory, name_of(asset)
    listed = snapshots.listed(context.client, inventory.standby, inventory.workload, name)
    for roster in pruning.unneeded_rosters(context.ledger.rosters(name), listed):
        if roster.run not in needed:
            context.ledger.forget_roster(name, roster.run)
    pruning.delete(context, inventory.standby, pruning.unneeded_copies(listed, needed))


def _instances(context: RecoveryContext, asset: Volumes) -> tuple[Instance, ...]:
    """Those in service in the standby's groups that mount the asset and have volumes of it, in the order of launch."""
    inventory, ids = context.inventory, list[str]()
    for each in inventory.computes:
        if asset.name in each.volumes:
            members = group(context.client, inventory.standby, each.standby_group).get("Instances", [])
            ids += [one["InstanceId"] for one in members if one.get("LifecycleState") == IN_SERVICE]
    found = instances_of(context.client, inventory.standby, sorted(ids)) if ids else ()
    return tuple(each for each in found if _own(asset, each))


def _own(asset: Volumes, instance: Instance) -> dict[str, str]:
    """Volume -> device, of the group's devices."""
    return {
        volume: device
        for volume, device in instance.mounted.items()
        if volume != instance.root and (device in asset.size_gib or device in asset.devices)
    }


def _reference(run: SnapshotRun) -> VolumeReference:
    indexes = sorted({each.index for each in run.done})
    members = {index: [each for each in run.done if each.index == index] for index in indexes}
    sets = tuple(
        VolumeSet(index, {each.device: each.id for each in own}, own[0].instance, "", own[0].set, run.as_of)
        for index, own in members.items()
    )
    return VolumeReference(LAUNCH_ORDER, run.id, sets)
