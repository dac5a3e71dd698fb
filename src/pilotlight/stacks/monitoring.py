"""Monitoring: the schedules of probe and protect, the alarms, and two topics: one that starts runs, one for people."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.runtime import naming
from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.naming import STANDBY_ACTIVE
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import policies
from pilotlight.stacks.alarms import ALARMS, MINUTE_SECONDS, PEOPLE, AlarmSpec, alarm_specs

LAMBDA_NAMESPACE, LAMBDA_DIMENSION = "AWS/Lambda", "FunctionName"
"""Lambda Developer Guide, "Viewing metrics on CloudWatch"."""
EVENT_AGE_SECONDS = 60
"""A scheduled run older than this is worth nothing; it is also the least that EventBridge Scheduler accepts."""


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
        f"arn:{PARTITION}:lambda:{names.standby}:{names.account}:function:{names.function(each)}" for each in scheduled
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
        alarms=alarm_specs(inventory),
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
            namespace=LAMBDA_NAMESPACE if alarm.function else naming.METRIC_NAMESPACE,
            metric_name=alarm.metric,
            dimensions={LAMBDA_DIMENSION: alarm.function} if alarm.function else spec.dimensions,
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
    """Not tried again: the next scheduled run is newer and as good."""
    retry = aws.scheduler.ScheduleTargetRetryPolicyArgs(
        maximum_event_age_in_seconds=EVENT_AGE_SECONDS, maximum_retry_attempts=0
    )
    return aws.scheduler.ScheduleTargetArgs(arn=function, role_arn=role, retry_policy=retry)
