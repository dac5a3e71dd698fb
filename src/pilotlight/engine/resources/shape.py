"""Between the wire form of pulumi-aws and the parameters of AWS calls: renaming keys, tags, what is missing (pure)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pilotlight.runtime.aws.session import error_code

Properties = dict[str, Any]

GONE = frozenset({
    "NoSuchBucket", "NoSuchKey", "NoSuchEntity", "NotFoundException", "ResourceNotFoundException", "NotFound",
    "ResourceNotFound", "NoSuchHostedZone", "NoSuchHealthCheck", "DBClusterNotFoundFault", "DBInstanceNotFound",
    "DBInstanceNotFoundFault", "GlobalClusterNotFoundFault", "DBSubnetGroupNotFoundFault", "LoadBalancerNotFound",
    "TargetGroupNotFound", "ListenerNotFound", "ParameterNotFound", "NoSuchBucketPolicy",
    "ReplicationConfigurationNotFoundError", "NoSuchPublicAccessBlockConfiguration", "NoSuchLifecycleConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError", "OwnershipControlsNotFoundError", "NoSuchTagSet", "404",
    "AWS.SimpleQueueService.NonExistentQueue",
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


def wire(value: Any, names: Properties | None = None) -> Any:
    """AWS's CamelCase keys to camelCase, at any depth; `names` has those that pulumi-aws spells its own way."""
    own = names or {}
    if isinstance(value, dict):
        return {own.get(key, key[:1].lower() + key[1:]): wire(item, own) for key, item in value.items()}
    return [wire(item, own) for item in value] if isinstance(value, list) else value


def seen(inputs: Properties, answer: Properties, names: dict[str, str]) -> Properties:
    """What AWS has otherwise than the inputs say, under their names; what the program left out is not looked at."""
    return unlike(inputs, {key: answer.get(aws) for key, aws in names.items()})


def unlike(inputs: Properties, found: Properties) -> Properties:
    """Of what was found, by the inputs' names, what is otherwise than they say: a value that is not there any more is
    an empty one of the wanted kind, so that its loss is told. What the program left out is not looked at (pure)."""
    there = {key: value if value is not None else _empty(inputs[key]) for key, value in found.items() if key in inputs}
    return {key: value for key, value in there.items() if not alike(inputs[key], value, whole=key in MAPS)}


MAPS = frozenset({"tags", "dimensions", "variables"})
"""Maps that are the program's wholly: a key that somebody added is a difference; elsewhere it is AWS's default."""


def alike(wanted: Any, there: Any, whole: bool = False) -> bool:
    """Whether AWS means the same: lists in any order, numbers and booleans as text too, policies as JSON (pure)."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and _alike_maps(wanted, there, whole)
    if isinstance(wanted, list):
        return isinstance(there, list) and _alike_lists(wanted, there)
    return bool(_plain(wanted) == _plain(there))


def key_as_wanted(wanted: Any, there: Any) -> Any:
    """What a service says of a key, under the name that was asked for where both can be one: RDS, DynamoDB and EBS
    answer an alias with the ARN of its key, and which key an alias names is no setting of theirs (pure)."""
    alias = str(wanted).rpartition(":")[2].startswith("alias/")
    return wanted if there and (alias or str(there).endswith(f"key/{wanted}")) else there


def _alike_maps(wanted: Properties, there: Properties, whole: bool) -> bool:
    if whole and wanted.keys() != there.keys():
        return False
    return all(
        alike(value, there[key] if there.get(key) is not None else _empty(value), key in MAPS)
        for key, value in wanted.items()
    )


def _alike_lists(wanted: list[Any], there: list[Any]) -> bool:
    left = list(there)
    for each in wanted:
        found = next((one for one in left if alike(each, one)), None)
        if found is None:
            return False
        left.remove(found)
    return not left


def _empty(wanted: Any) -> Any:
    return type(wanted)() if isinstance(wanted, str | list | dict | bool | int | float) else ""


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return float(value)
    text = str(value)
    if text[:1] in "{[" and text:
        return _parsed(text)
    return float(text) if text.isdecimal() else text


def _parsed(text: str) -> Any:
    """A policy by what it says: one statement, action or resource is a list of one (IAM User Guide, "Grammar")."""
    try:
        return json.dumps(_listed(json.loads(text)), sort_keys=True)
    except ValueError:
        return text


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_listed(item) for item in value] if len(value) != 1 else _listed(value[0])
    return value


def tag_list(tags: dict[str, str] | None) -> list[dict[str, str]]:
    """Tags as AWS lists them."""
    return [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]


def tagged(kind: str, tags: dict[str, str] | None) -> list[Properties]:
    """EC2's TagSpecifications."""
    return [{"ResourceType": kind, "Tags": tag_list(tags)}] if tags else []


def tag_map(tags: Any, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """Tags as a map, from a list of pairs or a map; AWS's own are not the program's (General Reference, "Tagging")."""
    pairs = tags.items() if isinstance(tags, dict) else [(each[key], each.get(value, "")) for each in tags or []]
    return {name: text for name, text in pairs if not name.startswith("aws:")}


def with_tags(inputs: Properties) -> Properties:
    """Outputs that every tagged resource has."""
    return {"tags": inputs.get("tags"), "tagsAll": inputs.get("tags") or {}}


def removed(old: dict[str, str] | None, new: dict[str, str] | None) -> list[str]:
    """Tag keys that are no longer wanted."""
    return sorted(set(old or {}) - set(new or {}))
