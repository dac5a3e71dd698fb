"""DynamoDB as the ledger uses it: items of one table, with the few expressions that it writes."""
# ruff: noqa: N803 - parameters are named as AWS names them

from __future__ import annotations

import bisect
import threading
from functools import lru_cache
from typing import Any

from pilotlight.runtime.aws.client import refused

Item = dict[str, Any]
Key = tuple[str, str, str]


class Tables:
    """All tables of one region share one dictionary; keys are (table, pk, sk). What changes an item puts another in its
    place, so those that were answered stay as they were."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.items: dict[Key, Item] = {}
        self.partitions: dict[tuple[str, str], list[Key]] = {}
        """(table, pk) -> keys, in order."""
        self.lock = threading.RLock()
        self.protected = True

    def __reduce__(self) -> Any:
        """Copied without its lock."""
        return _tables, (self.region, self.items, self.partitions)

    def get_item(self, TableName: str, Key: Item, ConsistentRead: bool) -> dict[str, Any]:
        assert ConsistentRead, "the ledger must never read a stale item"
        found = self.items.get(_key(TableName, Key))
        return {"Item": found} if found else {}

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
            changed = item | Key
            for name, expression in _assignments(UpdateExpression):
                changed[ExpressionAttributeNames[name]] = reading.value(expression)
            self._keep(_key(TableName, Key), changed)
        return {"Attributes": changed}

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
        with self.lock:
            if self.items.pop(key, None) is not None:
                self.partitions[key[:2]].remove(key)
        return {}

    def _keep(self, key: Key, item: Item) -> None:
        if key not in self.items:
            bisect.insort(self.partitions.setdefault(key[:2], []), key)
        self.items[key] = item

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
            keys = self.partitions.get((TableName, wanted), [])
            keys = keys[bisect.bisect_right(keys, (TableName, wanted, after)) :] if after else keys
            return {"Items": [self.items[key] for key in (keys if ScanIndexForward else reversed(keys))]}

    def _condition_failed(self, operation: str) -> Exception:
        code = "ConditionalCheckFailedException"
        return refused("dynamodb", operation, self.region, code, "The conditional request failed")


class _Reading:
    """Evaluates expressions against one item."""

    def __init__(self, item: Item, names: dict[str, str], values: Item) -> None:
        self.item, self.names, self.values = item, names, values

    def holds(self, condition: str) -> bool:
        return any(all(self._clause(*clause) for clause in either) for either in _clauses(condition))

    def _clause(self, name: str, sign: str, value: str) -> bool:
        here = self.item.get(self.names[name])
        if sign == "absent" or here is None:
            return sign == "absent" and here is None
        left, right = _plain(here), _plain(self.values[value])
        return bool(left == right if sign == "=" else left < right if sign == "<" else left <= right)

    def value(self, expression: str) -> Any:
        if " + " in expression:
            total = sum(_plain(self.value(part.strip())) for part in expression.rsplit(" + ", 1))
            return {"N": str(int(total))}
        if expression.startswith("if_not_exists"):
            name, default = (each.strip() for each in expression[len("if_not_exists(") : -1].split(","))
            return self.item.get(self.names[name], self.values[default])
        return self.values[expression]


@lru_cache(maxsize=256)
def _clauses(condition: str) -> tuple[tuple[tuple[str, str, str], ...], ...]:
    """(name, sign, value) of what has to be so together, of each of several ways in which a condition holds."""
    return tuple(tuple(_clause(part.strip()) for part in either.split(" AND ")) for either in condition.split(" OR "))


def _clause(clause: str) -> tuple[str, str, str]:
    if clause.startswith("attribute_not_exists"):
        return clause[clause.index("(") + 1 : -1], "absent", ""
    name, sign, value = clause.split()
    assert sign in ("=", "<", "<=")
    return name, sign, value


@lru_cache(maxsize=256)
def _assignments(expression: str) -> tuple[tuple[str, str], ...]:
    """(name, expression) of each."""
    pairs = (assignment.split("=", 1) for assignment in _split(expression.removeprefix("SET ")))
    return tuple((name.strip(), value.strip()) for name, value in pairs)


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


def _tables(region: str, items: dict[Key, Item], partitions: dict[tuple[str, str], list[Key]]) -> Tables:
    found = Tables(region)
    found.items, found.partitions = items, partitions
    return found


def _plain(attribute: Item) -> Any:
    ((kind, value),) = attribute.items()
    return float(value) if kind == "N" else value


def _key(table: str, item: Item) -> Key:
    return (table, item["pk"]["S"], item["sk"]["S"])
