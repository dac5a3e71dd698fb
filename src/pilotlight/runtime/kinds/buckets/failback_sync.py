"""Objects come home: the primary bucket gets what was written in the standby bucket, and is compared until nothing is
missing.

Reverse replication does most of it and is given a moment; the rest is copied, and all of it where the vault is another
account's, from which no rule leads back. Objects that only the primary has were written there and never replicated;
they are reported and left, for a person to judge. Of a key that differs the newer version wins, deletions too: where
the standby only has a copy of what the primary went on from, the primary's stays; where the workload wrote it in the
standby region since, that comes home, on top of the primary's versions. Every key that stays is counted, and named.

A standby that never served has written nothing: its buckets are copies, and nothing comes home from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Wait
from pilotlight.runtime.kinds.buckets.backfill import bring
from pilotlight.runtime.kinds.buckets.listing import SIZE, Bucket, Current, Stays, stays
from pilotlight.runtime.kinds.buckets.observe import Certain, Comparison, Rules, buckets, compare
from pilotlight.runtime.kinds.buckets.proofs import resolved
from pilotlight.runtime.records.codec import encode
from pilotlight.runtime.records.evidence import Synced
from pilotlight.runtime.records.runs import Arguments
from pilotlight.runtime.store.ledger import FAILING_OVER

REPLICATION_SECONDS = 5.0
"""Most replicas arrive within seconds; waiting for them costs less than a second version of each."""
CLOCKS_SECONDS = 60.0
"""S3 dates objects by its own clock and in whole seconds. What is this young when a step begins is not waited for: it
may have been written after the listing that the step copied from, and the final step asks for everything."""
SYNC_SECONDS = 24 * 3600
"""A day of copying: at 1 Gbit/s it is 10 TB."""
EVERY_SECONDS = 1.0
PASSES_MAX = 10
"""Each pass leaves what was changed while it went, which is less each time; what is left then is waited for."""
SERVES_FROM = ("promote-", "launch-", "scale-", "traffic")
"""How the steps of a failover begin from which on the workload may write in the standby region, done or intended."""


@dataclass(frozen=True)
class Syncing(Arguments):
    """`final`: nobody writes any more, so that all of it has to be there."""

    TAGS: ClassVar[tuple[str, ...]] = ("syncing",)

    final: bool = False
    kind: str = field(default="syncing", kw_only=True)


class BringHome:
    """Arguments: `final` - with it everything must be there; without, what was there well before the step began."""

    wait = Wait(SYNC_SECONDS, EVERY_SECONDS, "as long as the bytes take")

    def ask(self, work: StepContext) -> Answer:
        """Compare; what is there only in the primary is in the evidence, and what stays there."""
        if _never_served(work):
            return Proven(encode(Synced(f"{work.inventory.standby} never served: nothing was written there")))
        found = self._compared(work)
        if self._missing(work, found) or (work.begun_at is None and found.waiting):
            return Absent(f"{found.waiting} objects are not in the primary bucket yet")
        return Proven(
            {
                "settled": found.settled,
                "strengths": found.strengths,
                "strays": found.extra,
                "stray_keys": found.extra_keys,
                "kept": found.kept,
                "kept_keys": found.kept_keys,
            }
        )

    def act(self, work: StepContext) -> None:
        """Give replication a moment where it comes this way, then copy what is still missing; and again what was
        overwritten or deleted while a pass went, as it is not asked for a second time. What has had its moment and is
        not there is not waited for again, nor what was written since: there is always something newer."""
        began = work.clock.now()
        until = began + (0.0 if work.inventory.vault else REPLICATION_SECONDS)
        while (now := work.clock.now()) < until:
            found = self._compared(work)
            if not found.waiting:
                return
            if found.oldest_waiting is not None and not now - REPLICATION_SECONDS < found.oldest_waiting <= began:
                break
            work.keep_lease()
            work.clock.sleep(EVERY_SECONDS)
        source, target = _homeward(work)
        for _ in range(PASSES_MAX):
            stay = _stays(_fenced_at(work))
            bring(work.context, source, target, lambda brought: work.keep_lease(), stays=stay)
            if not self._missing(work, self._compared(work)):
                return

    def _missing(self, work: StepContext, found: Comparison) -> int:
        return found.waiting if work.arguments(Syncing).final else found.overdue

    def _compared(self, work: StepContext) -> Comparison:
        source, target = _homeward(work)
        before = work.begun_at - CLOCKS_SECONDS if work.begun_at is not None else 0.0
        fenced_at = _fenced_at(work)
        rules = Rules(before, with_past=False, stays=_stays(fenced_at), certain=_certain(work, fenced_at))
        return compare(work.client, source, target, rules)


def _stays(fenced_at: float) -> Stays:
    """What of the primary bucket is left as it is: only what was written there before it was fenced."""
    return lambda ours, theirs: stays(ours, theirs, fenced_at)


def _certain(work: StepContext, fenced_at: float) -> Certain:
    """What was written since copies began may be newer than the copy of its key, though both are of one size: checksums
    tell, where S3 has them of both."""
    source, target = _homeward(work)

    def certain(ours: Current, theirs: Current) -> str:
        young = ours.modified >= fenced_at - CLOCKS_SECONDS
        return resolved(work.client, source, target, ours, theirs) if young else SIZE

    return certain


def _fenced_at(work: StepContext) -> float:
    found = work.ledger.fenced_at(work.step.asset)
    if found is None:
        raise work.failed("since when the primary bucket takes no writes is not known; `pilotlight failback` fences it")
    return found


def _never_served(work: StepContext) -> bool:
    """Whether the failover that this goes home from was given up before it promoted, launched or moved anything. The
    final step asks the first one, which was asked before the record changed."""
    if work.arguments(Syncing).final:
        first = work.proof(f"sync-{work.step.asset}", Synced)
        return first is not None and bool(first.never_served)
    active = work.ledger.active(work.inventory.primary)
    if active.away or active.region != work.inventory.standby or active.state != FAILING_OVER:
        return False
    journal = work.ledger.journal(active.run)
    return journal is not None and not any(each.step.startswith(SERVES_FROM) for each in journal.entries)


def _homeward(work: StepContext) -> tuple[Bucket, Bucket]:
    """(standby, primary)."""
    primary, standby = buckets(work.inventory, work.datasets())
    return standby, primary
