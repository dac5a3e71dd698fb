"""CloudWatch metric alarms that evaluate themselves and act: SNS topics and Lambda functions hear of every change.

Source: Amazon CloudWatch User Guide, "Using Amazon CloudWatch alarms" ("Evaluating an alarm", "Alarm actions") and
"Sample alarm notification"; API reference "PutMetricAlarm", "SetAlarmState". A period of 60 s at pace 30 is a window of
two real seconds; alarms of a dark region stand still. `judged` is the state by the data alone, which is what Route 53
looks at ("Route 53 monitors the data stream, not the alarm state").
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend

from pilotlight.local.cloudwatch.alarm_judgement import Judgement, Rule, evaluation_range, judge
from pilotlight.local.cloudwatch.alarm_messages import lambda_event, notification, reason_data, region_name
from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.kernel.service_principals import ServiceRequest, policy_permits
from pilotlight.local.lambda_.runtime import LambdaRuntime
from pilotlight.local.overrides import original, override
from pilotlight.local.sns.notifications import Notifications

TICK_SECONDS = 0.25
EVALUATION_SECONDS_MAX = 60
"""AWS seconds: alarms are evaluated once a minute, or once a period where that is shorter."""
ARRIVAL_REAL_SECONDS = 0.2
"""A period is judged this long after it closed, so that what was measured in it has arrived."""
LATE_REAL_SECONDS = 60.0
"""How far behind the newest data point an older one may have been stored and still be found."""
DATAPOINTS_KEPT_MAX = 50_000
"""Per region; CloudWatch keeps minutes for 15 days, a cloud that is left running keeps the newest of these."""

_put_metric_alarm = original(CloudWatchBackend, "put_metric_alarm")
_delete_alarms = original(CloudWatchBackend, "delete_alarms")
_set_alarm_state = original(CloudWatchBackend, "set_alarm_state")


@dataclass
class Watch:
    """What is remembered of an alarm between evaluations."""

    window: int = -1
    judged: str = "INSUFFICIENT_DATA"


class Alarms(Behaviour):
    """Evaluates every alarm of the light regions and runs the actions of those that changed."""

    name = "alarms"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._watches: dict[str, Watch] = {}
        _replace_operations(self)

    def start(self) -> None:
        self.cloud.every(TICK_SECONDS, self.evaluate_due, "alarms")

    def judged(self, region: str, name: str) -> str:
        """The state by the data alone; INSUFFICIENT_DATA where there is no such alarm or its region is dark."""
        alarm = self.cloud.backend("cloudwatch", region).alarms.get(name)
        if alarm is None or self.cloud.is_dark(region):
            return "INSUFFICIENT_DATA"
        watch = self._watches.get(alarm.alarm_arn)
        return watch.judged if watch else "INSUFFICIENT_DATA"

    def evaluate_due(self) -> None:
        """Judge every alarm for which a new window has closed."""
        now = time.time()
        for region in self.cloud.regions:
            if not self.cloud.is_dark(region):
                backend = self.cloud.backend("cloudwatch", region)
                del backend.metric_data[:-DATAPOINTS_KEPT_MAX]
                for alarm in list(backend.alarms.values()):
                    self._evaluate(alarm, now)

    def forget(self, arn: str) -> None:
        self._watches.pop(arn, None)

    def changed(self, alarm: Any, old_state: str) -> None:
        """Run the actions of the state the alarm is in now, unless they are disabled."""
        if not alarm.actions_enabled:
            return
        lists = {
            "ALARM": alarm.alarm_actions,
            "OK": alarm.ok_actions,
            "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
        }
        for action in lists[alarm.state_value]:
            try:
                self._act(alarm, action, old_state)
                outcome = "Successfully executed action"
            except Exception as error:
                outcome = f"Failed to execute action: {error}"
                self.cloud.log(f"alarm {alarm.name} in {alarm.region_name}: {action} failed: {error}")
            alarm.history.append(("Action", f"{outcome} {action}", "{}", alarm.state_value, datetime.now(UTC)))

    def _evaluate(self, alarm: Any, now: float) -> None:
        if alarm.rule is not None or alarm.metric_name is None:
            return
        watch = self._watches.setdefault(alarm.alarm_arn, Watch())
        step = self.cloud.real_seconds(min(int(alarm.period), EVALUATION_SECONDS_MAX))
        window = math.floor((now - ARRIVAL_REAL_SECONDS) / step)
        if window == watch.window:
            return
        watch.window = window
        points, rule = self._points(alarm, window * step), rule_of(alarm)
        watch.judged = judge(points, rule, watch.judged).state
        judgement = judge(points, rule, alarm.state_value)
        if judgement.state != alarm.state_value:
            self._change(alarm, judgement)

    def _points(self, alarm: Any, closed: float) -> list[float | None]:
        """One statistic for each period of the evaluation range that ends when the last window closed."""
        period = self.cloud.real_seconds(int(alarm.period))
        length = evaluation_range(int(alarm.evaluation_periods))
        data = self._recent(alarm, closed - length * period)
        begins = [closed - (number + 1) * period for number in reversed(range(length))]
        return [
            statistic([each for at, each in data if begin <= at < begin + period], alarm.statistic) for begin in begins
        ]

    def _recent(self, alarm: Any, since: float) -> list[tuple[float, Any]]:
        """The alarm's data since then; stored data is in order of arrival, so the search ends a little before."""
        stored = self.cloud.backend("cloudwatch", alarm.region_name).metric_data
        wanted = {(each.name, each.value) for each in alarm.dimensions}
        found = []
        for datum in reversed(stored):
            at = seconds_of(datum.timestamp)
            if at < since - LATE_REAL_SECONDS:
                break
            same = datum.name == alarm.metric_name and datum.namespace == alarm.namespace
            if same and {(each.name, each.value) for each in datum.dimensions} == wanted:
                found.append((at, datum))
        return found

    def _change(self, alarm: Any, judgement: Judgement) -> None:
        old = alarm.state_value
        alarm.update_state(judgement.reason, reason_data(alarm, judgement), judgement.state)
        self.changed(alarm, old)

    def _act(self, alarm: Any, action: str, old_state: str) -> None:
        service = action.split(":")[2]
        if service == "sns":
            self._notify(alarm, action, old_state)
        elif service == "lambda":
            event = json.dumps(lambda_event(alarm, self.cloud.account, old_state)).encode()
            self.cloud.behaviour(LambdaRuntime).invoke(
                alarm.region_name,
                action,
                event,
                source_service="lambda.alarms.cloudwatch.amazonaws.com",
                source_arn=alarm.alarm_arn,
            )
        else:
            raise ValueError(f"actions on {service} are not run by the embedded cloud")

    def _notify(self, alarm: Any, topic_arn: str, old_state: str) -> None:
        region = topic_arn.split(":")[3]
        topic = self.cloud.backend("sns", region).get_topic(topic_arn)
        request = ServiceRequest(
            "cloudwatch.amazonaws.com", "SNS:Publish", topic_arn, alarm.alarm_arn, self.cloud.account
        )
        if not policy_permits(json.loads(topic.policy), request):
            raise PermissionError("the topic's policy does not let cloudwatch.amazonaws.com publish")
        message = json.dumps(notification(alarm, self.cloud.account, old_state))
        subject = f'{alarm.state_value}: "{alarm.name}" in {region_name(alarm.region_name)}'
        self.cloud.behaviour(Notifications).publish(topic_arn, message, subject[:100])


