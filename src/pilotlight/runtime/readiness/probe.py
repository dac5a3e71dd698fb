"""The probe: one look at the workload from the standby region, told as metrics that alarms and Route 53 read.

`ActiveHealthy` is 1 where all that is watched is well, 0 where the region is lost, and not published where neither is
known: missing data alarms, and starts nothing. `StandbyActive` repeats what the active record says, so that traffic
stays where the last run put it. While a run is moving it, the probe keeps silent about both: the region to come is not
lost because it does not answer yet, and an alarm over such minutes would undo the run. The heartbeat is sent also when
nothing answers: its absence means that the watcher itself is gone. Two ages come along, for alarms, and what S3 has
told of failed replication.
"""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RegionUnreachable, Throttled
from pilotlight.runtime.kinds.registry import by_kind
from pilotlight.runtime.metrics import put_metrics
from pilotlight.runtime.naming import (
    METRIC_ACTIVE_HEALTHY,
    METRIC_FAILED_REPLICATION,
    METRIC_POINT_AGE,
    METRIC_PROBE_BEAT,
    METRIC_PROTECT_AGE,
    METRIC_STANDBY_ACTIVE,
)
from pilotlight.runtime.points.choose import newest_complete, newest_of
from pilotlight.runtime.readiness.looking import View, answering, ask, view
from pilotlight.runtime.records.point import ONE_REGION
from pilotlight.runtime.store.ledger import SERVING, Active
from pilotlight.runtime.store.sightings import HEALTHY, LOST, UNKNOWN


@dataclass(frozen=True)
class Seen:
    """What one look saw."""

    verdict: str
    answer: str
    active: str

    @property
    def healthy(self) -> bool:
        return self.verdict == HEALTHY


def probe(context: RecoveryContext) -> Seen:
    """Look once, publish it, and keep it. A look takes seconds: what a run has changed meanwhile is not said again."""
    home, begun = context.inventory.primary, stamp(context.clock.now())
    active = context.ledger.active(home)
    seen = view(context, active.region)
    if active.state != SERVING:
        seen = View(UNKNOWN, (f"{active.region} is {active.state}, by run {active.run}", *seen.amiss))
    metrics: dict[str, float] = {METRIC_PROBE_BEAT: 1.0} | ages(context, active)
    if context.ledger.active(home) != active:
        seen = View(UNKNOWN, (f"who serves was changed during the look at {active.region}", *seen.amiss))
    elif active.state == SERVING:
        metrics[METRIC_STANDBY_ACTIVE] = float(active.region == context.inventory.standby)
        if active.region == home and seen.verdict == HEALTHY:
            metrics |= failed(context)
    if seen.verdict in (HEALTHY, LOST):
        metrics[METRIC_ACTIVE_HEALTHY] = float(seen.verdict == HEALTHY)
    put_metrics(context, metrics)
    primary = answering(ask(context, home)) if active.region != home else ""
    context.ledger.sightings.keep_look(seen.verdict, active.region, seen.amiss, primary, begun)
    return Seen(seen.verdict, "; ".join(seen.amiss) or "all that is watched is well", active.region)


def failed(context: RecoveryContext) -> dict[str, float]:
    """How many objects S3 says it failed to replicate, and that have not arrived since; nothing where that is not
    known."""
    looking = context.through(context.looking)
    try:
        return {
            METRIC_FAILED_REPLICATION: float(sum(k.failed(looking, each) for k, each in by_kind(context.inventory)))
        }
    except (CallRefused, RegionUnreachable, Throttled):
        return {}


def ages(context: RecoveryContext, active: Active) -> dict[str, float]:
    """How old the newest complete point (of one region, while the standby serves) and the scheduled run's sign of life
    are; before the first, how long there has been none."""
    now, ledger = context.clock.now(), context.ledger
    begun = active.since or context.inventory.taken_at
    alone = active.region == context.inventory.standby
    lines, heartbeat = ledger.points(), ledger.sightings.heartbeat()
    newest = newest_of(lines, ONE_REGION, active.since) if alone else newest_complete(lines)
    moments = {
        METRIC_POINT_AGE: newest.created_at if newest else begun,
        METRIC_PROTECT_AGE: heartbeat.at if heartbeat else begun,
    }
    return {name: max(0.0, now - parse_stamp(moment)) for name, moment in moments.items() if moment}
