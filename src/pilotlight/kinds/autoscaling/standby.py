"""The survey of what the standby region has to offer: zones, instance types, an image that fits them.

Asked for once for all assets. A type that is not offered there is found out in the third of three stacks, or on the
worst day. Zones are chosen once, where most of the instance types are, and stay: another choice would replace a
network.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pilotlight.kinds.autoscaling import quotas
from pilotlight.runtime.aws.client import aws_code
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import Compute, Inventory
from pilotlight.stacks.network import ZONES, default_zones
from pilotlight.survey.findings import Findings, unread

NETWORK = "network"
"""How problems name what is no asset."""
NO_SNAPSHOT = frozenset({"InvalidSnapshot.NotFound", "InvalidSnapshotID.NotFound"})
"""What EC2 answers about a snapshot that the caller may not read, too (EC2 API, DescribeSnapshots: those that are
public, the caller's, or shared with it)."""

Properties = dict[str, Any]
Offered = dict[str, set[str]]
"""Instance type -> zones of the standby region."""


def zones(findings: Findings, names: Names, computes: list[Compute], kept: Inventory | None) -> tuple[str, ...]:
    """The zones of the standby network, and whether the instance types are offered in them."""
    there = _zones(findings, names)
    types = sorted({kind for each in computes for kind in each.instance_types})
    offered = _offered(findings, names, types) if types else {}
    if offered is None or there is None:
        return ()
    chosen = _kept(names, kept) or choose(there, offered)
    if len(chosen) < ZONES or not set(chosen) <= set(there):
        findings.add(NETWORK, _too_few(names, there, chosen), names.standby)
    for each in computes:
        for problem in not_offered(each, offered, chosen, names.standby):
            findings.add(each.name, problem, names.standby)
    kinds = _kinds(findings, names, sorted(offered)) if offered else {}
    _check_images(findings, names, computes, kinds)
    vcpus = {kind: int(told["VCpuInfo"]["DefaultVCpus"]) for kind, told in kinds.items()}
    quotas.check(findings, names, computes, vcpus)
    return chosen


def choose(there: Iterable[str], offered: Offered) -> tuple[str, ...]:
    """Where most types are offered, and then by name (pure)."""
    ordered = sorted(there, key=lambda zone: (-sum(zone in where for where in offered.values()), zone))
    return tuple(sorted(ordered[:ZONES]))


def not_offered(compute: Compute, offered: Offered, chosen: tuple[str, ...], region: str) -> Iterable[str]:
    """What is wrong with the instance types of a group (pure)."""
    for kind in compute.instance_types:
        where = offered.get(kind, set())
        if not where:
            yield f"{kind} is not offered in {region}; take it out of `instance_types`, or declare those that are"
        elif not where & set(chosen):
            yield (
                f"{kind} is offered in {', '.join(sorted(where))} alone, and the standby network is in "
                f"{', '.join(chosen)}; take it out of `instance_types`, or declare one that is offered there"
            )


def _too_few(names: Names, there: set[str], chosen: tuple[str, ...]) -> str:
    gone = ", ".join(sorted(set(chosen) - there))
    lacks = f"{gone} of the standby network cannot be used" if gone else f"{len(there)} zone(s) can be used"
    return f"{lacks} in {names.standby}; a balancer and a database need {ZONES}"


def _kept(names: Names, kept: Inventory | None) -> tuple[str, ...]:
    """The zones of a network that stands; an inventory of an older edition does not tell them."""
    if kept is None or (kept.stacks and "standby" not in kept.stacks):
        return ()
    return kept.zones or default_zones(names.standby)


def _zones(findings: Findings, names: Names) -> set[str] | None:
    filters = [{"Name": "zone-type", "Values": ["availability-zone"]}, {"Name": "state", "Values": ["available"]}]
    asked: Properties = {"Filters": filters}
    try:
        answer = findings.client.call("ec2", "describe_availability_zones", names.standby, **asked)
    except CallRefused as refusal:
        findings.add(NETWORK, unread(f"the zones of {names.standby}", refusal), names.standby)
        return None
    return {str(each["ZoneName"]) for each in answer["AvailabilityZones"]}


def _offered(findings: Findings, names: Names, types: list[str]) -> Offered | None:
    asked: Properties = {
        "LocationType": "availability-zone",
        "Filters": [{"Name": "instance-type", "Values": types}],
    }
    found: Offered = {}
    try:
        for page in findings.client.pages("ec2", "describe_instance_type_offerings", names.standby, **asked):
            for each in page["InstanceTypeOfferings"]:
                found.setdefault(str(each["InstanceType"]), set()).add(str(each["Location"]))
    except CallRefused as refusal:
        findings.add(NETWORK, unread(f"the instance types that {names.standby} offers", refusal), names.standby)
        return None
    return found


# -- images ----------------------------------------------------------------------------------------------------


def _check_images(findings: Findings, names: Names, computes: list[Compute], kinds: dict[str, Properties]) -> None:
    """Each image can be copied, and starts on each of its instance types."""
    images = sorted({each.image for each in computes if each.image.startswith("ami-")})
    if not images:
        return
    filters = [{"Name": "image-id", "Values": images}]
    found = {
        str(each["ImageId"]): each
        for each in findings.all(NETWORK, "images", "Images", "ec2", "describe_images", Filters=filters)
    }
    made_for = {kind: set(told["ProcessorInfo"]["SupportedArchitectures"]) for kind, told in kinds.items()}
    for compute in computes:
        image = found.get(compute.image)
        if image is None:
            if compute.image in images:
                findings.add(compute.name, f"there is no image {compute.image}; name one that exists in its template")
            continue
        for problem in image_problems(compute, image, made_for):
            findings.add(compute.name, problem)
        if str(image.get("OwnerId", names.account)) != names.account:
            _check_shared(findings, compute.name, image)


def image_problems(compute: Compute, image: Properties, made_for: dict[str, set[str]]) -> Iterable[str]:
    """Why an image cannot be copied, or not start on one of the instance types (pure). Source: EC2 User Guide, "Copy an
    Amazon EC2 AMI"."""
    what = f"image {compute.image}"
    if image.get("State", "available") != "available":
        yield f"{what} is {image['State']}, and is copied only when it is available"
    if any(each.get("ProductCodeType") == "marketplace" for each in image.get("ProductCodes", [])):
        yield (
            f"{what} is of AWS Marketplace and cannot be copied; start an instance of it in the standby region's own "
            "offer, or use an image of your own"
        )
    if image.get("RootDeviceType") == "instance-store":
        yield f"{what} is kept in an instance store, and its copy could not be encrypted; use one that EBS backs"
    wanted = str(image.get("Architecture", ""))
    for kind in compute.instance_types:
        if wanted and made_for.get(kind) and wanted not in made_for[kind]:
            others = ", ".join(sorted(made_for[kind]))
            yield f"{what} is for {wanted}, and {kind} is {others}; take {kind} out of `instance_types`"


def _check_shared(findings: Findings, asset: str, image: Properties) -> None:
    """Somebody else's image is copied only where its owner lets us read the snapshots behind it (EC2 User Guide, "Copy
    an Amazon EC2 AMI", on those that are shared)."""
    mappings = [each.get("Ebs", {}).get("SnapshotId") for each in image.get("BlockDeviceMappings", [])]
    wanted = [each for each in mappings if each]
    if not wanted:
        return
    what = f"image {image['ImageId']} of account {image['OwnerId']}"
    try:
        findings.client.call("ec2", "describe_snapshots", findings.region, SnapshotIds=wanted)
    except CallRefused as refusal:
        if aws_code(refusal) not in NO_SNAPSHOT:
            findings.add(asset, unread(f"the snapshots of {what}", refusal))
            return
        findings.add(
            asset,
            f"{what} cannot be copied: its owner does not share the snapshots behind it; make one of your own from an "
            "instance that it started, and name that in the launch template",
        )


def _kinds(findings: Findings, names: Names, types: list[str]) -> dict[str, Properties]:
    """What EC2 tells of each type."""
    try:
        pages = list(findings.client.pages("ec2", "describe_instance_types", names.standby, InstanceTypes=types))
    except CallRefused as refusal:
        findings.add(NETWORK, unread("what instance types are made for", refusal), names.standby)
        return {}
    return {str(each["InstanceType"]): each for page in pages for each in page["InstanceTypes"]}
