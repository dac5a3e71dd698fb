"""Volumes: what the recovery points of EBS volumes need, which is permission and nothing else.

The volumes stay the user's and are found by their tag at each recovery point, so that one attached yesterday is in
today's. All of one instance are snapshot in one CreateSnapshots call (EBS User Guide, "Create multi-volume snapshots"),
copied with the standby key and pruned by the ladder; the protect function may do so only where this component is.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.records.inventory import Inventory
from pilotlight.stacks import function_policies, policies


@dataclass(frozen=True)
class VolumesSpec:
    """`groups` are the names of the volume groups; `policy` is JSON."""

    groups: tuple[str, ...]
    policy_name: str
    policy: str


@dataclass(frozen=True)
class VolumesArgs:
    """`role`: name of the protect function's role."""

    spec: VolumesSpec
    role: pulumi.Input[str]


def volumes_spec(inventory: Inventory) -> VolumesSpec:
    """The permission for all volume groups of this inventory (pure)."""
    groups = tuple(each.name for each in inventory.volumes)
    return VolumesSpec(groups, "snapshots", policies.text(function_policies.snapshots(inventory)))


class Volumes(pulumi.ComponentResource):
    """Lets the protect function snapshot, copy and prune."""

    def __init__(self, name: str, args: VolumesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Volumes", name, None, opts)
        aws.iam.RolePolicy(
            f"{name}-policy",
            name=args.spec.policy_name,
            role=args.role,
            policy=args.spec.policy,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
