"""Volumes of a recovery point again: new ones beside, tagged, or in place behind what a group launches next.

Beside: one CreateVolume for each snapshot of the point's scheduled run (EC2 API reference, CreateVolume), in one
Availability Zone, with the type and speed that the device has; whoever wants them attaches them. In place: a version of
the run's launch template with the point's snapshots behind the devices, which the group is pointed at. Instances that
run keep their volumes: who replaces them is the group, or a person. Only where the standby serves: in the primary the
template is the user's own.

Dollars are list prices of us-east-1 (EBS pricing, gp3); a new volume is slow until its blocks were read once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import NotRestorable
from pilotlight.runtime.kinds.autoscaling import launching
from pilotlight.runtime.kinds.autoscaling.observe import group
from pilotlight.runtime.kinds.restore import Item, PlanFile, Planned, Restored, Tell, Wanted
from pilotlight.runtime.kinds.volumes import snapshots
from pilotlight.runtime.kinds.volumes.reference import VolumeReference, VolumeSet
from pilotlight.runtime.naming import TAG_ASSET
from pilotlight.runtime.records.inventory import Compute, Volumes
from pilotlight.runtime.records.point import REFUSED, RecoveryPoint

CREATE, TEMPLATE = "create", "template"
TAG_RESTORED = "pilotlight:restored"
"""The name that was given; the workload's own tag is not on them, so nothing of ours takes them for its own."""
TAG_PLAN, TAG_ITEM = "pilotlight:plan", "pilotlight:item"
GIB_DOLLARS = 0.08
"""EBS pricing: gp3, a GiB a month, us-east-1."""
WAIT_SECONDS, EVERY_SECONDS = 300.0, 2.0
"""A volume of a snapshot is available in seconds; its blocks come when they are read."""
TOKEN_CHARACTERS = 64
POINTS_MAX = 50
"""So many points are read for one of a moment."""


def plan(context: RecoveryContext, asset: Volumes, wanted: Wanted) -> Planned:
    """What a point's set becomes; of a moment that of the newest point that was made by then."""
    point, named = _point(context, asset, wanted)
    sets = _sets(context, asset, wanted, named)
    held = {snapshot: "" for one in sets for snapshot in one.snapshots.values()}
    problems = snapshots.unusable(context.client, wanted.region, held)
    if problems:
        first = next(iter(sorted(problems)))
        reason = f"snapshot {first} is {problems[first]}"
        raise NotRestorable(asset=asset.name, region=wanted.region, reason=reason, instead="Name another point")
    found = _in_place(context, asset, wanted, named) if wanted.in_place else _beside(context, asset, wanted, sets)
    found.where |= {"point": point}
    return found


def restore(context: RecoveryContext, asset: Volumes, plan: PlanFile, tell: Tell) -> Restored:
    """Make the volumes, or the template's version; what is there already is not made again."""
    done = Restored(asset.name, plan.id)
    if plan.where["in_place"]:
        for item in plan.items():
            _launch_from(context, plan, item, done)
        return done
    made = _made(context, plan)
    items = list(plan.items())
    for number, item in enumerate(items, 1):
        if item.item not in made:
            _create(context, plan, item)
        tell("begun", number, len(items))
    _await(context, plan, items, done)
    return done


def _point(context: RecoveryContext, asset: Volumes, wanted: Wanted) -> tuple[str, VolumeReference]:
    """The point that is named, and its copies; of a moment the newest that was made by then and has them."""
    at = stamp(wanted.moment)
    if wanted.point is not None:
        points: Iterable[RecoveryPoint] = (wanted.point,)
        reason = f"point {wanted.point.id} has no copies of it"
    else:
        lines = [each for each in context.ledger.points() if each.created_at <= at and each.status != REFUSED]
        points = (context.records.point(each.id) for each in lines[:POINTS_MAX])
        reason = f"none of the newest {POINTS_MAX} points made by {at} has copies of it"
    for each in points:
        named = each.reference(asset.name, VolumeReference)
        if named is not None and named.copies:
            return each.id, named
    instead = "`pilotlight points list` names the points, and what each lacks"
    raise NotRestorable(asset=asset.name, region=wanted.region, reason=reason, instead=instead)


