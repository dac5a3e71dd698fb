"""Backfill: what replication does not do - objects from before the rule, failed ones - copied, and then proven equal.

Two sorted listings are compared as they stream by, so memory does not grow with the bucket, and a second run copies
only what the first did not. `prove` says `protected` only when nothing of the source is missing in the copy; where
listings know only sizes, it asks both sides for their checksums. The same comparison, turned round, brings a bucket
home at failback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from pilotlight.errors import CallRefused, NotProtected
from pilotlight.records.inventory import Datasets
from pilotlight.recovery import copying
from pilotlight.recovery.listing import CHECKSUM, DIFFERENT, SIZE, Bucket, Current, current, joined, settled
from pilotlight.recovery.observe.datasets import buckets, patience_seconds
from pilotlight.recovery.site import Site

COPIES_AT_ONCE = 8
"""S3 copies inside itself, so this process only waits; more would win little and cost memory in a small function."""
NAMED_MAX = 20
FULL_CHECKSUMS = ("ChecksumCRC64NVME", "ChecksumSHA256", "ChecksumSHA1", "ChecksumCRC32C", "ChecksumCRC32")
"""HeadObject's fields, the strongest evidence first; only one of type FULL_OBJECT says something about all bytes."""

Progress = Callable[[int, int], None]
"""(objects compared, objects copied) so far."""


def silent(compared: int, copied: int) -> None:
    """The progress of whoever does not want to know."""


@dataclass
class Proof:
    """Both sides compared: `missing` is what counts; `waiting` are objects younger than the objective."""

    asset: str
    bucket: str
    copy: str
    proven: int = 0
    missing: int = 0
    waiting: int = 0
    strengths: dict[str, int] = field(default_factory=dict)
    missing_keys: list[str] = field(default_factory=list)

    @property
    def protected(self) -> bool:
        return not self.missing


@dataclass(frozen=True)
class Backfilled:
    """What a backfill did and what is proven after it."""

    asset: str
    copied: int
    removed: int
    proven: int
    strengths: dict[str, int]


def backfill(site: Site, asset: Datasets, progress: Progress = silent) -> Backfilled:
    """Copy everything that the standby bucket lacks, then prove it; NotProtected when something is missing still."""
    source, target = buckets(site.inventory, asset)
    copied, removed = bring(site, source, target, progress)
    proof = require(site, asset)
    return Backfilled(asset.name, copied, removed, proof.proven, proof.strengths)


def require(site: Site, asset: Datasets) -> Proof:
    """Proof that a bucket is protected, or NotProtected."""
    proof = prove(site, asset)
    if not proof.protected:
        raise NotProtected(
            asset=asset.name,
            missing=proof.missing,
            bucket=asset.primary_bucket,
            copy=asset.standby_bucket,
            region=site.inventory.standby,
        )
    return proof


def prove(site: Site, asset: Datasets) -> Proof:
    """Compare source and copy as they are; objects younger than the objective may still be on their way."""
    source, copy = buckets(site.inventory, asset)
    young = site.clock.now() - patience_seconds(site.inventory, asset)
    proof = Proof(asset.name, asset.primary_bucket, asset.standby_bucket)
    for ours, theirs in joined(current(site.door, source), current(site.door, copy)):
        if ours is None:
            continue
        strength = resolved(site, source, copy, ours, theirs)
        if strength != DIFFERENT:
            proof.proven += 1
            proof.strengths[strength] = proof.strengths.get(strength, 0) + 1
        elif ours.modified >= young:
            proof.waiting += 1
        else:
            proof.missing += 1
            proof.missing_keys += [ours.key] if len(proof.missing_keys) < NAMED_MAX else []
    return proof


def resolved(site: Site, source: Bucket, copy: Bucket, ours: Current, theirs: Current | None) -> str:
    """Strength of the evidence for one pair; where only sizes are known, checksums of both sides decide."""
    strength = settled(ours, theirs)
    if strength != SIZE or theirs is None:
        return strength
    here, there = _checksums(site, source, ours), _checksums(site, copy, theirs)
    common = [name for name in FULL_CHECKSUMS if name in here and name in there]
    if not common:
        return SIZE
    return CHECKSUM if here[common[0]] == there[common[0]] else DIFFERENT


def _checksums(site: Site, bucket: Bucket, item: Current) -> dict[str, str]:
    where = {"Bucket": bucket.name, "Key": item.key} | (
        {"VersionId": item.version} if item.version not in ("", "null") else {}
    )
    head = site.door.call("s3", "head_object", bucket.region, **where, ChecksumMode="ENABLED")
    if head.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return {}
    return {name: head[name] for name in FULL_CHECKSUMS if head.get(name)}


# -- bringing --------------------------------------------------------------------------------------------------


def bring(site: Site, source: Bucket, target: Bucket, progress: Progress = silent) -> tuple[int, int]:
    """Make the target's current state that of the source; (copied, removed). What only the target has stays."""
    compared = copied = removed = 0
    with ThreadPoolExecutor(COPIES_AT_ONCE, thread_name_prefix="copy") as pool:
        running: set[Future[None]] = set()
        for ours, theirs in _pairs(site, source, target):
            compared += 1
            if ours is None or resolved(site, source, target, ours, theirs) != DIFFERENT:
                continue
            if ours.deleted:
                copying.remove(site.door, target, ours.key)
                removed += 1
                continue
            running = _room(running)
            running.add(pool.submit(_copy, site, source, target, ours))
            copied += 1
            progress(compared, copied)
        for each in running:
            each.result()
    progress(compared, copied)
    return copied, removed


def _pairs(site: Site, source: Bucket, target: Bucket) -> Iterator[tuple[Current | None, Current | None]]:
    return joined(current(site.door, source), current(site.door, target))


def _room(running: set[Future[None]]) -> set[Future[None]]:
    """Wait until another copy may begin; errors of copies surface here."""
    if len(running) < COPIES_AT_ONCE:
        return running
    done, rest = wait(running, return_when=FIRST_COMPLETED)
    for each in done:
        each.result()
    return rest


def _copy(site: Site, source: Bucket, target: Bucket, item: Current) -> None:
    """A version that is gone since it was listed has been overwritten or deleted: the next comparison sees what is."""
    try:
        copying.copy(site.door, source, target, item)
    except CallRefused as refusal:
        if refusal.facts.get("aws_code") not in ("NoSuchVersion", "NoSuchKey"):
            raise
