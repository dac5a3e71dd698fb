"""What each instance of a recovered group gets behind its devices, and the launch template that a run makes for it.

A run never writes into the stack's template, whose newest version deployments read and write: it makes one of its own
from the same data, one version where all instances get the same snapshots, else one an instance, and points the group
at it. Volumes come up with the launch itself, so neither CreateVolume nor AttachVolume is queued for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.autoscaling.observe import template
from pilotlight.runtime.kinds.volumes.reference import VolumeReference, VolumeSet
from pilotlight.runtime.naming import TAG_TEMPLATE, TEMPLATE_OF_RUN
from pilotlight.runtime.records.inventory import SHARED, Compute, Inventory

SUSPENDED = "Launch"
"""The process that starts instances; suspended where the next one would get another instance's volumes."""
ENDED = ("Terminating", "Terminated", "Detach")
"""How lifecycle states begin of instances that are on their way out of a group."""
RESPONSE_ONLY = {"MetadataOptions": ("State",), "Operator": ("Managed", "HiddenByDefault")}
"""What DescribeLaunchTemplateVersions tells and CreateLaunchTemplate does not take (EC2 API Reference)."""
GIVEN_BY_SNAPSHOT = ("Encrypted", "KmsKeyId", "VolumeSize")
"""A volume has its snapshot's encryption, and its size where none is asked for (EC2 API, EbsBlockDevice)."""
VERSIONS_MAX = 200
"""Of one page of DescribeLaunchTemplateVersions (EC2 API Reference); further pages are read."""

Devices = dict[str, str]
"""Device name -> snapshot id."""


@dataclass(frozen=True)
class Layout:
    """`devices` of each version: one entry where all instances are equal, else one an instance, in their order."""

    devices: tuple[Devices, ...]
    left: tuple[str, ...] = ()
    """What of the point no instance gets, in words; its snapshots stay."""
    problems: tuple[str, ...] = ()
    """Why an instance would come up with a blank device, in words."""

    @property
    def snapshots(self) -> list[str]:
        return sorted({each for devices in self.devices for each in devices.values()})


def spread(inventory: Inventory, asset: Compute) -> bool:
    """Whether instances get volumes of their own, so that each is launched from a version of its own (pure)."""
    groups = [each for each in inventory.volumes if each.name in asset.volumes]
    return asset.count > 1 and any(each.assign != SHARED for each in groups)


def layout(inventory: Inventory, asset: Compute, references: Mapping[str, VolumeReference | None]) -> Layout:
    """Which snapshot is behind which device of which instance (pure). `references`: the point's, by volume group."""
    versions: list[Devices] = [{} for _ in range(asset.count if spread(inventory, asset) else 1)]
    left: list[str] = []
    problems: list[str] = []
    for name in asset.volumes:
        reference = references.get(name) or VolumeReference()
        sets = sorted(reference.sets, key=lambda each: each.index)
        shared = SHARED in (_assign(inventory, name), reference.assign)
        problems += _lacking(asset, name, len(sets), shared)
        for position, devices in enumerate(versions):
            found = sets[0] if shared and sets else sets[position] if position < len(sets) else VolumeSet(position, {})
            problems += _empty(name, found)
            devices |= found.snapshots
        left += _left(name, sets[1 if shared else len(versions) :])
        left += [f"{name}: {each.snapshot} of volume {each.volume}" for each in reference.unassigned]
    return Layout(tuple(versions), tuple(left), tuple(problems))


def _assign(inventory: Inventory, name: str) -> str:
    return next((each.assign for each in inventory.volumes if each.name == name), "")


def _lacking(asset: Compute, name: str, sets: int, shared: bool) -> list[str]:
    wanted = 1 if shared else asset.count
    if sets >= wanted:
        return []
    return [
        f"the point has the volumes {name} of {sets} instance{'s' * (sets != 1)}, and {asset.name} is {asset.count}: "
        "the others would come up with blank disks. `assign: shared` gives all of them the same; `count` says how many "
        "there are"
    ]


