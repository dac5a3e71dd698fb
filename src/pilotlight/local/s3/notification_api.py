"""The notification configuration of a bucket as S3 takes it and tells it; moto keeps it, and loses EventBridge.

Source: S3 API Reference, "PutBucketNotificationConfiguration" (written whole; destinations are validated, each gets a
test message, unless x-amz-skip-destination-validation says no) and "GetBucketNotificationConfiguration"; S3 User Guide,
"Granting permissions to publish event notification messages to a destination". Whether a destination takes messages is
asked of queues alone.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult
from moto.s3 import models, responses
from moto.s3.exceptions import InvalidNotificationDestination, S3ClientError

from pilotlight.local.overrides import original, override
from pilotlight.local.s3.event_messages import trial_event
from pilotlight.local.s3.notification_rules import OVERLAP, overlap

if TYPE_CHECKING:
    from pilotlight.local.s3.event_notifications import EventNotifications

S3Backend: Any = models.S3Backend
S3Response: Any = responses.S3Response
SKIP = "x-amz-skip-destination-validation"
NOT_TAKEN = "Unable to validate the following destination configurations"
KINDS = {
    "topic": ("TopicConfigurations", "TopicArn"),
    "queue": ("QueueConfigurations", "QueueArn"),
    "cloud_function": ("LambdaFunctionConfigurations", "LambdaFunctionArn"),
}
"""moto's list -> what boto3 calls it, and where an entry has its destination."""
_NAME = re.compile(rb"<Name>\s*(prefix|suffix)\s*</Name>", re.IGNORECASE)
_from_body = original(S3Response, "_notification_config_from_body")


def replace_operations(events: EventNotifications) -> None:
    """Make S3's configurations these."""

    def from_body(self: Any) -> dict[str, Any]:
        body = self.body if isinstance(self.body, bytes) else str(self.body).encode()
        self.body = _NAME.sub(lambda found: b"<Name>" + found[1].lower() + b"</Name>", body)
        skipped = str(self.headers.get(SKIP, "")).lower() == "true"
        return {**_from_body(self), SKIP: skipped}

    def put(self: Any, bucket_name: str, notification_config: dict[str, Any]) -> None:
        bucket, skipped = self.get_bucket(bucket_name), notification_config.pop(SKIP, False)
        wanted = _read(notification_config)
        if wanted is not None:
            _check(bucket, wanted)
            if not skipped:
                _validate(events, bucket, wanted)
        bucket.notification_configuration = wanted

    def get(self: Any) -> Any:
        self.data["Action"] = "GetBucketNotificationConfiguration"
        found = self.backend.get_bucket_notification_configuration(self.bucket_name)
        return self.serialized(ActionResult(told(found)) if found else EmptyResult())

    override(S3Response, _notification_config_from_body=from_body, get_bucket_notification=get)
    override(S3Backend, put_bucket_notification_configuration=put)


def told(found: Any) -> dict[str, Any]:
    """A configuration of moto's in boto3's form; kinds that have no entry are left out."""
    parts = {
        part: [_entry(each, destination) for each in getattr(found, kind)]
        for kind, (part, destination) in KINDS.items()
        if getattr(found, kind)
    }
    return parts | ({"EventBridgeConfiguration": {}} if found.event_bridge is not None else {})


def _entry(entry: Any, destination: str) -> dict[str, Any]:
    rules = entry.filters.get("S3Key", {}).get("FilterRule") if entry.filters else None
    filters = {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}
    return {"Id": entry.id, destination: entry.arn, "Events": entry.events, **filters}


def _read(given: dict[str, Any]) -> Any | None:
    if not given:
        return None
    return models.NotificationConfiguration(
        topic=given.get("TopicConfiguration"),
        queue=given.get("QueueConfiguration"),
        cloud_function=given.get("CloudFunctionConfiguration"),
        event_bridge=given.get("EventBridgeConfiguration"),
    )


def _check(bucket: Any, wanted: Any) -> None:
    entries = [each for kind in KINDS for each in getattr(wanted, kind)]
    if any(each.arn.split(":")[3] != bucket.region_name for each in entries):
        raise InvalidNotificationDestination()
    if overlap(entries):
        raise S3ClientError("InvalidArgument", OVERLAP)


def _validate(events: EventNotifications, bucket: Any, wanted: Any) -> None:
    """Every queue takes a test message, or nothing is changed."""
    queues = {each.arn for each in wanted.queue}
    if not all(events.may_send(bucket, each) for each in queues):
        raise S3ClientError("InvalidArgument", NOT_TAKEN)
    body = json.dumps(trial_event(bucket.name, secrets.token_hex(8).upper(), time.time()))
    for arn in sorted(queues):
        events.send(arn, body)
    for arn in sorted({each.arn for each in wanted.topic}):
        events.cloud.backend("sns", bucket.region_name, bucket.account_id).publish(body, arn=arn)
