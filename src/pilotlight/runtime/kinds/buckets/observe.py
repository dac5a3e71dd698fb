"""What the standby region holds of a dataset: a watermark, before which nothing of the primary is missing there.

S3 tells times in whole seconds, so the watermark is one, too: every version of an earlier second has arrived.

Both listings are compared as they are. Objects on their way are normal, and hold the watermark back; objects that are
on their way for longer than the objective are overdue, and the part is not proven. So are, at once, objects from before
the replication rule: no rule brings them. When the primary region does not answer nothing newer can be known, and the
newest watermark that was proven is what counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import Clock, stamp
from pilotlight.runtime.kinds.buckets.arrival import waiting_since, was_there
from pilotlight.runtime.kinds.buckets.listing import (
    DIFFERENT,
    SIZE,
    Bucket,
    Current,
    Stays,
    always_over,
    current,
    joined,
    settled,
)
from pilotlight.runtime.kinds.buckets.reference import BucketReference
from pilotlight.runtime.kinds.buckets.rule import ALWAYS, Rule
from pilotlight.runtime.records.inventory import Datasets, Inventory
from pilotlight.runtime.records.point import Part
from pilotlight.runtime.store.ledger import POINTS_MAX

NAMED_MAX = 20
"""How many missing objects a record names; all are counted."""


Certain = Callable[[Current, Current], str]
"""(source, copy) of equal size -> how strongly they are known to be equal after all."""


def by_listing(ours: Current, theirs: Current) -> str:
    """Nothing more is asked."""
    return SIZE


@dataclass
class Comparison:
    """The source as far as it is settled in the copy; times in seconds since 1970."""

    settled: int = 0
    waiting: int = 0
    overdue: int = 0
    before_rule: int = 0
    """Of those overdue, how many are from before the replication rule."""
    overdue_keys: list[str] = field(default_factory=list)
    oldest_waiting: float | None = None
    extra: int = 0
    """Current objects of the copy that the source never had."""
    extra_keys: list[str] = field(default_factory=list)
    kept: int = 0
    """Keys whose state in the copy stays though the source's differs; only where that was asked for."""
    kept_keys: list[str] = field(default_factory=list)
    strengths: dict[str, int] = field(default_factory=dict)


def compare(
    client: AwsClient,
    source: Bucket,
    copy: Bucket,
    overdue_before: float,
    keep: Callable[[Current], None] = lambda item: None,
    with_past: bool = True,
    rule_since: float = -math.inf,
    stays: Stays = always_over,
    certain: Certain = by_listing,
) -> Comparison:
    """Compare what is current in both; what waits since before `overdue_before` is overdue, and so is what was written
    before `rule_since`, when no rule was there to take it up; `keep` gets each copy.

    Without its past, a key that is gone on both sides is settled, whatever it was a moment ago, and one that is
    overwritten again and again waits since its newest version: so for a copy that is made of what is current and gets
    no versions by replication. `certain` may look closer at pairs of which only the
    sizes are known to be equal.
    """
    return compared(
        current(client, source), current(client, copy), overdue_before, keep, with_past, rule_since, stays, certain
    )


def compared(
    source: Iterable[Current],
    copy: Iterable[Current],
    overdue_before: float,
    keep: Callable[[Current], None] = lambda item: None,
    with_past: bool = True,
    rule_since: float = -math.inf,
    stays: Stays = always_over,
    certain: Certain = by_listing,
) -> Comparison:
    """The same of listings that were made before; both in the order of their keys."""
    found = Comparison()
    for ours, theirs in joined(source, copy):
        if ours is None:
            if theirs is not None and not theirs.deleted:
                _extra(found, theirs)
            continue
        strength = settled(ours, theirs)
        if strength == SIZE and theirs is not None:
            strength = certain(ours, theirs)
        if strength == DIFFERENT and stays(ours, theirs):
            _kept(found, ours)
        elif strength == DIFFERENT or (with_past and was_there(ours, theirs, overdue_before)):
            since = waiting_since(ours, theirs, overdue_before) if with_past else ours.modified
            _waiting(found, ours, since, overdue_before, rule_since)
        else:
            found.settled += 1
            if theirs is not None and not theirs.deleted:
                keep(theirs)
            found.strengths[strength] = found.strengths.get(strength, 0) + 1
    return found


