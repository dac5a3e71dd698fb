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
    return {name: _value(each) for name, each in item.items()}


def _value(attribute: dict[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    if kind != "N":
        return value
    number = float(value)
    return int(number) if number.is_integer() else number
