"""Transactions of DynamoDB that remember what they may have to take back: the items they name, and not the whole table.

moto copies each table that a transaction touches before it begins, so that a journal of n lines costs n squared.
DynamoDB Developer Guide, "Amazon DynamoDB Transactions": all of it is done, or nothing.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override

_here = threading.local()


class Transactions(Behaviour):
    """Takes back item by item."""

    name = "transactions"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        moto = original(DynamoDBBackend, "transact_write_items")

        def transact_write_items(backend: Any, transact_items: list[dict[str, Any]]) -> None:
            before = list(_before(backend, transact_items))
            _here.within = True
            try:
                moto(backend, transact_items)
            except BaseException:
                for table, hash_key, range_key, item in before:
                    _put_back(table, hash_key, range_key, item)
                raise
            finally:
                _here.within = False

        override(DynamoDBBackend, transact_write_items=transact_write_items)
        override(Table, __deepcopy__=_copied)


def _before(backend: Any, transact_items: list[dict[str, Any]]) -> Iterator[tuple[Any, Any, Any, Any]]:
    """(table, keys, a copy of the item or None) of everything that the transaction may change."""
    for each in transact_items:
        for operation, given in each.items():
            table = backend.tables.get(given.get("TableName"))
            keys = given.get("Item") if operation == "Put" else given.get("Key")
            if table is None or operation == "ConditionCheck" or not keys or table.hash_key_attr not in keys:
                continue
            hash_key = DynamoType(keys[table.hash_key_attr])
            range_key = DynamoType(keys[table.range_key_attr]) if table.range_key_attr in keys else None
            yield table, hash_key, range_key, copy.deepcopy(_item(table, hash_key, range_key))


def _item(table: Any, hash_key: Any, range_key: Any) -> Any:
    if table.has_range_key:
        return table.items.get(hash_key, {}).get(range_key)
    return table.items.get(hash_key)


def _put_back(table: Any, hash_key: Any, range_key: Any, item: Any) -> None:
    kept, key = (table.items[hash_key], range_key) if table.has_range_key else (table.items, hash_key)
    if item is None:
        kept.pop(key, None)
    else:
        kept[key] = item


def _copied(table: Any, memo: dict[int, Any]) -> Any:
    """Itself within a transaction, which takes nothing back by it; else a copy, as a backup needs it."""
    if getattr(_here, "within", False):
        return table
    made = object.__new__(type(table))
    memo[id(table)] = made
    made.__dict__.update({name: copy.deepcopy(value, memo) for name, value in table.__dict__.items()})
    return made
