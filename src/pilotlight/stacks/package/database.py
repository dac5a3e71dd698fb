"""An Aurora cluster with a secondary in a second region, for any Pulumi program."""

from typing import NotRequired, TypedDict

import pulumi

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.records.inventory import Database as Asset
from pilotlight.stacks.database import (
    INSTANCE_CLASS,
    Database,
    DatabaseArgs,
    GlobalDatabase,
    GlobalDatabaseArgs,
    database_spec,
    global_database_spec,
)
from pilotlight.stacks.keys import KeyArgs, RegionKey, standby_key_spec
from pilotlight.stacks.package.account import bare_inventory, checked


class ProtectedDatabaseArgs(TypedDict):
    """The cluster that runs, and where its secondary is to be."""

    primary_region: str
    """AWS region of the cluster, for example `us-east-1`."""
    standby_region: str
    """AWS region of the secondary."""
    cluster: str
    """Identifier of the Aurora cluster that runs. Known when the program starts; where the same program makes the
    cluster, give `dependsOn` too. None of its own settings are touched."""
    engine: str
    """The cluster's engine: `aurora-postgresql`."""
    engine_version: str
    """The cluster's version, for example `16.6`: a global database needs the same in both regions."""
    subnet_ids: list[pulumi.Input[str]]
    """Subnets of the standby region, at least two, in two zones."""
    security_group_id: pulumi.Input[str]
    """The group of the standby region that lets in whoever asks the database after a failover."""
    workload: NotRequired[str]
    """Begins the names of everything that is made, after `pilotlight-`. Default: the component's own name. Two
    components of one account may not share it."""
    instance_class: NotRequired[str]
    """Class of the secondary's one instance. Default: `db.r6g.large`, the smallest of a global database."""


class ProtectedDatabase(pulumi.ComponentResource):
    """Puts a global cluster around a running Aurora cluster and keeps a secondary with one instance in a second region.
    What a failover changes is left out of comparison, so that the next `pulumi up` undoes no recovery."""

    endpoint: pulumi.Output[str]
    """Writer's address in the standby region; it answers once the secondary was promoted."""
    reader_endpoint: pulumi.Output[str]
    """Reader's address in the standby region; it answers at any time."""
    global_cluster: pulumi.Output[str]
    """Identifier of the global cluster, which a failover names."""

    def __init__(self, name: str, args: ProtectedDatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:index:ProtectedDatabase", name, None, opts)
        asset_name = checked("name", name)
        bare = bare_inventory(self, args.get("workload") or name, args["primary_region"], args["standby_region"])
        asset = Asset(
            name=asset_name,
            engine=args["engine"],
            engine_version=args["engine_version"],
            database="",
            primary_cluster=args["cluster"],
            primary_arn=f"arn:{PARTITION}:rds:{bare.primary}:{bare.account}:cluster:{args['cluster']}",
            standby_cluster=bare.names.standby_cluster(asset_name),
            standby_arn=f"arn:{PARTITION}:rds:{bare.standby}:{bare.account}:cluster:{bare.names.standby_cluster(asset_name)}",
            global_cluster=bare.names.global_cluster(asset_name),
        )
        under = pulumi.ResourceOptions(parent=self)
        key = RegionKey(f"{name}-standby-key", KeyArgs(standby_key_spec(bare)), under)
        around = GlobalDatabase(f"{name}-global", GlobalDatabaseArgs(global_database_spec(bare, asset)), under)
        spec = database_spec(bare, asset, args.get("instance_class") or INSTANCE_CLASS)
        subnets = [pulumi.Output.from_input(each) for each in args["subnet_ids"]]
        needs = DatabaseArgs(spec, subnets, args["security_group_id"])
        ready = pulumi.ResourceOptions(parent=self, depends_on=[key, around])
        secondary = Database(f"{name}-secondary", needs, ready)
        self.endpoint, self.reader_endpoint = secondary.endpoint, secondary.reader
        self.global_cluster = pulumi.Output.from_input(asset.global_cluster)
        self.register_outputs(
            {"endpoint": self.endpoint, "readerEndpoint": self.reader_endpoint, "globalCluster": self.global_cluster}
        )
