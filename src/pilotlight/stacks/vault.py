"""The vault: what outlives the other stacks and, in the standby region, the primary region itself.

Key, destination buckets, the bucket of records, the journal and the logs of the functions. The logs are here and not
with the functions because they tell what a run did after the standby stack is gone, and because CloudWatch Logs takes
a key only by its own ARN, which only this stack knows. Everything that holds data is protected from deletion.

A vault in an account of its own has the buckets and a key for them there; journal, logs and their key stay with the
functions, in the workload's account. The role that a deployer assumes there is the provider of what is made in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.runtime.naming import PREFIX
from pilotlight.runtime.records.inventory import Datasets as Dataset
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import policies
from pilotlight.stacks.buckets import BucketArgs, BucketSpec, PrivateBucket, noncurrent_days
from pilotlight.stacks.keys import KeyArgs, KeySpec, RegionKey, copies_key_spec, standby_key_spec

LOG_RETENTION_DAYS = 400
"""Longer than a year, so that the log of the last yearly drill is still there (a value CloudWatch Logs accepts)."""
FUNCTIONS = ("probe", "protect", "recover")


@dataclass(frozen=True)
class VaultSpec:
    """Everything the vault consists of, in the standby region. `replicas` maps asset name -> its bucket; `role_arn` and
    `copies_key` are there where the buckets are another account's."""

    region: str
    key: KeySpec
    copies_key: KeySpec | None
    role_arn: str
    records: BucketSpec
    replicas: dict[str, BucketSpec]
    journal_table: str
    log_groups: dict[str, str]
    log_retention_days: int
    tags: dict[str, str]


@dataclass(frozen=True)
class VaultArgs:
    """The vault takes nothing but its spec: no other stack has to exist."""

    spec: VaultSpec


def vault_spec(inventory: Inventory) -> VaultSpec:
    """The vault of this inventory (pure)."""
    names = inventory.names
    return VaultSpec(
        region=names.standby,
        key=standby_key_spec(inventory),
        copies_key=copies_key_spec(inventory) if inventory.vault else None,
        role_arn=inventory.vault.role_arn if inventory.vault else "",
        records=_records(inventory),
        replicas={each.name: _replica(inventory, each) for each in inventory.datasets},
        journal_table=names.journal_table,
        log_groups={purpose: policies.log_group(names, purpose) for purpose in FUNCTIONS},
        log_retention_days=LOG_RETENTION_DAYS,
        tags=names.tags(),
    )


def _records(inventory: Inventory) -> BucketSpec:
    names, days = inventory.names, noncurrent_days(inventory.keep)
    lent = policies.lent(names, names.vault_bucket, locked=inventory.lock is not None)
    return BucketSpec(names.vault_bucket, names.standby, names.tags(), days, lockable=True, lent=lent)


def _replica(inventory: Inventory, asset: Dataset) -> BucketSpec:
    names, days = inventory.names, noncurrent_days(inventory.keep)
    lent = policies.lent(names, asset.standby_bucket)
    return BucketSpec(asset.standby_bucket, names.standby, names.tags(asset.name), days, lent=lent)


class Vault(pulumi.ComponentResource):
    """The vault. Outputs: `key_arn` (the journal's), `records` (bucket name), `replicas` (by asset), `journal`."""

    key_arn: pulumi.Output[str]
    records: pulumi.Output[str]
    replicas: dict[str, pulumi.Output[str]]
    journal: pulumi.Output[str]

    def __init__(self, name: str, args: VaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Vault", name, None, opts)
        self._spec, self._name = args.spec, name
        self.key_arn = RegionKey(f"{name}-key", KeyArgs(args.spec.key), pulumi.ResourceOptions(parent=self)).arn
        self._there = self._in_its_account()
        self._copies_key_arn = self._copies_key()
        self.records = self._bucket(
            "papers", args.spec.records
        )  # its name since the first edition: another is another URN
        self.replicas = {asset: self._bucket(asset, spec) for asset, spec in args.spec.replicas.items()}
        self.journal = self._journal()
        self._log_groups()
        self.register_outputs(
            {"keyArn": self.key_arn, "papers": self.records, "replicas": self.replicas, "journal": self.journal}
        )

    def _in_its_account(self) -> pulumi.ResourceOptions:
        """Options of what is in the vault's own account, where it has one."""
        if not self._spec.role_arn:
            return pulumi.ResourceOptions(parent=self)
        provider = aws.Provider(
            f"{self._name}-account",
            region=self._spec.region,
            assume_roles=[aws.ProviderAssumeRoleArgs(role_arn=self._spec.role_arn, session_name=PREFIX)],
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.ResourceOptions(parent=self, provider=provider)

    def _copies_key(self) -> pulumi.Output[str]:
        """The key of the buckets."""
        if self._spec.copies_key is None:
            return self.key_arn
        return RegionKey(f"{self._name}-copies-key", KeyArgs(self._spec.copies_key), self._there).arn

    def _bucket(self, purpose: str, spec: BucketSpec) -> pulumi.Output[str]:
        args = BucketArgs(spec, self._copies_key_arn)
        return PrivateBucket(f"{self._name}-{purpose}", args, self._there).bucket

    def _journal(self) -> pulumi.Output[str]:
        table = aws.dynamodb.Table(
            f"{self._name}-journal",
            region=self._spec.region,
            name=self._spec.journal_table,
            billing_mode="PAY_PER_REQUEST",
            hash_key="pk",
            range_key="sk",
            attributes=[
                aws.dynamodb.TableAttributeArgs(name="pk", type="S"),
                aws.dynamodb.TableAttributeArgs(name="sk", type="S"),
            ],
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(enabled=True, kms_key_arn=self.key_arn),
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            deletion_protection_enabled=True,
            tags=self._spec.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        return table.name

    def _log_groups(self) -> None:
        for purpose, group in self._spec.log_groups.items():
            aws.cloudwatch.LogGroup(
                f"{self._name}-log-{purpose}",
                region=self._spec.region,
                name=group,
                kms_key_id=self.key_arn,
                retention_in_days=self._spec.log_retention_days,
                tags=self._spec.tags,
                opts=pulumi.ResourceOptions(parent=self),
            )
