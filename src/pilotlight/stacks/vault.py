"""The vault: what outlives the other stacks and, in the standby region, the primary region itself.

Key, destination buckets, the bucket of papers, the journal and the logs of the functions. The logs are here and not
with the functions because they tell what a run did after the standby stack is gone, and because CloudWatch Logs takes
a key only by its own ARN, which only this stack knows. Everything that holds data is protected from deletion.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.records.inventory import Inventory
from pilotlight.stacks import policies
from pilotlight.stacks.buckets import BucketArgs, BucketSpec, PrivateBucket, noncurrent_days
from pilotlight.stacks.keys import KeyArgs, KeySpec, RegionKey, standby_key_spec

LOG_RETENTION_DAYS = 400
"""Longer than a year, so that the log of the last yearly drill is still there (a value CloudWatch Logs accepts)."""
FUNCTIONS = ("probe", "protect", "recover")


@dataclass(frozen=True)
class VaultSpec:
    """Everything the vault consists of, in the standby region. `replicas` maps asset name -> its bucket."""

    region: str
    key: KeySpec
    papers: BucketSpec
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
    days = noncurrent_days(inventory.keep)
    return VaultSpec(
        region=names.standby,
        key=standby_key_spec(inventory),
        papers=BucketSpec(names.vault_bucket, names.standby, names.tags(), days, lockable=True),
        replicas={
            each.name: BucketSpec(each.standby_bucket, names.standby, names.tags(each.name), days)
            for each in inventory.datasets
        },
        journal_table=names.journal_table,
        log_groups={purpose: policies.log_group(names, purpose) for purpose in FUNCTIONS},
        log_retention_days=LOG_RETENTION_DAYS,
        tags=names.tags(),
    )


class Vault(pulumi.ComponentResource):
    """Creates the vault. Outputs: `key_arn`, `papers` (bucket name), `replicas` (bucket name by asset), `journal`."""

    key_arn: pulumi.Output[str]
    papers: pulumi.Output[str]
    replicas: dict[str, pulumi.Output[str]]
    journal: pulumi.Output[str]

    def __init__(self, name: str, args: VaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Vault", name, None, opts)
        self._spec, self._name = args.spec, name
        self.key_arn = RegionKey(f"{name}-key", KeyArgs(args.spec.key), pulumi.ResourceOptions(parent=self)).arn
        self.papers = self._bucket("papers", args.spec.papers)
        self.replicas = {asset: self._bucket(asset, spec) for asset, spec in args.spec.replicas.items()}
        self.journal = self._journal()
        self._log_groups()
        self.register_outputs(
            {"keyArn": self.key_arn, "papers": self.papers, "replicas": self.replicas, "journal": self.journal}
        )

    def _bucket(self, purpose: str, spec: BucketSpec) -> pulumi.Output[str]:
        args = BucketArgs(spec, self.key_arn)
        return PrivateBucket(f"{self._name}-{purpose}", args, pulumi.ResourceOptions(parent=self)).bucket

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
