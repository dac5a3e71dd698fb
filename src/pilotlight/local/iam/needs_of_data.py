"""What DynamoDB, KMS and the RDS Data API need: transactions are their parts, keys are known by id, ARN or alias.

Source: DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control" and "Transactions:
IAM"; KMS Developer Guide, "AWS KMS condition keys".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pilotlight.local.iam.resources import Place, items
from pilotlight.local.wire.operations import Operation

Item = tuple[str, str, Mapping[str, tuple[str, ...]]]

PARTS_OF_TRANSACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def dynamodb(operation: Operation, place: Place) -> Iterator[Item]:
    """Each table that is touched, with the partition keys as dynamodb:LeadingKeys."""
    params = operation.params
    if operation.name.startswith("Transact"):
        yield from _transaction(params, place)
    elif operation.name.startswith("Batch") and "RequestItems" in params:
        for table, request in params["RequestItems"].items():
            yield f"dynamodb:{operation.name}", table_arn(str(table), place), _batch_keys(str(table), request, place)
    else:
        yield from _single(operation, place)


def kms(operation: Operation, place: Place) -> Iterator[Item]:
    """The key that is named, by whatever name; and the alias, where one is made or deleted."""
    params = operation.params
    named = params.get("KeyId") or params.get("TargetKeyId") or params.get("DestinationKeyId")
    context = {"kms:calleraccount": (place.account,)}
    alias = str(params.get("AliasName") or "")
    if alias:
        yield f"kms:{operation.name}", place.arn("kms", alias), context
        named = named or alias
    if not named:
        tags = {str(tag["TagKey"]): str(tag["TagValue"]) for tag in items(params.get("Tags"))}
        context |= {f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()}
        yield f"kms:{operation.name}", "*", context
        return
    key, aliases = find_key(str(named), place)
    backend = place.backend("kms")
    given = backend.list_resource_tags(key).get("Tags", []) if key.rpartition("/")[2] in backend.keys else []
    context |= {f"aws:resourcetag/{str(tag['TagKey']).lower()}": (str(tag["TagValue"]),) for tag in given}
    if str(named).startswith("alias/"):
        context["kms:requestalias"] = (str(named),)
    yield f"kms:{operation.name}", key, context | ({"kms:resourcealiases": aliases} if aliases else {})


def rds_data(operation: Operation, place: Place) -> Iterator[Item]:
    """The cluster, and the secret that the caller must be able to read too (Aurora User Guide, "Authorizing access
    to the Amazon RDS Data API")."""
    yield f"rds-data:{operation.name}", str(operation.params.get("resourceArn", "*")), {}
    if secret := operation.params.get("secretArn"):
        yield "secretsmanager:GetSecretValue", str(secret), {}


def find_key(named: str, place: Place) -> tuple[str, tuple[str, ...]]:
    """(ARN, aliases) of a key named by id, ARN, alias or alias ARN; an unknown one is what was asked for."""
    short = named.split(":")[-1]
    identity = short.removeprefix("key/")
    for key in list(place.backend("kms").keys.values()):
        if key.id == identity or short in key.aliases:
            return str(key.arn), tuple(key.aliases)
    return place.arn("kms", short if short.startswith("alias/") else f"key/{identity}"), ()


def _single(operation: Operation, place: Place) -> Iterator[Item]:
    params = operation.params
    table = params.get("TableName") or params.get("GlobalTableName")
    if not table:
        named = params.get("ResourceArn") or params.get("BackupArn") or "*"
        yield f"dynamodb:{operation.name}", str(named), {}
        return
    resource = table_arn(str(table), place)
    if params.get("IndexName"):
        resource = f"{resource}/index/{params['IndexName']}"
    yield f"dynamodb:{operation.name}", resource, _leading_keys(str(table), [params], place)


def _transaction(params: Mapping[str, Any], place: Place) -> Iterator[Item]:
    for item in items(params.get("TransactItems")):
        for part, request in item.items():
            table = str(request.get("TableName"))
            action = f"dynamodb:{PARTS_OF_TRANSACTIONS.get(part, part)}"
            yield action, table_arn(table, place), _leading_keys(table, [request], place)


def _batch_keys(table: str, request: Any, place: Place) -> dict[str, tuple[str, ...]]:
    if isinstance(request, Mapping):
        return _leading_keys(table, [{"Key": key} for key in items(request.get("Keys"))], place)
    writes = [inner for each in items(request) for inner in each.values()]
    return _leading_keys(table, writes, place)


def _leading_keys(table: str, requests: list[Mapping[str, Any]], place: Place) -> dict[str, tuple[str, ...]]:
    known = place.backend("dynamodb").tables.get(table.rsplit("/", 1)[-1])
    name = getattr(known, "hash_key_attr", None)
    found = [(request.get("Key") or request.get("Item") or {}).get(name) for request in requests]
    keys = [str(value) for attribute in found if isinstance(attribute, Mapping) for value in attribute.values()]
    for request in requests:
        values = request.get("ExpressionAttributeValues") or {}
        condition = str(request.get("KeyConditionExpression") or "")
        keys += [str(next(iter(values[name].values()))) for name in values if name in condition.split("AND")[0]]
    return {"dynamodb:leadingkeys": tuple(keys)} if keys else {}


def table_arn(table: str, place: Place) -> str:
    """A table is named by name or by ARN."""
    return table if table.startswith("arn:") else f"arn:aws:dynamodb:{place.region}:{place.account}:table/{table}"
