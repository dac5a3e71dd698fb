"""S3 that sends events to queues: where a bucket's configuration asks for them, and the queue's policy lets S3.

Source: S3 User Guide, "Amazon S3 Event Notifications" (typically within seconds, at least once, in no order) and
"Granting permissions to publish event notification messages to a destination". moto sends what writing an object
causes, to any destination and at once; what is sent here (replication_events.py) is judged, waits while the region is
lost or its SQS is dead, and is dropped, doubled and delayed where that was asked for (kernel/faults.py).
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.s3 import notification_api
from pilotlight.local.s3.event_messages import SENDER
from pilotlight.local.s3.notification_rules import wants
from pilotlight.local.sqs.queues import Queues
from pilotlight.local.wire.buckets import find_bucket

TICK_SECONDS = 0.1
"""Real seconds between two looks at what is due."""


@dataclass(order=True)
class Delivery:
    """One message on its way to one queue."""

    due: float
    number: int
    bucket: str = field(compare=False)
    region: str = field(compare=False)
    queue_arn: str = field(compare=False)
    body: str = field(compare=False)


class EventNotifications(Behaviour):
    """Keeps configurations, and delivers, in the background, from the light regions."""

    name = "event-notifications"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        self._queues = cloud.behaviour(Queues)
        self._waiting: list[Delivery] = []
        self._numbers = count()
        self._lock = threading.Lock()
        notification_api.replace_operations(self)

    def start(self) -> None:
        self.cloud.every(TICK_SECONDS, self.deliver_due, "event notifications")

    def notify(self, bucket_name: str, event: str, key: str, message: Callable[[str], str]) -> None:
        """Send an event to every queue that is asked to get it; `message` makes the body for an entry's id."""
        bucket = find_bucket(bucket_name)
        configuration = getattr(bucket, "notification_configuration", None)
        for entry in configuration.queue if configuration else ():
            if wants(entry, event, key):
                self._accept(bucket, entry.arn, message(entry.id))

    def may_send(self, bucket: Any, queue_arn: str) -> bool:
        """Whether there is such a queue, and it takes messages of S3 for this bucket."""
        return self._queues.takes(queue_arn, SENDER, f"arn:aws:s3:::{bucket.name}", str(bucket.account_id))

    def send(self, queue_arn: str, body: str) -> None:
        """Put a message into a queue that takes it, at once."""
        self._queues.send(queue_arn, body)

    def deliver_due(self) -> None:
        """Make every delivery whose time has come; those of a lost region, or of a dead SQS, wait."""
        for delivery in self._due():
            if self.cloud.is_dark(delivery.region) or self.cloud.faults.is_dead(delivery.region, "sqs"):
                self._push(delivery, TICK_SECONDS)
            else:
                self._deliver(delivery)

    def _accept(self, bucket: Any, queue_arn: str, body: str) -> None:
        """As often, and as late, as the faults in force say."""
        delivery, draw = self.cloud.faults.deliveries(bucket.region_name), self.cloud.random.random
        copies = 0 if draw() < delivery.dropped else 2 if draw() < delivery.doubled else 1
        for _ in range(copies):
            made = Delivery(0.0, next(self._numbers), bucket.name, bucket.region_name, queue_arn, body)
            self._push(made, draw() * delivery.delay_seconds)

    def _push(self, delivery: Delivery, seconds: float) -> None:
        delivery.due = time.monotonic() + seconds
        with self._lock:
            heapq.heappush(self._waiting, delivery)

    def _due(self) -> list[Delivery]:
        due = []
        with self._lock:
            while self._waiting and self._waiting[0].due <= time.monotonic():
                due.append(heapq.heappop(self._waiting))
        return due

    def _deliver(self, delivery: Delivery) -> None:
        bucket = find_bucket(delivery.bucket)
        if bucket is None or not self.may_send(bucket, delivery.queue_arn):
            self.cloud.log(f"{delivery.bucket}: an event is lost, {delivery.queue_arn} does not take it")
            return
        self.send(delivery.queue_arn, delivery.body)
