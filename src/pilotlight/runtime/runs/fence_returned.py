"""The lost region answers again while the standby serves: its instances and buckets are fenced, by whoever sees it.

Called at every scheduled run that keeps points. What is fenced already is only looked at; a fence that has to be built
is a small run of its own, with lease and journal, so that it cannot cross a failback that has begun.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import PilotlightError, RegionUnreachable, Throttled
from pilotlight.runtime.kinds.action import Proven, StepContext
from pilotlight.runtime.kinds.registry import in_order
from pilotlight.runtime.records.evidence import LookedAgain
from pilotlight.runtime.records.runs import LOOKED_AGAIN, Journal
from pilotlight.runtime.runs import runbooks
from pilotlight.runtime.runs.register import ACTIONS
from pilotlight.runtime.runs.run import carry_out
from pilotlight.runtime.store.ledger import SERVING

TOLD_SECONDS = 24 * 3600.0
"""How long scheduled runs tell of a late act: a day, in which somebody who was told has looked."""


def fence_returned(context: RecoveryContext, holder: str) -> Journal | None:
    """Fence the primary region if it answers and is not the one that serves. None when there was nothing to do."""
    active = context.ledger.active(context.inventory.primary)
    if active.region == context.inventory.primary or active.state != SERVING:
        return None
    with contextlib.suppress(RegionUnreachable):
        if not _fenced(context):
            return carry_out(context, runbooks.fence_returned(context.inventory), context.ledger.leases.take(holder))
    return None


def fences_left(context: RecoveryContext) -> tuple[str, ...]:
    """A sentence for every act that an older run is known to have done after the last look of the run that made the
    primary serve, and for every fence that stands there. Nothing is undone by itself: who did it may be at work."""
    found = list(_late(context))
    kinds = {asset.name: kind for kind, asset in in_order(context.inventory)}
    for each in _works(context):
        try:
            found += kinds[each.step.asset].fence_left(each)
        except (RegionUnreachable, Throttled):
            break  # the next scheduled run looks again
        except PilotlightError as problem:
            found.append(f"whether {each.step.name} of an older run stands is not known: {problem.message}")
    return tuple(found)


def _late(context: RecoveryContext) -> Iterator[str]:
    active, young = context.ledger.active(context.inventory.primary), stamp(context.clock.now() - TOLD_SECONDS)
    if not active.run:
        return
    late = context.ledger.late_acts(active.epoch)
    journal = context.ledger.journal(active.run) if late else None
    looked = journal.proven(LOOKED_AGAIN) if journal else None
    seen = looked.read(LookedAgain).late_acts if looked else ()
    for act in late:
        if act not in seen and act.at >= young:
            yield (
                f"run {act.run} (epoch {act.epoch}) did {act.call} in {act.region} at {act.at}, when "
                f"its lease was lost and run {active.run} had looked for the last time: see that what it touches is as "
                "it should be"
            )


def _fenced(context: RecoveryContext) -> bool:
    """Whether every fence stands already; nothing is written to find out."""
    return all(isinstance(ACTIONS[work.step.action].ask(work), Proven) for work in _works(context))


def _works(context: RecoveryContext) -> list[StepContext]:
    runbook = runbooks.fence_returned(context.inventory)
    return [StepContext(step, runbook.kind, "", 0, context, _no_evidence, None, _no_lease) for step in runbook.steps]


def _no_evidence(step: str) -> dict[str, Any]:
    return {}


def _no_lease() -> None:
    """Looking needs none."""
