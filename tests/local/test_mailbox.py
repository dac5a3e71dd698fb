"""What a user loses when one of these fails: the message that asks them, or the knowledge that nobody is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from event_cloud import STANDBY, client, eventually, make_function, running

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.sns.mailbox import CONFIRM_SUBJECT, Mail
from pilotlight.local.sns.notifications import Notifications
from pilotlight.runtime.naming import POINTS_STALE, PROTECT_SILENT, RECOVER_DROPPED, RECOVER_ERRORS, RECOVER_THROTTLED
from pilotlight.runtime.records.inventory import Inventory, Keep
from pilotlight.stacks.alarms import AlarmSpec
from pilotlight.stacks.monitoring import LAMBDA_DIMENSION, LAMBDA_NAMESPACE, monitoring_spec

ONCALL = "oncall@example.com"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as started:
        yield started


def mails(cloud: Cloud, to: str) -> list[Mail]:
    return [each for each in cloud.behaviour(Notifications).mailbox.mails() if each.to == to]


def subscribed(cloud: Cloud, name: str, to: str, protocol: str = "email") -> tuple[str, str]:
    sns = client(cloud, "sns")
    topic = sns.create_topic(Name=name)["TopicArn"]
    made = sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=to, ReturnSubscriptionArn=True)
    return topic, made["SubscriptionArn"]


def listed(cloud: Cloud, topic: str) -> list[str]:
    found = client(cloud, "sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return [each["SubscriptionArn"] for each in found]


def test_an_address_gets_nothing_before_it_has_confirmed_and_everything_after(cloud: Cloud) -> None:
    topic, arn = subscribed(cloud, "first", ONCALL)
    assert listed(cloud, topic) == ["PendingConfirmation"]
    sns = client(cloud, "sns")
    sns.publish(TopicArn=topic, Subject="too early", Message="unheard")
    (asked,) = mails(cloud, ONCALL)
    assert asked.subject == CONFIRM_SUBJECT
    token = asked.text.split("Token: ")[1].split()[0]
    with pytest.raises(ClientError):
        sns.confirm_subscription(TopicArn=topic, Token="another")
    assert sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"] == arn
    assert listed(cloud, topic) == [arn]
    sns.publish(TopicArn=topic, Subject="heard", Message="what is seen\nwhat to type")
    found = eventually(lambda: mails(cloud, ONCALL)[1:])
    assert [each.subject for each in found] == ["heard"] and "what is seen\nwhat to type" in found[0].text


def test_subscribing_again_asks_nobody_twice(cloud: Cloud) -> None:
    subscribed(cloud, "again", "twice@example.com")
    subscribed(cloud, "again", "twice@example.com")
    assert len(mails(cloud, "twice@example.com")) == 1


def test_an_endpoint_that_is_not_on_this_machine_stays_pending_and_one_that_is_does_not(cloud: Cloud) -> None:
    away, _ = subscribed(cloud, "away", "https://alerts.example.com/hook", "https")
    here, arn = subscribed(cloud, "here", "http://127.0.0.1:9/hook", "http")
    assert listed(cloud, away) == ["PendingConfirmation"] and listed(cloud, here) == [arn]
    assert "https://alerts.example.com/hook" in cloud.behaviour(Notifications).confirm()
    assert listed(cloud, away) != ["PendingConfirmation"]


def spec(purpose: str) -> tuple[AlarmSpec, dict[str, str]]:
    taken = Inventory("watched", "123456789012", "us-east-1", STANDBY, 60, 60, "approval", 60, Keep())
    found = monitoring_spec(taken)
    return next(each for each in found.alarms if each.purpose == purpose), found.dimensions


def put(cloud: Cloud, alarm: AlarmSpec, dimensions: dict[str, str], actions: list[str]) -> None:
    """The alarm as the stack makes it."""
    client(cloud, "cloudwatch").put_metric_alarm(
        AlarmName=alarm.name,
        AlarmDescription=alarm.description,
        Namespace=LAMBDA_NAMESPACE if alarm.function else "Pilotlight",
        MetricName=alarm.metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        Statistic=alarm.statistic,
        ComparisonOperator=alarm.comparison,
        Threshold=alarm.threshold,
        Period=alarm.period_seconds,
        EvaluationPeriods=alarm.periods,
        DatapointsToAlarm=alarm.periods,
        TreatMissingData=alarm.missing,
        AlarmActions=actions,
    )


def measure(cloud: Cloud, alarm: AlarmSpec, dimensions: dict[str, str], value: float) -> None:
    pairs = [{"Name": name, "Value": each} for name, each in dimensions.items()]
    datum: dict[str, Any] = {"MetricName": alarm.metric, "Dimensions": pairs, "Value": value}
    client(cloud, "cloudwatch").put_metric_data(Namespace="Pilotlight", MetricData=[datum])


def state(cloud: Cloud, alarm: AlarmSpec) -> str:
    (found,) = client(cloud, "cloudwatch").describe_alarms(AlarmNames=[alarm.name])["MetricAlarms"]
    return str(found["StateValue"])


@pytest.mark.parametrize("purpose", [POINTS_STALE, PROTECT_SILENT])
def test_what_stands_still_rings_and_a_person_reads_it_in_words(cloud: Cloud, purpose: str) -> None:
    to = f"{purpose}@example.com"
    topic, _ = subscribed(cloud, purpose, to)
    cloud.behaviour(Notifications).confirm()
    alarm, dimensions = spec(purpose)
    alarm = dataclasses.replace(alarm, name=f"{alarm.name}-told")
    put(cloud, alarm, dimensions, [topic])

    def measured(value: float, wanted: str) -> bool:
        measure(cloud, alarm, dimensions, value)
        return state(cloud, alarm) == wanted

    assert eventually(lambda: measured(alarm.threshold - 1, "OK"))
    assert eventually(lambda: measured(alarm.threshold + 1, "ALARM"))
    mail = eventually(lambda: [each for each in mails(cloud, to) if each.subject.startswith("ALARM")])[0]
    assert "has entered the ALARM state" in mail.text and alarm.description in mail.text


@pytest.mark.parametrize("purpose", [POINTS_STALE, PROTECT_SILENT])
def test_an_age_that_nobody_measures_any_more_rings_too(cloud: Cloud, purpose: str) -> None:
    alarm, dimensions = spec(purpose)
    alarm = dataclasses.replace(alarm, name=f"{alarm.name}-silent")
    put(cloud, alarm, dimensions | {"Workload": "silent"}, [])
    assert eventually(lambda: state(cloud, alarm) == "ALARM")


def test_a_function_that_cannot_fail_the_workload_over_reaches_a_person_without_its_help(cloud: Cloud) -> None:
    """It ends with an error, is tried to the end and given up, and is throttled: each is a message of its own."""
    to = "functions@example.com"
    topic, _ = subscribed(cloud, "functions", to)
    cloud.behaviour(Notifications).confirm()
    alarms = [spec(each)[0] for each in (RECOVER_ERRORS, RECOVER_DROPPED, RECOVER_THROTTLED)]
    for alarm in alarms:
        put(cloud, alarm, {LAMBDA_DIMENSION: alarm.function}, [topic])
    function = alarms[0].function
    make_function(cloud, function, "def handler(event, context):\n    raise RuntimeError('no permission')\n")
    assert eventually(lambda: all(state(cloud, each) == "OK" for each in alarms)), "no invocation is no error"
    client(cloud, "lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")

    def told(purpose: str) -> list[str]:
        name = next(each.name for each in alarms if each.purpose == purpose)
        return [each.text for each in mails(cloud, to) if each.subject.startswith(f'ALARM: "{name}"')]

    assert "ended with an error" in eventually(lambda: told(RECOVER_ERRORS))[0]
    assert "nobody acts on it any more" in eventually(lambda: told(RECOVER_DROPPED))[0]
    client(cloud, "lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    client(cloud, "lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")
    text = eventually(lambda: told(RECOVER_THROTTLED))[0]
    assert "is throttled" in text and "`pilotlight failover`" in text and f"/aws/lambda/{function}" in text
