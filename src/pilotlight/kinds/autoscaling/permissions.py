"""What the functions may do with compute groups.

They write launch templates of their own, told by a tag, and never the stack's; whoever points a group at a template is
asked for ec2:RunInstances and iam:PassRole (Auto Scaling User Guide, "Control Amazon EC2 launch template usage in Auto
Scaling groups"), which they may do through a launch template of this account alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.kinds.autoscaling.launching import spread
from pilotlight.runtime.naming import TAG_TEMPLATE, TAG_WORKLOAD, TEMPLATE_OF_RUN, Names
from pilotlight.runtime.records.inventory import Compute, Inventory
from pilotlight.stacks.permissions import KindPermissions
from pilotlight.stacks.policies import Statement, allow, shared_arn, snapshot_keys

OBSERVE_COMPUTE = ["ec2:DescribeImages", "ec2:DescribeLaunchTemplateVersions", "autoscaling:DescribeAutoScalingGroups"]

DESCRIBE_COMPUTE = [
    "ec2:DescribeImages",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeSnapshots",
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeScalingActivities",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetHealth",
]


class GroupPermissions(KindPermissions):
    """Of compute groups."""

    def probe(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """It looks at groups, and replaces an instance by one with the same volumes
        (runtime/kinds/autoscaling/replacements.py)."""
        if not assets:
            return []
        looks = allow("LookAtGroups", ["autoscaling:DescribeAutoScalingGroups"], ["*"])
        held = [each for each in assets if spread(inventory, each)]
        if not held:
            return [looks]
        return [
            looks,
            allow("ReplaceMissing", ["autoscaling:UpdateAutoScalingGroup"], _standby_groups(inventory, held)),
            *_name_template(inventory, held),
            *_hold_groups(inventory),
        ]

    def protect(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """Whether image, template and group wait in the standby region; and the primary's groups go to zero where the
        lost region returns while the standby serves."""
        if not assets:
            return []
        names = inventory.names
        groups = [
            f"arn:{PARTITION}:autoscaling:{names.primary}:{names.account}:autoScalingGroup:*:"
            f"autoScalingGroupName/{each.primary_group}"
            for each in assets
        ]
        stop = ["autoscaling:UpdateAutoScalingGroup", "autoscaling:SuspendProcesses"]
        return [allow("DescribeStandby", OBSERVE_COMPUTE, ["*"]), allow("StopReturned", stop, groups)]

    def copies(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """Of images; deletes only what carries the workload's tag."""
        return [*_copy_images(inventory), *snapshot_keys(inventory.names)] if assets else []

    def recover(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """Groups start from the run's own template."""
        if not assets:
            return []
        return [
            allow("DescribeCompute", DESCRIBE_COMPUTE, ["*"]),
            allow("Scale", ["autoscaling:UpdateAutoScalingGroup"], _standby_groups(inventory, assets)),
            *_launch_from_point(inventory),
            *_hold_groups(inventory),
        ]


def _copy_images(inventory: Inventory) -> list[Statement]:
    """Of an image and the snapshots behind it (EC2 User Guide, "Copy an Amazon EC2 AMI")."""
    names = inventory.names
    ours = {"StringEquals": {f"aws:ResourceTag/{TAG_WORKLOAD}": names.workload}}
    made = {"StringEquals": {"ec2:CreateAction": "CopyImage"}}
    sources, copied = (
        [shared_arn(region, kind) for kind in ("image", "snapshot")] for region in (names.primary, names.standby)
    )
    return [
        allow("CopyImages", ["ec2:CopyImage"], [*sources, *copied]),
        allow("TagImages", ["ec2:CreateTags"], copied, made),
        allow("PruneImages", ["ec2:DeregisterImage", "ec2:DeleteSnapshot"], copied, ours),
    ]


def _launch_from_point(inventory: Inventory) -> list[Statement]:
    """The run's own template, and pointing a group at it."""
    names = inventory.names
    templates = [_own_ec2(names, "launch-template")]
    runs = {f"aws:ResourceTag/{TAG_TEMPLATE}": TEMPLATE_OF_RUN, f"aws:ResourceTag/{TAG_WORKLOAD}": names.workload}
    new = {key.replace("Resource", "Request"): value for key, value in runs.items()}
    made = {"StringEquals": {"ec2:CreateAction": "CreateLaunchTemplate"}}
    return [
        allow("MakeTemplate", ["ec2:CreateLaunchTemplate"], templates, {"StringEquals": new}),
        allow("TagTemplate", ["ec2:CreateTags"], templates, made),
        allow("PrepareTemplate", ["ec2:CreateLaunchTemplateVersion"], templates, {"StringEquals": runs}),
        *_name_template(inventory, inventory.computes),
    ]


def _name_template(inventory: Inventory, computes: Iterable[Compute]) -> list[Statement]:
    """What Auto Scaling asks of whoever names a template: that they could launch from it themselves."""
    names = inventory.names
    through = {"ArnLike": {"ec2:LaunchTemplate": _own_ec2(names, "launch-template")}}
    tagging = {"StringEquals": {"ec2:CreateAction": "RunInstances"}}
    launched = [_own_ec2(names, kind) for kind in ("instance", "network-interface", "volume")]
    used = [_own_ec2(names, kind) for kind in ("launch-template", "security-group", "subnet")]
    shared = [shared_arn(names.standby, kind) for kind in ("image", "snapshot")]
    roles = [f"arn:{PARTITION}:iam::{names.account}:role/{names.role(f'instance-{each.name}')}" for each in computes]
    to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    return [
        allow("NameTemplate", ["ec2:RunInstances"], [*launched, *used, *shared], through),
        allow("TagLaunched", ["ec2:CreateTags"], launched, tagging),
        allow("PassInstanceRole", ["iam:PassRole"], roles, to_ec2),
    ]


def _hold_groups(inventory: Inventory) -> list[Statement]:
    """Keeping a group from launching an instance with another one's volumes."""
    held = [each for each in inventory.computes if spread(inventory, each)]
    if not held:
        return []
    hold = ["autoscaling:SuspendProcesses", "autoscaling:ResumeProcesses"]
    return [allow("HoldGroups", hold, _standby_groups(inventory, held))]


def _standby_groups(inventory: Inventory, computes: Iterable[Compute]) -> list[str]:
    own = f"{inventory.standby}:{inventory.account}"
    return [
        f"arn:{PARTITION}:autoscaling:{own}:autoScalingGroup:*:autoScalingGroupName/{each.standby_group}"
        for each in computes
    ]


def _own_ec2(names: Names, kind: str) -> str:
    return f"arn:{PARTITION}:ec2:{names.standby}:{names.account}:{kind}/*"


KIND = GroupPermissions()
