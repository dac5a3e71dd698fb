"""Plain values to DynamoDB attributes and back: texts, numbers, truth values; everything nested is JSON text (pure)."""

from __future__ import annotations

from typing import Any

Item = dict[str, dict[str, Any]]


def to_item(values: dict[str, Any]) -> Item:
    """Each value as an attribute; None is left out."""
    return {name: attribute(value) for name, value in values.items() if value is not None}


def attribute(value: str | int | float | bool) -> dict[str, Any]:
    """One value as DynamoDB takes it."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        return {"N": repr(round(value, 3))}
    return {"S": value}


def from_item(item: Item) -> dict[str, Any]:
    """The values of an item."""
    return {
        name: _number(each["N"]) if "N" in each else value for name, each in item.items() for value in each.values()
    }


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number