def _kept(found: Comparison, source: Current) -> None:
    found.kept += 1
    if len(found.kept_keys) < NAMED_MAX:
        found.kept_keys.append(source.key)


def _extra(found: Comparison, copy: Current) -> None:
    found.extra += 1
    if len(found.extra_keys) < NAMED_MAX:
        found.extra_keys.append(copy.key)


def _waiting(found: Comparison, source: Current, since: float, overdue_before: float, rule_since: float) -> None:
    found.waiting += 1
    found.oldest_waiting = since if found.oldest_waiting is None else min(since, found.oldest_waiting)
    found.before_rule += source.modified < rule_since
    if since < overdue_before or source.modified < rule_since:
        found.overdue += 1
        if len(found.overdue_keys) < NAMED_MAX:
            found.overdue_keys.append(source.key)


def buckets(inventory: Inventory, asset: Datasets) -> tuple[Bucket, Bucket]:
    """(primary, standby) of an asset."""
    return (
        Bucket(inventory.primary, asset.primary_bucket, asset.prefix),
        Bucket(inventory.standby, asset.standby_bucket, asset.prefix),
    )


def patience_seconds(inventory: Inventory, asset: Datasets) -> float:
    """How long an object may be on its way: the asset's own objective, or the workload's."""
    return asset.rpo_seconds or inventory.rpo_seconds


def observe(
    client: AwsClient,
    inventory: Inventory,
    asset: Datasets,
    clock: Clock,
    keep: Callable[[Current], None] = lambda item: None,
    rule: Rule = ALWAYS,
) -> Part:
    """The part of a dataset, with the primary region answering; `keep` gets every object that is proven there."""
    looked_at = clock.now()
    source, copy = buckets(inventory, asset)
    before = looked_at - patience_seconds(inventory, asset)
    found = compare(client, source, copy, before, keep, rule_since=rule.since)
    begun = math.floor(looked_at)
    watermark = begun if found.oldest_waiting is None else min(begun, found.oldest_waiting)
    return Part(
        asset=asset.name,
        kind=asset.kind,
        mechanism=asset.mechanism,
        proven=not found.overdue,
        as_of=stamp(watermark),
        reference=BucketReference(asset.standby_bucket, asset.prefix, stamp(watermark)),
        evidence=counts(found, rule)
        | {
            "extra": found.extra,
            "strengths": found.strengths,
        },
        missing=_missing(asset, found),
    )


def _missing(asset: Datasets, found: Comparison) -> tuple[str, ...]:
    named = tuple(f"s3://{asset.primary_bucket}/{key} has not arrived" for key in found.overdue_keys)
    left = found.overdue - len(named)
    return (*named, f"and {left} more of s3://{asset.primary_bucket} have not arrived") if left else named


def counts(found: Comparison, rule: Rule) -> dict[str, object]:
    """The evidence of one comparison from which a bucket is called protected or not."""
    told: dict[str, object] = {"compared": True, "settled": found.settled}
    told |= {"waiting": found.waiting, "overdue": found.overdue}
    why = {"rule": rule.why} if rule.why else {}
    return told | {"before_rule": found.before_rule, "overdue_keys": found.overdue_keys} | why


def observe_alone(asset: Datasets, last: Part | None) -> Part:
    """The part when the primary does not answer: what an earlier point proved, and no more."""
    if last is None or not last.proven:
        reason = f"the primary region does not answer, and none of the newest {POINTS_MAX} points proved this part"
        return Part(asset.name, asset.kind, asset.mechanism, False, "", missing=(reason,))
    evidence = last.evidence | {"compared": False, "primary": "did not answer; as an earlier point proved it"}
    return Part(asset.name, asset.kind, asset.mechanism, True, last.as_of, last.reference, evidence)
