"""Putting our behaviour in the place of moto's: one way to do it, and always around moto's own, never around ours.

A second cloud in one process (tests) must not wrap the first one's functions, so what was there first is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_BEFORE: dict[tuple[type, str], Any] = {}
"""What stood in each place before; a property that was not there is _ABSENT."""
_ABSENT = object()


def original(kind: type, name: str) -> Any:
    """moto's own function, whatever stands in its place by now; None where it has none."""
    found = getattr(kind, name, None)
    return getattr(found, "grafted_over", found)


def graft(kind: type, **functions: Callable[..., Any]) -> None:
    """Put these functions in the place of the class's own."""
    for name, function in functions.items():
        function.grafted_over = original(kind, name)  # type: ignore[attr-defined]
        _BEFORE.setdefault((kind, name), kind.__dict__.get(name, _ABSENT))
        setattr(kind, name, function)


def graft_properties(kind: type, **functions: Callable[[Any], Any]) -> None:
    """The same for properties."""
    for name, function in functions.items():
        _BEFORE.setdefault((kind, name), kind.__dict__.get(name, _ABSENT))
        setattr(kind, name, property(function))


def graft_attribute(kind: type, name: str, kept_as: str) -> None:
    """A property that keeps what it is given, in the place of one that knows better."""
    _BEFORE.setdefault((kind, name), kind.__dict__.get(name, _ABSENT))
    setattr(
        kind,
        name,
        property(lambda self: getattr(self, kept_as, None), lambda self, value: setattr(self, kept_as, value)),
    )


def release(*kinds: type) -> None:
    """Give these classes back as moto has them: a cloud that has stopped must not answer for the next one."""
    for kind, name in [each for each in _BEFORE if each[0] in kinds]:
        before = _BEFORE.pop((kind, name))
        if before is _ABSENT:
            delattr(kind, name)
        else:
            setattr(kind, name, before)
