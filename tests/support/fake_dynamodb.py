"""DynamoDB as the ledger uses it: items of one table, with the few expressions that it writes."""
# ruff: noqa: N803 - parameters are named as AWS names them

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

from pilotlight.runtime.aws.client import refused

Item = dict[str, Any]


class Tables:
    """All tables of one region share one dictionary; keys are (table, pk, sk). Attributes are values that nobody
    changes in place, so an item is copied one level deep."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.items: dict[tuple[str, str, str], Item] = {}
        self.partitions: dict[tuple[str, str], set[tuple[str, str, str]]] = {}
        self.lock = threading.RLock()
        self.protected = True

    def __reduce__(self) -> Any:
        """Copied without its lock."""
        return _tables, (self.region, self.items)

    def get_item(self, TableName: str, Key: Item, ConsistentRead: bool) -> dict[str, Any]:
        assert ConsistentRead, "the ledger must never read a stale item"
        found = self.items.get(_key(TableName, Key))
        return {"Item": dict(found)} if found else {}

    def describe_table(self, TableName: str) -> dict[str, Any]:
        return {"Table": {"TableName": TableName}}

    def update_table(self, TableName: str, DeletionProtectionEnabled: bool) -> dict[str, Any]:
        self.protected = DeletionProtectionEnabled
        return {}

    def put_item(self, TableName: str, Item: Item, ConditionExpression: str = "") -> dict[str, Any]:
        with self.lock:
            if ConditionExpression and _key(TableName, Item) in self.items:
                raise self._condition_failed("put_item")
            self._keep(_key(TableName, Item), dict(Item))
        return {}

    def update_item(
        self,
        TableName: str,
        Key: Item,
        UpdateExpression: str,
        ExpressionAttributeNames: dict[str, str],
        ExpressionAttributeValues: Item,
        ReturnValues: str,
        ConditionExpression: str = "",
    ) -> dict[str, Any]:
        with self.lock:
            item = self.items.get(_key(TableName, Key), {})
            reading = _Reading(item, ExpressionAttributeNames, ExpressionAttributeValues)
            if ConditionExpression and not reading.holds(ConditionExpression):
                raise self._condition_failed("update_item")
            changed = dict(item) | Key
            for assignment in _split(UpdateExpression.removeprefix("SET ")):
                name, expression = (each.strip() for each in assignment.split("=", 1))
                changed[ExpressionAttributeNames[name]] = reading.value(expression)
            self._keep(_key(TableName, Key), changed)
        return {"Attributes": dict(changed)}

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        """All or nothing, as DynamoDB does it: every condition first, then every write."""
        with self.lock:
            reasons = [self._reason(kind, part) for each in TransactItems for kind, part in each.items()]
            if any(each != "None" for each in reasons):
                told = f"Transaction cancelled, please refer cancellation reasons for specific reasons {reasons}"
                raise refused("dynamodb", "transact_write_items", self.region, "TransactionCanceledException", told)
            for each in TransactItems:
                for kind, part in each.items():
                    if kind == "Put":
                        self.put_item(**part)
                    elif kind == "Update":
                        self.update_item(**{"ExpressionAttributeValues": {}} | part, ReturnValues="NONE")
        return {}

    def _reason(self, kind: str, part: dict[str, Any]) -> str:
        condition = part.get("ConditionExpression", "")
        if not condition:
            return "None"
        item = self.items.get(_key(part["TableName"], part["Key"]), {})
        reading = _Reading(item, part["ExpressionAttributeNames"], part.get("ExpressionAttributeValues", {}))
        return "None" if reading.holds(condition) else "ConditionalCheckFailed"

    def delete_item(self, TableName: str, Key: Item) -> dict[str, Any]:
        key = _key(TableName, Key)
        self.items.pop(key, None)
        self.partitions.get(key[:2], set()).discard(key)
        return {}

    def _keep(self, key: tuple[str, str, str], item: Item) -> None:
        self.items[key] = item
        self.partitions.setdefault(key[:2], set()).add(key)

    def query(
        self,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeValues: Item,
        ConsistentRead: bool,
        ScanIndexForward: bool,
    ) -> dict[str, Any]:
        assert ConsistentRead and KeyConditionExpression in ("pk = :pk", "pk = :pk AND sk > :after")
        wanted, after = (ExpressionAttributeValues.get(name, {"S": ""})["S"] for name in (":pk", ":after"))
        with self.lock:
            keys = sorted(key for key in self.partitions.get((TableName, wanted), ()) if key[2] > after)
            return {"Items": [dict(self.items[key]) for key in (keys if ScanIndexForward else keys[::-1])]}

    def _condition_failed(self, operation: str) -> Exception:
        code = "ConditionalCheckFailedException"
        return refused("dynamodb", operation, self.region, code, "The conditional request failed")


class _Reading:
    """Evaluates expressions against one item."""

    def __init__(self, item: Item, names: dict[str, str], values: Item) -> None:
        self.item, self.names, self.values = item, names, values

    def holds(self, condition: str) -> bool:
        return any(
            all(self._clause(part.strip()) for part in either.split(" AND ")) for either in condition.split(" OR ")
        )

    def _clause(self, clause: str) -> bool:
        if clause.startswith("attribute_not_exists"):
            return self.names[clause[clause.index("(") + 1 : -1]] not in self.item
        name, sign, value = clause.split()
        here, there = self.item.get(self.names[name]), self.values[value]
        if here is None:
            return False
        left, right = _plain(here), _plain(there)
        return {"=": left == right, "<": left < right, "<=": left <= right}[sign]

    def value(self, expression: str) -> Any:
        if " + " in expression:
            total = sum(_plain(self.value(part.strip())) for part in expression.rsplit(" + ", 1))
            return {"N": str(int(total))}
        if expression.startswith("if_not_exists"):
            name, default = (each.strip() for each in expression[len("if_not_exists(") : -1].split(","))
            return self.item.get(self.names[name], self.values[default])
        return self.values[expression]


@lru_cache(maxsize=256)
def _split(text: str) -> list[str]:
    """Assignments between commas that are not inside parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _tables(region: str, items: dict[tuple[str, str, str], Item]) -> Tables:
    found = Tables(region)
    for key, item in items.items():
        found._keep(key, item)
    return found


def _plain(attribute: Item) -> Any:
    ((kind, value),) = attribute.items()
    return float(value) if kind == "N" else value


def _key(table: str, item: Item) -> tuple[str, str, str]:
    return (table, item["pk"]["S"], item["sk"]["S"])
