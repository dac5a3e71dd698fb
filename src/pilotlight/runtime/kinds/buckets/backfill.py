"""Backfill: what replication does not do - objects from before the rule, failed ones - copied, and then proven equal.

Two sorted listings are compared as they stream by, so memory does not grow with the bucket; a run that was cut off is
gone on with where it was, and a second run copies only what the first did not. `prove` says `protected` only when
nothing of the source is missing in the copy; where listings know only sizes, it asks both sides for their checksums.
The same comparison, turned round, brings a bucket home at failback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, NotCopied, NotProtected
from pilotlight.runtime.kinds.buckets import comparisons, copying, protection
from pilotlight.runtime.kinds.buckets.listing import (
    DIFFERENT,
    SIZE,
    Bucket,
    Current,
    Pair,
    Stays,
    always_over,
    settled,
)
from pilotlight.runtime.kinds.buckets.merging import Same
from pilotlight.runtime.kinds.buckets.observe import Rules, buckets, compare, patience_seconds
from pilotlight.runtime.kinds.buckets.proofs import Proofs, by_checksum
from pilotlight.runtime.kinds.buckets.ranges import Reader, Span
from pilotlight.runtime.kinds.buckets.rule import ALWAYS, Rule, seen
from pilotlight.runtime.records.inventory import Datasets

COPIES_AT_ONCE = 128
"""S3 copies inside itself, and this process only waits: at 50 ms a copy so many make 2,500 a second of the 3,500 that
S3 takes for a prefix (S3 User Guide, "Best practices design patterns: optimizing Amazon S3 performance")."""
FAILURES_NAMED_MAX = 20
POSITION_EVERY = 5_000
"""Objects between two remembered positions: five pages of a listing, and a moment to wait for the copies under way."""


@dataclass(frozen=True)
class Failure:
    """One object that could not be copied."""

    key: str
    why: str


@dataclass
class Brought:
    """What was done so far: objects compared, copies and bytes begun, delete markers set, what could not be copied.
    `position` is the key up to which all of it is done."""

    compared: int = 0
    copied: int = 0
    bytes: int = 0
    removed: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    position: str = ""

    def fail(self, key: str, why: str) -> None:
        """One object more that could not be copied; all are counted, the first are named."""
        self.failed += 1
        if len(self.failures) < FAILURES_NAMED_MAX:
            self.failures.append(Failure(key, why))


Progress = Callable[[Brought], None]


def silent(brought: Brought) -> None:
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
    before_rule: int = 0
    strengths: dict[str, int] = field(default_factory=dict)
    missing_keys: list[str] = field(default_factory=list)
    unproven: int = 0
    """Of those missing: copies of the same size, of which no checksum tells whether they are equal."""

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


def backfill(context: RecoveryContext, asset: Datasets, progress: Progress = silent, reads: bool = False) -> Backfilled:
    """Copy what the standby bucket lacks, then prove it; with `reads` by the bytes where there is no checksum.

    Goes on where one that was cut off had come to. NotCopied when objects could not be copied, NotProtected when
    something is missing still; the bucket's state is kept in either case.
    """
    source, target = buckets(context.inventory, asset)
    marked = ""

    def remember(brought: Brought) -> None:
        nonlocal marked
        if brought.position != marked:
            marked = brought.position
            context.ledger.set_position(asset.name, marked)
        progress(brought)

    try:
        brought = bring(context, source, target, remember, context.ledger.position(asset.name))
    except NotCopied:
        context.ledger.set_position(asset.name, "")
        prove_and_keep(context, asset)
        raise
    context.ledger.set_position(asset.name, "")
    comparisons.again(context, asset)
    proof = require(context, asset, reads)
    return Backfilled(asset.name, brought.copied, brought.removed, proof.proven, proof.strengths)


def prove_and_keep(context: RecoveryContext, asset: Datasets, reads: bool = False) -> Proof:
    """Compare both sides, and keep what that says of the bucket."""
    rule = seen(context, asset)
    proof = prove(context, asset, rule, reads)
    found = protection.Found(
        proof.missing,
        tuple(proof.missing_keys),
        proof.proven,
        proof.before_rule,
        rule.why,
        proof.unproven,
        proof.strengths,
    )
    protection.judge(context, asset, found)
    return proof


def require(context: RecoveryContext, asset: Datasets, reads: bool = False) -> Proof:
    """Proof that a bucket is protected, or NotProtected."""
    proof = prove_and_keep(context, asset, reads)
    if not proof.protected:
        raise NotProtected(
            asset=asset.name,
            missing=proof.missing,
            bucket=asset.primary_bucket,
            copy=asset.standby_bucket,
            region=context.inventory.standby,
        )
    return proof


def prove(context: RecoveryContext, asset: Datasets, rule: Rule = ALWAYS, reads: bool = False) -> Proof:
    """Compare source and copy as they are; objects younger than the objective may still be on their way, those from
    before the rule are not."""
    source, copy = buckets(context.inventory, asset)
    young = context.clock.now() - patience_seconds(context.inventory, asset)
    proofs = Proofs(context, asset.name, source, copy, reads)
    found = compare(context.client, source, copy, Rules(young, False, rule.since, proofs=proofs))
    return Proof(
        asset.name,
        asset.primary_bucket,
        asset.standby_bucket,
        found.settled,
        found.overdue,
        found.waiting - found.overdue,
        found.before_rule,
        found.strengths,
        found.overdue_keys,
        found.unproven,
    )


# -- bringing --------------------------------------------------------------------------------------------------


def bring(
    context: RecoveryContext,
    source: Bucket,
    target: Bucket,
    progress: Progress = silent,
    after: str = "",
    stays: Stays = always_over,
) -> Brought:
    """Make the target's current state that of the source, from the key `after` on. What only the target has stays, and
    what `stays` says of keys that differ.

    One object that cannot be copied does not stop the others: NotCopied tells of them at the end.
    """
    brought = Brought(position=after)
    with ThreadPoolExecutor(COPIES_AT_ONCE, thread_name_prefix="copy") as pool:
        bringing = _Bringing(context, source, target, stays, _Copies(pool, brought), progress)
        bringing.all(after)
    progress(brought)
    if brought.failed:
        first = brought.failures[0]
        raise NotCopied(
            bucket=source.name,
            copy=target.name,
            region=target.region,
            failed=brought.failed,
            copied=brought.copied - brought.failed,
            first=f"{first.key}: {first.why}",
            failures=tuple(brought.failures),
        )
    return brought


class _Bringing:
    """What differs is copied, or deleted, as it is read."""

    def __init__(
        self,
        context: RecoveryContext,
        source: Bucket,
        target: Bucket,
        stays: Stays,
        copies: _Copies,
        progress: Progress,
    ) -> None:
        self._client, self._source, self._target = context.client, source, target
        self._stays, self._copies, self._progress = stays, copies, progress
        self._reader = Reader(context.client, source, target, lambda: None, self._take)
        self._marked = 0

    def all(self, after: str) -> None:
        """Everything behind a key; all copies have ended when this returns."""
        self._reader.read((Span(after),))
        self._copies.finish()

    def _take(self, told: Iterable[Same | Pair], into: None) -> None:
        brought = self._copies.brought
        for each in told:
            if isinstance(each, Same):
                brought.compared += each.keys
            else:
                brought.compared += 1
                self._one(*each)
            self._progress(brought)
        if brought.compared - self._marked >= POSITION_EVERY:
            self._marked, position = brought.compared, self._reader.told_to
            self._copies.finish()
            brought.position = position

    def _one(self, ours: Current | None, theirs: Current | None) -> None:
        if ours is None or (strength := settled(ours, theirs)) not in (DIFFERENT, SIZE) or self._stays(ours, theirs):
            return
        if not ours.deleted:
            self._copies.begin(ours, lambda: self._copied(ours, theirs, strength), sure=strength == DIFFERENT)
        else:
            assert theirs is not None, "what is on neither side differs in nothing"
            removed = _unless_moved_on(lambda: copying.remove(self._client, self._target, theirs))
            self._copies.brought.removed += removed

    def _copied(self, ours: Current, theirs: Current | None, strength: str) -> bool:
        """Whether it was copied: of the same size only where checksums say that it is another."""
        if strength == SIZE and theirs is not None:
            strength = by_checksum(self._client, self._source, self._target, ours, theirs)
        if strength != DIFFERENT:
            return False
        _unless_moved_on(lambda: copying.copy(self._client, self._source, self._target, ours, theirs))
        return True


class _Copies:
    """Copies under way, so many at once; each that fails is counted where all of them are."""

    def __init__(self, pool: ThreadPoolExecutor, brought: Brought) -> None:
        self._pool, self.brought = pool, brought
        self._running: dict[Future[bool], tuple[Current, bool]] = {}

    def begin(self, item: Current, act: Callable[[], bool], sure: bool) -> None:
        """Wait until there is room, then begin another; one that is not sure counts where it was copied."""
        if len(self._running) >= COPIES_AT_ONCE:
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            self._settle(done)
        self._running[self._pool.submit(act)] = (item, sure)
        self._count(item if sure else None)

    def finish(self) -> None:
        """Wait for all of them."""
        self._settle(set(self._running))

    def _settle(self, done: set[Future[bool]]) -> None:
        for each in done:
            item, sure = self._running.pop(each)
            try:
                self._count(item if each.result() and not sure else None)
            except CallRefused as refusal:
                self._count(None if sure else item)
                self.brought.fail(item.key, copying.why_not(refusal))

    def _count(self, item: Current | None) -> None:
        if item is not None:
            self.brought.copied += 1
            self.brought.bytes += item.size


def _unless_moved_on(act: Callable[[], None]) -> bool:
    """Whether it was done; what is not as it was listed has been overwritten or deleted, on either side, and the next
    comparison sees that."""
    try:
        act()
    except CallRefused as refusal:
        if refusal.facts.get("aws_code") not in copying.MOVED_ON:
            raise
        return False
    return True
