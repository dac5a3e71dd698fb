"""SQS as recovery uses it: one queue, of which messages are read again unless they are deleted in time."""
# ruff: noqa: N803 - parameters are named as AWS names them

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.clock import FakeClock
from support.fake_names import PRIMARY

VISIBILITY_SECONDS = 30.0
MESSAGES_MAX = 10


@dataclass
class Message:
    body: str
    visible_at: float
    receipt: str = ""


@dataclass
class Queue:
    """`messages` in the order in which they come."""

    clock: FakeClock
    messages: list[Message] = field(default_factory=list)
    gone: bool = False
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def tell(self, bucket: str, key: str, what: str, later: float = 0.0) -> None:
        """As S3 writes it (S3 User Guide, "Event message structure")."""
        told = {
            "eventVersion": "2.2",
            "eventSource": "aws:s3",
            "eventName": f"Replication:{what}",
            "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}},
        }
        self.messages.append(Message(json.dumps({"Records": [told]}), self.clock.now() + later))

    def receive_message(self, QueueUrl: str, MaxNumberOfMessages: int) -> dict[str, Any]:
        assert MaxNumberOfMessages <= MESSAGES_MAX and QueueUrl
        if self.gone:
            code = "AWS.SimpleQueueService.NonExistentQueue"
            raise refused("sqs", "receive_message", PRIMARY, code, "The specified queue does not exist.")
        found = [each for each in self.messages if each.visible_at <= self.clock.now()][:MaxNumberOfMessages]
        for each in found:
            each.visible_at, each.receipt = self.clock.now() + VISIBILITY_SECONDS, f"r{next(self.numbers)}"
        return {"Messages": [{"Body": each.body, "ReceiptHandle": each.receipt} for each in found]} if found else {}

    def delete_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        receipts = {each["ReceiptHandle"] for each in Entries}
        self.messages = [each for each in self.messages if each.receipt not in receipts]
        return {"Successful": [{"Id": each["Id"]} for each in Entries]}
