"""The last look before a run says that it is done: everything that an older run's late act could have changed since it
was proven is asked for again, and done again where it is not so any more.

An act is let through while its run has the lease, and may take effect after the lease was lost: for as long as the
client waits for an answer (store/lease.py, ACT_SECONDS), and for a process that was frozen in between, longer. What
arrives before this look is found by it; what arrives after it is found by whoever looks next (docs/adr/0019).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial

from pilotlight.runtime.kinds.action import Absent, Action, Answer, Proven, StepContext, Underway, Wait
from pilotlight.runtime.records.runs import LATE, LookingAgain

AGAIN_SECONDS = 900
"""As long as the longest of them may take to be done again: an instance that boots, a balancer that learns of it."""


class LookAgain:
    """Arguments: LookingAgain."""

    wait = Wait(AGAIN_SECONDS, 1, "what an older run has undone is done again")

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self._actions = actions

    def ask(self, work: StepContext) -> Answer:
        """Whether all of it is so at this moment; the first that is not says what was seen."""
        named = list(_named(work))
        answers = work.side_by_side([partial(self._actions[each.step.action].ask, each) for each in named])
        for each, answer in zip(named, answers, strict=True):
            if isinstance(answer, Absent):
                return Absent(f"{each.step.name}: {answer.observed}")
            if isinstance(answer, Underway):
                return Underway(f"{each.step.name}: {answer.observed}")
        return Proven({"looked_at": len(work.arguments(LookingAgain).steps)} | _late(work))

    def act(self, work: StepContext) -> None:
        """Do again what is not so."""
        for each in _named(work):
            action = self._actions[each.step.action]
            if isinstance(action.ask(each), Absent):
                action.act(each)


def _named(work: StepContext) -> Iterator[StepContext]:
    return (found for name in work.arguments(LookingAgain).steps if (found := work.work_of(name)) is not None)


def _late(work: StepContext) -> dict[str, object]:
    """What older runs are known to have done late since this one began."""
    journal = work.ledger.journal(work.run)
    late = work.ledger.late_acts(min(each.epoch for each in journal.entries)) if journal else []
    return {LATE: [asdict(each) for each in late]} if late else {}
