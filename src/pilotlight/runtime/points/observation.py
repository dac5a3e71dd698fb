"""One look at all assets, in an order that makes it consistent: what refers is looked at before what it refers to.

First what kinds ask first, as the rows that name checkpoints; then kind by kind, in the registry's order: the datasets,
whose watermark says how new a checkpoint may be; then the checkpoints; then the rest. An asset that cannot be looked at
is a part that is not proven, with the reason; the others are looked at all the same. Only a standby region that does
not answer ends the whole look.
"""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.checkpoints.verify import TooManyFiles
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RegionUnreachable
from pilotlight.runtime.kinds.kind import AssetKind, Observation
from pilotlight.runtime.kinds.registry import by_kind, in_order
from pilotlight.runtime.records.inventory import Asset
from pilotlight.runtime.records.point import Part


def ask_first(context: RecoveryContext, primary_answers: bool) -> dict[str, Any]:
    """What has to be read before anything else is looked at, by asset; nothing where the primary is silent."""
    found = dict[str, Any]()
    if not primary_answers:
        return found
    try:
        for kind, assets in by_kind(context.inventory):
            found |= kind.ask_first(context, assets)
    except RegionUnreachable:
        return {}
    return found


def observe(look: Observation) -> tuple[Part, ...]:
    """A part for every asset of the inventory, in its order."""
    for kind, asset in in_order(look.context.inventory):
        look.parts[asset.name] = _observed(kind, look, asset)
    return tuple(look.parts[asset.name] for asset in look.context.inventory.assets)


def learn(look: Observation) -> None:
    """What was seen is kept, so that the next look need not find it out again."""
    for kind, asset in in_order(look.context.inventory):
        if asset.name in look.seen:
            kind.learn(look.context, asset, look.seen[asset.name])


def _observed(kind: AssetKind[Any], look: Observation, asset: Asset) -> Part:
    try:
        return kind.observe(look, asset)
    except RegionUnreachable as problem:
        if not look.primary_answers:
            raise
        look.primary_only(problem)
        return _observed(kind, look, asset)
    except CallRefused as refusal:
        reason = refusal.message
    except TooManyFiles as problem:
        reason = f"{problem} below its prefix; narrow the prefix in the declaration"
    return Part(asset.name, asset.kind, asset.mechanism, False, "", missing=(reason,))
