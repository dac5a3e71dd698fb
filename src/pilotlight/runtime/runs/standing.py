"""Saying who serves: the one item that runs, probe and applications all read.

A fence names the region to come and raises the epoch, so that from that moment whoever holds an older epoch, or runs in
the other region, refuses to write; later sayings of the same run keep that epoch. The item lives in the standby region.
"""

from __future__ import annotations

from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Underway, Wait
from pilotlight.runtime.records.runs import Saying
from pilotlight.runtime.store.ledger import FAILING_OVER, SERVING, Active

SETTLE_SECONDS = 3.0
"""Applications read the record every second; three of their readings have passed after this."""


class SayActive:
    """Arguments: Saying."""

    wait = Wait(60, 0.5, "one conditional write, and the time its readers take to see it")

    def ask(self, work: StepContext) -> Answer:
        """Whether this run has said so."""
        active, told = work.ledger.active(work.inventory.primary), work.arguments(Saying)
        wanted = (work.region, told.state, work.run)
        if (active.region, active.state, active.run) != wanted:
            return Absent(f"{active.region} is {active.state} at epoch {active.epoch}")
        if told.settle and work.clock.now() < parse_stamp(active.since) + SETTLE_SECONDS:
            return Underway("readers of the active record may not have seen it yet")
        return Proven({"region": active.region, "epoch": active.epoch, "since": active.since, "state": active.state})

    def act(self, work: StepContext) -> None:
        """Say it, under the condition that no newer epoch is recorded."""
        told = work.arguments(Saying)
        epoch = work.epoch if told.raises else self._kept(work).epoch
        work.ledger.set_active(work.region, told.state, work.run, epoch, work.epoch, _away(work, told.state))

    def _kept(self, work: StepContext) -> Active:
        return work.ledger.active(work.inventory.primary)


def _away(work: StepContext, state: str) -> bool | None:
    """A fence begins nothing and ends nothing; from then on the standby counts as one that wrote, until the primary
    serves again."""
    if work.region == work.inventory.primary:
        return False if state == SERVING else None
    return None if state == FAILING_OVER else True
