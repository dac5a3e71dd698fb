"""Inventories whose assets are named by kind, as tests like to change them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from pilotlight.runtime.records.inventory import Asset, Compute, Database, Datasets, Inventory, Volumes

LISTS: dict[str, type[Asset]] = {"datasets": Datasets, "volumes": Volumes, "databases": Database, "computes": Compute}


def listed(**lists: Iterable[Asset]) -> tuple[Asset, ...]:
    """One list from several, in the order of the registry."""
    return tuple(asset for name in LISTS for asset in lists.get(name, ()))


def changed(inventory: Inventory, **changes: Any) -> Inventory:
    """The inventory with these lists instead of its own, and other fields as `dataclasses.replace` takes them."""
    lists = {name: changes.pop(name, inventory.of(record)) for name, record in LISTS.items()}
    return dataclasses.replace(inventory, assets=listed(**lists), **changes)
