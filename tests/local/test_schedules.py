"""A recovery point not taken is data lost: schedules fire by themselves, as their role, or say why not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from event_cloud import STANDBY, client, eventually, make_role, metric_sum, recorder, running

from pilotlight.local.events.schedule_expressions import ExpressionInvalid, parse
from pilotlight.local.kernel.cloud import Cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as started:
        yield started


@pytest.fixture(scope="module")
def role(cloud: Cloud) -> str:
    return make_role(cloud, "scheduler", "scheduler.amazonaws.com", "lambda:InvokeFunction")


def schedule(cloud: Cloud, name: str, expression: str, target: str, role: str, **given: Any) -> None:
    target_part = {"Arn": target, "RoleArn": role, "Input": given.pop("Input", json.dumps({"from": name}))}
    client(cloud, "scheduler").create_schedule(
        Name=name,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target_part,
        **given,
    )


def remove(cloud: Cloud, name: str) -> None:
    client(cloud, "scheduler").delete_schedule(Name=name)


def test_a_rate_fires_at_once_and_then_every_period_of_the_paced_time(cloud: Cloud, role: str) -> None:
    arn, events = recorder(cloud, "minutely")
    schedule(cloud, "minutely", "rate(1 minute)", arn, role)
    time.sleep(3.5)
    remove(cloud, "minutely")
    assert events()[0] == {"from": "minutely"}
    assert 3 <= len(events()) <= 5


def test_a_moment_fires_once_and_removes_itself_when_asked(cloud: Cloud, role: str) -> None:
    arn, events = recorder(cloud, "once")
    moment = datetime.fromtimestamp(time.time() + 60, UTC).strftime("at(%Y-%m-%dT%H:%M:%S)")
    schedule(cloud, "once", moment, arn, role, ActionAfterCompletion="DELETE")
    assert eventually(events) == [{"from": "once"}]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client(cloud, "scheduler").get_schedule(Name="once")


def test_the_context_attributes_are_filled_in(cloud: Cloud, role: str) -> None:
    arn, events = recorder(cloud, "attributes")
    text = '{"at": "<aws.scheduler.scheduled-time>", "by": "<aws.scheduler.schedule-arn>"}'
    schedule(cloud, "attributes", "rate(1 hour)", arn, role, Input=text)
    event = eventually(events)[0]
    assert event["by"].endswith(":schedule/default/attributes") and event["at"].endswith("Z")


def test_a_disabled_schedule_rests_until_it_is_enabled(cloud: Cloud, role: str) -> None:
    arn, events = recorder(cloud, "resting")
    schedule(cloud, "resting", "rate(1 minute)", arn, role, State="DISABLED")
    time.sleep(1.5)
    assert events() == []
    client(cloud, "scheduler").update_schedule(
        Name="resting",
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        State="ENABLED",
        Target={"Arn": arn, "RoleArn": role, "Input": "{}"},
    )
    assert eventually(events)
    remove(cloud, "resting")


def test_a_role_that_may_not_invoke_is_told_in_metrics_and_log_and_nothing_runs(cloud: Cloud) -> None:
    arn, events = recorder(cloud, "forbidden")
    powerless = make_role(cloud, "powerless", "scheduler.amazonaws.com")
    schedule(cloud, "forbidden", "rate(1 hour)", arn, powerless)
    assert eventually(lambda: metric_sum(cloud, STANDBY, "AWS/Scheduler", "InvocationDroppedCount")) == 1
    assert metric_sum(cloud, STANDBY, "AWS/Scheduler", "TargetErrorCount") == 1
    assert "schedule forbidden in us-west-2" in (cloud.directory / "cloud.log").read_text()
    assert events() == []


def test_schedules_stand_still_in_the_dark_and_do_not_catch_up(cloud: Cloud, role: str) -> None:
    arn, events = recorder(cloud, "darkened")
    schedule(cloud, "darkened", "rate(1 minute)", arn, role)
    assert eventually(events)
    cloud.darken(STANDBY)
    time.sleep(0.3)
    before = len(events())
    time.sleep(2.5)
    assert len(events()) == before
    cloud.lighten(STANDBY)
    assert eventually(lambda: len(events()) > before)
    assert len(events()) <= before + 2
    remove(cloud, "darkened")


def test_held_schedules_fire_nothing_until_they_are_let_go(cloud: Cloud, role: str) -> None:
    cloud.schedules_held = True
    arn, events = recorder(cloud, "held")
    schedule(cloud, "held", "rate(1 minute)", arn, role)
    time.sleep(1.0)
    assert events() == []
    cloud.schedules_held = False
    assert eventually(events)[0] == {"from": "held"}
    remove(cloud, "held")


def test_what_the_scheduler_could_never_run_is_refused(cloud: Cloud, role: str) -> None:
    arn = f"arn:aws:lambda:{STANDBY}:{cloud.account}:function:any"
    with pytest.raises(ClientError, match="Invalid Schedule Expression"):
        schedule(cloud, "bad", "rate(5 parsecs)", arn, role)
    with pytest.raises(ClientError, match="in UTC only"):
        schedule(cloud, "bad", "cron(0 9 * * ? *)", arn, role, ScheduleExpressionTimezone="Europe/Berlin")
    with pytest.raises(ClientError, match="must allow AWS EventBridge Scheduler to assume"):
        schedule(cloud, "bad", "rate(1 minute)", arn, make_role(cloud, "for-lambda", "lambda.amazonaws.com"))


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("expression", "now", "then"),
    [
        ("cron(0 10 * * ? *)", "2026-03-01T10:00", "2026-03-02T10:00"),
        ("cron(15 12 * * ? *)", "2026-03-01T00:00", "2026-03-01T12:15"),
        ("cron(0 18 ? * MON-FRI *)", "2026-03-06T18:30", "2026-03-09T18:00"),
        ("cron(0 8 1 * ? *)", "2026-03-01T08:00", "2026-04-01T08:00"),
        ("cron(0/15 * * * ? *)", "2026-03-01T10:16", "2026-03-01T10:30"),
        ("cron(0 9 ? * 2#1 *)", "2026-03-01T00:00", "2026-03-02T09:00"),
        ("cron(0 9 L * ? *)", "2026-02-01T00:00", "2026-02-28T09:00"),
        ("cron(0 9 ? * 6L *)", "2026-03-01T00:00", "2026-03-27T09:00"),
        ("cron(0 9 15W * ? *)", "2026-02-01T00:00", "2026-02-16T09:00"),
        ("cron(0 0 1 JAN ? 2028)", "2026-03-01T00:00", "2028-01-01T00:00"),
        ("rate(5 minutes)", "2026-03-01T00:07", "2026-03-01T00:10"),
        ("rate(1 day)", "2026-03-01T00:00", "2026-03-02T00:00"),
        ("at(2026-03-01T00:30:00)", "2026-03-01T00:00", "2026-03-01T00:30"),
    ],
)
def test_expressions_mean_what_aws_says(expression: str, now: str, then: str) -> None:
    assert parse(expression, moment("2026-03-01T00:00")).after(moment(now)) == moment(then)


@pytest.mark.parametrize(
    "text",
    ["cron(* * * * *)", "cron(0 10 * * * *x)", "cron(61 * * * ? *)", "rate(0 minutes)", "every minute", "at(now)"],
)
def test_expressions_aws_would_refuse_are_refused(text: str) -> None:
    with pytest.raises(ExpressionInvalid):
        parse(text, 0.0)


def test_a_moment_that_has_passed_never_comes() -> None:
    assert parse("at(2026-03-01T00:30:00)", 0.0).after(moment("2026-03-01T00:30")) is None
