"""Plain values to DynamoDB attributes and back: texts, numbers, truth values; everything nested is JSON text (pure)."""

from __future__ import annotations

from typing import Any

Item = dict[str, dict[str, Any]]


def to_item(values: dict[str, Any]) -> Item:
    """Each value as an attribute; None is left out."""
    return {name: attribute(value) for name, value in values.items() if value is not None}


def attribute(value: str | int | float | bool) -> dict[str, Any]:
    """One value as DynamoDB takes it."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": repr(round(value, 3))}


def from_item(item: Item) -> dict[str, Any]:
    """The values of an item."""
    return {name: each["S"] if "S" in each else _other(each) for name, each in item.items()}


def _other(attribute: dict[str, Any]) -> Any:
    return _number(attribute["N"]) if "N" in attribute else next(iter(attribute.values()))


def _number(text: str) -> int | float:
    if text.isdecimal():
        return int(text)
    number = float(text)
    return int(number) if number.is_integer() else number
