"""Overrides: what the embedded cloud puts in the place of moto's own. Everything that does so passes here, so that it
is always put around moto's own and never around ours, can be listed, and is gone with the cloud that needed it.

docs/reference/local-cloud-gaps.md has the list.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence
from typing import Any, NamedTuple

_ABSENT = object()


class Override(NamedTuple):
    """One of them: a class of moto's and the name of the attribute, and the module here that puts it there."""

    kind: type
    name: str
    by: str


_BEFORE: dict[tuple[type, str], Any] = {}
"""What stood in each place before; _ABSENT where nothing did (a base class may have one)."""
_BY: dict[tuple[type, str], str] = {}
_EXTENDED: list[tuple[MutableSequence[Any], Any]] = []
"""(list of moto's, what was added to it)."""


def original(kind: type, name: str) -> Any:
    """moto's own, whatever stands in its place by now; None where it has none."""
    for each in kind.__mro__:
        found = _BEFORE.get((each, name), each.__dict__.get(name, _ABSENT))
        if found is not _ABSENT:
            return found.__get__(None, kind) if isinstance(found, (staticmethod, classmethod)) else found
    return None


def override(kind: type, **attributes: Any) -> None:
    """Put these functions, properties or values in the place of the class's own."""
    for name, attribute in attributes.items():
        by = _module_of(attribute)
        if _BY.setdefault((kind, name), by) != by:
            raise ValueError(f"{kind.__name__}.{name} is overridden by {_BY[kind, name]} already")
        _BEFORE.setdefault((kind, name), kind.__dict__.get(name, _ABSENT))
        setattr(kind, name, attribute)


def override_properties(kind: type, **functions: Callable[[Any], Any]) -> None:
    """Properties that cannot be set."""
    override(kind, **{name: property(function) for name, function in functions.items()})


def kept_as_given(name: str) -> property:
    """A property that keeps, under this name, what it is given, in the place of one that knows better."""
    return property(lambda self: getattr(self, name, None), lambda self, value: setattr(self, name, value))


def extend(of_moto: MutableSequence[Any], item: Any) -> None:
    """Add to a list of moto's what it lacks."""
    if item not in of_moto:
        of_moto.append(item)
        _EXTENDED.append((of_moto, item))


def overrides() -> list[Override]:
    """All that stand, by moto's module, class and name."""
    found = [Override(kind, name, by) for (kind, name), by in _BY.items()]
    return sorted(found, key=lambda each: (each.kind.__module__, each.kind.__name__, each.name))


def release() -> None:
    """Give moto's classes back as they were: a cloud that has stopped must not answer for the next one."""
    for (kind, name), before in _BEFORE.items():
        if before is _ABSENT:
            delattr(kind, name)
        else:
            setattr(kind, name, before)
    for of_moto, item in _EXTENDED:
        of_moto.remove(item)
    for each in (_BEFORE, _BY, _EXTENDED):
        each.clear()


def _module_of(attribute: Any) -> str:
    function = attribute.fget if isinstance(attribute, property) else attribute
    return str(getattr(function, "__module__", type(function).__module__))
