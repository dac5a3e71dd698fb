"""Tags after creation: every service of AWS has its own calls to add and remove them.

Named after the service's client; the target is what its calls take, an ARN for most, a name, an id or a URL for some.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pilotlight.engine.provider import Place, Properties
from pilotlight.engine.resources.shape import removed, tag_list

Tags = dict[str, str]
Call = Callable[[Any, str, Any], Any]

ADD: dict[str, Call] = {
    "rds": lambda rds, arn, tags: rds.add_tags_to_resource(ResourceName=arn, Tags=tag_list(tags)),
    "dynamodb": lambda dynamo, arn, tags: dynamo.tag_resource(ResourceArn=arn, Tags=tag_list(tags)),
    "secretsmanager": lambda secrets, id_, tags: secrets.tag_resource(SecretId=id_, Tags=tag_list(tags)),
    "ssm": lambda ssm, name, tags: ssm.add_tags_to_resource(
        ResourceType="Parameter", ResourceId=name, Tags=tag_list(tags)
    ),
    "elbv2": lambda lb, arn, tags: lb.add_tags(ResourceArns=[arn], Tags=tag_list(tags)),
    "logs": lambda logs, arn, tags: logs.tag_resource(resourceArn=arn, tags=tags),
    "lambda": lambda functions, arn, tags: functions.tag_resource(Resource=arn, Tags=tags),
    "iam": lambda iam, name, tags: iam.tag_instance_profile(InstanceProfileName=name, Tags=tag_list(tags)),
    "sqs": lambda sqs, url, tags: sqs.tag_queue(QueueUrl=url, Tags=tags),
    "cloudwatch": lambda alarms, arn, tags: alarms.tag_resource(ResourceARN=arn, Tags=tag_list(tags)),
}
REMOVE: dict[str, Call] = {
    "rds": lambda rds, arn, keys: rds.remove_tags_from_resource(ResourceName=arn, TagKeys=keys),
    "dynamodb": lambda dynamo, arn, keys: dynamo.untag_resource(ResourceArn=arn, TagKeys=keys),
    "secretsmanager": lambda secrets, id_, keys: secrets.untag_resource(SecretId=id_, TagKeys=keys),
    "ssm": lambda ssm, name, keys: ssm.remove_tags_from_resource(
        ResourceType="Parameter", ResourceId=name, TagKeys=keys
    ),
    "elbv2": lambda lb, arn, keys: lb.remove_tags(ResourceArns=[arn], TagKeys=keys),
    "logs": lambda logs, arn, keys: logs.untag_resource(resourceArn=arn, tagKeys=keys),
    "lambda": lambda functions, arn, keys: functions.untag_resource(Resource=arn, TagKeys=keys),
    "iam": lambda iam, name, keys: iam.untag_instance_profile(InstanceProfileName=name, TagKeys=keys),
    "sqs": lambda sqs, url, keys: sqs.untag_queue(QueueUrl=url, TagKeys=keys),
    "cloudwatch": lambda alarms, arn, keys: alarms.untag_resource(ResourceARN=arn, TagKeys=keys),
}


def retag(place: Place, service: str, target: str, old: Properties, new: Properties) -> None:
    """Make the tags of one resource what its inputs say; equal tags cost no call."""
    before: Tags = old.get("tags") or {}
    after: Tags = new.get("tags") or {}
    added = {key: value for key, value in after.items() if before.get(key) != value}
    gone = removed(before, after)
    if gone:
        REMOVE[service](place.client(service), target, gone)
    if added:
        ADD[service](place.client(service), target, added)


def retag_in_route53(place: Place, kind: str, id_: str, old: Properties, new: Properties) -> None:
    """Route 53 does both in one call, for a `hostedzone` or a `healthcheck`."""
    before: Tags = old.get("tags") or {}
    after: Tags = new.get("tags") or {}
    request: Properties = {}
    if added := {key: value for key, value in after.items() if before.get(key) != value}:
        request["AddTags"] = tag_list(added)
    if gone := removed(before, after):
        request["RemoveTagKeys"] = gone
    if request:
        place.client("route53").change_tags_for_resource(ResourceType=kind, ResourceId=id_, **request)
