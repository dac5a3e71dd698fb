"""The alarms: what each watches, when it goes off, and who hears of it, as data.

Only `active-unhealthy` may lead to a failover; the recover function hears every alarm, and tells people what the others
mean. What may be silent because Lambda or the schedules are goes to people directly, with its description as the
message. Watchers count missing data as breaching (CloudWatch User Guide, "Configuring how alarms treat missing data");
what starts a run does not. `standby-active` has no action: Route 53 reads it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pilotlight.runtime import naming
from pilotlight.runtime.naming import (
    ACTIVE_UNHEALTHY,
    ACTIVE_UNKNOWN,
    POINTS_STALE,
    PROBE_ERRORS,
    PROBE_SILENT,
    PROTECT_ERRORS,
    PROTECT_FAILING,
    PROTECT_SILENT,
    RECOVER_DROPPED,
    RECOVER_ERRORS,
    RECOVER_THROTTLED,
    REPLICATION_FAILED,
    STANDBY_ACTIVE,
    UNREPLICATED,
    Names,
)
from pilotlight.runtime.readiness import bounds
from pilotlight.runtime.records.inventory import Inventory

MINUTE_SECONDS = bounds.LOOK_EVERY_SECONDS
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
    """One alarm on a metric of ours, or of Lambda's where it is about a `function`; `goes_to` and `over_to` are the
    topics that hear of it, and of its end. Period in seconds."""

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
    function: str = ""


def alarm_specs(inventory: Inventory) -> tuple[AlarmSpec, ...]:
    """Every alarm of a workload (pure)."""
    return (*_of_regions(inventory.names), *_of_protection(inventory), *_of_functions(inventory))


def window_of_runs(inventory: Inventory) -> tuple[int, int]:
    """Length and number of the periods in which something that scheduled runs tell is seen in a row.

    Where runs are further apart than the longest period there is no row: periods between two runs have no data, and an
    alarm on three of them would never ring. Each run counts by itself then.
    """
    interval = max(1, math.ceil(inventory.every_seconds / MINUTE_SECONDS)) * MINUTE_SECONDS
    return (interval, UNREPLICATED_PERIODS) if interval <= PERIOD_SECONDS_MAX else (PERIOD_SECONDS_MAX, 1)


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
            periods=bounds.UNHEALTHY_LOOKS,
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
    more, (of_runs, in_a_row) = "GreaterThanThreshold", window_of_runs(inventory)
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
            periods=in_a_row,
            missing="ignore",
        ),
        AlarmSpec(
            purpose=REPLICATION_FAILED,
            name=names.alarm(REPLICATION_FAILED),
            description="S3 says that it failed to replicate objects, which have not arrived since. Starts nothing.",
            metric=naming.METRIC_FAILED_REPLICATION,
            statistic="Maximum",
            comparison=more,
            threshold=0,
            period_seconds=MINUTE_SECONDS,
            periods=1,
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
            threshold=bounds.heartbeat_seconds(inventory),
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
            periods=in_a_row,
            missing="ignore",
        ),
    )


def _of_functions(inventory: Inventory) -> tuple[AlarmSpec, ...]:
    """About the functions themselves, by Lambda's own metrics: whoever cannot run can tell nobody (Lambda Developer
    Guide, "Types of metrics for Lambda functions")."""
    names, minute = inventory.names, MINUTE_SECONDS
    by_hand = "A run that it began stays where its journal is; `pilotlight failover` goes on with it from your machine."
    return (
        _of_function(
            names, RECOVER_ERRORS, "recover", "Errors", (minute, 1),
            f"ended with an error, and is tried again a few times. {by_hand}",
        ),
        _of_function(
            names, RECOVER_THROTTLED, "recover", "Throttles", (minute, 1),
            f"is throttled: others take the account's concurrency, and nothing fails over until it runs. {by_hand}",
        ),
        _of_function(
            names, RECOVER_DROPPED, "recover", "AsyncEventsDropped", (minute, 1),
            f"lost an event: it was tried to the end, or waited too long, and nobody acts on it any more. {by_hand}",
        ),
        _of_function(
            names, PROBE_ERRORS, "probe", "Errors", (minute, STALE_PERIODS),
            "ends with an error each time, so a disaster would be noticed late or not at all. Nothing is lost by it.",
        ),
        _of_function(
            names, PROTECT_ERRORS, "protect", "Errors", window_of_runs(inventory),
            "ends with an error each time, so nothing newer is kept. What is kept stays.",
        ),
    )  # fmt: skip


def _of_function(
    names: Names, purpose: str, which: str, metric: str, periods: tuple[int, int], words: str
) -> AlarmSpec:
    """People hear of it without any function of ours; a function that is not invoked has no data and no error."""
    function = names.function(which)
    return AlarmSpec(
        purpose=purpose,
        name=names.alarm(purpose),
        description=(
            f"{names.workload}: function {function} in {names.standby} {words} Look at the log group "
            f"/aws/lambda/{function}; `pilotlight status` tells the rest. Starts nothing."
        ),
        metric=metric,
        statistic="Sum",
        comparison="GreaterThanThreshold",
        threshold=0,
        period_seconds=periods[0],
        periods=periods[1],
        missing="notBreaching",
        goes_to=PEOPLE,
        function=function,
    )
