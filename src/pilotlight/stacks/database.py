"""The database: a global cluster around the user's own, and its secondary with one instance in the standby region.

A failover moves the writer, and AWS then changes members and sources of both clusters. An IaC run that still believed
its old inputs would detach or replace the cluster that serves (cloudposse/terraform-aws-rds-cluster issues 281 and
287, hashicorp/terraform-provider-aws issue 28746). So everything that a failover changes is left out of comparison:
see IGNORED_GLOBAL and IGNORED_STANDBY. The secondary has an instance, because one without cannot be promoted in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.runtime.records.inventory import Database as Asset
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import placeholders, policies

INSTANCE_CLASS = "db.r6g.large"
"""The smallest current class of a global database (Aurora User Guide, "Configuration requirements")."""
BACKUP_RETENTION_DAYS = 7
IGNORED_GLOBAL = ["source_db_cluster_identifier", "engine", "engine_version", "database_name", "storage_encrypted"]
IGNORED_STANDBY = [
    "global_cluster_identifier",
    "replication_source_identifier",
    "engine_version",
    "kms_key_id",
    "source_region",
    "master_username",
    "master_password",
    "database_name",
]
"""`kms_key_id`: we name the key by alias, AWS answers with its ARN, and a difference would mean replacement.
`source_region`: only the request that makes the cluster has it (docs/adr/0014-source-region.md)."""


@dataclass(frozen=True)
class GlobalDatabaseSpec:
    """The global cluster that is put around the user's cluster (`source_arn`) in the primary region."""

    region: str
    identifier: str
    source_arn: str


@dataclass(frozen=True)
class GlobalDatabaseArgs:
    """A global cluster takes nothing but its spec."""

    spec: GlobalDatabaseSpec


@dataclass(frozen=True)
class DatabaseSpec:
    """The secondary cluster; engine and version are the primary's, which a global database requires."""

    asset: str
    region: str
    source_region: str
    cluster: str
    global_cluster: str
    subnet_group: str
    engine: str
    engine_version: str
    instance_class: str
    key_arn: str
    """The alias ARN of the standby key."""
    backup_retention_days: int
    final_snapshot: str
    tags: dict[str, str]


@dataclass(frozen=True)
class DatabaseArgs:
    """`subnet_ids`: at least two, in two zones. `security_group`: the one that lets the fleet in."""

    spec: DatabaseSpec
    subnet_ids: list[pulumi.Output[str]]
    security_group: pulumi.Input[str]


def global_database_spec(inventory: Inventory, asset: Asset) -> GlobalDatabaseSpec:
    """The global cluster of this asset (pure)."""
    return GlobalDatabaseSpec(inventory.primary, asset.global_cluster, asset.primary_arn)


def database_spec(inventory: Inventory, asset: Asset, instance_class: str = INSTANCE_CLASS) -> DatabaseSpec:
    """The secondary of this asset (pure)."""
    names = inventory.names
    return DatabaseSpec(
        asset=asset.name,
        region=names.standby,
        source_region=names.primary,
        cluster=asset.standby_cluster,
        global_cluster=asset.global_cluster,
        subnet_group=names.subnet_group(asset.name),
        engine=asset.engine,
        engine_version=asset.engine_version,
        instance_class=instance_class,
        key_arn=policies.alias_arn(names, names.standby),
        backup_retention_days=BACKUP_RETENTION_DAYS,
        final_snapshot=names.final_snapshot(asset.name),
        tags=names.tags(asset.name),
    )


class GlobalDatabase(pulumi.ComponentResource):
    """Attaches a global cluster to the user's cluster, whose own settings it does not touch."""

    def __init__(self, name: str, args: GlobalDatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:GlobalDatabase", name, None, opts)
        spec = args.spec
        aws.rds.GlobalCluster(
            name,
            region=spec.region,
            global_cluster_identifier=spec.identifier,
            source_db_cluster_identifier=spec.source_arn,
            force_destroy=False,
            opts=pulumi.ResourceOptions(parent=self, protect=True, ignore_changes=IGNORED_GLOBAL),
        )
        self.register_outputs({})


class Database(pulumi.ComponentResource):
    """Creates the secondary cluster and one instance. Outputs: `endpoint`, `reader` and `port` of the cluster."""

    endpoint: pulumi.Output[str]
    reader: pulumi.Output[str]
    port: pulumi.Output[int]

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Database", name, None, opts)
        self._spec, self._name = args.spec, name
        cluster = self._cluster(args)
        self._instance(cluster)
        self.endpoint, self.reader, self.port = cluster.endpoint, cluster.reader_endpoint, cluster.port
        self.register_outputs({"endpoint": self.endpoint, "reader": self.reader, "port": self.port})

    def marks(self) -> Mapping[str, pulumi.Output[str]]:
        """The marks that user data may hold for this database, and what they become."""
        asset = self._spec.asset
        return {
            placeholders.database(asset, placeholders.ENDPOINT): self.endpoint,
            placeholders.database(asset, placeholders.READER): self.reader,
            placeholders.database(asset, placeholders.PORT): self.port.apply(lambda port: str(int(port))),
        }

    def _cluster(self, args: DatabaseArgs) -> aws.rds.Cluster:
        spec = self._spec
        subnets = aws.rds.SubnetGroup(
            f"{self._name}-subnets",
            region=spec.region,
            name=spec.subnet_group,
            subnet_ids=args.subnet_ids,
            tags=spec.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return aws.rds.Cluster(
            self._name,
            region=spec.region,
            source_region=spec.source_region,
            cluster_identifier=spec.cluster,
            global_cluster_identifier=spec.global_cluster,
            engine=spec.engine,
            engine_version=spec.engine_version,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[args.security_group],
            storage_encrypted=True,
            kms_key_id=spec.key_arn,
            backup_retention_period=spec.backup_retention_days,
            copy_tags_to_snapshot=True,
            deletion_protection=True,
            skip_final_snapshot=False,
            final_snapshot_identifier=spec.final_snapshot,
            tags=spec.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=True, ignore_changes=IGNORED_STANDBY),
        )

    def _instance(self, cluster: aws.rds.Cluster) -> None:
        """No minor upgrades by itself: both regions must run the same version to fail over."""
        spec = self._spec
        aws.rds.ClusterInstance(
            f"{self._name}-1",
            region=spec.region,
            identifier=f"{spec.cluster}-1",
            cluster_identifier=cluster.cluster_identifier,
            engine=aws.rds.EngineType(spec.engine),
            instance_class=spec.instance_class,
            auto_minor_version_upgrade=False,
            publicly_accessible=False,
            tags=spec.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
