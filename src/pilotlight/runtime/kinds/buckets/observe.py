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
    VERSION,
    Bucket,
    Current,
    Pair,
    Stays,
    always_over,
    settled,
)
from pilotlight.runtime.kinds.buckets.manifests import Lines, Manifest
from pilotlight.runtime.kinds.buckets.merging import Same
from pilotlight.runtime.kinds.buckets.proofs import Proofs
from pilotlight.runtime.kinds.buckets.ranges import WHOLE, Reader, Span
from pilotlight.runtime.kinds.buckets.reference import BucketReference
from pilotlight.runtime.kinds.buckets.rule import ALWAYS, Rule
from pilotlight.runtime.records.inventory import Datasets, Inventory
from pilotlight.runtime.records.point import Part
from pilotlight.runtime.store.ledger import POINTS_MAX

NAMED_MAX = 20
"""How many missing objects a record names; all are counted."""
AWAITED_MAX = 500
"""Keys that are looked at again without a listing: with the longest, of 1,024 bytes, they fit into an item of DynamoDB
(400 KB) in most alphabets."""


Certain = Callable[[Current, Current], str]
"""(source, copy) of equal size -> how strongly they are known to be equal after all."""


def by_listing(ours: Current, theirs: Current) -> str:
    """Nothing more is known."""
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
    """Not those that are unproven."""
    oldest_waiting: float | None = None
    extra: int = 0
    """Current objects of the copy that the source never had."""
    extra_keys: list[str] = field(default_factory=list)
    kept: int = 0
    """Keys whose state in the copy stays though the source's differs; only where that was asked for."""
    kept_keys: list[str] = field(default_factory=list)
    strengths: dict[str, int] = field(default_factory=dict)
    unproven: int = 0
    """Of those overdue, pairs of one size: nothing proves that their bytes are the same."""
    unproven_keys: list[str] = field(default_factory=list)
    awaited: list[str] = field(default_factory=list)
    """Keys of those that wait, AWAITED_MAX at most."""
    pending: list[tuple[Current, Current]] = field(default_factory=list)
    """Pairs of one size that are to be asked for."""

    @property
    def objects(self) -> int:
        """Keys that were compared."""
        return self.settled + self.waiting + self.kept

    @property
    def awaits_named(self) -> bool:
        """Whether all that wait are known by their keys."""
        return self.waiting == len(self.awaited)

    def add(self, other: Comparison) -> None:
        """What was found of the keys behind these."""
        self.pending += other.pending
        for name in ("settled", "waiting", "overdue", "before_rule", "extra", "kept", "unproven"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("overdue_keys", "extra_keys", "kept_keys", "unproven_keys"):
            setattr(self, name, (getattr(self, name) + getattr(other, name))[:NAMED_MAX])
        self.awaited = (self.awaited + other.awaited)[:AWAITED_MAX]
        waiting = [each for each in (self.oldest_waiting, other.oldest_waiting) if each is not None]
        self.oldest_waiting = min(waiting, default=None)
        for strength, keys in other.strengths.items():
            self.strengths[strength] = self.strengths.get(strength, 0) + keys


@dataclass(frozen=True)
class Rules:
    """How pairs are judged. What waits since before `overdue_before` is overdue, and so is what was written before
    `rule_since`, when no rule was there to take it up.

    Without its past, a key that is gone on both sides is settled, whatever it was a moment ago, and one that is
    overwritten again and again waits since its newest version: so for a copy that is made of what is current and gets
    no versions by replication. `certain` may look closer at pairs of which only the sizes are known to be equal; with
    `proofs` they are settled once checksums have proven them, and wait until then.
    """

    overdue_before: float
    with_past: bool = True
    rule_since: float = -math.inf
    begun: float = math.inf
    """The moment up to which everything is to be proven: what was deleted since was there then."""
    failed: frozenset[str] = frozenset()
    """Keys of which S3 says that replication has failed: what differs there is overdue at once."""
    stays: Stays = always_over
    certain: Certain = by_listing
    proofs: Proofs | None = None

    def pair(self, found: Comparison, ours: Current | None, theirs: Current | None) -> Current | None:
        """Count one key; the copy's object where it is settled and there."""
        if ours is None:
            if theirs is not None and not theirs.deleted:
                _extra(found, theirs)
            return None
        strength = settled(ours, theirs)
        if strength == SIZE and theirs is not None:
            strength = self.proofs.strength(ours, theirs) if self.proofs else self.certain(ours, theirs)
            if strength == SIZE and self.proofs:
                if self.proofs.takes_more():
                    found.pending.append((ours, theirs))
                else:
                    self._unproven(found, ours, theirs)
                return theirs
        return self._judged(found, strength, ours, theirs)

    def settle(self, found: Comparison, whole: bool = True) -> Comparison:
        """The same, with the pairs that were left to be asked for. What was proven of pairs that were not met goes,
        where the `whole` was compared."""
        if self.proofs is not None:
            pairs, found.pending = found.pending, []
            for (ours, theirs), strength in self.proofs.ask(pairs):
                if strength == SIZE:
                    self._unproven(found, ours, theirs)
                else:
                    self._judged(found, strength, ours, theirs)
            self.proofs.keep(whole)
        return found

    def _unproven(self, found: Comparison, ours: Current, theirs: Current) -> None:
        since = self._since(ours, theirs)
        _waits(found, ours, since)
        if since < self.overdue_before:
            found.overdue += 1
            found.unproven += 1
            _name(found.unproven_keys, ours)

    def _since(self, ours: Current, theirs: Current | None) -> float:
        return waiting_since(ours, theirs, self._recent) if self.with_past else ours.modified

    @property
    def _recent(self) -> float:
        """Since when a deletion counts as one of a moment ago."""
        return min(self.overdue_before, self.begun)

    def _judged(self, found: Comparison, strength: str, ours: Current, theirs: Current | None) -> Current | None:
        if strength == DIFFERENT and self.stays(ours, theirs):
            _kept(found, ours)
        elif strength == DIFFERENT or (self.with_past and was_there(ours, theirs, self._recent)):
            self._waiting(found, ours, self._since(ours, theirs))
        else:
            _settled(found, strength, 1)
            return theirs if theirs is not None and not theirs.deleted else None
        return None

    def _waiting(self, found: Comparison, source: Current, since: float) -> None:
        _waits(found, source, since)
        before_rule = source.modified < self.rule_since
        found.before_rule += before_rule
        if since < self.overdue_before or before_rule or source.key in self.failed:
            found.overdue += 1
            _name(found.overdue_keys, source)


@dataclass
class _Told:
    """Of one range of keys."""

    found: Comparison
    lines: Lines | None


def compare(
    client: AwsClient,
    source: Bucket,
    copy: Bucket,
    rules: Rules,
    manifest: Manifest | None = None,
) -> Comparison:
    """Compare what is current in both; the manifest gets each object of the copy that is settled, or waits to be
    proven."""
    return compare_some(client, source, copy, rules, manifest)[0]


def compare_some(
    client: AwsClient,
    source: Bucket,
    copy: Bucket,
    rules: Rules,
    manifest: Manifest | None = None,
    spans: tuple[Span, ...] = WHOLE,
    pages: int | None = None,
) -> tuple[Comparison, tuple[Span, ...]]:
    """The same of some spans of keys, with about so many pages of listings; and what is left of them."""

    def take(told: Iterable[Same | Pair], into: _Told) -> None:
        for each in told:
            held = _count(each, rules, into)
            if into.lines:
                into.lines.add_all(held)

    def begin() -> _Told:
        return _Told(Comparison(), Lines() if manifest else None)

    found = Comparison()
    reader = Reader(client, source, copy, begin, take)
    for each in reader.read(spans, pages):
        found.add(each.found)
        if manifest and each.lines:
            manifest.take(each.lines)
    return rules.settle(found, whole=spans == WHOLE and not reader.left), reader.left


def _count(each: Same | Pair, rules: Rules, into: _Told) -> Iterable[Current]:
    """Into what was found; what of it is settled in the copy."""
    if isinstance(each, Same):
        _settled(into.found, VERSION, each.keys)
        return each.objects()
    held = rules.pair(into.found, *each)
    return [held] if held else []


def _settled(found: Comparison, strength: str, keys: int) -> None:
    found.settled += keys
    found.strengths[strength] = found.strengths.get(strength, 0) + keys


def _kept(found: Comparison, source: Current) -> None:
    found.kept += 1
    _name(found.kept_keys, source)


def _extra(found: Comparison, copy: Current) -> None:
    found.extra += 1
    _name(found.extra_keys, copy)


def _waits(found: Comparison, item: Current, since: float) -> None:
    found.waiting += 1
    if len(found.awaited) < AWAITED_MAX:
        found.awaited.append(item.key)
    found.oldest_waiting = since if found.oldest_waiting is None else min(since, found.oldest_waiting)


def _name(keys: list[str], item: Current) -> None:
    """The first are named."""
    if len(keys) < NAMED_MAX:
        keys.append(item.key)


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
    manifest: Manifest | None = None,
    rule: Rule = ALWAYS,
    proofs: Proofs | None = None,
) -> Part:
    """The part of a dataset, with the primary region answering; the manifest gets every object that is proven there."""
    looked_at = clock.now()
    source, copy = buckets(inventory, asset)
    before = looked_at - patience_seconds(inventory, asset)
    found = compare(client, source, copy, Rules(before, rule_since=rule.since, proofs=proofs), manifest)
    return part(asset, found, stamp(watermark(found, looked_at)), rule)


