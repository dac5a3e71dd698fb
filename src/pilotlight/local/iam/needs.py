"""What a call needs to be allowed: IAM actions on resources, each with its own condition keys.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS services". The rule is
`<prefix>:<Operation>` on the resources that the parameters name; S3, EC2 and DynamoDB have names of their own, and a
role that is handed to a service needs iam:PassRole (IAM User Guide, "Granting a user permissions to pass a role").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pilotlight.local.iam import dependent_actions, needs_of_data, needs_of_ec2, needs_of_groups, needs_of_s3
from pilotlight.local.iam.resources import ARN_OF, Place
from pilotlight.local.wire.operations import Operation

UNGUARDED = frozenset({("sts", "GetCallerIdentity"), ("sts", "GetSessionToken"), ("sts", "GetAccessKeyInfo")})
"""Need no permission (STS API Reference, "GetCallerIdentity")."""

RENAMED = {
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("lambda", "InvokeAsync"): "lambda:InvokeFunction",
    ("lambda", "InvokeWithResponseStream"): "lambda:InvokeFunction",
    ("sns", "PublishBatch"): "sns:Publish",
    ("sqs", "ChangeMessageVisibilityBatch"): "sqs:ChangeMessageVisibility",
    ("sqs", "DeleteMessageBatch"): "sqs:DeleteMessage",
    ("sqs", "SendMessageBatch"): "sqs:SendMessage",
    ("cloudwatch", "GetMetricStatistics"): "cloudwatch:GetMetricStatistics",
}

PASSED_ROLES: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("lambda", "CreateFunction"): (("Role",), "lambda.amazonaws.com"),
    ("lambda", "UpdateFunctionConfiguration"): (("Role",), "lambda.amazonaws.com"),
    ("scheduler", "CreateSchedule"): (("Target", "RoleArn"), "scheduler.amazonaws.com"),
    ("scheduler", "UpdateSchedule"): (("Target", "RoleArn"), "scheduler.amazonaws.com"),
    ("s3", "PutBucketReplication"): (("ReplicationConfiguration", "Role"), "s3.amazonaws.com"),
    ("s3control", "CreateJob"): (("RoleArn",), "batchoperations.s3.amazonaws.com"),
}
"""Operation -> where its parameters hold a role, and the service that gets it."""


@dataclass(frozen=True)
class Need:
    """One action on one resource."""

    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def needs_of(operation: Operation, place: Place) -> tuple[Need, ...]:
    """Everything that must be allowed before the operation is carried out."""
    key = (operation.service, operation.name)
    if key in UNGUARDED:
        return ()
    special = SPECIAL.get(operation.service)
    own = tuple(special(operation, place) if special else _by_rule(operation, place))
    along = (*dependent_actions.needs(operation, place, own), *needs_of_groups.needs(operation, place))
    return (*(Need(*each) for each in (*own, *along)), *_passed_role(operation, place))


def _by_rule(operation: Operation, place: Place) -> Iterator[tuple[str, str, Mapping[str, tuple[str, ...]]]]:
    action = RENAMED.get((operation.service, operation.name), f"{operation.prefix}:{operation.name}")
    context = context_of(operation)
    find = ARN_OF.get(operation.service)
    for resource in (find(operation.name, operation.params, place) if find else ()) or ("*",):
        yield action, resource, context


def context_of(operation: Operation) -> dict[str, tuple[str, ...]]:
    """Condition keys that follow from the parameters of any service."""
    tags = _tags(operation.params.get("Tags"))
    context: dict[str, tuple[str, ...]] = {f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()}
    if tags:
        context["aws:tagkeys"] = tuple(tags)
    if operation.service == "cloudwatch" and "Namespace" in operation.params:
        context["cloudwatch:namespace"] = (str(operation.params["Namespace"]),)
    return context


def _tags(given: Any) -> dict[str, str]:
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    pairs = [item for item in given or () if isinstance(item, Mapping)]
    return {
        str(pair.get("Key", pair.get("TagKey"))): str(pair.get("Value", pair.get("TagValue", ""))) for pair in pairs
    }


def _passed_role(operation: Operation, place: Place) -> Iterator[Need]:
    path, service = PASSED_ROLES.get((operation.service, operation.name), ((), ""))
    role: Any = operation.params if path else None
    for part in path:
        role = role.get(part) if isinstance(role, Mapping) else None
    if operation.service == "ec2":
        role, service = needs_of_ec2.profile_role(operation.params, place), "ec2.amazonaws.com"
    if role:
        yield Need("iam:PassRole", str(role), {"iam:passedtoservice": (service,)})


SPECIAL: dict[str, Callable[[Operation, Place], Iterator[tuple[str, str, Mapping[str, tuple[str, ...]]]]]] = {
    "s3": needs_of_s3.needs,
    "ec2": needs_of_ec2.needs,
    "dynamodb": needs_of_data.dynamodb,
    "kms": needs_of_data.kms,
    "rds-data": needs_of_data.rds_data,
}
