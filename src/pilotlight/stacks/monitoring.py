"""Monitoring: the schedules of probe and protect, the alarms, and two topics: one that starts runs, one for people.

Only `active-unhealthy` may lead to a failover; the recover function hears every alarm, and tells people what the others
mean. What may be silent because Lambda or the schedules are goes to people directly, with its description as the
message. Watchers count missing data as breaching (CloudWatch User Guide, "Configuring how alarms treat missing data");
what starts a run does not. `standby-active` has no action: Route 53 reads it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

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
from pilotlight.stacks import policies

MINUTE_SECONDS = 60
UNHEALTHY_PERIODS = 3
"""Three minutes in a row: one lost probe is no disaster."""
SILENT_SECONDS = 300
"""Five firings of the probe that did not arrive."""
UNREPLICATED_PERIODS = 3
PERIOD_SECONDS_MAX = 86_400
"""CloudWatch API, PutMetricAlarm."""
EVENT_AGE_SECONDS = 60
"""A firing older than this is worth nothing; it is also the least that EventBridge Scheduler accepts."""

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


@dataclass(frozen=True)
class MonitoringSpec:
    """Topics, subscriptions of people as (protocol, endpoint), alarms and the two schedules; `rates` maps function ->
    schedule expression."""

    region: str
    account: str
    topic: str
    topic_policy: str
    people_topic: str
    people_policy: str
    people: tuple[tuple[str, str], ...]
    key_alias: str
    alarms: tuple[AlarmSpec, ...]
    dimensions: dict[str, str]
    rates: dict[str, str]
    schedule_names: dict[str, str]
    scheduler_role: str
    scheduler_trust: str
    scheduler_policy: str
    tags: dict[str, str]


@dataclass(frozen=True)
class MonitoringArgs:
    """`functions`: ARN of probe and protect; `recover`: (ARN, name) of the function that the topic invokes."""

    spec: MonitoringSpec
    functions: dict[str, pulumi.Output[str]]
    recover_arn: pulumi.Input[str]
    recover_name: pulumi.Input[str]


def rate(seconds: float) -> str:
    """EventBridge Scheduler's expression; it fires at most once a minute, so seconds are rounded up to minutes."""
    minutes = max(1, math.ceil(seconds / MINUTE_SECONDS))
    return "rate(1 minute)" if minutes == 1 else f"rate({minutes} minutes)"


def label(endpoint: str) -> str:
    """A resource's name for an endpoint: it stays the same when others are added, and tells no path (pure)."""
    host = endpoint.removeprefix("https://").partition("/")[0]
    return f"{host.replace('@', '-at-')}-{hashlib.sha256(endpoint.encode()).hexdigest()[:8]}"


def monitoring_spec(inventory: Inventory) -> MonitoringSpec:
    """Everything that watches this inventory (pure)."""
    names = inventory.names
    scheduled = ("probe", "protect")
    targets = [
        f"arn:{policies.PARTITION}:lambda:{names.standby}:{names.account}:function:{names.function(each)}"
        for each in scheduled
    ]
    invoke = policies.document(policies.allow("Fire", ["lambda:InvokeFunction"], targets))
    return MonitoringSpec(
        region=names.standby,
        account=names.account,
        topic=names.topic,
        topic_policy=policies.text(policies.topic(names, names.topic)),
        people_topic=names.people_topic,
        people_policy=policies.text(policies.topic(names, names.people_topic)),
        people=_people(inventory),
        key_alias=names.key_alias,
        alarms=(*_of_regions(names), *_of_protection(inventory)),
        dimensions={naming.DIMENSION_WORKLOAD: names.workload},
        rates={"probe": rate(MINUTE_SECONDS), "protect": rate(inventory.every_seconds)},
        schedule_names={each: names.schedule(each) for each in scheduled},
        scheduler_role=names.role("scheduler"),
        scheduler_trust=policies.text(policies.assume("scheduler.amazonaws.com", names.account)),
        scheduler_policy=policies.text(invoke),
        tags=names.tags(),
    )


def _people(inventory: Inventory) -> tuple[tuple[str, str], ...]:
    notify = inventory.notify
    return (*(("email", each) for each in notify.email), *(("https", each) for each in notify.https))


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
            period_seconds=SILENT_SECONDS,
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


