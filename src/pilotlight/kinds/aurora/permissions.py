"""What the functions may do with a database: look, read the rows that name checkpoints, promote."""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.readiness.looking import asked_cluster
from pilotlight.runtime.records.inventory import Database, Inventory
from pilotlight.stacks.permissions import KindPermissions
from pilotlight.stacks.policies import Statement, allow


class AuroraPermissions(KindPermissions):
    """Of databases."""

    def probe(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """RDS is asked for the clusters, or for one that nobody has."""
        names = inventory.names
        nobodys = [
            f"arn:{PARTITION}:rds:{region}:{names.account}:cluster:{asked_cluster(names)}"
            for region in (names.primary, names.standby)
        ]
        clusters = [arn for each in assets for arn in (each.primary_arn, each.standby_arn)] or nobodys
        return [allow("LookAtDatabases", ["rds:DescribeDBClusters"], clusters)]

    def protect(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """Both clusters, the lag between them, and rows."""
        if not assets:
            return []
        clusters = [each.standby_arn for each in assets] + [each.primary_arn for each in assets]
        return [
            *_observe(inventory, assets, clusters),
            *_read_rows(inventory, assets),
            allow("MeasureLag", ["cloudwatch:GetMetricStatistics"], ["*"]),
        ]

    def recover(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """The secondary is promoted. FailoverGlobalCluster is authorized on the whole global cluster, so that of the
        primary region the member that it leaves behind is named. Several are described by one call, which names none
        and is authorized on all (docs/adr/0023)."""
        if not assets:
            return []
        involved = [_global_arn(inventory, each) for each in assets]
        involved += [arn for each in assets for arn in (each.primary_arn, each.standby_arn)]
        return [
            *_observe(inventory, assets, [each.standby_arn for each in assets]),
            *(_observe_together(inventory) if len(assets) > 1 else []),
            allow("Promote", ["rds:FailoverGlobalCluster"], involved),
        ]


def _observe(inventory: Inventory, assets: tuple[Any, ...], clusters: list[str]) -> list[Statement]:
    globals_ = [_global_arn(inventory, each) for each in assets]
    return [
        allow("DescribeGlobal", ["rds:DescribeGlobalClusters"], globals_),
        allow("DescribeClusters", ["rds:DescribeDBClusters"], clusters),
    ]


def _observe_together(inventory: Inventory) -> list[Statement]:
    """Reading alone, of the standby region."""
    names = inventory.names
    of = [f"arn:{PARTITION}:rds::{names.account}:global-cluster:*"]
    of += [f"arn:{PARTITION}:rds:{names.standby}:{names.account}:cluster:*"]
    return [allow("DescribeTogether", ["rds:DescribeGlobalClusters", "rds:DescribeDBClusters"], of)]


def _read_rows(inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
    """The rows that name checkpoints (Aurora User Guide, "Authorizing access to the Amazon RDS Data API")."""
    named = [each for each in assets if each.table]
    if not named:
        return []
    names = inventory.names
    keys = f"arn:{PARTITION}:kms:{names.primary}:{names.account}:key/*"
    through = {"StringEquals": {"kms:ViaService": f"secretsmanager.{names.primary}.amazonaws.com"}}
    return [
        allow("ReadRows", ["rds-data:ExecuteStatement"], [each.primary_arn for each in named]),
        allow("LogIn", ["secretsmanager:GetSecretValue"], list(dict.fromkeys(each.secret for each in named))),
        allow("DecryptLogin", ["kms:Decrypt"], [keys], through),
    ]


def _global_arn(inventory: Inventory, database: Database) -> str:
    """A global cluster's ARN has no region (Service Authorization Reference, "Amazon RDS")."""
    return f"arn:{PARTITION}:rds::{inventory.account}:global-cluster:{database.global_cluster}"


KIND = AuroraPermissions()
