"""SNS that delivers: to Lambda functions whose policy lets it, to HTTP on this machine, e-mail into a mailbox.

What goes to a queue is moto's.

Source: Amazon SNS Developer Guide, "Amazon SNS message delivery retries" and "Fanout to Lambda functions"; Lambda
Developer Guide, "Using Lambda with Amazon SNS" (the event). Client errors (no permission, no such function) are
not retried; others are, a bounded number of times. What could not be delivered is counted in AWS/SNS and kept.
"""

from __future__ import annotations

import heapq
import json
import threading
import time
import urllib.request
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from moto.core.exceptions import JsonRESTError
from moto.sns.models import Subscription

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.lambda_.runtime import LambdaRuntime
from pilotlight.local.overrides import original, override
from pilotlight.local.sns import subscriptions
from pilotlight.local.sns.mailbox import DEFAULT_SUBJECT, FOLDER, Mailbox, notification

DELIVERY_ATTEMPTS_MAX = 5
"""SNS itself goes on for days; five attempts show the same to a test."""
RETRY_DELAY_SECONDS = 20.0
"""AWS seconds between attempts (the default minimum and maximum delay of a delivery policy)."""
TICK_SECONDS = 0.25
HTTP_SECONDS_MAX = 3.0
FAILED_KEPT_MAX = 1000
"""Failed deliveries remembered for whoever asks."""

_publish = original(Subscription, "publish")


@dataclass
class Delivery:
    """One message on its way to one subscription."""

    subscription: Any
    message_id: str
    message: str
    subject: str | None
    attributes: dict[str, Any]
    published_at: str
    attempts: int = 0

    @property
    def region(self) -> str:
        region: str = self.subscription.topic_arn.split(":")[3]
        return region


@dataclass(frozen=True)
class FailedDelivery:
    """A message that did not arrive, and why."""

    topic_arn: str
    endpoint: str
    message_id: str
    reason: str


class Undeliverable(Exception):
    """A delivery that another attempt would not help."""


class Notifications(Behaviour):
    """Delivers what is published, in the background, from the light regions."""

    name = "notifications"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.failed: deque[FailedDelivery] = deque(maxlen=FAILED_KEPT_MAX)
        self._waiting: list[tuple[float, int, Delivery]] = []
        self._numbers = count()
        self._lock = threading.Lock()
        self.mailbox = Mailbox(cloud.directory / FOLDER)
        subscriptions.install(self.mailbox)
        _replace_delivery(self)

    def start(self) -> None:
        self.cloud.every(TICK_SECONDS, self.deliver_due, "notifications")

    def publish(self, topic_arn: str, message: str, subject: str | None = None) -> str:
        """Publish as a service does (its permission is the caller's matter); the message id."""
        backend = self.cloud.backend("sns", topic_arn.split(":")[3])
        message_id: str = backend.publish(message, arn=topic_arn, subject=subject)
        return message_id

    def confirm(self) -> list[str]:
        """Confirm every pending subscription of every light region, as who reads the mail would; their endpoints."""
        found = list[str]()
        for region in self.cloud.regions:
            if not self.cloud.is_dark(region):
                for each in self.cloud.backend("sns", region).subscriptions.values():
                    if subscriptions.is_pending(each):
                        subscriptions.confirm(each)
                        found.append(str(each.endpoint))
        return found

    def accept(self, delivery: Delivery, real_seconds: float = 0.0) -> None:
        """Put a delivery on the list of those to be made."""
        with self._lock:
            heapq.heappush(self._waiting, (time.monotonic() + real_seconds, next(self._numbers), delivery))

    def deliver_due(self) -> None:
        """Make every delivery whose time has come; those of a dark region wait."""
        for delivery in self._due():
            if self.cloud.is_dark(delivery.region):
                self.accept(delivery, TICK_SECONDS)
            else:
                self._deliver(delivery)

    def _due(self) -> list[Delivery]:
        due = []
        with self._lock:
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                due.append(heapq.heappop(self._waiting)[2])
        return due

    def _deliver(self, delivery: Delivery) -> None:
        delivery.attempts += 1
        try:
            self._hand_over(delivery)
        except Undeliverable as error:
            self._give_up(delivery, str(error))
        except Exception as error:
            if delivery.attempts >= DELIVERY_ATTEMPTS_MAX:
                self._give_up(delivery, str(error))
            else:
                self.accept(delivery, self.cloud.real_seconds(RETRY_DELAY_SECONDS))
        else:
            self._count(delivery, "NumberOfNotificationsDelivered")

    def _hand_over(self, delivery: Delivery) -> None:
        if delivery.subscription.protocol == "lambda":
            self._to_function(delivery)
        elif delivery.subscription.protocol in subscriptions.BY_MAIL:
            self._to_mailbox(delivery)
        else:
            post(delivery)

    def _to_mailbox(self, delivery: Delivery) -> None:
        to = str(delivery.subscription.endpoint)
        text = notification(delivery.message, delivery.subscription.topic_arn, to)
        self.mailbox.deliver(to, delivery.subject or DEFAULT_SUBJECT, text)

    def _to_function(self, delivery: Delivery) -> None:
        arn = delivery.subscription.endpoint
        if self.cloud.is_dark(arn.split(":")[3]):
            raise ConnectionError(f"{arn.split(':')[3]} does not answer")
        try:
            self.cloud.behaviour(LambdaRuntime).invoke(
                delivery.region,
                arn,
                json.dumps(lambda_event(delivery)).encode(),
                source_service="sns.amazonaws.com",
                source_arn=delivery.subscription.topic_arn,
            )
        except JsonRESTError as error:
            raise Undeliverable(str(error)) from error

    def _give_up(self, delivery: Delivery, reason: str) -> None:
        subscription = delivery.subscription
        self._count(delivery, "NumberOfNotificationsFailed")
        self.failed.append(FailedDelivery(subscription.topic_arn, subscription.endpoint, delivery.message_id, reason))
        self.cloud.log(f"{subscription.topic_arn}: not delivered to {subscription.endpoint}: {reason}")

    def _count(self, delivery: Delivery, metric: str) -> None:
        dimensions = [{"Name": "TopicName", "Value": delivery.subscription.topic.name}]
        datum = {"MetricName": metric, "Value": 1, "Unit": "Count", "Dimensions": dimensions}
        self.cloud.backend("cloudwatch", delivery.region).put_metric_data("AWS/SNS", [datum])


