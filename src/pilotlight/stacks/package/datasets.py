"""Buckets of datasets and checkpoints, replicated to a second region and back, for any Pulumi program."""

from typing import NotRequired, TypedDict

import pulumi

from pilotlight.runtime.records.inventory import Datasets as Asset
from pilotlight.runtime.records.inventory import Inventory, Keep, as_folder
from pilotlight.stacks.buckets import BucketArgs, BucketSpec, PrivateBucket, noncurrent_days
from pilotlight.stacks.datasets import Datasets, DatasetsArgs, dataset_spec
from pilotlight.stacks.keys import KeyArgs, RegionKey, primary_key_spec, standby_key_spec
from pilotlight.stacks.package.account import bare_inventory, with_datasets

VERSIONS_DAYS = noncurrent_days(Keep())


class ProtectedDataset(TypedDict):
    """One bucket, or what lies below a prefix of it."""

    name: str
    """What the dataset is called: lower-case letters, digits and hyphens. It becomes part of the replica's name."""
    bucket: str
    """Name of the bucket in the primary region. Known when the program starts; where the same program makes the
    bucket, give `dependsOn` too. Versioning is turned on for it, and stays on when the component goes."""
    prefix: NotRequired[str]
    """Only what lies in this folder: `train` means `train/`. Default: the whole bucket."""


class ProtectedDatasetsArgs(TypedDict):
    """What is protected, and where."""

    primary_region: str
    """AWS region of the buckets, for example `us-east-1`."""
    standby_region: str
    """AWS region of the replicas."""
    datasets: list[ProtectedDataset]
    """The buckets; at least one."""
    workload: NotRequired[str]
    """Begins the names of everything that is made, after `pilotlight-`. Default: the component's own name. Two
    components of one account may not share it."""
    versions_days: NotRequired[int]
    """Days for which a replica's version stays after it was overwritten or deleted. Default: 35."""


class ProtectedDatasets(pulumi.ComponentResource):
    """Replicates buckets to private, encrypted buckets in a second region, with S3 Replication Time Control (99.99 % of
    new objects within 15 minutes), and has the rule back in place, so that a failback makes no S3 configuration call.
    Objects that lie in the bucket already are brought by `pilotlight backfill` or by S3 Batch Replication."""

    standby_buckets: pulumi.Output[dict[str, str]]
    """Name of the replica, by name of the dataset."""
    key_arn: pulumi.Output[str]
    """ARN of the KMS key that the replicas are encrypted with, in the standby region."""

    def __init__(self, name: str, args: ProtectedDatasetsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:index:ProtectedDatasets", name, None, opts)
        inventory = self._inventory(name, args)
        under = pulumi.ResourceOptions(parent=self)
        key = RegionKey(f"{name}-standby-key", KeyArgs(standby_key_spec(inventory)), under)
        theirs = RegionKey(f"{name}-primary-key", KeyArgs(primary_key_spec(inventory)), under)
        days = int(args.get("versions_days") or VERSIONS_DAYS)
        replicas, names = dict[str, PrivateBucket](), inventory.names
        for each in inventory.datasets:
            spec = BucketSpec(each.standby_bucket, names.standby, names.tags(each.name), days)
            replicas[each.name] = PrivateBucket(f"{name}-{each.name}", BucketArgs(spec, key.arn), under)
            ready = pulumi.ResourceOptions(parent=self, depends_on=[replicas[each.name], key])
            Datasets(f"{name}-{each.name}-rules", DatasetsArgs(dataset_spec(inventory, each), theirs), ready)
        self.standby_buckets = pulumi.Output.all(**{asset: each.bucket for asset, each in replicas.items()})
        self.key_arn = key.arn
        self.register_outputs({"standbyBuckets": self.standby_buckets, "keyArn": self.key_arn})

    def _inventory(self, name: str, args: ProtectedDatasetsArgs) -> Inventory:
        bare = bare_inventory(self, args.get("workload") or name, args["primary_region"], args["standby_region"])
        if not args["datasets"]:
            raise pulumi.InputPropertyError("datasets", "at least one bucket must be named")
        assets = (
            Asset(
                name=each["name"],
                kind="dataset",
                primary_bucket=each["bucket"],
                standby_bucket=bare.names.standby_bucket(each["name"]),
                prefix=as_folder(each.get("prefix") or ""),
            )
            for each in args["datasets"]
        )
        return with_datasets(bare, assets)
