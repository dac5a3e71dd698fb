"""Snapshots of volumes and their copies, as EC2 keeps them: listing, making, copying, and what their tags say.

EBS User Guide, "Create multi-volume Amazon EBS snapshots from an Amazon EC2 instance" and "Copy an Amazon EBS
snapshot". What belongs together is said by tags alone, so that the standby region knows it without the primary: one
scheduled run makes a set of each instance, and is complete there when as many copies are completed as its size says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.naming import TAG_ASSET, TAG_CREATED_AT, TAG_SET, TAG_SOURCE, TAG_WORKLOAD
from pilotlight.runtime.records.inventory import LAUNCH_ORDER

TAG_DEVICE = "pilotlight:device"
"""Of a snapshot copy; of a volume that is attached to nothing it is a person's word for where it belongs."""
TAG_SIZE = "pilotlight:set-size"
TAG_RUN = "pilotlight:scheduled-run"
TAG_RUN_SIZE = "pilotlight:scheduled-run-size"
TAG_VOLUME = "pilotlight:volume"
TAG_INSTANCE = "pilotlight:instance"
TAG_INDEX = "pilotlight:index"
TAG_LABEL = "pilotlight:label"
TAG_ASSIGN = "pilotlight:assign"
TAG_LAUNCHED_AT = "pilotlight:launched-at"

COMPLETED = "completed"
PENDING = "pending"
ERROR = "error"
GONE = "gone"
"""Of a snapshot that the region does not list."""
FILTER_VALUES_MAX = 200
"""EC2 User Guide, "List and filter your resources": a filter takes up to 200 values."""
UNASSIGNED = -1
"""The index of a volume that no instance gets."""
COPY_VOLUME = "vol-ffffffff"
"""EBS User Guide, "Copy an Amazon EBS snapshot": the arbitrary volume id of every copy."""


@dataclass(frozen=True)
class Snapshot:
    """One snapshot of ours; `source` is empty for one that is not a copy."""

    id: str
    volume: str
    state: str
    set: str
    set_size: int
    as_of: str
    device: str
    source: str
    run: str = ""
    run_size: int = 0
    instance: str = ""
    index: int = 0
    label: str = ""
    assign: str = LAUNCH_ORDER
    launched_at: str = ""
    took_seconds: float = 0.0
    """From its beginning to its completion; 0 where EC2 does not tell."""

    @property
    def member(self) -> str:
        """What it is a snapshot of, within its run; copies of older editions know the device alone."""
        return self.volume or f"{self.instance} {self.device}".strip() or self.id


@dataclass(frozen=True)
class SnapshotRun:
    """All snapshots of one scheduled run that a region holds; `as_of` is the oldest moment among them."""

    id: str
    size: int
    as_of: str
    snapshots: tuple[Snapshot, ...]

    @property
    def complete(self) -> bool:
        """Whether all of it is there and completed."""
        return self.size > 0 and len({each.member for each in self.done}) == self.size

    @property
    def whole(self) -> bool:
        """Whether all of it is there, completed or on its way."""
        alive = {each.member for each in self.snapshots if each.state != ERROR}
        return self.size > 0 and len(alive) == self.size

    @property
    def done(self) -> tuple[Snapshot, ...]:
        return tuple(each for each in self.snapshots if each.state == COMPLETED)


def listed(client: AwsClient, region: str, workload: str, asset: str) -> list[Snapshot]:
    """Every snapshot of a volume group that this region holds."""
    filters = [
        {"Name": f"tag:{TAG_WORKLOAD}", "Values": [workload]},
        {"Name": f"tag:{TAG_ASSET}", "Values": [asset]},
    ]
    pages = client.pages("ec2", "describe_snapshots", region, OwnerIds=["self"], Filters=filters)
    return [_snapshot(item) for page in pages for item in page["Snapshots"]]


def copies_under_way(client: AwsClient, region: str) -> int:
    """Snapshot copies that this region is making now, whoever asked for them: the limit is the region's."""
    filters = [{"Name": "status", "Values": [PENDING]}]
    pages = client.pages("ec2", "describe_snapshots", region, OwnerIds=["self"], Filters=filters)
    found = [item for page in pages for item in page["Snapshots"] if item["State"] == PENDING]
    return sum(item.get("VolumeId") == COPY_VOLUME or bool(_tags(item).get(TAG_SOURCE)) for item in found)


def runs(snapshots: Iterable[Snapshot]) -> list[SnapshotRun]:
    """Grouped by scheduled run, the newest first (pure)."""
    by_run: dict[str, list[Snapshot]] = {}
    for each in snapshots:
        if each.run:
            by_run.setdefault(each.run, []).append(each)
    found = [
        SnapshotRun(
            name,
            _size(members),
            min(each.as_of for each in members),
            tuple(sorted(members, key=lambda each: each.id)),
        )
        for name, members in by_run.items()
    ]
    return sorted(found, key=lambda each: (each.as_of, each.id), reverse=True)


def _size(members: list[Snapshot]) -> int:
    """Told by each snapshot; older editions told the size of each instance's set alone."""
    by_set = {each.set: each.set_size for each in members}
    return max(each.run_size for each in members) or sum(by_set.values())


def newest_complete(found: Iterable[SnapshotRun]) -> str:
    """The moment of the newest run that is complete; empty where none is (pure)."""
    return max((each.as_of for each in found if each.complete), default="")