def _empty(name: str, found: VolumeSet) -> list[str]:
    devices = found.snapshots.items()
    return [f"{name}: device {device or '(none)'} has no snapshot" for device, one in devices if not one]


def _left(name: str, sets: Iterable[VolumeSet]) -> list[str]:
    return [
        f"{name}: {snapshot} of {device} of {one.instance or 'an instance'}"
        for one in sets
        for device, snapshot in sorted(one.snapshots.items())
    ]


# -- template data ---------------------------------------------------------------------------------------------


def launch_data(data: Mapping[str, Any], blank: Iterable[str], devices: Devices, image: str) -> dict[str, Any]:
    """A template's data with the point's image, and snapshots behind the devices (pure). `blank`: devices that stand
    for volumes; what of them gets no snapshot is left out. Points of older editions may name no image."""
    asked = {key: _askable(key, value) for key, value in data.items()}
    asked = {key: value for key, value in asked.items() if value not in (None, {}, [])}
    before = {each["DeviceName"]: each for each in asked.get("BlockDeviceMappings", [])}
    kept = {name: each for name, each in before.items() if name not in set(blank) - devices.keys()}
    for device, snapshot in devices.items():
        ebs = kept.get(device, {}).get("Ebs", {"DeleteOnTermination": False})
        given = {name: value for name, value in ebs.items() if name not in GIVEN_BY_SNAPSHOT}
        kept[device] = {"DeviceName": device, "Ebs": given | {"SnapshotId": snapshot}}
    named = {"ImageId": image} if image else {}
    return asked | named | {"BlockDeviceMappings": [kept[device] for device in sorted(kept)]}


def _askable(key: str, value: Any) -> Any:
    left_out = RESPONSE_ONLY.get(key, ())
    return {name: each for name, each in value.items() if name not in left_out} if left_out else value


def blank_devices(inventory: Inventory, asset: Compute) -> set[str]:
    """The devices of the stack's template that stand for protected volumes (pure)."""
    groups = [each for each in inventory.volumes if each.name in asset.volumes]
    return {device for group in groups for device in group.size_gib}


# -- the run's template ----------------------------------------------------------------------------------------


def description(run: str, index: int) -> str:
    """Of the version for this instance: a run that is taken up again finds what it made (at most 255 characters)."""
    return f"pilotlight {run} {index}"


def versions_of(client: AwsClient, region: str, name: str) -> list[dict[str, Any]]:
    """Every version of a run's template, the oldest first; none where there is no such template."""
    try:
        pages = client.pages(
            "ec2", "describe_launch_template_versions", region, LaunchTemplateName=name, MaxResults=VERSIONS_MAX
        )
        found = [each for page in pages for each in page["LaunchTemplateVersions"]]
    except CallRefused as refusal:
        if says_absent(refusal):
            return []
        raise
    return sorted(found, key=lambda each: int(each["VersionNumber"]))


def made_by(run: str, versions: Iterable[Mapping[str, Any]], layout: Layout, image: str) -> dict[int, int]:
    """Index -> version number, of the versions that this run has made and that hold what was chosen (pure)."""
    found: dict[int, int] = {}
    for index, devices in enumerate(layout.devices):
        for each in versions:
            if each.get("VersionDescription") == description(run, index) and holds(each, devices, image):
                found[index] = int(each["VersionNumber"])
    return found


def holds(version: Mapping[str, Any], devices: Devices, image: str) -> bool:
    """Whether every device has its snapshot in this version, and the image is the point's (pure)."""
    data = version["LaunchTemplateData"]
    mapped = {each["DeviceName"]: each.get("Ebs", {}) for each in data.get("BlockDeviceMappings", [])}
    held = all(mapped.get(device, {}).get("SnapshotId") == snapshot for device, snapshot in devices.items())
    return held and image in ("", data.get("ImageId"))