def watermark(found: Comparison, begun: float) -> float:
    """Every version of an earlier second has arrived; seconds since 1970."""
    return min(math.floor(begun), math.inf if found.oldest_waiting is None else found.oldest_waiting)


def part(asset: Datasets, found: Comparison, as_of: str, rule: Rule) -> Part:
    """The part of a dataset of which this was found."""
    return Part(
        asset=asset.name,
        kind=asset.kind,
        mechanism=asset.mechanism,
        proven=not found.overdue,
        as_of=as_of,
        reference=BucketReference(asset.standby_bucket, asset.prefix, as_of),
        evidence=counts(found, rule) | {"extra": found.extra},
        missing=_missing(asset, found),
    )


def _missing(asset: Datasets, found: Comparison) -> tuple[str, ...]:
    lacking = [(key, "has not arrived") for key in found.overdue_keys]
    lacking += [
        (key, "has a copy of its size, and no checksum tells whether of its bytes") for key in found.unproven_keys
    ]
    named = tuple(f"s3://{asset.primary_bucket}/{key} {why}" for key, why in lacking)
    left = found.overdue - len(named)
    return (*named, f"and {left} more of s3://{asset.primary_bucket} have not arrived") if left else named


def counts(found: Comparison, rule: Rule) -> dict[str, object]:
    """The evidence of one comparison from which a bucket is called protected or not."""
    told: dict[str, object] = {"compared": True, "settled": found.settled}
    told |= {"waiting": found.waiting, "overdue": found.overdue, "strengths": found.strengths}
    if found.unproven:
        told |= {"unproven": found.unproven, "unproven_keys": found.unproven_keys}
    why = {"rule": rule.why} if rule.why else {}
    return told | {"before_rule": found.before_rule, "overdue_keys": found.overdue_keys} | why


def observe_alone(asset: Datasets, last: Part | None) -> Part:
    """The part when the primary does not answer: what an earlier point proved, and no more."""
    if last is None or not last.proven:
        reason = f"the primary region does not answer, and none of the newest {POINTS_MAX} points proved this part"
        return Part(asset.name, asset.kind, asset.mechanism, False, "", missing=(reason,))
    evidence = last.evidence | {"compared": False, "primary": "did not answer; as an earlier point proved it"}
    return Part(asset.name, asset.kind, asset.mechanism, True, last.as_of, last.reference, evidence)
