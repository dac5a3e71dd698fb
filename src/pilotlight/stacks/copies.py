"""Copies: what the recovery points of EBS volumes and of images need, which is permission and nothing else.

Volumes and images stay the user's and are found at each recovery point, volumes by their tag and images by the group
that launches them, so that what is new since yesterday is in today's. All volumes of one instance are snapshot in one
CreateSnapshots call (EBS User Guide, "Create multi-volume snapshots"); what is copied is encrypted with the standby key
and pruned by the retention policy. The protect function may do so only where this component is.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import function_policies, policies


@dataclass(frozen=True)
class CopiesSpec:
    """`policy` is JSON."""

    policy_name: str
    policy: str


@dataclass(frozen=True)
class CopiesArgs:
    """`role`: name of the protect function's role."""

    spec: CopiesSpec
    role: pulumi.Input[str]


def copies_spec(inventory: Inventory) -> CopiesSpec | None:
    """The permission for all that is copied by scheduled runs; None where nothing is (pure)."""
    policy = function_policies.copies(inventory)
    return CopiesSpec("copies", policies.text(policy)) if policy["Statement"] else None


class Copies(pulumi.ComponentResource):
    """Lets the protect function snapshot, copy and prune."""

    def __init__(self, name: str, args: CopiesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Copies", name, None, opts)
        aws.iam.RolePolicy(
            f"{name}-policy",
            name=args.spec.policy_name,
            role=args.role,
            policy=args.spec.policy,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