def _sets(context: RecoveryContext, asset: Volumes, wanted: Wanted, named: VolumeReference) -> tuple[VolumeSet, ...]:
    """The snapshots of this region: the copies that the point names, or in the primary those that they are of."""
    if wanted.region == context.inventory.standby:
        return named.sets
    found = snapshots.listed(context.client, wanted.region, context.inventory.workload, asset.name)
    copies = snapshots.listed(context.client, context.inventory.standby, context.inventory.workload, asset.name)
    source, here = {each.id: each.source for each in copies}, {each.id for each in found}
    sets = list[VolumeSet]()
    for one in named.sets:
        mine = {device: source.get(copy, "") for device, copy in one.snapshots.items()}
        gone = [device for device, snapshot in mine.items() if snapshot not in here]
        if gone:
            reason = f"its snapshots of {', '.join(sorted(gone))} are gone here; their copies are kept longer"
            instead = f"Restore there: --region {context.inventory.standby}"
            raise NotRestorable(asset=asset.name, region=wanted.region, reason=reason, instead=instead)
        sets.append(VolumeSet(one.index, mine, one.instance, one.label, one.set, one.as_of))
    return tuple(sets)


# -- beside ----------------------------------------------------------------------------------------------------


def _beside(context: RecoveryContext, asset: Volumes, wanted: Wanted, sets: tuple[VolumeSet, ...]) -> Planned:
    zone = wanted.zone or _zone(context, wanted.region)
    sizes = {device: asset.size_gib.get(device, 0) for one in sets for device in one.snapshots}
    where = {"region": wanted.region, "in_place": False, "name": wanted.beside, "zone": zone}

    def items() -> Iterator[Item]:
        for one in sets:
            for device, snapshot in sorted(one.snapshots.items()):
                source = {"snapshot": snapshot, "device": device, "index": one.index, "instance": one.instance}
                speed = asset.settings.get(device)
                told = {"type": speed.volume_type, "iops": speed.iops, "mibps": speed.throughput_mibps} if speed else {}
                used = {name: value for name, value in told.items() if value}
                yield Item(f"{one.index} {device}", source | {"time": one.as_of} | used, CREATE)

    size = sum(sizes[device] for one in sets for device in one.snapshots)
    return Planned(where, items(), {"gib": size, "dollars": 0.0, "dollars_a_month": round(size * GIB_DOLLARS, 4)})


def _zone(context: RecoveryContext, region: str) -> str:
    """Where a group of this region launches first; in the primary the first that is open."""
    if region == context.inventory.standby and context.inventory.zones:
        return context.inventory.zones[0]
    answer = context.client.call("ec2", "describe_availability_zones", region)
    return min(str(each["ZoneName"]) for each in answer["AvailabilityZones"])


