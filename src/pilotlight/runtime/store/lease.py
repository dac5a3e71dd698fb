"""The lease: who may run, and the ever-rising epoch that fences off whoever ran before.

One conditional update of one item (DynamoDB Developer Guide, "Condition expressions"): taken when it is free, expired,
or the taker's own; every taking raises the epoch by one. The clock of the taker is what expires it, so clocks must
agree to well within LEASE_SECONDS; should they not, the epoch still refuses whoever holds the older one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pilotlight.runtime.clock import Clock, stamp
from pilotlight.runtime.errors import EpochStale, LeaseHeld, PilotlightError
from pilotlight.runtime.store.table import Check, Table

LEASE_SECONDS = 30.0
"""How long a run that died keeps others out; far above any clock difference between machines with NTP."""
RENEW_SECONDS = LEASE_SECONDS / 3
"""Two renewals may fail before the lease is lost."""
ACT_SECONDS = 22.0
"""How long an act may be on its way once it was let through: aws/boto.py, CONNECT_SECONDS and READ_SECONDS. A lease
that ends sooner is renewed before the act. Copies inside S3 take longer; those are what `kept` is for."""
LOOKS_SECONDS = 0.2
"""How often the thread that keeps a lease looks at the clock; a few of RENEW_SECONDS even in a rehearsal's time."""
OVER = 0
"""Seconds since 1970: a moment at which every lease is over."""
FIRST_EPOCH = 1
"""The epoch of a workload that never failed over; the first lease gets the next one."""

PATIENCE_SECONDS = 2 * LEASE_SECONDS
"""How long a run waits beside a holder: one that died is out by then, and fencing a returned region takes seconds."""
BESIDE_SECONDS = 1.0
"""How often it asks meanwhile: one conditional write of one item."""

RUN = "lease"
PROTECT = "protect"
"""Protecting has a lease of its own: a scheduled run may overlap the next one, and neither may stop a run."""

_TAKE = "#holder = :holder, #expires_at = :expires_at, #epoch = if_not_exists(#epoch, :first) + :one"
_FREE = "attribute_not_exists(#expires_at) OR #expires_at < :now OR #holder = :holder"


@dataclass(frozen=True)
class Held:
    """A lease that is held; `epoch` is what every act of the holder is checked against."""

    purpose: str
    holder: str
    epoch: int


def holds(held: Held) -> Check:
    """The part of a transaction that lets nobody write but who has this lease, by its newest epoch."""
    return Check("lease", held.purpose, "#epoch = :epoch", {"epoch": held.epoch})


class Leases:
    """The leases of one workload. `purpose` RUN is the one that runs compete for."""

    def __init__(self, table: Table, workload: str, clock: Clock) -> None:
        self._table, self._workload, self._clock = table, workload, clock

    def take(self, holder: str, purpose: str = RUN) -> Held:
        """Take the lease for LEASE_SECONDS; LeaseHeld when another has it."""
        now = self._clock.now()
        values = {"holder": holder, "expires_at": now + LEASE_SECONDS, "now": now, "first": FIRST_EPOCH, "one": 1}
        item = self._table.update("lease", purpose, _TAKE, values, _FREE)
        if item is None:
            raise self._held_by_another(purpose)
        return Held(purpose, holder, int(item["epoch"]))

    def take_within(
        self,
        holder: str,
        patience: float,
        purpose: str = RUN,
        waited: Callable[[str, float], None] = lambda holder, seconds: None,
    ) -> Held:
        """Take the lease as soon as whoever has it lets go or dies; LeaseHeld when that takes `patience` seconds.

        `waited` hears who has it and how many seconds are left, before every further try.
        """
        until = self._clock.now() + patience
        while True:
            try:
                return self.take(holder, purpose)
            except LeaseHeld as held:
                if self._clock.now() + BESIDE_SECONDS >= until:
                    raise
                waited(str(held.facts["holder"]), until - self._clock.now())
                self._clock.sleep(BESIDE_SECONDS)

    def renew(self, held: Held) -> None:
        """Keep it for another LEASE_SECONDS; EpochStale when it was lost meanwhile."""
        self._extend(held, self._clock.now() + LEASE_SECONDS)

    def release(self, held: Held) -> None:
        """Let the next one in at once; EpochStale when it was lost meanwhile."""
        self._extend(held, OVER)

    def confirm(self, held: Held, seconds: float = ACT_SECONDS) -> None:
        """That it is still held, and for `seconds` more: renewed where less is left; EpochStale when it was lost."""
        item = self._table.get("lease", held.purpose) or {"epoch": FIRST_EPOCH, "expires_at": OVER}
        if int(item["epoch"]) != held.epoch:
            raise EpochStale(workload=self._workload, held=held.epoch, current=int(item["epoch"]))
        if float(item["expires_at"]) - self._clock.now() < seconds:
            self.renew(held)

    @contextlib.contextmanager
    def during(self, holder: str, purpose: str) -> Iterator[Held]:
        """Hold the lease for a block; on the way out it is released, whatever happened, unless it was lost."""
        held = self.take(holder, purpose)
        try:
            with self.kept(held):
                yield held
        finally:
            with contextlib.suppress(EpochStale):
                self.release(held)

    @contextlib.contextmanager
    def kept(self, held: Held) -> Iterator[None]:
        """Renewed by a thread of its own while the block lasts, so that one long act does not lose it. What takes it
        away all the same is met by the next act: it is asked for before each. Where time stands still there is none."""
        over = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(held, over), name="lease", daemon=True)
        if self._clock.flows:
            keeper.start()
        try:
            yield
        finally:
            over.set()
            if self._clock.flows:
                keeper.join()

    def _keep(self, held: Held, over: threading.Event) -> None:
        renewed_at = self._clock.now()
        while not over.wait(LOOKS_SECONDS):
            if self._clock.now() - renewed_at >= RENEW_SECONDS:
                renewed_at = self._clock.now()
                try:
                    self.renew(held)
                except EpochStale:
                    return
                except PilotlightError:
                    pass  # no answer: the next renewal comes before the lease is over

    def epoch(self, purpose: str = RUN) -> int:
        """The newest epoch that was given out."""
        item = self._table.get("lease", purpose)
        return int(item["epoch"]) if item else FIRST_EPOCH

    def holder(self, purpose: str = RUN) -> tuple[str, float]:
        """(who took it last, seconds since 1970 until which they have it)."""
        item = self._table.get("lease", purpose) or {"holder": "", "expires_at": OVER}
        return str(item["holder"]), float(item["expires_at"])

    def _extend(self, held: Held, until: float) -> None:
        values = {"holder": held.holder, "epoch": held.epoch, "expires_at": until}
        own = "#holder = :holder AND #epoch = :epoch"
        if self._table.update("lease", held.purpose, "#expires_at = :expires_at", values, own) is None:
            raise EpochStale(workload=self._workload, held=held.epoch, current=self.epoch(held.purpose))

    def _held_by_another(self, purpose: str) -> LeaseHeld:
        item = self._table.get("lease", purpose) or {"holder": "another", "expires_at": self._clock.now(), "epoch": 0}
        return LeaseHeld(
            workload=self._workload,
            holder=item["holder"],
            expires_at=stamp(float(item["expires_at"])),
            epoch=item["epoch"],
        )
