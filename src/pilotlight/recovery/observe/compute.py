"""What the standby region holds of a compute group: the group, its newest template version, and the image it names."""

from __future__ import annotations

from typing import Any

from pilotlight.clock import Clock, stamp
from pilotlight.cloud.door import Door
from pilotlight.records.inventory import Compute, Inventory
from pilotlight.records.point import Part

AVAILABLE = "available"


def group(door: Door, region: str, name: str) -> dict[str, Any]:
    """One Auto Scaling group; empty where there is none."""
    answer = door.call("autoscaling", "describe_auto_scaling_groups", region, AutoScalingGroupNames=[name])
    found: dict[str, Any] = next(iter(answer["AutoScalingGroups"]), {})
    return found


def template(door: Door, region: str, name: str) -> dict[str, Any]:
    """The newest version of a launch template."""
    answer = door.call(
        "ec2", "describe_launch_template_versions", region, LaunchTemplateName=name, Versions=["$Latest"]
    )
    found: dict[str, Any] = answer["LaunchTemplateVersions"][0]
    return found


def observe(door: Door, inventory: Inventory, asset: Compute, clock: Clock) -> Part:
    """The part of a compute group. It holds no state of its own, so it is true at the moment it is looked at."""
    looked_at = clock.now()
    region = inventory.standby
    missing = []
    if not group(door, region, asset.standby_group):
        missing.append(f"there is no Auto Scaling group {asset.standby_group}")
    image = str(template(door, region, asset.standby_launch_template)["LaunchTemplateData"].get("ImageId", ""))
    state = _image_state(door, region, image)
    if state != AVAILABLE:
        missing.append(f"image {image or '(none)'} is {state or 'not there'}")
    return Part(
        asset=asset.name,
        kind=asset.kind,
        mechanism=asset.mechanism,
        proven=not missing,
        true_at=stamp(looked_at),
        reference={"group": asset.standby_group, "template": asset.standby_launch_template, "image": image},
        evidence={"image_state": state, "instance_types": list(asset.instance_types)},
        missing=tuple(missing),
    )


def _image_state(door: Door, region: str, image: str) -> str:
    if not image:
        return ""
    filters = [{"Name": "image-id", "Values": [image]}]
    answer = door.call("ec2", "describe_images", region, Filters=filters)
    return str(next((each["State"] for each in answer["Images"]), ""))
