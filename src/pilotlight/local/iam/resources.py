"""Which resources the parameters of a call name: ARNs as the Service Authorization Reference writes them, by service.

Each function takes the operation's name, its parameters and the place, and gives the ARNs; none means `*`. Ids that
an ARN needs but the parameters lack (a group's or a secret's suffix) are looked up in moto.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from moto.backends import get_backend

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a call goes: region and account."""

    region: str
    account: str

    def backend(self, service: str) -> Any:
        """moto's backend of a service there."""
        backends = get_backend(cast(Any, service))[self.account]
        return backends[self.region if self.region in backends else "aws"]

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this region and account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def items(value: Any) -> list[Any]:
    """One value or many, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _lambda(operation: str, params: Params, place: Place) -> list[str]:
    name = str(params.get("FunctionName") or params.get("Resource") or "")
    if not name:
        return []
    short = name.split(":function:")[-1]
    qualifier = f":{params['Qualifier']}" if params.get("Qualifier") and ":" not in short else ""
    return [place.arn("lambda", f"function:{short}{qualifier}")]


def _sns(operation: str, params: Params, place: Place) -> list[str]:
    """What is done to a subscription cannot be narrowed (Service Authorization Reference, "Amazon SNS")."""
    if operation == "CreateTopic":
        return [place.arn("sns", str(params.get("Name", "")))]
    named = params.get("TopicArn") or params.get("TargetArn") or params.get("ResourceArn")
    return [str(named)] if named else []


def _sqs(operation: str, params: Params, place: Place) -> list[str]:
    name = params.get("QueueName") or str(params.get("QueueUrl", "")).rsplit("/", 1)[-1]
    return [place.arn("sqs", str(name))] if name else []


def _cloudwatch(operation: str, params: Params, place: Place) -> list[str]:
    names = items(params.get("AlarmName")) + items(params.get("AlarmNames"))
    if operation == "DescribeAlarms" and not names:
        names = ["*"]
    named = [str(params["ResourceARN"])] if params.get("ResourceARN") else []
    return named + [place.arn("cloudwatch", f"alarm:{name}") for name in names]


def _logs(operation: str, params: Params, place: Place) -> list[str]:
    name = params.get("logGroupName")
    if not name and params.get("logGroupIdentifier"):
        name = str(params["logGroupIdentifier"]).split(":log-group:")[-1].rstrip(":*")
    if not name:
        return [str(params["resourceArn"])] if params.get("resourceArn") else []
    return [place.arn("logs", f"log-group:{name}:log-stream:{params.get('logStreamName', '')}")]


def _ssm(operation: str, params: Params, place: Place) -> list[str]:
    names = items(params.get("Name")) + items(params.get("Names")) + items(params.get("Path"))
    if not names and params.get("ResourceType") == "Parameter":
        names = items(params.get("ResourceId"))
    plain = [str(name).split(":parameter")[-1].strip("/") for name in names]
    return [place.arn("ssm", f"parameter/{name}") for name in plain]


def _secretsmanager(operation: str, params: Params, place: Place) -> list[str]:
    if operation == "CreateSecret":
        return [place.arn("secretsmanager", f"secret:{params.get('Name', '')}")]
    named = str(params.get("SecretId", ""))
    if not named or named.startswith("arn:"):
        return [named] if named else []
    secret = place.backend("secretsmanager").secrets.get(named)
    return [str(secret.arn) if secret else place.arn("secretsmanager", f"secret:{named}")]


RDS_TYPES = {
    "DBClusterIdentifier": "cluster",
    "DbClusterIdentifier": "cluster",
    "SourceDBClusterIdentifier": "cluster",
    "TargetDbClusterIdentifier": "cluster",
    "ReplicationSourceIdentifier": "cluster",
    "DBInstanceIdentifier": "db",
    "SourceDBInstanceIdentifier": "db",
    "DBClusterSnapshotIdentifier": "cluster-snapshot",
    "SourceDBClusterSnapshotIdentifier": "cluster-snapshot",
    "SnapshotIdentifier": "cluster-snapshot",
    "TargetDBClusterSnapshotIdentifier": "cluster-snapshot",
    "DBSnapshotIdentifier": "snapshot",
    "SourceDBSnapshotIdentifier": "snapshot",
    "TargetDBSnapshotIdentifier": "snapshot",
    "DBSubnetGroupName": "subgrp",
    "DBClusterParameterGroupName": "cluster-pg",
    "DBParameterGroupName": "pg",
}
"""Parameter -> the type in the ARN."""

RDS_DESCRIBES = {
    "DescribeDBClusters": "cluster",
    "DescribeDBInstances": "db",
    "DescribeDBClusterSnapshots": "cluster-snapshot",
    "DescribeDBSnapshots": "snapshot",
    "DescribeDBSubnetGroups": "subgrp",
}


def _rds(operation: str, params: Params, place: Place) -> list[str]:
    named = [
        text if (text := str(params[name])).startswith("arn:") else place.arn("rds", f"{kind}:{text}")
        for name, kind in RDS_TYPES.items()
        if params.get(name)
    ]
    named += [str(params["ResourceName"])] if params.get("ResourceName") else []
    glob = params.get("GlobalClusterIdentifier") or ("*" if operation == "DescribeGlobalClusters" else None)
    named += [f"arn:aws:rds::{place.account}:global-cluster:{glob}"] if glob else []
    if not named and operation in RDS_DESCRIBES:
        named = [place.arn("rds", f"{RDS_DESCRIBES[operation]}:*")]
    return named


def _autoscaling(operation: str, params: Params, place: Place) -> list[str]:
    name = params.get("AutoScalingGroupName")
    if not name or operation.startswith("Describe"):
        return []
    group = place.backend("autoscaling").autoscaling_groups.get(name)
    unknown = place.arn("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}")
    return [str(group.arn) if group else unknown]


ELB_MADE = {"CreateLoadBalancer": "loadbalancer/app", "CreateTargetGroup": "targetgroup"}
"""Their ARNs end in an id that is not known yet."""


def _elbv2(operation: str, params: Params, place: Place) -> list[str]:
    if operation.startswith("Describe"):
        return []
    if operation in ELB_MADE:
        return [place.arn("elasticloadbalancing", f"{ELB_MADE[operation]}/{params.get('Name')}/*")]
    plain = [params.get(name) for name in ("LoadBalancerArn", "TargetGroupArn", "ListenerArn", "RuleArn")]
    return [str(arn) for arn in plain if arn] + [str(arn) for arn in items(params.get("ResourceArns"))]


def _scheduler(operation: str, params: Params, place: Place) -> list[str]:
    if params.get("ResourceArn"):
        return [str(params["ResourceArn"])]
    if operation in ("ListSchedules", "ListScheduleGroups"):
        return []
    if operation.endswith("ScheduleGroup"):
        return [place.arn("scheduler", f"schedule-group/{params.get('Name')}")]
    return [place.arn("scheduler", f"schedule/{params.get('GroupName', 'default')}/{params.get('Name')}")]


IAM_TYPES = {"RoleName": "role", "UserName": "user", "InstanceProfileName": "instance-profile"}


def _iam(operation: str, params: Params, place: Place) -> list[str]:
    for name, kind in IAM_TYPES.items():
        if params.get(name):
            return [_iam_arn(kind, str(params[name]), place)]
    return [str(params["PolicyArn"])] if params.get("PolicyArn") else []


def _iam_arn(kind: str, name: str, place: Place) -> str:
    backend = place.backend("iam")
    known = {"role": backend.roles, "user": backend.users, "instance-profile": backend.instance_profiles}[kind]
    found = [each.arn for each in known.values() if each.name == name]
    return str(found[0]) if found else f"arn:aws:iam::{place.account}:{kind}/{name}"


def _route53(operation: str, params: Params, place: Place) -> list[str]:
    """A change too: GetChange is asked on the change (Service Authorization Reference, "Amazon Route 53")."""
    named = {
        "hostedzone": params.get("HostedZoneId") or (params.get("Id") if "HostedZone" in operation else ""),
        "healthcheck": params.get("HealthCheckId"),
        "change": params.get("Id") if operation == "GetChange" else "",
    } | ({str(params["ResourceType"]): params.get("ResourceId")} if params.get("ResourceType") else {})
    return [f"arn:aws:route53:::{kind}/{str(id_).rsplit('/', 1)[-1]}" for kind, id_ in named.items() if id_]


def _s3control(operation: str, params: Params, place: Place) -> list[str]:
    """A job that is to be made has no name yet, and no permission can be narrowed to it; what is tagged has its ARN."""
    jobs = [place.arn("s3", f"job/{params['JobId']}")] if params.get("JobId") else []
    return jobs + ([str(params["ResourceArn"])] if params.get("ResourceArn") else [])


def _sts(operation: str, params: Params, place: Place) -> list[str]:
    return [str(params["RoleArn"])] if params.get("RoleArn") else []


ARN_OF: dict[str, Callable[[str, Params, Place], list[str]]] = {
    "lambda": _lambda,
    "sns": _sns,
    "sqs": _sqs,
    "cloudwatch": _cloudwatch,
    "logs": _logs,
    "ssm": _ssm,
    "secretsmanager": _secretsmanager,
    "rds": _rds,
    "autoscaling": _autoscaling,
    "elbv2": _elbv2,
    "scheduler": _scheduler,
    "iam": _iam,
    "route53": _route53,
    "s3control": _s3control,
    "sts": _sts,
}
