"""The probe: one look at the workload from outside, told as metrics that alarms and Route 53 read.

`StandbyActive` repeats what the active record says, so that traffic stays where the last run put it; while a run is
moving it, the probe keeps silent about it. The beat is sent also when nothing answers: its absence means that the
watcher itself is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.naming import METRIC_ACTIVE_HEALTHY, METRIC_PROBE_BEAT, METRIC_STANDBY_ACTIVE
from pilotlight.recovery.ledger import SERVING
from pilotlight.recovery.metrics import put_metrics
from pilotlight.recovery.site import Site
from pilotlight.recovery.steps.front import url

PROBE_SECONDS = 2.0
"""A user does not wait longer; three failures in a row are needed for an alarm."""


@dataclass(frozen=True)
class Seen:
    """What one look saw."""

    healthy: bool
    answer: str
    active: str


def probe(site: Site) -> Seen:
    """Look once and publish it."""
    healthy, told = _look(site)
    active = site.ledger.active(site.inventory.primary)
    metrics: dict[str, float] = {METRIC_ACTIVE_HEALTHY: float(healthy), METRIC_PROBE_BEAT: 1.0}
    if active.state == SERVING:
        metrics[METRIC_STANDBY_ACTIVE] = float(active.region == site.inventory.standby)
    put_metrics(site, metrics)
    return Seen(healthy, told, active.region)


def _look(site: Site) -> tuple[bool, str]:
    traffic = site.inventory.traffic
    if traffic is None:
        return True, "the declaration names no endpoint"
    answer = site.fetch(url(traffic.record, traffic), PROBE_SECONDS)
    return answer.status == 200, answer.told
