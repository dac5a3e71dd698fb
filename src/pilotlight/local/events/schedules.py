"""EventBridge Scheduler schedules that fire by themselves, with the execution role really evaluated.

Source: EventBridge Scheduler User Guide, "Schedule types", "Setting up the execution role", "Adding context
attributes", "Monitoring with CloudWatch". Each schedule lives on its own clock: from the moment it was created or
changed, AWS time passes `pace` times faster. A schedule of a dark region stands still and does not catch up.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend

from pilotlight.local.events.schedule_expressions import Expression, ExpressionInvalid, parse
from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.kernel.service_principals import role_trusts
from pilotlight.local.lambda_.runtime import LambdaRuntime
from pilotlight.local.overrides import original, override

TICK_SECONDS = 0.25
SERVICE = "scheduler.amazonaws.com"
UTC_NAMES = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT"})

_create_schedule = original(EventBridgeSchedulerBackend, "create_schedule")
_update_schedule = original(EventBridgeSchedulerBackend, "update_schedule")


@dataclass
class Watch:
    """One schedule's own clock and its next firing, in AWS seconds on that clock."""

    revision: tuple[Any, ...]
    origin: float
    expression: Expression
    due: float | None


class Schedules(Behaviour):
    """Fires what is due in the light regions."""

    name = "schedules"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._watches: dict[str, Watch] = {}
        _replace_operations(self)

    def start(self) -> None:
        self.cloud.every(TICK_SECONDS, self.fire_due, "schedules")

    def fire_due(self) -> None:
        """Fire every enabled schedule whose time has come, once, however late it is; none while they are held."""
        if self.cloud.schedules_held:
            return
        for region in self.cloud.regions:
            if self.cloud.is_dark(region):
                continue
            for group in list(self.cloud.backend("scheduler", region).schedule_groups.values()):
                for schedule in list(group.schedules.values()):
                    self._look_at(region, schedule)

    def check(self, given: dict[str, Any]) -> None:
        """What CreateSchedule and UpdateSchedule refuse: bad expressions, roles not to be assumed, other time zones."""
        try:
            parse(given["schedule_expression"], 0.0)
        except ExpressionInvalid as error:
            raise ValidationException(str(error)) from error
        if (given.get("schedule_expression_timezone") or "UTC") not in UTC_NAMES:
            raise ValidationException("The embedded cloud evaluates schedules in UTC only.")
        role = given["target"].get("RoleArn", "")
        if not role_trusts(self.cloud, role, SERVICE):
            raise ValidationException(
                "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
            )

    def _look_at(self, region: str, schedule: Any) -> None:
        watch = self._watch(schedule)
        if watch.due is None or self.cloud.stopping.is_set():
            return
        now = self._clock(watch)
        if now < watch.due:
            return
        scheduled, watch.due = watch.due, watch.expression.after(now)
        if schedule.state != "DISABLED" and in_season(schedule, now):
            self._fire(region, schedule, scheduled)
        if watch.due is None and schedule.action_after_completion == "DELETE":
            self.cloud.backend("scheduler", region).delete_schedule(schedule.group_name, schedule.name)

    def _watch(self, schedule: Any) -> Watch:
        """What is remembered of the schedule, begun anew when it was changed."""
        revision = (schedule.creation_date, schedule.last_modified_date, schedule.schedule_expression)
        known = self._watches.get(schedule.arn)
        if known is not None and known.revision == revision:
            return known
        origin = float(schedule.last_modified_date)
        begins = max(float(schedule.start_date or 0), origin)
        expression = parse(schedule.schedule_expression, begins)
        watch = Watch(revision, origin, expression, expression.after(begins - 1))
        self._watches[schedule.arn] = watch
        return watch

    def _clock(self, watch: Watch) -> float:
        """AWS time as this schedule sees it."""
        return watch.origin + (time.time() - watch.origin) * self.cloud.pace

    def _fire(self, region: str, schedule: Any, scheduled: float) -> None:
        target = schedule.target
        self._count(region, schedule, "InvocationAttemptCount")
        try:
            self._invoke(region, schedule, target, scheduled)
        except Exception as error:
            self.cloud.log(f"schedule {schedule.name} in {region}: {target['Arn']}: {error}")
            if isinstance(error, JsonRESTError):
                self._count(region, schedule, "TargetErrorCount")
            self._count(region, schedule, "InvocationDroppedCount")

    def _invoke(self, region: str, schedule: Any, target: dict[str, Any], scheduled: float) -> None:
        service = target["Arn"].split(":")[2]
        if service != "lambda":
            raise NotImplementedError(f"targets of {service} are not run by the embedded cloud")
        self.cloud.behaviour(LambdaRuntime).invoke(
            region, target["Arn"], payload_of(schedule, scheduled, self.cloud.account), role_arn=target["RoleArn"]
        )

    def _count(self, region: str, schedule: Any, metric: str) -> None:
        dimensions = [{"Name": "ScheduleGroup", "Value": schedule.group_name}]
        datum = {"MetricName": metric, "Value": 1, "Unit": "Count", "Dimensions": dimensions}
        self.cloud.backend("cloudwatch", region).put_metric_data("AWS/Scheduler", [datum])


def in_season(schedule: Any, now: float) -> bool:
    """Whether the schedule's end date, if it has one, is still ahead."""
    return schedule.end_date is None or now <= float(schedule.end_date)


def payload_of(schedule: Any, scheduled: float, account: str) -> bytes:
    """The target's Input with its context attributes, or the event Scheduler sends without one."""
    moment = datetime.fromtimestamp(scheduled, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = schedule.target.get("Input")
    if given is None:
        return json.dumps(default_event(schedule, moment, account)).encode()
    attributes = {
        "<aws.scheduler.schedule-arn>": schedule.arn,
        "<aws.scheduler.scheduled-time>": moment,
        "<aws.scheduler.execution-id>": uuid.uuid4().hex[:16],
        "<aws.scheduler.attempt-number>": "1",
    }
    for name, value in attributes.items():
        given = given.replace(name, value)
    return str(given).encode()


def default_event(schedule: Any, moment: str, account: str) -> dict[str, Any]:
    """What a function gets from a schedule without Input."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": account,
        "time": moment,
        "region": schedule.arn.split(":")[3],
        "resources": [schedule.arn],
        "detail": "{}",
    }


def _replace_operations(schedules: Schedules) -> None:
    """Refuse what AWS refuses before moto keeps it."""

    def create_schedule(self: Any, **given: Any) -> Any:
        schedules.check(given)
        return _create_schedule(self, **given)

    def update_schedule(self: Any, **given: Any) -> Any:
        schedules.check(given)
        return _update_schedule(self, **given)

    override(EventBridgeSchedulerBackend, create_schedule=create_schedule, update_schedule=update_schedule)
