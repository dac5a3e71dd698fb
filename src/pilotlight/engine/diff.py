"""What changes between two sets of inputs, and whether that needs an update or a new resource (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pilotlight.engine import paths
from pilotlight.engine.values import DEFAULTS, canonical, comparable

SAME, CREATE, UPDATE, REPLACE, DELETE = "same", "create", "update", "replace", "delete"
OPERATIONS = (CREATE, UPDATE, REPLACE, DELETE, SAME)


@dataclass(frozen=True)
class Difference:
    """The top-level inputs that differ; `operation` is same, update or replace."""

    keys: frozenset[str]
    operation: str


def keep_ignored(ignore: Iterable[str], old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The new inputs with everything that changes are ignored in taken from the old."""
    for path in ignore:
        new = paths.keep_old(path, old, new)
    return new


def compare(
    old: dict[str, Any], new: dict[str, Any], replace_on: frozenset[str], replace_on_changes: Iterable[str] = ()
) -> Difference:
    """Compare inputs by what they mean: a secret by its value, an asset by its content."""
    before, after = comparable(old), comparable(new)
    changed = {key for key in before.keys() | after.keys() if canonical(before.get(key)) != canonical(after.get(key))}
    changed.discard(DEFAULTS)
    if not changed:
        return Difference(frozenset(), SAME)
    asked = any(_differs(path, before, after) for path in replace_on_changes)
    return Difference(frozenset(changed), REPLACE if asked or changed & replace_on else UPDATE)


def _differs(path: str, before: dict[str, Any], after: dict[str, Any]) -> bool:
    return canonical(paths.select(path, before)) != canonical(paths.select(path, after))
