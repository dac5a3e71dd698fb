"""A silent alarm is a disaster nobody noticed: alarms judge as CloudWatch documents it and act by themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from event_cloud import PRIMARY, STANDBY, client, eventually, recorder, running

from pilotlight.local.cloudwatch.alarm_judgement import Rule, judge
from pilotlight.local.cloudwatch.alarms import Alarms
from pilotlight.local.kernel.cloud import Cloud

KEEP = "as it was"
X, O, N = 1.0, 0.0, None  # noqa: E741
THREE_OF_THREE = [
    ((O, N, X, N, X), ("OK", "OK", "OK", "OK")),
    ((O, N, N, N, N), ("OK", "OK", "OK", "OK")),
    ((N, N, N, N, N), ("INSUFFICIENT_DATA", KEEP, "ALARM", "OK")),
    ((O, X, X, N, X), ("ALARM", "ALARM", "ALARM", "ALARM")),
    ((N, N, X, N, N), ("ALARM", KEEP, "ALARM", "OK")),
]
TWO_OF_THREE = [
    ((O, N, X, N, X), ("ALARM", "ALARM", "ALARM", "ALARM")),
    ((O, O, X, O, X), ("ALARM", "ALARM", "ALARM", "ALARM")),
    ((O, N, X, N, N), ("OK", "OK", "ALARM", "OK")),
    ((N, N, N, N, O), ("OK", "OK", "ALARM", "OK")),
    ((N, N, N, X, N), ("ALARM", KEEP, "ALARM", "OK")),
]
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
TABLES = [(points, states, 3) for points, states in THREE_OF_THREE]
TABLES += [(points, states, 2) for points, states in TWO_OF_THREE]


@pytest.mark.parametrize(("points", "states", "needed"), TABLES)
def test_missing_data_is_treated_as_in_the_tables_of_the_cloudwatch_guide(
    points: tuple[float | None, ...], states: tuple[str, ...], needed: int
) -> None:
    for treatment, state in zip(TREATMENTS, states, strict=True):
        rule = Rule("GreaterThanOrEqualToThreshold", 1.0, 3, needed, treatment)
        assert judge(points, rule, KEEP).state == state, treatment


def test_the_reason_is_the_sentence_cloudwatch_writes() -> None:
    rule = Rule("LessThanThreshold", 1.0, 1, 1, "missing")
    assert judge([N, N, 0.0], rule, "OK").reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [0.0] was less than the threshold (1.0) "
        "(minimum 1 datapoint for OK -> ALARM transition)."
    )


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), pace=120.0) as started:
        yield started


def alarm(cloud: Cloud, name: str, *, region: str = STANDBY, **given: Any) -> None:
    settings: dict[str, Any] = {
        "Namespace": "Pilotlight",
        "MetricName": name,
        "Dimensions": [{"Name": "Workload", "Value": "inference"}],
        "Statistic": "Minimum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "LessThanThreshold",
    }
    client(cloud, "cloudwatch", region).put_metric_alarm(AlarmName=name, **(settings | given))


def put(cloud: Cloud, name: str, value: float, *, region: str = STANDBY) -> None:
    datum = {"MetricName": name, "Value": value, "Dimensions": [{"Name": "Workload", "Value": "inference"}]}
    client(cloud, "cloudwatch", region).put_metric_data(Namespace="Pilotlight", MetricData=[datum])


def state(cloud: Cloud, name: str, region: str = STANDBY) -> str:
    found = client(cloud, "cloudwatch", region).describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(found[0]["StateValue"])


def messages(events: list[Any]) -> list[dict[str, Any]]:
    return [json.loads(event["Records"][0]["Sns"]["Message"]) for event in events]


def test_a_new_alarm_knows_nothing_and_a_changed_one_keeps_what_it_knew(cloud: Cloud) -> None:
    alarm(cloud, "new", TreatMissingData="ignore")
    assert state(cloud, "new") == "INSUFFICIENT_DATA"
    put(cloud, "new", 0)
    assert eventually(lambda: state(cloud, "new") == "ALARM")
    alarm(cloud, "new", TreatMissingData="ignore", AlarmDescription="changed")
    assert state(cloud, "new") == "ALARM"


def test_an_alarm_rises_and_falls_with_its_metric_and_tells_its_topic_each_time(cloud: Cloud) -> None:
    function, events = recorder(cloud, "listener")
    sns = client(cloud, "sns")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    client(cloud, "lambda").add_permission(
        FunctionName="listener", StatementId="t", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
    )
    alarm(cloud, "ActiveHealthy", AlarmActions=[topic], OKActions=[topic], TreatMissingData="ignore")
    put(cloud, "ActiveHealthy", 0)
    assert eventually(lambda: state(cloud, "ActiveHealthy") == "ALARM")
    put(cloud, "ActiveHealthy", 1)
    assert eventually(lambda: len(events()) == 2)
    raised, fallen = messages(events())
    assert (raised["NewStateValue"], raised["OldStateValue"]) == ("ALARM", "INSUFFICIENT_DATA")
    assert (fallen["NewStateValue"], fallen["OldStateValue"]) == ("OK", "ALARM")
    assert raised["AlarmName"] == "ActiveHealthy" and raised["Region"] == "US West (Oregon)"
    assert raised["Trigger"]["Dimensions"] == [{"value": "inference", "name": "Workload"}]
    assert raised["NewStateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [0.0]")
    assert events()[0]["Records"][0]["Sns"]["Subject"] == 'ALARM: "ActiveHealthy" in US West (Oregon)'


def test_silence_of_a_watcher_raises_the_dead_mans_alarm(cloud: Cloud) -> None:
    alarm(cloud, "ProbeBeat", Statistic="SampleCount", EvaluationPeriods=2, TreatMissingData="breaching")
    for _ in range(8):
        put(cloud, "ProbeBeat", 1)
        time.sleep(0.25)
    assert state(cloud, "ProbeBeat") == "OK"
    assert eventually(lambda: state(cloud, "ProbeBeat") == "ALARM")


def test_without_actions_or_with_actions_disabled_nothing_happens(cloud: Cloud) -> None:
    function, events = recorder(cloud, "undisturbed")
    client(cloud, "lambda").add_permission(
        FunctionName="undisturbed",
        StatementId="alarms",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
    )
    alarm(cloud, "Plain", TreatMissingData="ignore")
    alarm(cloud, "Disabled", AlarmActions=[function], ActionsEnabled=False, TreatMissingData="ignore")
    for name in ("Plain", "Disabled"):
        put(cloud, name, 0)
        assert eventually(lambda name=name: state(cloud, name) == "ALARM")  # type: ignore[misc]
    time.sleep(0.5)
    assert events() == []


def test_a_state_set_by_hand_runs_the_actions_and_the_data_soon_overrule_it(cloud: Cloud) -> None:
    function, events = recorder(cloud, "direct")
    client(cloud, "lambda").add_permission(
        FunctionName="direct",
        StatementId="alarms",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
    )
    alarm(cloud, "Manual", AlarmActions=[function])
    client(cloud, "cloudwatch").set_alarm_state(AlarmName="Manual", StateValue="ALARM", StateReason="testing")
    assert eventually(events)[0]["alarmData"]["state"]["reason"] == "testing"
    assert cloud.behaviour(Alarms).judged(STANDBY, "Manual") == "INSUFFICIENT_DATA"
    assert eventually(lambda: state(cloud, "Manual") == "INSUFFICIENT_DATA")


def test_an_action_that_fails_is_told_in_the_log(cloud: Cloud) -> None:
    missing = f"arn:aws:sns:{STANDBY}:{cloud.account}:deleted"
    alarm(cloud, "Unheard", AlarmActions=[missing])
    client(cloud, "cloudwatch").set_alarm_state(AlarmName="Unheard", StateValue="ALARM", StateReason="testing")
    assert f"alarm Unheard in us-west-2: {missing} failed" in (cloud.directory / "cloud.log").read_text()


def test_a_topic_whose_policy_shuts_out_cloudwatch_hears_nothing(cloud: Cloud) -> None:
    sns = client(cloud, "sns")
    topic = sns.create_topic(Name="shut")["TopicArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish",
                 "Resource": topic}  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    alarm(cloud, "ShutOut", AlarmActions=[topic])
    client(cloud, "cloudwatch").set_alarm_state(AlarmName="ShutOut", StateValue="ALARM", StateReason="testing")
    assert "does not let cloudwatch.amazonaws.com publish" in (cloud.directory / "cloud.log").read_text()


def test_alarms_of_a_dark_region_stand_still(cloud: Cloud) -> None:
    alarm(cloud, "Dark", region=PRIMARY, TreatMissingData="ignore")
    put(cloud, "Dark", 1, region=PRIMARY)
    assert eventually(lambda: state(cloud, "Dark", PRIMARY) == "OK")
    put(cloud, "Dark", 0, region=PRIMARY)
    cloud.darken(PRIMARY)
    time.sleep(1.2)
    assert cloud.backend("cloudwatch", PRIMARY).alarms["Dark"].state_value == "OK"
    assert cloud.behaviour(Alarms).judged(PRIMARY, "Dark") == "INSUFFICIENT_DATA"
    cloud.lighten(PRIMARY)
