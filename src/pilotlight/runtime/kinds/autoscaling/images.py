"""Images that the primary launches since the last `up`: the scheduled run copies them, so that they need no deployment.

EC2 User Guide, "Copy an Amazon EC2 AMI". The stack's own copy is of the image that `up` found; a newer one is copied
beside it, encrypted with the standby region's key, and a run's launch template names whichever the point names. Tags
alone say what a copy is of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.aws.client import AwsClient, aws_code
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.autoscaling.software import launched
from pilotlight.runtime.kinds.kind import remarked
from pilotlight.runtime.kinds.volumes.snapshots import FILTER_VALUES_MAX
from pilotlight.runtime.naming import TAG_ASSET, TAG_SOURCE_IMAGE, TAG_WORKLOAD
from pilotlight.runtime.records.inventory import Compute

AVAILABLE = "available"
PENDING = "pending"
GONE = "gone"
"""Of an image that the region does not list."""
NOT_NOW = ("InvalidAMIID.Unavailable", "InvalidAMIID.NotFound")
"""It is gone already (EC2 API Reference, "Error codes")."""


@dataclass(frozen=True)
class ImageCopy:
    """One copy of ours in the standby region; `source` is the primary's image."""

    id: str
    source: str
    state: str
    created_at: str
    why: str = ""
    """What EC2 says of a copy that failed."""


def kept(client: AwsClient, region: str, workload: str, asset: str) -> list[ImageCopy]:
    """The copies that scheduled runs have made for a compute group, the newest first."""
    filters = [{"Name": f"tag:{TAG_WORKLOAD}", "Values": [workload]}, {"Name": f"tag:{TAG_ASSET}", "Values": [asset]},
               {"Name": "tag-key", "Values": [TAG_SOURCE_IMAGE]}]  # fmt: skip
    pages = client.pages("ec2", "describe_images", region, Owners=["self"], Filters=filters)
    found = [_copy_of(item) for page in pages for item in page["Images"]]
    return sorted((each for each in found if each.source), key=lambda each: each.created_at, reverse=True)


def _copy_of(item: dict[str, Any]) -> ImageCopy:
    tags = {tag["Key"]: tag["Value"] for tag in item.get("Tags", [])}
    why = str(item.get("StateReason", {}).get("Message", ""))
    return ImageCopy(
        item["ImageId"], tags.get(TAG_SOURCE_IMAGE, ""), item["State"], str(item.get("CreationDate", "")), why
    )


def states(client: AwsClient, region: str, images: Iterable[str]) -> dict[str, str]:
    """Image -> state; GONE where the region does not list it."""
    wanted = sorted({each for each in images if each})
    found: dict[str, str] = {}
    for start in range(0, len(wanted), FILTER_VALUES_MAX):
        filters = [{"Name": "image-id", "Values": wanted[start : start + FILTER_VALUES_MAX]}]
        answer = client.call("ec2", "describe_images", region, Filters=filters)
        found |= {each["ImageId"]: str(each["State"]) for each in answer["Images"]}
    return {each: found.get(each, GONE) for each in wanted}


# -- the scheduled run -----------------------------------------------------------------------------------------


def keep_up(context: RecoveryContext, assets: Iterable[Compute]) -> tuple[str, ...]:
    """Begin the copies that lack; remarks about what could not be."""
    remarks: list[str] = []
    for asset in assets:
        with remarked(asset.name, remarks):
            remarks += _keep_up_one(context, asset)
    return tuple(remarks)


def _keep_up_one(context: RecoveryContext, asset: Compute) -> list[str]:
    inventory, client = context.inventory, context.client
    now = launched(client, inventory.primary, asset)
    if now is None or now.image in ("", asset.image):
        return []
    copies = kept(client, inventory.standby, inventory.workload, asset.name)
    of_it = [each for each in copies if each.source == now.image]
    if any(each.state in (AVAILABLE, PENDING) for each in of_it):
        return []
    _copy(context, asset, now.image)
    return [f"{asset.name}: {_failed(each)}" for each in of_it[:1]]


def _failed(copy: ImageCopy) -> str:
    return f"the copy {copy.id} of {copy.source} is {copy.state} ({copy.why or 'no reason given'}) and is made anew"


def _copy(context: RecoveryContext, asset: Compute, image: str) -> None:
    inventory, names = context.inventory, context.inventory.names
    tags = names.tags(asset.name) | {TAG_SOURCE_IMAGE: image}
    tagged = [{"Key": key, "Value": tags[key]} for key in sorted(tags)]
    context.client.call(
        "ec2",
        "copy_image",
        inventory.standby,
        Name=names.kept_image(asset.name, image, stamp(context.clock.now())),
        Description=f"Copy of {image} of {inventory.primary}, launched there since the last deployment",
        SourceImageId=image,
        SourceRegion=inventory.primary,
        Encrypted=True,
        KmsKeyId=names.key_alias,
        TagSpecifications=[{"ResourceType": kind, "Tags": tagged} for kind in ("image", "snapshot")],
    )


# -- pruning ---------------------------------------------------------------------------------------------------


def prune(context: RecoveryContext, assets: Iterable[Compute], needed: Collection[str]) -> None:
    """Let go of the copies that no kept point names, when a newer one is there or the stack has its own."""
    inventory = context.inventory
    for asset in assets:
        found = kept(context.client, inventory.standby, inventory.workload, asset.name)
        for each in unneeded(found, needed, asset.image):
            _deregister(context, each)


def unneeded(copies: list[ImageCopy], needed: Collection[str], deployed: str) -> list[ImageCopy]:
    """All but what a point names, and the newest of an image that the stack has no copy of (pure).

    A copy that failed goes in any case, once it was told.
    """
    alive = [each for each in copies if each.state in (AVAILABLE, PENDING)]
    newest = {each.id for each in alive[:1] if each.source != deployed}
    under_way = {each.id for each in alive if each.state == PENDING}
    return [each for each in copies if each.id not in {*needed, *newest, *under_way}]


def _deregister(context: RecoveryContext, image: ImageCopy) -> None:
    """With its snapshots, in one call (EC2 API Reference, DeregisterImage), so that none is left without an image."""
    try:
        context.client.call(
            "ec2", "deregister_image", context.inventory.standby, ImageId=image.id, DeleteAssociatedSnapshots=True
        )
    except CallRefused as refusal:
        if aws_code(refusal) not in NOT_NOW:
            raise
