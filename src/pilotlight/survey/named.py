"""What the stacks name, and how each kind of name is looked up: whether it is taken, and by whom.

A name that is taken by something of somebody else's ends an `up` in the middle, or is worse: PutMetricAlarm
writes over an alarm without a word. Ours is what carries our tag, or, where a kind has no tags, what points at
something of ours. A test compares this table with every name that the three stacks' programs give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pilotlight.kinds.registry import aspect
from pilotlight.runtime.arns import GLOBAL_REGION, PARTITION
from pilotlight.runtime.naming import ALARMS, Names
from pilotlight.stacks import policies
from pilotlight.stacks.vault import FUNCTIONS

Properties = dict[str, Any]
WORKLOAD = "workload"
"""How problems name what is no asset's own."""
SCHEDULED = ("probe", "protect")


@dataclass(frozen=True)
class Kind:
    """One kind of name. `asks`: parameters of the reading call, `found`: where the answer has it, `tags`: the member
    that has its tags, or the second call that tells them: (operation, parameter, member of what was found, tags).
    `named`: in a listing of more than what is asked for, the member that is the name."""

    what: str
    service: str
    operation: str
    asks: Callable[[str], Properties]
    found: str = ""
    tags: str = ""
    tagged_by: tuple[str, str, str, str] | None = None
    named: str = ""


@dataclass(frozen=True)
class Named:
    """One name that a stack gives: of an asset or of the workload; `ours` tells it where there are no tags."""

    stack: str
    asset: str
    kind: Kind
    name: str
    region: str
    ours: Callable[[Properties], bool] | None = None
    apart: bool = False
    """Whether it is in the account of the vault."""


def _by(parameter: str) -> Callable[[str], Properties]:
    return lambda name: {parameter: name}


def _listed(parameter: str) -> Callable[[str], Properties]:
    return lambda name: {parameter: [name]}


BUCKET = Kind("bucket", "s3", "head_bucket", _by("Bucket"), tagged_by=("get_bucket_tagging", "Bucket", "", "TagSet"))
ALIAS = Kind("KMS alias", "kms", "list_aliases", lambda name: {}, "Aliases", named="AliasName",
             tagged_by=("list_resource_tags", "KeyId", "TargetKeyId", "Tags"))  # fmt: skip
TABLE = Kind("table", "dynamodb", "describe_table", _by("TableName"), "Table",
             tagged_by=("list_tags_of_resource", "ResourceArn", "TableArn", "Tags"))  # fmt: skip
LOGS = Kind("log group", "logs", "describe_log_groups", _by("logGroupNamePrefix"), "logGroups", named="logGroupName",
            tagged_by=("list_tags_for_resource", "resourceArn", "arn", "tags"))  # fmt: skip
ROLE = Kind("role", "iam", "get_role", _by("RoleName"), "Role", "Tags")
PROFILE = Kind("instance profile", "iam", "get_instance_profile", _by("InstanceProfileName"), "InstanceProfile", "Tags")
FUNCTION = Kind("function", "lambda", "get_function", _by("FunctionName"), "", "Tags")
TOPIC = Kind("topic", "sns", "get_topic_attributes", _by("TopicArn"), "Attributes",
             tagged_by=("list_tags_for_resource", "ResourceArn", "TopicArn", "Tags"))  # fmt: skip
QUEUE = Kind("queue", "sqs", "get_queue_url", _by("QueueName"),
             tagged_by=("list_queue_tags", "QueueUrl", "QueueUrl", "Tags"))  # fmt: skip
SCHEDULE = Kind("schedule", "scheduler", "get_schedule", _by("Name"))
ALARM = Kind("alarm", "cloudwatch", "describe_alarms", _listed("AlarmNames"), "MetricAlarms",
             tagged_by=("list_tags_for_resource", "ResourceARN", "AlarmArn", "Tags"))  # fmt: skip
GLOBAL = Kind("global database", "rds", "describe_global_clusters", _by("GlobalClusterIdentifier"), "GlobalClusters")
CLUSTER = Kind("cluster", "rds", "describe_db_clusters", _by("DBClusterIdentifier"), "DBClusters", "TagList")
INSTANCE = Kind("database instance", "rds", "describe_db_instances", _by("DBInstanceIdentifier"), "DBInstances",
                "TagList")  # fmt: skip
