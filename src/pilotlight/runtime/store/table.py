"""The journal table as a table: get, put, update and query of items, through the AWS client, always read consistently.

One table in the standby region, partition key `pk`, sort key `sk`. Conditions that do not hold are an answer here
(None or False), not an error: who asks decides what it means.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.aws.client import AwsClient, aws_code
from pilotlight.runtime.aws.transient import CANCELLED
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.store.items import from_item, to_item

CONDITION_FAILED = "ConditionalCheckFailedException"
PART_FAILED = "ConditionalCheckFailed"
"""What the words of a cancelled transaction say of a part whose condition does not hold (DynamoDB API reference,
TransactWriteItems)."""


@dataclass(frozen=True)
class Put:
    """Part of a transaction: this item, whatever was there."""

    pk: str
    sk: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Change:
    """Part of a transaction: these attributes of an item; `changes` and `condition` as in `Table.update`."""

    pk: str
    sk: str
    changes: str
    values: dict[str, Any]
    condition: str = ""


@dataclass(frozen=True)
class Check:
    """Part of a transaction: what has to be so of an item that stays as it is."""

    pk: str
    sk: str
    condition: str
    values: dict[str, Any] = field(default_factory=dict)


class Table:
    """One DynamoDB table."""

    def __init__(self, client: AwsClient, region: str, name: str) -> None:
        self._client, self._region, self._name = client, region, name

    def get(self, pk: str, sk: str) -> dict[str, Any] | None:
        """One item, or None."""
        answer = self._call("get_item", Key=to_item({"pk": pk, "sk": sk}), ConsistentRead=True)
        return from_item(answer["Item"]) if answer.get("Item") else None

    def put(self, pk: str, sk: str, values: dict[str, Any], new: bool = False) -> None:
        """Write one item; with `new`, only where there is none."""
        condition = {"ConditionExpression": "attribute_not_exists(pk)"} if new else {}
        try:
            self._call("put_item", Item=to_item({"pk": pk, "sk": sk} | values), **condition)
        except CallRefused as refusal:
            _unless_condition(refusal)

    def update(
        self, pk: str, sk: str, changes: str, values: dict[str, Any], condition: str = ""
    ) -> dict[str, Any] | None:
        """Change one item; the item as it is then, or None when the condition does not hold.

        `changes` and `condition` name attributes as #name and values as :name.
        """
        more = {"ConditionExpression": condition} if condition else {}
        try:
            answer = self._call(
                "update_item",
                Key=to_item({"pk": pk, "sk": sk}),
                UpdateExpression=f"SET {changes}",
                **_expressed(f"{changes} {condition}", values),
                ReturnValues="ALL_NEW",
                **more,
            )
        except CallRefused as refusal:
            _unless_condition(refusal)
            return None
        return from_item(answer["Attributes"])

    def together(self, *parts: Check | Put | Change) -> bool:
        """Write all of it, or nothing where a condition does not hold; whether it was written."""
        try:
            items = [self._part(each) for each in parts]
            self._client.call("dynamodb", "transact_write_items", self._region, TransactItems=items)
        except CallRefused as refusal:
            if aws_code(refusal) != CANCELLED or PART_FAILED not in str(refusal.facts.get("reason", "")):
                raise
            return False
        return True

    def _part(self, part: Check | Put | Change) -> dict[str, Any]:
        key = {"pk": part.pk, "sk": part.sk}
        if isinstance(part, Put):
            return {"Put": {"TableName": self._name, "Item": to_item(key | part.values)}}
        where = {"TableName": self._name, "Key": to_item(key)}
        condition = {"ConditionExpression": part.condition} if part.condition else {}
        if isinstance(part, Check):
            return {"ConditionCheck": where | condition | _expressed(part.condition, part.values)}
        changes = {"UpdateExpression": f"SET {part.changes}"}
        return {"Update": where | changes | condition | _expressed(f"{part.changes} {part.condition}", part.values)}

    def delete(self, pk: str, sk: str) -> None:
        """Remove one item; none there is fine."""
        self._call("delete_item", Key=to_item({"pk": pk, "sk": sk}))

    def query(self, pk: str, newest_first: bool = False, after: str = "") -> Iterator[dict[str, Any]]:
        """Every item of a partition in the order of `sk`, or those that come after one."""
        given = {":pk": pk} | ({":after": after} if after else {})
        pages = self._client.pages(
            "dynamodb",
            "query",
            self._region,
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND sk > :after" if after else "pk = :pk",
            ExpressionAttributeValues=to_item(given),
            ConsistentRead=True,
            ScanIndexForward=not newest_first,
        )
        for page in pages:
            for item in page.get("Items", []):
                yield from_item(item)

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._client.call("dynamodb", operation, self._region, TableName=self._name, **parameters)


def _unless_condition(refusal: CallRefused) -> None:
    if aws_code(refusal) != CONDITION_FAILED:
        raise refusal


def _expressed(expression: str, values: dict[str, Any]) -> dict[str, Any]:
    """The names and values of an expression, as DynamoDB takes them."""
    found: dict[str, Any] = {"ExpressionAttributeNames": {name: name[1:] for name in _names(expression)}}
    if values:
        found["ExpressionAttributeValues"] = to_item({f":{name}": value for name, value in values.items()})
    return found


@functools.lru_cache(maxsize=256)
def _names(expression: str) -> tuple[str, ...]:
    """What an expression calls attributes by."""
    return tuple(dict.fromkeys(re.findall(r"#\w+", expression)))