@dataclass(frozen=True)
class Version:
    """One version of a run's template: for which instance of the group, with what."""

    run: str
    index: int
    devices: Devices
    image: str


def _contents(wanted: Version) -> str:
    return json.dumps([wanted.run, wanted.index, sorted(wanted.devices.items()), wanted.image])


def add_versions(
    client: AwsClient, inventory: Inventory, asset: Compute, wanted: Iterable[Version], is_there: bool
) -> None:
    """One version for each instance; the template is made with the first, unless it `is_there`."""
    wanted = list(wanted)
    source = template(client, inventory.standby, asset.standby_launch_template) if wanted else {}
    for number, each in enumerate(wanted):
        _add_version(client, inventory, asset, each, source, is_there or number > 0)


def _add_version(
    client: AwsClient, inventory: Inventory, asset: Compute, wanted: Version, source: Mapping[str, Any], is_there: bool
) -> None:
    """The token makes a repetition the same, and one of another choice another: EC2 refuses a token that comes with
    other contents."""
    region, name = inventory.standby, inventory.names.run_template(asset.name)
    given: dict[str, Any] = {
        "LaunchTemplateName": name,
        "VersionDescription": description(wanted.run, wanted.index),
        "ClientToken": hashlib.sha256(f"{asset.name} {_contents(wanted)}".encode()).hexdigest(),
        "LaunchTemplateData": launch_data(
            source["LaunchTemplateData"], blank_devices(inventory, asset), wanted.devices, wanted.image
        ),
    }
    if is_there:
        client.call("ec2", "create_launch_template_version", region, **given)
        return
    tags = inventory.names.tags(asset.name) | {TAG_TEMPLATE: TEMPLATE_OF_RUN}
    tagged = {"ResourceType": "launch-template", "Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}
    client.call("ec2", "create_launch_template", region, TagSpecifications=[tagged], **given)


# -- the group -------------------------------------------------------------------------------------------------


def pointed_at(group: Mapping[str, Any], name: str, version: str) -> dict[str, Any]:
    """The mixed instances policy of a group with another template in it, as UpdateAutoScalingGroup takes it (pure)."""
    policy = dict(group["MixedInstancesPolicy"])
    launch = dict(policy["LaunchTemplate"])
    launch["LaunchTemplateSpecification"] = {"LaunchTemplateName": name, "Version": version}
    return policy | {"LaunchTemplate": launch}


def point(client: AwsClient, region: str, group: Mapping[str, Any], name: str, version: str, **sizes: int) -> None:
    """Make a group launch from this version; what has been launched stays."""
    client.call(
        "autoscaling",
        "update_auto_scaling_group",
        region,
        AutoScalingGroupName=group["AutoScalingGroupName"],
        MixedInstancesPolicy=pointed_at(group, name, version),
        **sizes,
    )


def members(group: Mapping[str, Any], name: str) -> dict[str, str]:
    """Instance -> the version of this template that it was launched from, of those that stay (pure)."""
    return {
        each["InstanceId"]: str(each["LaunchTemplate"]["Version"])
        for each in group["Instances"]
        if not each["LifecycleState"].startswith(ENDED)
        and (each.get("LaunchTemplate") or {}).get("LaunchTemplateName") == name
    }


def launches(group: Mapping[str, Any]) -> bool:
    """Whether the group may start instances by itself (pure)."""
    return SUSPENDED not in {each["ProcessName"] for each in group.get("SuspendedProcesses", [])}


def let_launch(client: AwsClient, region: str, group: Mapping[str, Any], may: bool) -> None:
    """Let the group start instances by itself, or not."""
    operation = "resume_processes" if may else "suspend_processes"
    name = group["AutoScalingGroupName"]
    client.call("autoscaling", operation, region, AutoScalingGroupName=name, ScalingProcesses=[SUSPENDED])