def lambda_event(delivery: Delivery) -> dict[str, Any]:
    """The event a function gets from a topic."""
    body = {
        "Type": "Notification",
        "MessageId": delivery.message_id,
        "TopicArn": delivery.subscription.topic_arn,
        "Subject": delivery.subject,
        "Message": delivery.message,
        "Timestamp": delivery.published_at,
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertUrl": f"https://sns.{delivery.region}.amazonaws.com/SimpleNotificationService-EXAMPLE.pem",
        "UnsubscribeUrl": f"https://sns.{delivery.region}.amazonaws.com/?Action=Unsubscribe"
        f"&SubscriptionArn={delivery.subscription.arn}",
        "MessageAttributes": delivery.attributes,
    }
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": delivery.subscription.arn,
                "Sns": body,
            }
        ]
    }


def post(delivery: Delivery) -> None:
    """POST to an HTTP endpoint; only loopback, for the embedded cloud never leaves the machine."""
    endpoint = delivery.subscription.endpoint
    if not subscriptions.on_this_machine(endpoint):
        host = urlsplit(endpoint).hostname or ""
        raise Undeliverable(f"{host} is not on this machine, and the embedded cloud reaches no other")
    body = lambda_event(delivery)["Records"][0]["Sns"]
    body["SigningCertURL"], body["UnsubscribeURL"] = body.pop("SigningCertUrl"), body.pop("UnsubscribeUrl")
    request = urllib.request.Request(endpoint, data=json.dumps(body).encode(), method="POST")
    request.add_header("Content-Type", "text/plain; charset=UTF-8")
    request.add_header("x-amz-sns-message-type", "Notification")
    request.add_header("x-amz-sns-message-id", delivery.message_id)
    request.add_header("x-amz-sns-topic-arn", delivery.subscription.topic_arn)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=HTTP_SECONDS_MAX):
        return


def _replace_delivery(notifications: Notifications) -> None:
    """moto delivers while Publish waits, functions get a fixed example and e-mail goes nowhere; take these over."""

    def publish(self: Any, message: str, message_id: str, **given: Any) -> None:
        if subscriptions.is_pending(self):
            return
        if self.protocol not in ("lambda", "http", "https", *subscriptions.BY_MAIL):
            _publish(self, message, message_id, **given)
            return
        attributes = given.get("message_attributes") or {}
        matcher = self._filter_policy_matcher
        if matcher is not None and not matcher.matches(attributes, message):
            return
        if given.get("message_structure") == "json":
            message = self._parse_message_structure(message, self.protocol)
        moment = datetime.now(UTC)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
        notifications.accept(Delivery(self, message_id, message, given.get("subject"), attributes, stamp))

    override(Subscription, publish=publish)
