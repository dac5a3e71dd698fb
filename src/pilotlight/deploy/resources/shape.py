"""Between the wire form of pulumi-aws and the parameters of AWS calls: renaming keys, tags, what is missing (pure)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pilotlight.cloud.session import error_code

Properties = dict[str, Any]

GONE = frozenset({
    "NoSuchBucket", "NoSuchKey", "NoSuchEntity", "NotFoundException", "ResourceNotFoundException", "NotFound",
    "ResourceNotFound", "NoSuchHostedZone", "NoSuchHealthCheck", "DBClusterNotFoundFault", "DBInstanceNotFound",
    "DBInstanceNotFoundFault", "GlobalClusterNotFoundFault", "DBSubnetGroupNotFoundFault", "LoadBalancerNotFound",
    "TargetGroupNotFound", "ListenerNotFound", "ParameterNotFound", "NoSuchBucketPolicy",
    "ReplicationConfigurationNotFoundError", "NoSuchPublicAccessBlockConfiguration", "NoSuchLifecycleConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError", "OwnershipControlsNotFoundError", "404",
})  # fmt: skip
"""Error codes that say that a thing is not there; EC2 ends all of its own with .NotFound."""


def is_gone(problem: Exception) -> bool:
    """Whether AWS said that the thing does not exist."""
    code = error_code(problem)
    return code in GONE or code.endswith(".NotFound") or "NotFound" in code


def absent(call: Callable[[], Any]) -> Any | None:
    """The answer, or None when AWS says that the thing does not exist."""
    try:
        return call()
    except Exception as problem:
        if is_gone(problem):
            return None
        raise


def capital(value: Any) -> Any:
    """camelCase keys to AWS's CamelCase, at any depth."""
    if isinstance(value, dict):
        return {key[:1].upper() + key[1:]: capital(item) for key, item in value.items()}
    return [capital(item) for item in value] if isinstance(value, list) else value


def pick(inputs: Properties, names: dict[str, str]) -> Properties:
    """The inputs that are there, under AWS's names."""
    return {aws: inputs[wire] for wire, aws in names.items() if inputs.get(wire) is not None}


def seen(inputs: Properties, answer: Properties, names: dict[str, str]) -> Properties:
    """What AWS has otherwise than the inputs say, under their names; what the program left out is not looked at."""
    return {wire: answer.get(aws) for wire, aws in names.items() if wire in inputs and answer.get(aws) != inputs[wire]}


def tag_list(tags: dict[str, str] | None) -> list[dict[str, str]]:
    """Tags as AWS lists them."""
    return [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]


def tagged(kind: str, tags: dict[str, str] | None) -> list[Properties]:
    """EC2's TagSpecifications."""
    return [{"ResourceType": kind, "Tags": tag_list(tags)}] if tags else []


def with_tags(inputs: Properties) -> Properties:
    """Outputs that every tagged resource has."""
    return {"tags": inputs.get("tags"), "tagsAll": inputs.get("tags") or {}}


def removed(old: dict[str, str] | None, new: dict[str, str] | None) -> list[str]:
    """Tag keys that are no longer wanted."""
    return sorted(set(old or {}) - set(new or {}))