def rule_of(alarm: Any) -> Rule:
    """The deciding part of moto's alarm."""
    periods = int(alarm.evaluation_periods)
    return Rule(
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        evaluation_periods=periods,
        datapoints_to_alarm=int(alarm.datapoints_to_alarm or periods),
        missing_data=alarm.treat_missing_data or "missing",
    )


def statistic(data: Iterable[Any], name: str | None) -> float | None:
    """One statistic over single values and statistic sets; None without data."""
    sets = [(each.sum, each.min, each.max, each.sample_count) if hasattr(each, "sum") else (each.value,) * 3 + (1.0,)
            for each in data]  # fmt: skip
    if not sets:
        return None
    sums, lows, highs, counts = zip(*sets, strict=True)
    values = {
        "Sum": sum(sums),
        "Minimum": min(lows),
        "Maximum": max(highs),
        "SampleCount": sum(counts),
        "Average": sum(sums) / max(sum(counts), 1e-12),
    }
    return float(values[name or "Average"])


def seconds_of(moment: datetime) -> float:
    """moto keeps times with and without a zone; both are UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _replace_operations(alarms: Alarms) -> None:
    """A new alarm has insufficient data, an updated one keeps its state, a set state runs the actions."""

    def put_metric_alarm(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        before = self.alarms.get(name)
        alarm = _put_metric_alarm(self, name, *args, **kwargs)
        if before is None:
            alarm.state_value = "INSUFFICIENT_DATA"
            return alarm
        for kept in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
            setattr(alarm, kept, getattr(before, kept))
        return alarm

    def delete_alarms(self: Any, alarm_names: list[str]) -> None:
        for name in set(alarm_names) & set(self.alarms):
            alarms.forget(self.alarms[name].alarm_arn)
        _delete_alarms(self, alarm_names)

    def set_alarm_state(self: Any, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
        before = self.alarms[alarm_name].state_value if alarm_name in self.alarms else ""
        _set_alarm_state(self, alarm_name, reason, reason_data, state_value)
        if before != state_value:
            alarms.changed(self.alarms[alarm_name], before)

    override(
        CloudWatchBackend,
        put_metric_alarm=put_metric_alarm,
        delete_alarms=delete_alarms,
        set_alarm_state=set_alarm_state,
    )
