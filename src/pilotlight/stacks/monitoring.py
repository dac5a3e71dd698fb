"""Monitoring: the schedules of probe and protect, four alarms, and the topic through which one of them starts a run.

Only `active-unhealthy` may lead to a failover; the recover function looks at the alarm's name and lets the others
pass. `probe-silent` watches the watcher: when no beat arrives, missing data counts as breaching (CloudWatch User Guide,
"Configuring how alarms treat missing data"). `standby-active` has no action: Route 53 reads it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight import naming
from pilotlight.naming import Names
from pilotlight.records.inventory import Inventory
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

ACTIVE_UNHEALTHY = "active-unhealthy"
STANDBY_ACTIVE = "standby-active"
PROBE_SILENT = "probe-silent"
UNREPLICATED = "unreplicated"


@dataclass(frozen=True)
class AlarmSpec:
    """One alarm on a metric of ours; `notify` sends it to the topic. Period in seconds."""

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
    notify: bool


@dataclass(frozen=True)
class MonitoringSpec:
    """Topic, alarms and the two schedules; `rates` maps function -> schedule expression."""

    region: str
    account: str
    topic: str
    topic_policy: str
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
        topic_policy=policies.text(policies.topic(names)),
        key_alias=names.key_alias,
        alarms=_alarms(names, inventory.every_seconds),
        dimensions={naming.DIMENSION_WORKLOAD: names.workload},
        rates={"probe": rate(MINUTE_SECONDS), "protect": rate(inventory.every_seconds)},
        schedule_names={each: names.schedule(each) for each in scheduled},
        scheduler_role=names.role("scheduler"),
        scheduler_trust=policies.text(policies.assume("scheduler.amazonaws.com", names.account)),
        scheduler_policy=policies.text(invoke),
        tags=names.tags(),
    )


def _alarms(names: Names, every_seconds: float) -> tuple[AlarmSpec, ...]:
    point_period = max(1, math.ceil(every_seconds / MINUTE_SECONDS)) * MINUTE_SECONDS
    point_period = min(point_period, PERIOD_SECONDS_MAX)
    less, more, at_least = "LessThanThreshold", "GreaterThanThreshold", "GreaterThanOrEqualToThreshold"
    return (
        AlarmSpec(
            purpose=ACTIVE_UNHEALTHY,
            name=names.alarm(ACTIVE_UNHEALTHY),
            description="The active region does not answer from outside. Leads to a failover.",
            metric=naming.METRIC_ACTIVE_HEALTHY,
            statistic="Minimum",
            comparison=less,
            threshold=1,
            period_seconds=MINUTE_SECONDS,
            periods=UNHEALTHY_PERIODS,
            missing="ignore",
            notify=True,
        ),
        AlarmSpec(
            purpose=STANDBY_ACTIVE,
            name=names.alarm(STANDBY_ACTIVE),
            description="The standby region is the active one. Route 53 answers with it while this is on.",
            metric=naming.METRIC_STANDBY_ACTIVE,
            statistic="Maximum",
            comparison=at_least,
            threshold=1,
            period_seconds=MINUTE_SECONDS,
            periods=1,
            missing="ignore",
            notify=False,
        ),
        AlarmSpec(
            purpose=PROBE_SILENT,
            name=names.alarm(PROBE_SILENT),
            description="The probe itself is silent: a disaster would not be noticed. Starts nothing.",
            metric=naming.METRIC_PROBE_BEAT,
            statistic="SampleCount",
            comparison=less,
            threshold=1,
            period_seconds=SILENT_SECONDS,
            periods=1,
            missing="breaching",
            notify=True,
        ),
        AlarmSpec(
            purpose=UNREPLICATED,
            name=names.alarm(UNREPLICATED),
            description="Objects stay unreplicated: a disaster would lose them. Starts nothing.",
            metric=naming.METRIC_UNREPLICATED,
            statistic="Maximum",
            comparison=more,
            threshold=0,
            period_seconds=point_period,
            periods=UNREPLICATED_PERIODS,
            missing="ignore",
            notify=True,
        ),
    )


class Monitoring(pulumi.ComponentResource):
    """Creates topic, alarms and schedules. Outputs: `topic` (ARN), `standby_active` (name of that alarm)."""

    topic: pulumi.Output[str]
    standby_active: pulumi.Output[str]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Monitoring", name, None, opts)
        self._spec, self._name = args.spec, name
        self.topic = self._topic()
        self._subscribe(args)
        alarms = {each.purpose: self._alarm(each) for each in args.spec.alarms}
        self.standby_active = alarms[STANDBY_ACTIVE].name
        self._schedules(args)
        self.register_outputs({"topic": self.topic, "standbyActive": self.standby_active})

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _topic(self) -> pulumi.Output[str]:
        spec = self._spec
        topic = aws.sns.Topic(
            f"{self._name}-topic",
            region=spec.region,
            name=spec.topic,
            kms_master_key_id=spec.key_alias,
            tags=spec.tags,
            opts=self._child(),
        )
        aws.sns.TopicPolicy(
            f"{self._name}-topic-policy",
            region=spec.region,
            arn=topic.arn,
            policy=spec.topic_policy,
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
            alarm_actions=[self.topic] if alarm.notify else [],
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
