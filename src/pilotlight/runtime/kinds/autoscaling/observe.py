"""What the standby region holds of a compute group: the group, its newest template version, and the image to launch.

A group holds no state of its own, but it has software. Where the primary launches another image or template than the
standby region would, the part is not proven and names the difference; `outdated` says that nothing else stands in the
way (EC2 User Guide, "Copy an Amazon EC2 AMI"; "Store instance launch parameters in Amazon EC2 launch templates").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import Clock, stamp
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.autoscaling import images, software
from pilotlight.runtime.kinds.autoscaling.images import AVAILABLE, GONE, ImageCopy
from pilotlight.runtime.kinds.autoscaling.reference import GroupReference
from pilotlight.runtime.kinds.autoscaling.software import Launched
from pilotlight.runtime.records.inventory import Compute, Inventory
from pilotlight.runtime.records.point import Part

LAUNCHED = "launched"
"""The key of a part's evidence under which stands what the primary launched when it was last seen."""


@dataclass(frozen=True)
class Seen:
    """What the primary launches; or why that is not known."""

    launched: Launched | None
    why: str = ""


@dataclass(frozen=True)
class Chosen:
    """The image that a run would launch, and in which way it is not what the primary launches."""

    image: str
    outdated: tuple[str, ...] = ()


def group(client: AwsClient, region: str, name: str) -> dict[str, Any]:
    """One Auto Scaling group; empty where there is none."""
    answer = client.call("autoscaling", "describe_auto_scaling_groups", region, AutoScalingGroupNames=[name])
    found: dict[str, Any] = next(iter(answer["AutoScalingGroups"]), {})
    return found


def template(client: AwsClient, region: str, name: str) -> dict[str, Any]:
    """The newest version of a launch template."""
    answer = client.call(
        "ec2", "describe_launch_template_versions", region, LaunchTemplateName=name, Versions=["$Latest"]
    )
    found: dict[str, Any] = answer["LaunchTemplateVersions"][0]
    return found


# -- the primary -----------------------------------------------------------------------------------------------


def look(client: AwsClient, inventory: Inventory, asset: Compute) -> Seen:
    """What the primary launches now. A refused read makes nothing of the data unusable: it is a difference, by name."""
    try:
        found = software.launched(client, inventory.primary, asset)
    except CallRefused as refusal:
        return Seen(None, f"what {asset.primary_group} launches cannot be read: {refusal.message}")
    if found is None:
        return Seen(None, f"{inventory.primary} has no Auto Scaling group {asset.primary_group} that names a template")
    return Seen(found)


def remembered(inventory: Inventory, asset: Compute, earlier: Part | None) -> Seen:
    """What an earlier point knew, where the primary does not answer (pure)."""
    if earlier is None:
        return Seen(
            None, f"what {asset.primary_group} launches was never seen, and {inventory.primary} does not answer"
        )
    return Seen(software.from_evidence(earlier.evidence[LAUNCHED]))


def was_seen(part: Part) -> bool:
    """Whether this part was compared with the primary (pure)."""
    return LAUNCHED in part.evidence


# -- the standby -----------------------------------------------------------------------------------------------


def observe(client: AwsClient, inventory: Inventory, asset: Compute, clock: Clock, seen: Seen) -> Part:
    """The part of a compute group, as of the moment it is looked at."""
    looked_at = clock.now()
    region = inventory.standby
    own = str(template(client, region, asset.standby_launch_template)["LaunchTemplateData"].get("ImageId", ""))
    copies = images.kept(client, region, inventory.workload, asset.name)
    state = images.states(client, region, [own]).get(own, "")
    chosen = choose(asset, seen, own, state, copies)
    states = {each.id: each.state for each in copies} | {own: state}
    missing = tuple(lacking(client, inventory, asset, states[chosen.image]))
    known = {LAUNCHED: seen.launched.as_evidence()} if seen.launched else {}
    return Part(
        asset=asset.name,
        kind=asset.kind,
        mechanism=asset.mechanism,
        proven=not missing and not chosen.outdated,
        as_of=stamp(looked_at),
        reference=GroupReference(asset.standby_group, asset.standby_launch_template, chosen.image),
        evidence={"instance_types": list(asset.instance_types), "remarks": _remarks(seen)} | known,
        missing=(*missing, *chosen.outdated),
        outdated=() if missing else chosen.outdated,
    )


@dataclass(frozen=True)
class Launchable:
    """The image that a run launches for a point, and why that is not the one that the point names; without one, why
    none could be."""

    image: str
    told: str = ""


def launchable(client: AwsClient, inventory: Inventory, asset: Compute, image: str) -> Launchable:
    """The point's image; where a later deployment has taken its place, that deployment's."""
    region = inventory.standby
    own = str(template(client, region, asset.standby_launch_template)["LaunchTemplateData"].get("ImageId", ""))
    found = images.states(client, region, [image, own])
    if found.get(image) == AVAILABLE:
        return Launchable(image)
    state = f"image {image or '(none)'} is {found.get(image, GONE)} in {region}"
    if found.get(own) == AVAILABLE:
        return Launchable(own, f"{state}; {own} of the last deployment is launched" if image else "")
    return Launchable("", state if own == image else f"{state}, and {own or 'the template'} of the last deployment is "
                      f"{found.get(own, GONE)}")  # fmt: skip


def lacking(client: AwsClient, inventory: Inventory, asset: Compute, state: str) -> list[str]:
    """Why no instance of the group could be launched, in words. `state` is of its image."""
    missing = []
    if not group(client, inventory.standby, asset.standby_group):
        missing.append(f"there is no Auto Scaling group {asset.standby_group}")
    if state != AVAILABLE:
        missing.append(f"its image is {state or 'not named'} in {inventory.standby}")
    return missing


def choose(asset: Compute, seen: Seen, own: str, own_state: str, copies: list[ImageCopy]) -> Chosen:
    """The copy of what the primary launches, else the newest there is (pure). `own` is what the stack's template names,
    a copy of the image that the last deployment found; `copies` are those of scheduled runs, the newest first."""
    if seen.launched is None:
        return Chosen(own, (seen.why,))
    wanted, told = seen.launched.image, _template_differs(asset, seen.launched)
    if wanted == asset.image:
        return Chosen(own, told)
    of_it = [each for each in copies if each.source == wanted]
    there = next((each.id for each in of_it if each.state == AVAILABLE), "")
    if there:
        return Chosen(there, told)
    newest = next((each for each in copies if each.state == AVAILABLE), None)
    state = of_it[0].state if of_it else "not begun"
    image = newest.id if newest and (own_state != AVAILABLE or newest.source != asset.image) else own
    return Chosen(image, (f"the copy of image {wanted}, which {asset.primary_group} launches, is {state}", *told))


def _template_differs(asset: Compute, launched: Launched) -> tuple[str, ...]:
    if not asset.template:
        return (f"the launch template of {asset.primary_group} was never recorded; run `pilotlight up`",)
    if not launched.differs:
        return ()
    return (
        f"version {launched.version} of the launch template of {asset.primary_group} has another "
        f"{', '.join(launched.differs)} than the last `pilotlight up` found; run it again",
    )


def _remarks(seen: Seen) -> list[str]:
    others = seen.launched.others if seen.launched else ()
    if not others:
        return []
    return [f"{len(others)} instances were launched from another version of the template than the group names now"]
