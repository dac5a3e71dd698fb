"""What becomes of each setting of a launch template and an Auto Scaling group on the way to the standby region.

One row for each member that AWS's model has: carried over, replaced on purpose, left out and named before anything is
made, or no setting at all. The rows stand in settings_of_template.py and settings_of_group.py; the survey finds by them
what a workload has set, and docs/reference/settings.md is written from them. What no row tells is newer than this
Pilotlight, and named as not carried over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

UNKNOWN = "this Pilotlight does not know it"
NEWER = "see whether a newer one does, and whether the standby can do without"


class Fate(StrEnum):
    """What happens to a setting; the words are those of the reference."""

    CARRIED = "carried over"
    REPLACED = "replaced"
    LEFT_OUT = "not carried over"
    ANSWER = "no setting"


@dataclass(frozen=True)
class Setting:
    """One member, by its path in AWS's words; a row stands for everything below it that has no row of its own."""

    member: str
    fate: Fate
    how: str
    """How it is carried over, why it is replaced, or what the standby does without it."""
    advice: str = ""
    """What a person can do where it is not carried over; of what is carried over, where it cannot be."""
    usual: tuple[str, ...] = ()
    """Values that mean what the standby does anyway; patterns. False is one of them where nothing is said."""

    def is_set(self, value: Any) -> bool:
        """Whether this value asks for something (pure)."""
        if value in (None, "", [], {}) or (value is False and not self.usual):
            return False
        return not any(fnmatchcase(str(value), each) for each in self.usual)


Table = Mapping[str, Setting]


def table(*settings: Setting) -> Table:
    """Rows by their member."""
    return {each.member: each for each in settings}


def carried(member: str, how: str, advice: str = "") -> Setting:
    return Setting(member, Fate.CARRIED, how, advice)


def replaced(member: str, why: str) -> Setting:
    return Setting(member, Fate.REPLACED, why)


def left_out(member: str, instead: str, advice: str, usual: tuple[str, ...] = ()) -> Setting:
    return Setting(member, Fate.LEFT_OUT, instead, advice, usual)


def answer(member: str, what: str = "AWS tells it; nobody sets it") -> Setting:
    return Setting(member, Fate.ANSWER, what)


@dataclass(frozen=True)
class Found:
    """A member that is set, with its value; `setting` is None where no row tells of it."""

    member: str
    value: Any
    setting: Setting | None


def found(rows: Table, data: Any, member: str = "") -> Iterator[Found]:
    """Every member that is set in this data, as far down as there are rows (pure)."""
    deeper = not member or _goes_on(rows, member)
    if deeper and isinstance(data, list):
        for each in data:
            yield from found(rows, each, member)
        return
    if deeper and isinstance(data, Mapping):
        for key, value in data.items():
            yield from found(rows, value, f"{member}.{key}" if member else key)
        return
    setting = row(rows, member)
    if setting is None and data in (None, "", [], {}, False):
        return
    if setting is None or setting.is_set(data):
        yield Found(member, data, setting)


def row(rows: Table, member: str) -> Setting | None:
    """The row of a member, or the nearest above it (pure)."""
    while member:
        if member in rows:
            return rows[member]
        member = member.rpartition(".")[0]
    return None


def lost(rows: Table, data: Any) -> Iterator[Found]:
    """What is set and not carried over: rows that say so, and members that have no row (pure)."""
    for each in found(rows, data):
        if each.setting is None or each.setting.fate is Fate.LEFT_OUT:
            yield each


def _goes_on(rows: Table, member: str) -> bool:
    return any(each.startswith(f"{member}.") for each in rows)