class Monitoring(pulumi.ComponentResource):
    """Creates topics, alarms and schedules. Outputs: `topic` and `people` (ARNs), `standby_active` (name of that
    alarm)."""

    topic: pulumi.Output[str]
    people: pulumi.Output[str]
    standby_active: pulumi.Output[str]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Monitoring", name, None, opts)
        self._spec, self._name = args.spec, name
        self.topic = self._topic("topic", args.spec.topic, args.spec.topic_policy)
        self.people = self._topic("people", args.spec.people_topic, args.spec.people_policy)
        self._subscribe(args)
        self._subscribe_people()
        alarms = {each.purpose: self._alarm(each) for each in args.spec.alarms}
        self.standby_active = alarms[STANDBY_ACTIVE].name
        self._schedules(args)
        self.register_outputs({"topic": self.topic, "people": self.people, "standbyActive": self.standby_active})

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _topic(self, purpose: str, name: str, policy: str) -> pulumi.Output[str]:
        spec = self._spec
        topic = aws.sns.Topic(
            f"{self._name}-{purpose}",
            region=spec.region,
            name=name,
            kms_master_key_id=spec.key_alias,
            tags=spec.tags,
            opts=self._child(),
        )
        aws.sns.TopicPolicy(
            f"{self._name}-{purpose}-policy",
            region=spec.region,
            arn=topic.arn,
            policy=policy,
            opts=self._child(),
        )
        return topic.arn

    def _subscribe(self, args: MonitoringArgs) -> None:
        permission = aws.lambda_.Permission(
            f"{self._name}-permission",
            region=self._spec.region,
            statement_id="alarms",
            action="lambda:InvokeFunction",
            function=args.recover_name,
            principal="sns.amazonaws.com",
            source_arn=self.topic,
            opts=self._child(),
        )
        aws.sns.TopicSubscription(
            f"{self._name}-subscription",
            region=self._spec.region,
            topic=self.topic,
            protocol="lambda",
            endpoint=args.recover_arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission]),
        )

    def _subscribe_people(self) -> None:
        """Each is pending until who has the address, or the endpoint, confirms it."""
        for protocol, endpoint in self._spec.people:
            aws.sns.TopicSubscription(
                f"{self._name}-{protocol}-{label(endpoint)}",
                region=self._spec.region,
                topic=self.people,
                protocol=protocol,
                endpoint=endpoint,
                opts=self._child(),
            )

    def _topics(self, named: str) -> list[pulumi.Output[str]]:
        return [{ALARMS: self.topic, PEOPLE: self.people}[named]] if named else []

    def _alarm(self, alarm: AlarmSpec) -> aws.cloudwatch.MetricAlarm:
        spec = self._spec
        return aws.cloudwatch.MetricAlarm(
            f"{self._name}-{alarm.purpose}",
            region=spec.region,
            name=alarm.name,
            alarm_description=alarm.description,
            namespace=naming.METRIC_NAMESPACE,
            metric_name=alarm.metric,
            dimensions=spec.dimensions,
            statistic=alarm.statistic,
            comparison_operator=alarm.comparison,
            threshold=alarm.threshold,
            period=alarm.period_seconds,
            evaluation_periods=alarm.periods,
            datapoints_to_alarm=alarm.periods,
            treat_missing_data=alarm.missing,
            alarm_actions=self._topics(alarm.goes_to),
            ok_actions=self._topics(alarm.over_to),
            tags=spec.tags,
            opts=self._child(),
        )

    def _schedules(self, args: MonitoringArgs) -> None:
        spec = self._spec
        role = aws.iam.Role(
            f"{self._name}-scheduler-role",
            name=spec.scheduler_role,
            assume_role_policy=spec.scheduler_trust,
            tags=spec.tags,
            opts=self._child(),
        )
        policy = aws.iam.RolePolicy(
            f"{self._name}-scheduler-role-policy",
            name=spec.scheduler_role,
            role=role.name,
            policy=spec.scheduler_policy,
            opts=self._child(),
        )
        for purpose, expression in spec.rates.items():
            aws.scheduler.Schedule(
                f"{self._name}-{purpose}",
                region=spec.region,
                name=spec.schedule_names[purpose],
                schedule_expression=expression,
                flexible_time_window=aws.scheduler.ScheduleFlexibleTimeWindowArgs(mode="OFF"),
                state="ENABLED",
                target=_target(args.functions[purpose], role.arn),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
            )


def _target(function: pulumi.Output[str], role: pulumi.Output[str]) -> aws.scheduler.ScheduleTargetArgs:
    """Not tried again: the next firing is newer and as good."""
    retry = aws.scheduler.ScheduleTargetRetryPolicyArgs(
        maximum_event_age_in_seconds=EVENT_AGE_SECONDS, maximum_retry_attempts=0
    )
    return aws.scheduler.ScheduleTargetArgs(arn=function, role_arn=role, retry_policy=retry)
