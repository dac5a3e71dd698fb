"""Kinds of resources that people act on: what each is called in a workload's own account, and under which condition.

The first kind that a resource fits is its own. Conditions follow the tag that everything of ours carries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.naming import METRIC_NAMESPACE, TAG_ASSET, TAG_WORKLOAD
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.policies import bucket_arn, objects_arn
from pilotlight.stacks.policies import table_arn as journal_arn

Condition = dict[str, dict[str, Any]]
TAGGING = "ec2:CreateTags"
WITH_ROLES = ("autoscaling", "elasticloadbalancing", "rds")
"""Services that make a role of their own in an account with the first thing that is made there."""
NETWORK = ("vpc", "subnet", "internet-gateway", "route-table", "security-group", "vpc-endpoint", "launch-template")
LAUNCHED = ("instance", "volume", "network-interface", *NETWORK)
PASSED_TO = ["lambda.amazonaws.com", "scheduler.amazonaws.com", "s3.amazonaws.com", "ec2.amazonaws.com",
             "batchoperations.s3.amazonaws.com"]  # fmt: skip

RESTORING_DATABASES = ("rds:RestoreDBClusterFromSnapshot", "rds:RestoreDBClusterToPointInTime")
LOOKING_AT_SNAPSHOTS = ("rds:DescribeDBClusterSnapshots",)


@dataclass(frozen=True)
class Kind:
    """Resources of one kind. `only`: the actions that it is meant for, where its ARNs alone do not say."""

    name: str
    arns: Callable[[Inventory], list[str]]
    condition: Callable[[Inventory], Condition] | None = None
    only: tuple[str, ...] = ()
    new: bool = False
    """Resources that do not exist yet, whose ARN ends in an asterisk, or that are tagged for the first time."""


def _arn(service: str, region: str, inventory: Inventory, *resources: str) -> list[str]:
    return [f"arn:{PARTITION}:{service}:{region}:{inventory.account}:{each}" for each in resources]


def _here(service: str, *patterns: str) -> Callable[[Inventory], list[str]]:
    """In the standby region; `{own}` is what names of ours begin with."""

    def arns(inventory: Inventory) -> list[str]:
        own = inventory.names.project
        return _arn(service, inventory.standby, inventory, *(each.format(own=own) for each in patterns))

    return arns


def _both(service: str, *patterns: str) -> Callable[[Inventory], list[str]]:
    """In both regions."""

    def arns(inventory: Inventory) -> list[str]:
        own = inventory.names.project
        named = [each.format(own=own) for each in patterns]
        return [arn for region in _regions(inventory) for arn in _arn(service, region, inventory, *named)]

    return arns


def _there(service: str, *patterns: str) -> Callable[[Inventory], list[str]]:
    """In the primary region."""

    def arns(inventory: Inventory) -> list[str]:
        own = inventory.names.project
        return _arn(service, inventory.primary, inventory, *(each.format(own=own) for each in patterns))

    return arns


def _account(service: str, *patterns: str) -> Callable[[Inventory], list[str]]:
    """Without a region."""
    return lambda inventory: _arn(
        service, "", inventory, *(one.format(own=inventory.names.project) for one in patterns)
    )


def _regions(inventory: Inventory) -> tuple[str, str]:
    return inventory.primary, inventory.standby


def _ours(inventory: Inventory) -> Condition:
    return {"StringEquals": {f"aws:ResourceTag/{TAG_WORKLOAD}": inventory.workload}}


def _tagged_as_ours(inventory: Inventory) -> Condition:
    return {"StringEquals": {f"aws:RequestTag/{TAG_WORKLOAD}": inventory.workload}}


def _through_services(inventory: Inventory) -> Condition:
    """Keys of the user's are used by services alone, on their data."""
    services = [f"{each}.{inventory.primary}.amazonaws.com" for each in ("ec2", "rds", "s3")]
    return {"StringEquals": {"kms:ViaService": services}}


def _through_s3(inventory: Inventory) -> Condition:
    """Keys of another account are S3's to use, on what lies in that account's buckets."""
    return {"StringEquals": {"kms:ViaService": f"s3.{inventory.standby}.amazonaws.com"}}


def _vault_role(inventory: Inventory) -> list[str]:
    return [inventory.vault.role_arn] if inventory.vault else []


def _vault_keys(inventory: Inventory) -> list[str]:
    return [f"arn:{PARTITION}:kms:{inventory.standby}:{inventory.vault.account}:key/*"] if inventory.vault else []


def _of_services(inventory: Inventory) -> Condition:
    return {"StringEquals": {"iam:AWSServiceName": [f"{each}.amazonaws.com" for each in WITH_ROLES]}}


