"""Volumes of a launch as its template says: size, type and speed, of the root volume and of every other.

EC2 User Guide, "Block device mappings for volumes on Amazon EC2 instances": a mapping of the image's root device
changes the root volume; others are volumes besides. moto makes a root volume of its own size, then a second one on its
device, and leaves out how fast they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROOT = ("/dev/sda1", "/dev/xvda")
"""What images call their root device; moto's images say the first."""
ROOT_GIB = 8
"""The root volume of moto's images."""

Ebs = dict[str, Any]


def mapped(data: Mapping[str, Any], root: str | None) -> dict[str, Ebs]:
    """Device -> what its volume is made of; the root device first, as the image has it (pure)."""
    roots = (*ROOT, root)
    found: dict[str, Ebs] = {ROOT[0]: {"VolumeSize": ROOT_GIB, "DeleteOnTermination": True}}
    for each in data.get("BlockDeviceMappings") or []:
        device = ROOT[0] if each["DeviceName"] in roots else each["DeviceName"]
        if "NoDevice" in each:
            found.pop(device, None)
        elif "Ebs" in each:
            found[device] = found.get(device, {}) | each["Ebs"]
    return found


def make(backend: Any, instance: Any, data: Mapping[str, Any], tags: dict[str, str]) -> None:
    """Make the volumes of a launched instance and attach them."""
    for device, ebs in mapped(data, instance.root_device_name).items():
        volume = backend.create_volume(
            size=ebs.get("VolumeSize"),
            zone_name=instance._placement.zone,
            snapshot_id=ebs.get("SnapshotId"),
            encrypted=bool(ebs.get("Encrypted")),
            kms_key_id=ebs.get("KmsKeyId"),
            volume_type=ebs.get("VolumeType"),
            iops=ebs.get("Iops"),
            throughput=ebs.get("Throughput"),
        )
        backend.attach_volume(volume.id, instance.id, device, bool(ebs.get("DeleteOnTermination")))
        volume.add_tags(tags)


def tags(data: Mapping[str, Any], kind: str) -> dict[str, str]:
    """What a template's data tags things of this kind with (pure)."""
    specified = [each for each in data.get("TagSpecifications") or [] if each.get("ResourceType") == kind]
    return {tag["Key"]: tag.get("Value", "") for each in specified for tag in each.get("Tags") or []}


def is_root(instance: Any, device: str) -> bool:
    """Whether this is the boot volume; moto names it /dev/sda1 whatever the image says."""
    return device in (*ROOT, instance.root_device_name)
