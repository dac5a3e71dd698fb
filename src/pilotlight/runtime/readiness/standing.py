"""How every asset stands: PROTECTED, UNPROTECTED or UNKNOWN, with the reason and the age of the evidence (pure).

Protection is earned by a proof that is young enough. While the standby region serves nothing copies what is written
there, so nothing is protected; while the primary is lost, or a run moves the workload, nobody can know. Buckets are
judged by the newest comparison of both sides, everything else by what the newest recovery point says of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.kinds.kind import PROTECTED, UNPROTECTED, Judged, missing
from pilotlight.runtime.kinds.registry import kind_of
from pilotlight.runtime.readiness import bounds
from pilotlight.runtime.records.inventory import Asset, Inventory
from pilotlight.runtime.records.point import ONE_REGION, RecoveryPoint
from pilotlight.runtime.store.ledger import SERVING, Active, Protection
from pilotlight.runtime.store.sightings import HEALTHY, LOST, Look

UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class AssetStanding:
    """One asset. `age_seconds` is the age of the evidence; None where there is none."""

    name: str
    kind: str
    state: str
    why: str
    age_seconds: float | None
    since: str = ""
    by: str = ""
    """How strong the evidence is: `1200 by version, 3 by checksum`."""


@dataclass(frozen=True)
class Known:
    """What is known at the moment `now` (seconds since 1970): by bucket the newest comparison, the newest recovery
    point however complete, the probe's newest look."""

    now: float
    active: Active
    protections: Mapping[str, Protection]
    point: RecoveryPoint | None
    look: Look | None


def standings(inventory: Inventory, known: Known) -> tuple[AssetStanding, ...]:
    """Every asset, in the inventory's order."""
    return tuple(_standing(inventory, known, asset) for asset in inventory.assets)


def _standing(inventory: Inventory, known: Known, asset: Asset) -> AssetStanding:
    judged = _beyond(inventory, known, asset) or _young(inventory, known, _by_evidence(inventory, known, asset))
    age = round(known.now - parse_stamp(judged.at), 3) if judged.at else None
    return AssetStanding(asset.name, asset.kind, judged.state, judged.why, age, judged.since, judged.by)


def _beyond(inventory: Inventory, known: Known, asset: Asset) -> Judged | None:
    """What holds for every asset, whatever was seen of it; None while the primary serves."""
    active = known.active
    if active.state != SERVING:
        return Judged(UNKNOWN, f"run {active.run} is moving the workload since {active.since}", active.since)
    if active.region != inventory.primary:
        why = f"{_kept_alone(inventory, known, asset)}; {_serves_from_standby(inventory, known)}"
        return Judged(UNPROTECTED, why, active.since, active.since)
    return None


def _kept_alone(inventory: Inventory, known: Known, asset: Asset) -> str:
    """What the newest point of one region says of it."""
    point = known.point if known.point and known.point.status == ONE_REGION else None
    part = point.part(asset.name) if point and point.created_at >= known.active.since else None
    if point is None or part is None:
        return f"no point of {inventory.standby} alone was made yet"
    if not part.proven:
        return f"not kept in {inventory.standby} alone either: {missing(part)}"
    return f"kept in {inventory.standby} alone, as of {part.as_of or point.created_at}"


def _serves_from_standby(inventory: Inventory, known: Known) -> str:
    back = known.look is not None and known.look.home == HEALTHY and known.look.region == known.active.region
    told = "answers again: `pilotlight failback` goes home" if back else "is not known to answer; go home when it does"
    return (
        f"{inventory.standby} serves since {known.active.since}, and what is written there has no copy in another "
        f"region; {inventory.primary} {told}"
    )


def _young(inventory: Inventory, known: Known, judged: Judged) -> Judged:
    """Evidence from before the primary served again, too old, or from before it was lost, is none."""
    if judged.state != PROTECTED:
        return judged
    bound = max(judged.lasts, bounds.evidence_seconds(inventory))
    age = known.now - parse_stamp(judged.at)
    why = ""
    if known.active.since and judged.at < known.active.since:
        why = f"not looked at since {inventory.primary} serves again ({known.active.since})"
    elif age > bound:
        why = f"looked at {age:.0f} s ago, at most {bound:.0f} s count; does the schedule of protect run?"
    elif known.look is not None and known.look.verdict == LOST and known.look.region == inventory.primary:
        why = f"{inventory.primary} is lost since {known.look.since}: what was written after {judged.at} is not known"
    return Judged(UNKNOWN, why, judged.at, judged.since) if why else judged


def _by_evidence(inventory: Inventory, known: Known, asset: Asset) -> Judged:
    part = known.point.part(asset.name) if known.point else None
    return kind_of(asset).standing(inventory, asset, part, known.point, known.protections.get(asset.name))