def _replicas(inventory: Inventory) -> list[str]:
    return [inventory.names.vault_bucket, *(each.standby_bucket for each in inventory.datasets)]


def _originals(inventory: Inventory) -> list[str]:
    return list(dict.fromkeys(each.primary_bucket for each in inventory.datasets))


def _queue(inventory: Inventory) -> list[str]:
    return [inventory.names.events_queue_arn] if inventory.datasets else []


def _network(inventory: Inventory) -> list[str]:
    return _arn("ec2", inventory.standby, inventory, *(f"{each}/*" for each in NETWORK))


def _images(*regions: str) -> Callable[[Inventory], list[str]]:
    """Images and the snapshots behind them have no account in their ARN."""

    def arns(inventory: Inventory) -> list[str]:
        named = [getattr(inventory, region) for region in regions]
        return [f"arn:{PARTITION}:ec2:{region}::{kind}/*" for region in named for kind in ("image", "snapshot")]

    return arns


def _snapshots(inventory: Inventory) -> list[str]:
    """Of image copies too, which EC2 leaves without tags (EC2 User Guide, "Copy an Amazon EC2 AMI")."""
    return [f"arn:{PARTITION}:ec2:{inventory.standby}::snapshot/*"]


def _originals_of_databases(inventory: Inventory) -> list[str]:
    return [each.primary_arn for each in inventory.databases]


def _sources_of_databases(inventory: Inventory) -> list[str]:
    """A secondary as the request for it that is signed for the primary region names it (docs/adr/0014)."""
    named = [f"cluster:{each.standby_cluster}" for each in inventory.databases]
    return _arn("rds", inventory.primary, inventory, *named)


def _groups(inventory: Inventory) -> list[str]:
    own = [(inventory.standby, each.standby_group) for each in inventory.computes]
    theirs = [(inventory.primary, each.primary_group) for each in inventory.computes]
    return [
        arn
        for region, name in [*own, *theirs]
        for arn in _arn("autoscaling", region, inventory, f"autoScalingGroup:*:autoScalingGroupName/{name}")
    ]


def _balancers(inventory: Inventory) -> list[str]:
    name = inventory.names.load_balancer()
    kinds = (f"loadbalancer/app/{name}/*", f"listener/app/{name}/*", f"targetgroup/{name}/*")
    return _arn("elasticloadbalancing", inventory.standby, inventory, *kinds) if inventory.traffic else []


def _parameters(inventory: Inventory) -> str:
    return f"parameter{inventory.names.parameter('*')}"


def _zone(inventory: Inventory) -> list[str]:
    traffic = inventory.traffic
    return [f"arn:{PARTITION}:route53:::hostedzone/{traffic.zone_id}"] if traffic else []


def _secrets(inventory: Inventory) -> list[str]:
    return [each.secret for each in inventory.databases if each.secret]