def states(client: AwsClient, region: str, ids: list[str]) -> dict[str, str]:
    """Snapshot -> state, of those that are there; asked as a filter, because an id that is gone refuses a listing."""
    found: dict[str, str] = {}
    for start in range(0, len(ids), FILTER_VALUES_MAX):
        filters = [{"Name": "snapshot-id", "Values": ids[start : start + FILTER_VALUES_MAX]}]
        pages = client.pages("ec2", "describe_snapshots", region, OwnerIds=["self"], Filters=filters)
        found |= {item["SnapshotId"]: item["State"] for page in pages for item in page["Snapshots"]}
    return found


def unusable(client: AwsClient, region: str, ids: Iterable[str]) -> dict[str, str]:
    """Snapshot -> why no volume can be made of it: its state, or GONE. Empty where all are completed."""
    wanted = sorted(ids)
    there = states(client, region, wanted)
    return {each: there.get(each, GONE) for each in wanted if there.get(each) != COMPLETED}


def _tags(item: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in item.get("Tags", [])}


def _snapshot(item: dict[str, Any]) -> Snapshot:
    """By its tags, which anybody may change: where a number or the moment is none any more, it is of no run, and the
    volume that it was of lacks a snapshot by name."""
    tags = _tags(item)
    try:
        parse_stamp(tags.get(TAG_CREATED_AT, ""))
        return _read(item, tags)
    except ValueError:
        kept = {name: tags[name] for name in (TAG_SOURCE, TAG_SET, TAG_VOLUME) if name in tags}
        return replace(_read(item, kept), run="")


def _read(item: dict[str, Any], tags: dict[str, str]) -> Snapshot:
    source, name = tags.get(TAG_SOURCE, ""), tags.get(TAG_SET, "")
    return Snapshot(
        id=item["SnapshotId"],
        volume=tags.get(TAG_VOLUME, "" if source else item.get("VolumeId", "")),
        state=item["State"],
        set=name,
        set_size=int(tags.get(TAG_SIZE, "0")),
        as_of=tags.get(TAG_CREATED_AT, ""),
        device=tags.get(TAG_DEVICE, ""),
        source=source,
        run=tags.get(TAG_RUN, name.partition("-")[0]),
        run_size=int(tags.get(TAG_RUN_SIZE, "0")),
        instance=tags.get(TAG_INSTANCE, "" if TAG_RUN in tags else name.partition("-")[2]),
        index=int(tags.get(TAG_INDEX, "0")),
        label=tags.get(TAG_LABEL, ""),
        assign=tags.get(TAG_ASSIGN, LAUNCH_ORDER),
        launched_at=tags.get(TAG_LAUNCHED_AT, ""),
        took_seconds=_took(item),
    )


def _took(item: dict[str, Any]) -> float:
    began, completed = item.get("StartTime"), item.get("CompletionTime")
    return (completed - began).total_seconds() if began and completed else 0.0


# -- acts ------------------------------------------------------------------------------------------------------


def create_of_instance(
    client: AwsClient, region: str, ours: dict[str, str], like: Snapshot, excluded: tuple[str, ...], with_root: bool
) -> None:
    """One CreateSnapshots call for `like.instance`: crash-consistent over its volumes but those excluded."""
    which: dict[str, Any] = {"InstanceId": like.instance, "ExcludeBootVolume": not with_root}
    if excluded:
        which["ExcludeDataVolumeIds"] = list(excluded)
    client.call(
        "ec2",
        "create_snapshots",
        region,
        InstanceSpecification=which,
        Description=_description(ours, like),
        TagSpecifications=_tagged(ours | said(replace(like, volume="", device=""))),
    )


def create_of_volume(client: AwsClient, region: str, ours: dict[str, str], like: Snapshot) -> None:
    """One CreateSnapshot call for a volume that no instance has."""
    client.call(
        "ec2",
        "create_snapshot",
        region,
        VolumeId=like.volume,
        Description=_description(ours, like),
        TagSpecifications=_tagged(ours | said(like)),
    )


def copy(client: AwsClient, source: Snapshot, regions: tuple[str, str], ours: dict[str, str], key: str) -> None:
    """Copy one snapshot, encrypted anew with the key of the target region. `regions` is (source, target)."""
    client.call(
        "ec2",
        "copy_snapshot",
        regions[1],
        SourceRegion=regions[0],
        SourceSnapshotId=source.id,
        Description=f"{_description(ours, source)} {source.device}",
        Encrypted=True,
        KmsKeyId=key,
        TagSpecifications=_tagged(ours | said(source) | {TAG_SOURCE: source.id}),
    )


def delete(client: AwsClient, region: str, snapshot: str) -> None:
    """Delete one snapshot; RegionUnreachable and refusals are the caller's."""
    client.call("ec2", "delete_snapshot", region, SnapshotId=snapshot)


def said(snapshot: Snapshot) -> dict[str, str]:
    """The tags that say what a snapshot is, and how many belong to it (pure); _snapshot reads them."""
    always = {
        TAG_SET: snapshot.set,
        TAG_SIZE: str(snapshot.set_size),
        TAG_CREATED_AT: snapshot.as_of,
        TAG_RUN: snapshot.run,
        TAG_RUN_SIZE: str(snapshot.run_size),
        TAG_INDEX: str(snapshot.index),
        TAG_ASSIGN: snapshot.assign,
    }
    where_known = {
        TAG_VOLUME: snapshot.volume,
        TAG_DEVICE: snapshot.device,
        TAG_INSTANCE: snapshot.instance,
        TAG_LABEL: snapshot.label,
        TAG_LAUNCHED_AT: snapshot.launched_at,
    }
    return always | {name: value for name, value in where_known.items() if value}


def _description(ours: dict[str, str], snapshot: Snapshot) -> str:
    return f"pilotlight {ours[TAG_WORKLOAD]} {ours[TAG_ASSET]} {snapshot.set}"


def _tagged(tags: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "ResourceType": "snapshot",
            "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
        }
    ]
