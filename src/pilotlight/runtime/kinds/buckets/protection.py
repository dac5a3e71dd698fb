"""Whether a bucket is protected: a word that has to be earned by a proof, and is lost again by itself.

UNPROTECTED until a comparison of both sides found nothing overdue; UNPROTECTED again as soon as one finds an object
that replication did not bring within the objective. Every scheduled run of `protect` and every backfill compares. The
state is kept in the journal table, so that `status` tells it while the primary region is dark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RegionUnreachable
from pilotlight.runtime.kinds.kind import PROTECTED, UNPROTECTED
from pilotlight.runtime.records.inventory import Datasets
from pilotlight.runtime.records.point import Part
from pilotlight.runtime.store.ledger import Protection

NOT_PROVEN = "never compared with its copy"


def of(context: RecoveryContext, asset: Datasets) -> Protection:
    """The state of one bucket."""
    return context.ledger.protection(asset.name) or Protection(UNPROTECTED, "", NOT_PROVEN)


@dataclass(frozen=True)
class Found:
    """What a comparison found: objects that are missing, of which `before_rule` are from before the replication rule;
    objects that are equal; and why no rule is in place, where none is."""

    missing: int
    keys: tuple[str, ...]
    objects: int
    before_rule: int = 0
    no_rule: str = ""
    unproven: int = 0
    """Of those missing: copies of the same size, of which nothing proves the bytes."""
    strengths: dict[str, int] = field(default_factory=dict)
    compared_at: str = ""
    """When everything was compared; empty: now."""


def judge_part(context: RecoveryContext, asset: Datasets, part: Part) -> None:
    """After a scheduled run: a bucket that it compared."""
    if part.evidence.get("compared"):
        judge(context, asset, _found(part.evidence))


def _found(evidence: dict[str, Any]) -> Found:
    return Found(
        missing=int(evidence["overdue"]),
        keys=tuple(str(key) for key in evidence.get("overdue_keys", [])),
        objects=int(evidence.get("settled", 0)),
        before_rule=int(evidence.get("before_rule", 0)),
        no_rule=str(evidence.get("rule", "")),
        unproven=int(evidence.get("unproven", 0)),
        strengths=dict(evidence.get("strengths", {})),
        compared_at=str(evidence.get("compared_at", "")),
    )


def judge(context: RecoveryContext, asset: Datasets, found: Found) -> Protection:
    """Keep what a comparison found; `since` is when the state last changed."""
    why = "; ".join(_objections(context, asset, found))
    by = ", ".join(f"{count} by {strength}" for strength, count in sorted(found.strengths.items()))
    state = UNPROTECTED if why else PROTECTED
    return context.ledger.set_protection(asset.name, state, why, found.objects, by, found.compared_at)


def _objections(context: RecoveryContext, asset: Datasets, found: Found) -> Iterator[str]:
    if found.no_rule:
        yield found.no_rule
    if found.unproven:
        yield (
            f"{found.unproven} object(s) have a copy of the same size, and S3 keeps no checksum that tells whether of "
            "the same bytes; `pilotlight backfill --read` compares them"
        )
    late = found.missing - found.before_rule - found.unproven
    if found.before_rule and not found.no_rule:
        yield f"{found.before_rule} object(s) from before the replication rule have no copy; run `pilotlight backfill`"
    if late > 0:
        yield f"{late} object(s) did not arrive in time"
    if found.keys:
        yield f"first {found.keys[0]} ({_status(context, asset, found.keys[0])})"


def _status(context: RecoveryContext, asset: Datasets, key: str) -> str:
    """S3's own word on one object: S3 User Guide, "Getting replication status information"."""
    try:
        head = context.client.call("s3", "head_object", context.inventory.primary, Bucket=asset.primary_bucket, Key=key)
    except (CallRefused, RegionUnreachable) as problem:
        return f"its replication status cannot be read: {problem.facts.get('reason', 'no answer')}"
    status = str(head.get("ReplicationStatus", ""))
    if not status:
        return "no rule has taken it up: it was there before, or the rule leaves it out; run `pilotlight backfill`"
    return f"replication {status}"