KINDS = (
    Kind("StateBucket", lambda one: [bucket_arn(one.names.state_bucket)]),
    Kind("StateObjects", lambda one: [objects_arn(one.names.state_bucket)]),
    Kind("Records", lambda one: [objects_arn(one.names.vault_bucket, "papers/")]),
    Kind("Copies", lambda one: [objects_arn(each) for each in _replicas(one)]),
    Kind("Buckets", lambda one: [bucket_arn(each) for each in _replicas(one)]),
    Kind("Originals", lambda one: [objects_arn(each) for each in _originals(one)]),
    Kind("OriginalBuckets", lambda one: [bucket_arn(each) for each in _originals(one)]),
    Kind("Journal", lambda one: [journal_arn(one.names)]),
    Kind("NewKey", lambda one: ["*"], _tagged_as_ours, only=("kms:CreateKey",)),
    Kind("NewKeyTags", _both("kms", "key/*"), _tagged_as_ours, only=("kms:TagResource",), new=True),
    Kind("KeysLookedAt", _both("kms", "key/*"), only=("kms:DescribeKey",)),
    Kind("Keys", _both("kms", "key/*"), _ours),
    Kind("VaultKeys", _vault_keys, _through_s3),
    Kind("TheirKeys", lambda one: _arn("kms", one.primary, one, "key/*"), _through_services),
    Kind("Aliases", _both("kms", "alias/{own}", "alias/{own}-state")),
    Kind(
        "PassRoles",
        _account("iam", "role/{own}-*"),
        lambda one: {"StringEquals": {"iam:PassedToService": PASSED_TO}},
        only=("iam:PassRole",),
    ),
    Kind("VaultRole", _vault_role, only=("sts:AssumeRole",)),
    Kind(
        "ServiceRoles",
        _account("iam", *(f"role/aws-service-role/{each}.amazonaws.com/*" for each in WITH_ROLES)),
        _of_services,
    ),
    Kind("Roles", _account("iam", "role/{own}-*", "instance-profile/{own}-*")),
    Kind("TheirRoles", _account("iam", "role/*", "instance-profile/*")),
    Kind("Logs", _here("logs", "log-group:/aws/lambda/{own}-*")),
    Kind("Functions", _here("lambda", "function:{own}-*")),
    Kind("Topic", _here("sns", "{own}-alarms", "{own}-people")),
    Kind("Queue", _queue),
    Kind("Alarms", _here("cloudwatch", "alarm:{own}-*")),
    Kind("Schedules", _here("scheduler", "schedule/default/{own}-*")),
    Kind(
        "Parameters",
        lambda one: [arn for region in _regions(one) for arn in _arn("ssm", region, one, _parameters(one))],
    ),
    Kind("GlobalDatabases", lambda one: [f"arn:{PARTITION}:rds::{one.account}:global-cluster:{one.names.project}-*"]),
    Kind(
        "AllGlobalDatabases",
        lambda one: [f"arn:{PARTITION}:rds::{one.account}:global-cluster:*"],
        only=("rds:DescribeGlobalClusters",),
    ),
    Kind("Databases", _here("rds", *(f"{kind}:{{own}}-*" for kind in ("cluster", "db", "subgrp", "cluster-snapshot")))),
    Kind("DatabaseSources", _sources_of_databases, only=("rds:CreateDBCluster",)),
    Kind("DatabaseDefaults", _here("rds", "cluster-pg:default.*", "pg:default.*", "og:default:*")),
    Kind("TheirDatabases", _originals_of_databases),
    Kind("RestoredDatabases", _there("rds", "cluster:{own}-*", "db:{own}-*")),
    Kind(
        "RestoredLike",
        _both("rds", "subgrp:*", "cluster-pg:*", "cluster-snapshot:*", "og:default:*"),
        only=RESTORING_DATABASES,
    ),
    Kind("InstancesLookedAt", _both("rds", "db:*"), only=("rds:DescribeDBInstances",)),
    Kind("SnapshotsLookedAt", _both("rds", "cluster:*", "cluster-snapshot:*"), only=LOOKING_AT_SNAPSHOTS),
    Kind("Secrets", _secrets),
    Kind("NewNetwork", _network, _tagged_as_ours, new=True),
    Kind("Network", _network, _ours),
    Kind("Snapshots", _snapshots, only=("ec2:DeleteSnapshot",)),
    Kind("ImageCopies", _images("standby"), only=("ec2:CopyImage",), new=True),
    Kind("NewImages", _images("standby"), _tagged_as_ours, only=(TAGGING,), new=True),
    Kind("Images", _images("standby"), _ours),
    Kind("TheirImages", _images("primary")),
    Kind("Groups", _groups),
    Kind("Balancers", _balancers),
    Kind("Zone", _zone),
    Kind("HealthChecks", lambda one: [f"arn:{PARTITION}:route53:::healthcheck/*"]),
    Kind("Changes", lambda one: [f"arn:{PARTITION}:route53:::change/*"]),
    Kind("Launches", _here("ec2", *(f"{each}/*" for each in LAUNCHED))),
    Kind(
        "RestoredVolumes",
        _there("ec2", "volume/*"),
        lambda one: {"StringEquals": {f"aws:RequestTag/{TAG_ASSET}": [each.name for each in one.volumes]}},
        only=("ec2:CreateVolume", "ec2:CreateTags"),
        new=True,
    ),
    Kind("BatchJobs", _both("s3", "job/*")),
    Kind(
        "Metrics",
        lambda one: ["*"],
        lambda one: {"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACE}},
        only=("cloudwatch:PutMetricData",),
    ),
    Kind("Any", lambda one: ["*"]),
)


def kind_of(action: str, resource: str, inventory: Inventory) -> Kind:
    """The kind that an action was needed on."""
    for kind in KINDS:
        if kind.only and action not in kind.only:
            continue
        if kind.new and not (resource.endswith("/*") or action == TAGGING):
            continue
        if any(_fits(resource, arn) for arn in kind.arns(inventory)):
            return kind
    raise LookupError(f"{action} was needed on {resource}, which is of no kind in stacks/people_kinds.py")


def _fits(resource: str, arn: str) -> bool:
    return resource == arn or (arn != "*" and fnmatchcase(resource, arn))
