"""Property paths as Pulumi writes them: `tags.foo`, `rules[0].id`, `containers[*].image`, `tags["a.b"]` (pure).

Follows the syntax of `PropertyPath` in pulumi/sdk; used for ignore_changes and replace_on_changes.
"""

from __future__ import annotations

import copy
import re
from typing import Any

PART = re.compile(r"""\.?([^.\[\]"]+)|\[(\d+|\*)\]|\["((?:[^"\\]|\\.)*)"\]""")

Part = str | int
EVERY = "*"


def parse(text: str) -> tuple[Part, ...]:
    """The parts of a path; `*` stands for every element or key."""
    parts: list[Part] = []
    for word, index, quoted in PART.findall(text):
        if index and index != EVERY:
            parts.append(int(index))
        else:
            parts.append(index or word or quoted.replace('\\"', '"'))
    return tuple(parts)


def keep_old(path: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The new inputs with the old value wherever this path leads; absent in the old means absent in the result."""
    result = copy.deepcopy(new)
    _keep(parse(path), old, result)
    return result


def _keep(parts: tuple[Part, ...], old: Any, new: Any) -> None:
    if not parts:
        return
    for part in _targets(parts[0], old, new):
        if len(parts) > 1:
            if _holds(new, part):
                _keep(parts[1:], old[part] if _holds(old, part) else None, new[part])
        elif _holds(old, part):
            _put(new, part, copy.deepcopy(old[part]))
        elif isinstance(new, dict):
            new.pop(str(part), None)


def _targets(part: Part, old: Any, new: Any) -> list[Part]:
    if part != EVERY:
        return [part]
    if isinstance(new, list):
        return list(range(len(new)))
    keys = [*new] if isinstance(new, dict) else []
    return keys + [key for key in (old if isinstance(old, dict) else ()) if key not in keys]


def _holds(value: Any, part: Part) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _put(value: Any, part: Part, item: Any) -> None:
    if isinstance(value, dict):
        value[str(part)] = item
    elif isinstance(value, list) and isinstance(part, int) and part < len(value):
        value[part] = item


def touches(path: str, changed: set[str]) -> bool:
    """Whether a path leads into one of these top-level properties; `*` alone leads into all."""
    parts = parse(path)
    return bool(parts) and (parts[0] == EVERY or parts[0] in changed)
