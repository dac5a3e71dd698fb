"""Property paths as Pulumi writes them: `tags.foo`, `rules[0].id`, `containers[*].image`, `tags["a.b"]` (pure).

Follows `PropertyPath` in pulumi/sdk/go/common/resource/property_path.go, its `Reset` above all: what a path leads to on
both sides is kept as it was, and where it cannot be followed the new value stays. Tests compare it with Pulumi's own.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from pilotlight.engine.values import SECRET, marked, secret

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
    """The new inputs with the old value wherever this path leads."""
    result = copy.deepcopy(new)
    _keep(parse(path), _Side(old), _Side(result))
    return result


def select(path: str, value: Any) -> list[Any]:
    """Every value that a path leads to, secrets revealed on the way."""
    found = [_Side(value)]
    for part in parse(path):
        found = [step for each in found for step in each.steps(part)]
    return [each.value for each in found]


class _Side:
    """A value on the way down, and whether a secret was opened to get here."""

    def __init__(self, value: Any, hidden: bool = False) -> None:
        self.hidden = hidden or marked(value, SECRET)
        while marked(value, SECRET):
            value = value["value"]
        self.value = value

    def parts(self) -> list[Part]:
        if isinstance(self.value, dict):
            return list(self.value)
        return list(range(len(self.value))) if isinstance(self.value, list) else []

    def fits(self, part: Part) -> bool:
        """Whether this is a list where an index is asked for, an object where a name is."""
        return isinstance(self.value, list if isinstance(part, int) else dict)

    def holds(self, part: Part) -> bool:
        return self.fits(part) and part in self.parts()

    def at(self, part: Part) -> _Side:
        return _Side(self.value[part] if self.holds(part) else None, self.hidden)

    def steps(self, part: Part) -> list[_Side]:
        wanted = self.parts() if part == EVERY else [part]
        return [self.at(each) for each in wanted if self.holds(each)]

    def take(self, part: Part, other: _Side) -> None:
        """Put the other side's value here; a secret stays one."""
        value = copy.deepcopy(other.value[part])
        hide = other.hidden and not self.hidden and not marked(value, SECRET)
        self.value[part] = secret(value) if hide else value


def _keep(parts: tuple[Part, ...], old: _Side, new: _Side) -> None:
    part, rest = parts[0], parts[1:]
    if part == EVERY:
        _keep_every(rest, old, new)
    elif not rest:
        _keep_one(part, old, new)
    elif new.holds(part) and (old.holds(part) or (isinstance(part, str) and (old.value is None or old.fits(part)))):
        _keep(rest, old.at(part), new.at(part))


def _keep_one(part: Part, old: _Side, new: _Side) -> None:
    if old.holds(part) and (new.holds(part) or (isinstance(part, str) and new.fits(part))):
        new.take(part, old)
    elif isinstance(part, str) and new.holds(part):
        del new.value[part]


def _keep_every(rest: tuple[Part, ...], old: _Side, new: _Side) -> None:
    if type(old.value) is not type(new.value):
        return
    for part in dict.fromkeys([*old.parts(), *new.parts()]):
        _keep((part, *rest), old, new)
