"""One KMS key for each region, behind the same alias, rotated every year and protected from deletion; and one more
for a vault in an account of its own, where the alias is the same again.

Other stacks and every role name the key by its alias; only what shares a stack with it uses its ARN.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import key_policies, policies

KEY_DELETION_DAYS = 30
"""The longest window there is: a key deleted is data deleted (KMS API, ScheduleKeyDeletion)."""


@dataclass(frozen=True)
class KeySpec:
    """The key of one region: its alias, and its policy as JSON."""

    region: str
    alias: str
    policy: str
    description: str
    tags: dict[str, str]


@dataclass(frozen=True)
class KeyArgs:
    """A key takes nothing but its spec."""

    spec: KeySpec


def standby_key_spec(inventory: Inventory) -> KeySpec:
    """The standby region's key: everything kept there (pure)."""
    names = inventory.names
    policy = policies.text(key_policies.standby_key(names))
    about = f"Pilotlight {names.workload}: everything kept in {names.standby}"
    return KeySpec(names.standby, names.key_alias, policy, about, names.tags())


def copies_key_spec(inventory: Inventory) -> KeySpec:
    """The key of a vault in an account of its own: replicas and records there (pure)."""
    names = inventory.names
    about = f"Pilotlight {names.workload}: copies of account {names.account}"
    return KeySpec(names.standby, names.key_alias, policies.text(key_policies.copies_key(names)), about, names.tags())


def primary_key_spec(inventory: Inventory) -> KeySpec:
    """The primary region's key: what comes back by reverse replication (pure)."""
    names = inventory.names
    policy = policies.text(key_policies.primary_key(names))
    about = f"Pilotlight {names.workload}: objects that return to {names.primary}"
    return KeySpec(names.primary, names.key_alias, policy, about, names.tags())


class RegionKey(pulumi.ComponentResource):
    """Creates key and alias. Output: `arn`."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: KeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:RegionKey", name, None, opts)
        spec = args.spec
        key = aws.kms.Key(
            name,
            region=spec.region,
            description=spec.description,
            enable_key_rotation=True,
            deletion_window_in_days=KEY_DELETION_DAYS,
            policy=spec.policy,
            tags=spec.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        aws.kms.Alias(
            f"{name}-alias",
            region=spec.region,
            name=spec.alias,
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = key.arn
        self.register_outputs({"arn": self.arn})
