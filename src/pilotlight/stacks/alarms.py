"""The alarms: what each watches, when it goes off, and who hears of it, as data.

Only `active-unhealthy` may lead to a failover; the recover function hears every alarm, and tells people what the others
mean. What may be silent because Lambda or the schedules are goes to people directly, with its description as the
message. Watchers count missing data as breaching (CloudWatch User Guide, "Configuring how alarms treat missing data");
what starts a run does not. `standby-active` has no action: Route 53 reads it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pilotlight import naming
from pilotlight.naming import (
    ACTIVE_UNHEALTHY,
    ACTIVE_UNKNOWN,
    POINTS_STALE,
    PROBE_SILENT,
    PROTECT_FAILING,
    PROTECT_SILENT,
    STANDBY_ACTIVE,
    UNREPLICATED,
    Names,
)
from pilotlight.records.inventory import Inventory
from pilotlight.recovery import bounds

MINUTE_SECONDS = 60
UNHEALTHY_PERIODS = 3
"""Three minutes in a row: one lost probe is no disaster."""
UNREPLICATED_PERIODS = 3
PERIOD_SECONDS_MAX = 86_400
"""CloudWatch API, PutMetricAlarm."""
UNKNOWN_SECONDS = 300
"""Five looks that found neither health nor loss: a rolling restart is over by then."""
STALE_PERIODS = 3
"""An age that is over its bound for three minutes: not the moment between two scheduled runs."""
ALARMS = "alarms"
PEOPLE = "people"
"""Where an alarm goes: to the recover function, or to people directly."""


@dataclass(frozen=True)
class AlarmSpec:
    """One alarm on a metric of ours; `goes_to` and `over_to` are the topics that hear of it, and of its end. Period in
    seconds."""

    purpose: str
    name: str
    description: str
    metric: str
    statistic: str
    comparison: str
    threshold: float
    period_seconds: int
    periods: int
    missing: str
    goes_to: str = ALARMS
    over_to: str = ""


def alarm_specs(inventory: Inventory) -> tuple[AlarmSpec, ...]:
    """Every alarm of a workload (pure)."""
    return (*_of_regions(inventory.names), *_of_protection(inventory))


def _of_regions(names: Names) -> tuple[AlarmSpec, ...]:
    """About what serves, and about the probe that looks at it."""
    return (
        AlarmSpec(
            purpose=ACTIVE_UNHEALTHY,
            name=names.alarm(ACTIVE_UNHEALTHY),
            description="The active region is lost, or does not answer from outside. Leads to a failover.",
            metric=naming.METRIC_ACTIVE_HEALTHY,
            statistic="Minimum",
            comparison="LessThanThreshold",
            threshold=1,
            period_seconds=MINUTE_SECONDS,
            periods=UNHEALTHY_PERIODS,
            missing="ignore",
            over_to=ALARMS,
        ),
        AlarmSpec(
            purpose=ACTIVE_UNKNOWN,
            name=names.alarm(ACTIVE_UNKNOWN),
            description="The workload is not known to be healthy, nor its region lost. Starts nothing.",
            metric=naming.METRIC_ACTIVE_HEALTHY,
            statistic="SampleCount",
            comparison="LessThanThreshold",
            threshold=1,
            period_seconds=UNKNOWN_SECONDS,
            periods=1,
            missing="breaching",
        ),
        AlarmSpec(
            purpose=STANDBY_ACTIVE,
            name=names.alarm(STANDBY_ACTIVE),
            description="The standby region is the active one. Route 53 answers with it while this is on.",
            metric=naming.METRIC_STANDBY_ACTIVE,
            statistic="Maximum",
            comparison="GreaterThanOrEqualToThreshold",
            threshold=1,
            period_seconds=MINUTE_SECONDS,
            periods=1,
            missing="ignore",
            goes_to="",
        ),
        AlarmSpec(
            purpose=PROBE_SILENT,
            name=names.alarm(PROBE_SILENT),
            description=(
                f"{names.workload}: the probe in {names.standby} is silent, so no disaster would be noticed. Nothing "
                f"is lost by it. Look at the log of function {names.function('probe')} and at its schedule; "
                "`pilotlight status` tells the rest. Starts nothing."
            ),
            metric=naming.METRIC_PROBE_BEAT,
            statistic="SampleCount",
            comparison="LessThanThreshold",
            threshold=1,
            period_seconds=int(bounds.LOOK_SECONDS_MAX),
            periods=1,
            missing="breaching",
            goes_to=PEOPLE,
        ),
    )


def _of_protection(inventory: Inventory) -> tuple[AlarmSpec, ...]:
    """About what is kept, and about the scheduled run that keeps it."""
    names = inventory.names
    interval = max(1, math.ceil(inventory.every_seconds / MINUTE_SECONDS)) * MINUTE_SECONDS
    more, of_runs = "GreaterThanThreshold", min(interval, PERIOD_SECONDS_MAX)
    return (
        AlarmSpec(
            purpose=UNREPLICATED,
            name=names.alarm(UNREPLICATED),
            description="Objects stay unreplicated: a disaster would lose them. Starts nothing.",
            metric=naming.METRIC_UNREPLICATED,
            statistic="Maximum",
            comparison=more,
            threshold=0,
            period_seconds=of_runs,
            periods=UNREPLICATED_PERIODS,
            missing="ignore",
        ),
        AlarmSpec(
            purpose=POINTS_STALE,
            name=names.alarm(POINTS_STALE),
            description="There is no recent complete recovery point: a failover would lose more. Starts nothing.",
            metric=naming.METRIC_POINT_AGE,
            statistic="Maximum",
            comparison=more,
            threshold=bounds.points_seconds(inventory),
            period_seconds=MINUTE_SECONDS,
            periods=STALE_PERIODS,
            missing="breaching",
        ),
        AlarmSpec(
            purpose=PROTECT_SILENT,
            name=names.alarm(PROTECT_SILENT),
            description=(
                f"{names.workload}: the scheduled run that keeps recovery points in {names.standby} is silent, so "
                f"nothing newer is kept. What is kept stays. Look at schedule {names.schedule('protect')} and the log "
                "of its function; `pilotlight up` puts both back. Starts nothing."
            ),
            metric=naming.METRIC_PROTECT_AGE,
            statistic="Maximum",
            comparison=more,
            threshold=bounds.beat_seconds(inventory),
            period_seconds=MINUTE_SECONDS,
            periods=STALE_PERIODS,
            missing="breaching",
            goes_to=PEOPLE,
        ),
        AlarmSpec(
            purpose=PROTECT_FAILING,
            name=names.alarm(PROTECT_FAILING),
            description="Scheduled runs make points, and cannot do all they have to. Starts nothing.",
            metric=naming.METRIC_PROTECT_FAILURES,
            statistic="Maximum",
            comparison=more,
            threshold=0,
            period_seconds=of_runs,
            periods=UNREPLICATED_PERIODS,
            missing="ignore",
        ),
    )
