"""What the standby lacks of the primary's settings, in words (pure). Which settings those are stands in the tables of
stacks/settings_of_*.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pilotlight.runtime.records.settings import LeftOut
from pilotlight.stacks import settings
from pilotlight.stacks.settings import Found, Table

VALUE_CHARACTERS_MAX = 60
"""Of a value that a sentence shows; longer ones are left out of it."""


def lost(where: str, rows: Table, data: Mapping[str, Any]) -> list[LeftOut]:
    """Every setting that is not carried over, each once, however many interfaces or devices have it."""
    return list(dict.fromkeys(left_out(where, each) for each in settings.lost(rows, data)))


def left_out(where: str, each: Found) -> LeftOut:
    """One of them, with what to do about it."""
    if each.setting is None:
        return LeftOut(f"{where}: {each.member}", settings.UNKNOWN, settings.NEWER)
    value = each.value if isinstance(each.value, str) else json.dumps(each.value, default=str)
    shown = f" {value}" if len(value) <= VALUE_CHARACTERS_MAX else ""
    return LeftOut(f"{where}: {each.member}{shown}", each.setting.how, each.setting.advice)


def carried_not(where: str, rows: Table, member: str, value: str) -> LeftOut:
    """One value of a setting that is carried over otherwise."""
    return left_out(where, Found(member, value, rows[member]))
