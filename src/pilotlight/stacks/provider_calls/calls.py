"""How the calls of one resource type are written down: operations in order, and where each was read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

ACTS = ("create", "read", "update", "delete")
SOMETIMES, READ = "?", "*READ*"
"""After an operation: made only where the inputs or the answers ask for it. In its place: everything of `read`."""


@dataclass(frozen=True)
class Seen:
    """A file of the provider below `internal/service/`, its functions that were read, and the major version of the
    stored copy that they were read in."""

    file: str
    functions: tuple[str, ...]
    version: int


@dataclass(frozen=True)
class Calls:
    """What the provider asks of AWS for one type. Operations are named as boto3's models name them, `service.Operation`
    where they are not of this type's own service; repetitions that only wait are one."""

    service: str
    kinds: tuple[str, ...]
    """The kinds of people_kinds.py that the calls act on."""
    seen: tuple[Seen, ...]
    create: tuple[str, ...]
    read: tuple[str, ...]
    update: tuple[str, ...]
    delete: tuple[str, ...]
    along: tuple[str, ...] = ()
    """IAM actions that AWS asks besides, for parameters of these operations."""
    withheld: dict[str, str] = field(default_factory=dict)
    """Operation -> why it is not granted: no `up` of ours comes to it, or the provider goes on where it is refused."""
    believed: str = ""
    """What was not seen in a stored copy, and what is believed of it."""
    apart: dict[str, str] = field(default_factory=dict)
    """Operation -> why the rehearsal's stand-in does not make it."""
    first: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Act -> the operation that the stand-in makes besides, before all others, and why."""

    def of(self, act: str) -> tuple[str, ...]:
        """`service.Operation` of one act, in order, each with its mark."""
        named: Iterable[str] = getattr(self, act)
        whole = [each for one in named for each in (self.read if one == READ else (one,))]
        return tuple(each if "." in each else f"{self.service}.{each}" for each in whole)

    def operations(self) -> tuple[str, ...]:
        """Every operation of every act, without marks, once."""
        return tuple(dict.fromkeys(each.rstrip(SOMETIMES) for act in ACTS for each in self.of(act)))

    def sources(self) -> tuple[str, ...]:
        """`internal/service/FILE: function, ...` (version)."""
        return tuple(f"internal/service/{one.file}: {', '.join(one.functions)} ({one.version}.x)" for one in self.seen)


def in_order(expected: Iterable[str], made: Iterable[str]) -> bool:
    """Whether the calls are those, in this order; an operation that is repeated is waiting (pure)."""
    pattern, last, between = "", "", ""
    for each in expected:
        one = f"(?:{re.escape(each.rstrip(SOMETIMES))} )"
        if each.endswith(SOMETIMES):
            between += f"{one}*"
        elif one == last:
            pattern, between = f"{pattern}(?:{between}{one}+)?", ""
        else:
            pattern, last, between = f"{pattern}{between}{one}+", one, ""
    return re.fullmatch(pattern + between, "".join(f"{each} " for each in made)) is not None
