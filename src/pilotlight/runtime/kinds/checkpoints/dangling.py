"""Rows against checkpoint listings: does every checkpoint that the registry names lie whole in the standby region?

*Dangling* is what exists in the primary and has not arrived whole; *ahead* is what has arrived and is newer than the
checkpoint that the point takes; *gone* is what exists in neither region any more, a matter of the registry and not of
recovery. What a person or its metrics call unhealthy has arrived all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.checkpoints.steps import step_of
from pilotlight.runtime.kinds.aurora.references import Rows, place, shown
from pilotlight.runtime.kinds.checkpoints.listing import CheckpointListing, Choice
from pilotlight.runtime.records.inventory import Datasets

NAMED_MAX = 20
"""How many rows a record names; all are counted."""


@dataclass(frozen=True)
class Look:
    """One checkpoints asset at the moment of the look: both listings, and what was taken from the standby's.

    `primary` is None where that region does not answer: then whatever is missing counts as dangling.
    """

    asset: Datasets
    standby: CheckpointListing
    primary: CheckpointListing | None
    choice: Choice


@dataclass
class Judgement:
    """What the rows name, sorted."""

    named: int = 0
    dangling: list[str] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    newest_step: int | None = None


def judge(rows: Rows, looks: Mapping[str, Look]) -> Judgement:
    """Every row once; `looks` by the asset's name."""
    found = Judgement(named=len(rows.uris))
    assets = tuple(look.asset for look in looks.values())
    places = [(uri, place(uri, assets)) for uri in rows.uris]
    for look in looks.values():
        paths = [at[1] for _, at in places if at and at[0] is look.asset]
        for listing in filter(None, (look.standby, look.primary)):
            listing.reach(paths)
    for uri, at in places:
        if at is None:
            found.foreign.append(shown(uri))
            continue
        asset, path = at
        step = step_of(path)
        if step is not None:
            found.newest_step = max(step, found.newest_step or step)
        _sort(found, shown(uri), path, looks[asset.name])
    return found


def _sort(found: Judgement, told: str, path: str, look: Look) -> None:
    here = look.standby.at(path)
    if here is not None and look.standby.verdict(here).serves(look.asset.needs):
        if _is_ahead(look, here.candidate.path):
            found.ahead.append(told)
    elif look.primary is not None and look.primary.at(path) is None:
        found.gone.append(told)
    else:
        found.dangling.append(told)


def _is_ahead(look: Look, path: str) -> bool:
    return any(each.path == path and not each.unhealthy and not each.suspect for each in look.choice.passed_over)


def evidence(rows: Rows, found: Judgement) -> dict[str, Any]:
    """As a record has it."""
    lists = {"dangling": found.dangling, "ahead": found.ahead, "gone": found.gone, "foreign": found.foreign}
    return {
        "read_at": rows.read_at,
        "named": found.named,
        "more": rows.more,
        "newest_step": found.newest_step,
        "counts": {name: len(uris) for name, uris in lists.items()},
        **{name: uris[:NAMED_MAX] for name, uris in lists.items()},
    }
