"""Snapshot sets: all selected volumes of one instance at one moment, and their copies in the standby region.

EBS User Guide, "Create multi-volume Amazon EBS snapshots from an Amazon EC2 instance" and "Copy an Amazon EBS
snapshot". What belongs together is said by tags alone, so that the standby region knows it without the primary: a set
is complete there when as many copies of it are completed as its size tag says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pilotlight.cloud.door import Door
from pilotlight.naming import TAG_ASSET, TAG_CREATED_AT, TAG_SET, TAG_SOURCE, TAG_WORKLOAD
from pilotlight.records.inventory import Volumes

TAG_DEVICE = "pilotlight:device"
TAG_SIZE = "pilotlight:set-size"

COMPLETED = "completed"
ERROR = "error"


@dataclass(frozen=True)
class Snapshot:
    """One snapshot of ours; `source` is empty for one that is not a copy."""

    id: str
    volume: str
    state: str
    set: str
    set_size: int
    true_at: str
    device: str
    source: str


@dataclass(frozen=True)
class SnapshotSet:
    """All snapshots of one CreateSnapshots call that a region holds."""

    id: str
    size: int
    true_at: str
    snapshots: tuple[Snapshot, ...]

    @property
    def complete(self) -> bool:
        """Whether all of it is there and completed."""
        return self.size > 0 and len({each.device or each.volume for each in self.done}) == self.size

    @property
    def done(self) -> tuple[Snapshot, ...]:
        return tuple(each for each in self.snapshots if each.state == COMPLETED)


def listed(door: Door, region: str, workload: str, asset: str) -> list[Snapshot]:
    """Every snapshot of a volume group that this region holds."""
    filters = [
        {"Name": f"tag:{TAG_WORKLOAD}", "Values": [workload]},
        {"Name": f"tag:{TAG_ASSET}", "Values": [asset]},
    ]
    pages = door.pages("ec2", "describe_snapshots", region, OwnerIds=["self"], Filters=filters)
    return [_snapshot(item) for page in pages for item in page["Snapshots"]]


def sets(snapshots: Iterable[Snapshot]) -> list[SnapshotSet]:
    """Grouped by set, the newest first (pure)."""
    by_set: dict[str, list[Snapshot]] = {}
    for each in snapshots:
        if each.set:
            by_set.setdefault(each.set, []).append(each)
    found = [
        SnapshotSet(name, members[0].set_size, members[0].true_at, tuple(sorted(members, key=lambda each: each.id)))
        for name, members in by_set.items()
    ]
    return sorted(found, key=lambda each: (each.true_at, each.id), reverse=True)


def _snapshot(item: dict[str, Any]) -> Snapshot:
    tags = {tag["Key"]: tag["Value"] for tag in item.get("Tags", [])}
    return Snapshot(
        id=item["SnapshotId"],
        volume=item.get("VolumeId", ""),
        state=item["State"],
        set=tags.get(TAG_SET, ""),
        set_size=int(tags.get(TAG_SIZE, "0")),
        true_at=tags.get(TAG_CREATED_AT, ""),
        device=tags.get(TAG_DEVICE, ""),
        source=tags.get(TAG_SOURCE, ""),
    )


@dataclass(frozen=True)
class Attached:
    """The selected volumes of one instance, device by volume id, and what a set must leave out."""

    instance: str
    devices: dict[str, str]
    excluded: tuple[str, ...]
    with_root: bool


def attached(door: Door, region: str, asset: Volumes) -> tuple[list[Attached], tuple[str, ...]]:
    """(the instances that have selected volumes, the selected volumes that no instance has)."""
    filters = [{"Name": f"tag:{asset.tag_key}", "Values": [asset.tag_value]}]
    volumes = [v for page in door.pages("ec2", "describe_volumes", region, Filters=filters) for v in page["Volumes"]]
    chosen = {each["VolumeId"] for each in volumes}
    owners = sorted({where["InstanceId"] for each in volumes for where in each.get("Attachments", [])})
    loose = tuple(sorted(each["VolumeId"] for each in volumes if not each.get("Attachments")))
    if not owners:
        return [], loose
    pages = door.pages("ec2", "describe_instances", region, InstanceIds=owners)
    instances = [i for page in pages for reservation in page["Reservations"] for i in reservation["Instances"]]
    return [_attached(each, chosen) for each in instances], loose


def _attached(instance: dict[str, Any], chosen: set[str]) -> Attached:
    mounted = {each["Ebs"]["VolumeId"]: each["DeviceName"] for each in instance["BlockDeviceMappings"]}
    root = instance.get("RootDeviceName", "")
    roots = {volume for volume, device in mounted.items() if device == root}
    return Attached(
        instance=instance["InstanceId"],
        devices={volume: device for volume, device in mounted.items() if volume in chosen},
        excluded=tuple(sorted(mounted.keys() - chosen - roots)),
        with_root=bool(roots & chosen),
    )


def create(door: Door, region: str, workload: str, asset: str, on: Attached, set_id: str, true_at: str) -> None:
    """One CreateSnapshots call for one instance: crash-consistent over its volumes."""
    tags = {
        TAG_WORKLOAD: workload,
        TAG_ASSET: asset,
        TAG_SET: set_id,
        TAG_SIZE: str(len(on.devices)),
        TAG_CREATED_AT: true_at,
    }
    which: dict[str, Any] = {"InstanceId": on.instance, "ExcludeBootVolume": not on.with_root}
    if on.excluded:
        which["ExcludeDataVolumeIds"] = list(on.excluded)
    door.call(
        "ec2",
        "create_snapshots",
        region,
        InstanceSpecification=which,
        Description=f"pilotlight {workload} {asset} {set_id}",
        TagSpecifications=_tagged(tags),
    )


def copy(door: Door, source: Snapshot, regions: tuple[str, str], asset: str, device: str, key: str, name: str) -> None:
    """Copy one snapshot, encrypted anew with the key of the target region. `regions` is (source, target)."""
    tags = {
        TAG_WORKLOAD: name,
        TAG_ASSET: asset,
        TAG_SET: source.set,
        TAG_SIZE: str(source.set_size),
        TAG_CREATED_AT: source.true_at,
        TAG_SOURCE: source.id,
        TAG_DEVICE: device,
    }
    door.call(
        "ec2",
        "copy_snapshot",
        regions[1],
        SourceRegion=regions[0],
        SourceSnapshotId=source.id,
        Description=f"pilotlight {name} {asset} {source.set} {device}",
        Encrypted=True,
        KmsKeyId=key,
        TagSpecifications=_tagged(tags),
    )


def delete(door: Door, region: str, snapshot: str) -> None:
    """Delete one snapshot; RegionUnreachable and refusals are the caller's."""
    door.call("ec2", "delete_snapshot", region, SnapshotId=snapshot)


def _tagged(tags: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "ResourceType": "snapshot",
            "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
        }
    ]
