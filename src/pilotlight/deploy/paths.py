"""Property paths as Pulumi writes them: `tags.foo`, `rules[0].id`, `containers[*].image`, `tags["a.b"]` (pure).

Follows `PropertyPath` in pulumi/sdk/go/common/resource/property_path.go, its `Reset` above all: a path that ends in
something absent on both sides is fine, one that cannot be followed on one side alone is an error that is told.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from pilotlight.deploy.values import SECRET, marked, secret

PART = re.compile(r"""\.?([^.\[\]"]+)|\[(\d+|\*)\]|\["((?:[^"\\]|\\.)*)"\]""")

Part = str | int
EVERY = "*"


class PathLost(Exception):
    """A path leads somewhere in the old or in the new value, but not in the other."""


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
    """The new inputs with the old value wherever this path leads; PathLost when it cannot be followed."""
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
    if parts[0] == EVERY:
        _keep_every(parts, old, new)
    elif len(parts) == 1:
        _keep_one(parts[0], old, new)
    elif not old.fits(parts[0]) or not new.fits(parts[0]):
        _lost_if(parts[0], old.fits(parts[0]) or new.fits(parts[0]))
    elif isinstance(parts[0], int):
        _lost_if(parts[0], not old.holds(parts[0]) or not new.holds(parts[0]))
        _keep(parts[1:], old.at(parts[0]), new.at(parts[0]))
    else:
        _lost_if(parts[0], old.holds(parts[0]) and not new.holds(parts[0]))
        if new.holds(parts[0]):
            _keep(parts[1:], old.at(parts[0]), new.at(parts[0]))


def _keep_one(part: Part, old: _Side, new: _Side) -> None:
    if isinstance(part, int):
        _lost_if(part, old.holds(part) != new.holds(part) or old.fits(part) != new.fits(part))
        if old.holds(part):
            new.take(part, old)
    elif old.holds(part):
        _lost_if(part, not new.fits(part))
        new.take(part, old)
    elif new.holds(part):
        del new.value[part]


def _keep_every(parts: tuple[Part, ...], old: _Side, new: _Side) -> None:
    if len(parts) == 1 and isinstance(new.value, dict):
        for part in {*old.parts(), *new.parts()} if isinstance(old.value, dict) else ():
            _keep_one(part, old, new)
        return
    alike = type(old.value) is type(new.value) and isinstance(new.value, dict | list)
    if len(parts) == 1 and isinstance(new.value, list) and not isinstance(old.value, list):
        return
    _lost_if(EVERY, not alike or (isinstance(new.value, list) and len(old.value) != len(new.value)))
    for part in old.parts():
        _lost_if(part, not new.holds(part))
        if len(parts) == 1:
            new.take(part, old)
        else:
            _keep(parts[1:], old.at(part), new.at(part))


def _lost_if(part: Part, lost: bool) -> None:
    if lost:
        raise PathLost(str(part))
