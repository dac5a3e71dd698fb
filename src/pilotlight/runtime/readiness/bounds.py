"""How old evidence may be before it counts as unknown: looks, comparisons, recovery points, heartbeats (pure).

One place, because `status`, the alarms' thresholds and the messages to people have to agree. All are seconds.
"""

from __future__ import annotations

from pilotlight.runtime.records.inventory import Inventory

SCHEDULE_SECONDS_MIN = 60.0
"""EventBridge Scheduler fires at most once a minute (EventBridge Scheduler User Guide, "Schedule types")."""
LOOK_EVERY_SECONDS = 60
"""The probe looks as often as the schedule allows."""
UNHEALTHY_LOOKS = 3
"""So many looks in a row that find the region lost are a loss."""
LOOK_SECONDS_MAX = 300.0
"""Five looks of the probe that did not come: as long as the alarm `probe-silent` waits."""
INTERVALS_MAX = 3
"""One scheduled run may fail and one may be late; the third that brings nothing is a pattern."""
RUN_SECONDS = 900.0
"""The longest that a scheduled run takes: what it makes is older by that when it is done. Lambda allows no more (Lambda
Developer Guide, "Lambda quotas"); listings grow with buckets."""


def interval_seconds(inventory: Inventory) -> float:
    """The time between two scheduled runs as they really come."""
    return max(SCHEDULE_SECONDS_MIN, inventory.every_seconds)


def evidence_seconds(inventory: Inventory) -> float:
    """Of a comparison, and of what a recovery point says of an asset."""
    return INTERVALS_MAX * interval_seconds(inventory) + RUN_SECONDS


def heartbeat_seconds(inventory: Inventory) -> float:
    """Of the scheduled run's sign of life."""
    return INTERVALS_MAX * interval_seconds(inventory)


def points_seconds(inventory: Inventory) -> float:
    """Of the newest complete point: three intervals or the objective, whichever is less.

    No point is younger than the interval and the run that makes the next, so an objective below that is met by the
    assets' own mechanisms and not by points; the bound does not go below it.
    """
    reachable = interval_seconds(inventory) + RUN_SECONDS
    return min(INTERVALS_MAX * interval_seconds(inventory), max(inventory.rpo_seconds, reachable))
