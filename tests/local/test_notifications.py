"""The message that starts a recovery goes through a topic: it must arrive, or its loss must be seen."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from event_cloud import PRIMARY, STANDBY, client, eventually, make_function, metric_sum, recorder, running

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.sns.notifications import DELIVERY_ATTEMPTS_MAX, Notifications


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as started:
        yield started


def topic(cloud: Cloud, name: str, *endpoints: tuple[str, str], region: str = STANDBY) -> str:
    sns = client(cloud, "sns", region)
    arn: str = sns.create_topic(Name=name)["TopicArn"]
    for protocol, endpoint in endpoints:
        sns.subscribe(TopicArn=arn, Protocol=protocol, Endpoint=endpoint)
    return arn


def permit(cloud: Cloud, function: str, topic_arn: str) -> None:
    client(cloud, "lambda").add_permission(
        FunctionName=function,
        StatementId="topic",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic_arn,
    )


def failures(cloud: Cloud, topic_arn: str) -> list[str]:
    return [each.reason for each in cloud.behaviour(Notifications).failed if each.topic_arn == topic_arn]


def test_a_message_reaches_a_function_in_the_form_aws_sends(cloud: Cloud) -> None:
    arn, events = recorder(cloud, "told")
    alerts = topic(cloud, "alerts", ("lambda", arn))
    permit(cloud, "told", alerts)
    sent = client(cloud, "sns").publish(
        TopicArn=alerts,
        Subject="ALARM",
        Message="the region is gone",
        MessageAttributes={"severity": {"DataType": "String", "StringValue": "high"}},
    )
    record = eventually(events)[0]["Records"][0]
    assert record["EventSource"] == "aws:sns" and record["EventSubscriptionArn"].startswith(alerts)
    message = record["Sns"]
    assert (message["Message"], message["Subject"], message["TopicArn"]) == ("the region is gone", "ALARM", alerts)
    assert message["MessageId"] == sent["MessageId"] and message["Timestamp"].endswith("Z")
    assert message["MessageAttributes"]["severity"]["Value"] == "high"


def test_publishing_does_not_wait_for_the_function(cloud: Cloud) -> None:
    code = "import time\ndef handler(event, context):\n    time.sleep(300)\n"
    arn = make_function(cloud, "unhurried", code, Timeout=300)
    alerts = topic(cloud, "unhurried", ("lambda", arn))
    permit(cloud, "unhurried", alerts)
    assert client(cloud, "sns").publish(TopicArn=alerts, Message="go")["MessageId"]


def test_a_function_that_did_not_permit_the_topic_is_not_run_and_the_loss_is_recorded(cloud: Cloud) -> None:
    arn, events = recorder(cloud, "closed")
    alerts = topic(cloud, "closed", ("lambda", arn))
    before = metric_sum(cloud, STANDBY, "AWS/SNS", "NumberOfNotificationsFailed")
    client(cloud, "sns").publish(TopicArn=alerts, Message="go")
    assert eventually(lambda: failures(cloud, alerts))
    assert "sns.amazonaws.com is not authorized" in failures(cloud, alerts)[0]
    assert metric_sum(cloud, STANDBY, "AWS/SNS", "NumberOfNotificationsFailed") == before + 1
    assert events() == []


def test_a_deleted_function_is_recorded_as_a_loss(cloud: Cloud) -> None:
    alerts = topic(cloud, "orphan", ("lambda", f"arn:aws:lambda:{STANDBY}:{cloud.account}:function:gone"))
    client(cloud, "sns").publish(TopicArn=alerts, Message="go")
    assert eventually(lambda: failures(cloud, alerts))


def test_a_filter_policy_keeps_messages_away(cloud: Cloud) -> None:
    arn, events = recorder(cloud, "filtered")
    alerts = topic(cloud, "filtered", ("lambda", arn))
    permit(cloud, "filtered", alerts)
    sns = client(cloud, "sns")
    subscription = sns.list_subscriptions_by_topic(TopicArn=alerts)["Subscriptions"][0]["SubscriptionArn"]
    sns.set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="FilterPolicy", AttributeValue='{"kind": ["failover"]}'
    )
    for kind in ("drill", "failover"):
        attributes = {"kind": {"DataType": "String", "StringValue": kind}}
        sns.publish(TopicArn=alerts, Message=kind, MessageAttributes=attributes)
    assert [event["Records"][0]["Sns"]["Message"] for event in eventually(events)] == ["failover"]


class Inbox(BaseHTTPRequestHandler):
    received: list[dict[str, Any]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refused = self.path == "/refusing"
        self.received.append({"type": self.headers["x-amz-sns-message-type"], "path": self.path, **json.loads(body)})
        self.send_response(503 if refused else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def inbox() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Inbox)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_an_endpoint_on_this_machine_gets_the_message_by_http(cloud: Cloud, inbox: str) -> None:
    client(cloud, "sns").publish(TopicArn=topic(cloud, "web", ("http", f"{inbox}/ok")), Message="hello")
    assert eventually(lambda: [each for each in Inbox.received if each["path"] == "/ok"])[0]["Message"] == "hello"


def test_an_endpoint_that_refuses_is_tried_a_bounded_number_of_times(cloud: Cloud, inbox: str) -> None:
    alerts = topic(cloud, "refusing", ("http", f"{inbox}/refusing"))
    client(cloud, "sns").publish(TopicArn=alerts, Message="hello")
    assert eventually(lambda: failures(cloud, alerts))
    tried = [each for each in Inbox.received if each["path"] == "/refusing"]
    assert len(tried) == DELIVERY_ATTEMPTS_MAX and {each["type"] for each in tried} == {"Notification"}


def test_nothing_ever_leaves_the_machine(cloud: Cloud) -> None:
    alerts = topic(cloud, "far", ("https", "https://example.com/hook"))
    cloud.behaviour(Notifications).confirm()
    client(cloud, "sns").publish(TopicArn=alerts, Message="hello")
    assert "not on this machine" in eventually(lambda: failures(cloud, alerts))[0]


def test_messages_of_a_dark_region_wait_for_the_light(cloud: Cloud) -> None:
    arn, events = recorder(cloud, "across")
    alerts = topic(cloud, "across", ("lambda", arn), region=PRIMARY)
    permit(cloud, "across", alerts)
    cloud.darken(PRIMARY)
    cloud.behaviour(Notifications).publish(alerts, "from the dark")
    time.sleep(0.8)
    assert events() == []
    cloud.lighten(PRIMARY)
    assert eventually(events)[0]["Records"][0]["Sns"]["Message"] == "from the dark"