SUBNETS = Kind("subnet group", "rds", "describe_db_subnet_groups", _by("DBSubnetGroupName"), "DBSubnetGroups",
               tagged_by=("list_tags_for_resource", "ResourceName", "DBSubnetGroupArn", "TagList"))  # fmt: skip
TEMPLATE = Kind("launch template", "ec2", "describe_launch_templates", _listed("LaunchTemplateNames"),
                "LaunchTemplates", "Tags")  # fmt: skip
GROUP = Kind("Auto Scaling group", "autoscaling", "describe_auto_scaling_groups", _listed("AutoScalingGroupNames"),
             "AutoScalingGroups", "Tags")  # fmt: skip
BALANCER = Kind("load balancer", "elbv2", "describe_load_balancers", _listed("Names"), "LoadBalancers",
                tagged_by=("describe_tags", "ResourceArns", "LoadBalancerArn", "TagDescriptions"))  # fmt: skip
TARGETS = Kind("target group", "elbv2", "describe_target_groups", _listed("Names"), "TargetGroups",
               tagged_by=("describe_tags", "ResourceArns", "TargetGroupArn", "TagDescriptions"))  # fmt: skip


def named(names: Names, kinds: Mapping[str, str], has_traffic: bool, originals: Mapping[str, str]) -> Iterator[Named]:
    """Every name that the stacks give (pure). `kinds`: asset -> its kind; `originals`: asset -> ARN of what
    something of ours is put around."""
    return iter(dict.fromkeys(_named(names, kinds, has_traffic, originals)))


def _named(names: Names, kinds: Mapping[str, str], has_traffic: bool, originals: Mapping[str, str]) -> Iterator[Named]:
    """What several assets share is given by each of them."""
    yield from _vault(names)
    if not names.vault:
        yield Named("primary", WORKLOAD, ALIAS, names.key_alias, names.primary)
    yield from _standby(names)
    for asset, kind in kinds.items():
        yield from aspect("survey")[kind].names(names, asset, originals.get(asset, ""))
    if has_traffic:
        yield Named("standby", "traffic", BALANCER, names.load_balancer(), names.standby)
        yield Named("standby", "traffic", TARGETS, names.target_group(), names.standby)


def _vault(names: Names) -> Iterator[Named]:
    there = names.standby
    yield Named("vault", WORKLOAD, ALIAS, names.key_alias, there)
    if names.vault:
        yield Named("vault", WORKLOAD, ALIAS, names.key_alias, there, apart=True)
    yield Named("vault", WORKLOAD, BUCKET, names.vault_bucket, there, apart=bool(names.vault))
    yield Named("vault", WORKLOAD, TABLE, names.journal_table, there)
    for purpose in FUNCTIONS:
        yield Named("vault", WORKLOAD, LOGS, policies.log_group(names, purpose), there)


def _standby(names: Names) -> Iterator[Named]:
    there = names.standby
    for purpose in FUNCTIONS:
        yield Named("standby", WORKLOAD, FUNCTION, names.function(purpose), there)
    for purpose in (*FUNCTIONS, "scheduler"):
        yield Named("standby", WORKLOAD, ROLE, names.role(purpose), GLOBAL_REGION)
    for topic in (names.topic, names.people_topic):
        arn = f"arn:{PARTITION}:sns:{there}:{names.account}:{topic}"
        yield Named("standby", WORKLOAD, TOPIC, arn, there)
    for purpose in ALARMS:
        yield Named("standby", WORKLOAD, ALARM, names.alarm(purpose), there)
    for purpose in SCHEDULED:
        yield Named("standby", WORKLOAD, SCHEDULE, names.schedule(purpose), there, ours=_fires(names.function(purpose)))


# -- ours, where there are no tags -----------------------------------------------------------------------------


def _fires(function: str) -> Callable[[Properties], bool]:
    """A schedule has no tags of its own (EventBridge Scheduler API, TagResource: schedule groups alone)."""
    return lambda found: str(found.get("Target", {}).get("Arn", "")).rpartition(":")[2] == function