def _create(context: RecoveryContext, plan: PlanFile, item: Item) -> None:
    assert item.source is not None, "a volume is made of a snapshot"
    tags = {
        "Name": f"{plan.where['name']} {item.source['device']}",
        TAG_RESTORED: str(plan.where["name"]),
        TAG_ASSET: plan.asset,
        TAG_PLAN: plan.id,
        TAG_ITEM: item.item,
        snapshots.TAG_DEVICE: str(item.source["device"]),
        snapshots.TAG_INDEX: str(item.source["index"]),
    }
    speed = {"VolumeType": item.source.get("type"), "Iops": item.source.get("iops")}
    speed |= {"Throughput": item.source.get("mibps")}
    context.client.call(
        "ec2",
        "create_volume",
        str(plan.where["region"]),
        AvailabilityZone=plan.where["zone"],
        SnapshotId=item.source["snapshot"],
        ClientToken=hashlib.sha256(f"{plan.id} {item.item}".encode()).hexdigest()[:TOKEN_CHARACTERS],
        TagSpecifications=[
            {"ResourceType": "volume", "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}
        ],
        **{name: value for name, value in speed.items() if value},
    )


def _made(context: RecoveryContext, plan: PlanFile) -> dict[str, dict[str, Any]]:
    """Item -> volume, of those that this plan has made."""
    filters = [{"Name": f"tag:{TAG_PLAN}", "Values": [plan.id]}]
    pages = context.client.pages("ec2", "describe_volumes", str(plan.where["region"]), Filters=filters)
    found = dict[str, dict[str, Any]]()
    for each in (volume for page in pages for volume in page["Volumes"]):
        tags = {tag["Key"]: tag["Value"] for tag in each.get("Tags", [])}
        if tags.get(TAG_PLAN) == plan.id and TAG_ITEM in tags:
            found[tags[TAG_ITEM]] = each
    return found


def _await(context: RecoveryContext, plan: PlanFile, items: list[Item], done: Restored) -> None:
    """Until all of them are available; what is not by then is named."""
    until = context.clock.now() + WAIT_SECONDS
    while True:
        made = _made(context, plan)
        states = {each.item: str(made.get(each.item, {}).get("State", "not there")) for each in items}
        if all(state in ("available", "in-use", "error") for state in states.values()):
            break
        if context.clock.now() >= until:
            break
        context.clock.sleep(EVERY_SECONDS)
    for each in items:
        if states[each.item] in ("available", "in-use"):
            done.done += 1
        else:
            done.leave(each.item, f"its volume is {states[each.item]} in {plan.where['region']}")
    ids = {each.item: str(made[each.item]["VolumeId"]) for each in items if each.item in made}
    done.evidence |= {"volumes": ids, "zone": plan.where["zone"]}


# -- in place --------------------------------------------------------------------------------------------------


def _in_place(context: RecoveryContext, asset: Volumes, wanted: Wanted, named: VolumeReference) -> Planned:
    inventory = context.inventory
    groups = [each for each in inventory.computes if asset.name in each.volumes]
    instead = "Restore beside, and attach the volumes"
    if wanted.region != inventory.standby or context.ledger.active(inventory.primary).region != inventory.standby:
        reason = "in place is what a group of the standby launches next, while the standby serves"
        raise NotRestorable(asset=asset.name, region=wanted.region, reason=reason, instead=instead)
    if not groups:
        reason = "no group mounts it"
        raise NotRestorable(asset=asset.name, region=wanted.region, reason=reason, instead=instead)
    items = [_template_item(context, each, asset, wanted, named) for each in groups]
    where = {"region": wanted.region, "in_place": True}
    return Planned(where, iter(items), {"dollars": 0.0, "dollars_a_month": 0.0})


def _template_item(
    context: RecoveryContext, fleet: Compute, asset: Volumes, wanted: Wanted, named: VolumeReference
) -> Item:
    """The devices of this volume group anew, the others as what the group launches now has them."""
    inventory, instead = context.inventory, "Restore beside, and attach the volumes"
    layout = launching.layout(inventory, fleet, {asset.name: named})
    if len(layout.devices) != 1:
        reason = f"each instance of {fleet.name} has volumes of its own, and a group launches one version"
        raise NotRestorable(asset=asset.name, region=wanted.region, reason=reason, instead=instead)
    found = group(context.client, wanted.region, fleet.standby_group)
    launches = found.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {}).get("LaunchTemplateSpecification", {})
    name = inventory.names.run_template(fleet.name)
    now = {str(each["VersionNumber"]): each for each in launching.versions_of(context.client, wanted.region, name)}
    if launches.get("LaunchTemplateName") != name or launches.get("Version") not in now:
        reason = f"{fleet.standby_group} launches from {launches.get('LaunchTemplateName')}, which no failover made"
        raise NotRestorable(asset=asset.name, region=wanted.region, reason=reason, instead=instead)
    data = now[launches["Version"]]["LaunchTemplateData"]
    mapped = {each["DeviceName"]: each.get("Ebs", {}) for each in data.get("BlockDeviceMappings", [])}
    devices = {device: str(ebs["SnapshotId"]) for device, ebs in mapped.items() if ebs.get("SnapshotId")}
    mine = layout.devices[0].keys() & {device for one in named.sets for device in one.snapshots}
    wanted_devices = devices | {device: layout.devices[0][device] for device in mine}
    source = {"devices": wanted_devices, "image": str(data.get("ImageId", "")), "time": named.sets[0].as_of}
    shadows = {"template": name, "version": launches["Version"], "devices": devices}
    return Item(fleet.name, source, TEMPLATE, shadows)


def _launch_from(context: RecoveryContext, plan: PlanFile, item: Item, done: Restored) -> None:
    """One version, and the group pointed at it; only where the group is still what the plan says."""
    assert item.source is not None and item.shadows is not None, "a template stands for another"
    inventory, region = context.inventory, str(plan.where["region"])
    fleet = next((each for each in inventory.computes if each.name == item.item), None)
    found = group(context.client, region, fleet.standby_group) if fleet else {}
    if fleet is None or not found:
        done.leave(item.item, "there is no such group any more")
        return
    name, run = str(item.shadows["template"]), f"restore-{plan.id[:16]}"
    layout = launching.Layout((dict(item.source["devices"]),))
    image = str(item.source["image"])
    made = launching.made_by(run, launching.versions_of(context.client, region, name), layout, image)
    launches = found["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]
    if launches.get("Version") not in (item.shadows["version"], str(made.get(0, ""))):
        done.leave(item.item, f"it launches version {launches.get('Version')} since: plan anew")
        return
    if 0 not in made:
        version = launching.Version(run, 0, layout.devices[0], image)
        launching.add_versions(context.client, inventory, fleet, [version], True)
        made = launching.made_by(run, launching.versions_of(context.client, region, name), layout, image)
    launching.point(context.client, region, found, name, str(made[0]))
    done.done += 1
    told = done.evidence.setdefault("templates", {})
    told[item.item] = f"{name} version {made[0]}; instances that run keep their volumes until the group replaces them"
