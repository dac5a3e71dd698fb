"""The messages that S3 sends of replication, and the one that it tries a destination with (pure).

Source: S3 User Guide, "Event message structure" (2.x: keys are URL-encoded, the sequencer is of one key alone) and
"Receiving replication failure events with Amazon S3 Event Notifications" (its example, version 2.2, of an object that
was put and may not be copied, has replicationRuleId, destinationBucket, s3Operation, requestTime, failureReason);
AWS SDK for Java, S3EventNotification.ReplicationEventDataEntity (threshold and replicationTime, as text).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from pilotlight.runtime.clock import stamp

VERSION = "2.2"
SENDER = "s3.amazonaws.com"

Message = dict[str, Any]


@dataclass(frozen=True)
class Replicated:
    """One operation on one version that was to be replicated: what is told of it whatever became of it. `requested_at`
    in seconds since 1970; size and ETag are of objects alone."""

    bucket: str
    account: str
    region: str
    key: str
    version: str
    size_bytes: int | None
    etag: str
    rule_id: str
    destination: str
    operation: str
    requested_at: float


def replication_event(
    event: str, about: Replicated, configuration_id: str, request_id: str, now: float, more: Message
) -> Message:
    """`event` as configurations name it; `more`: failureReason, threshold, replicationTime where they are told."""
    bytes_and_tag = {} if about.size_bytes is None else {"size": about.size_bytes, "eTag": about.etag}
    record = {
        "eventVersion": VERSION,
        "eventSource": "aws:s3",
        "awsRegion": about.region,
        "eventTime": stamp(now),
        "eventName": event.removeprefix("s3:"),
        "userIdentity": {"principalId": SENDER},
        "requestParameters": {"sourceIPAddress": SENDER},
        "responseElements": {"x-amz-request-id": request_id, "x-amz-id-2": request_id},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {
                "name": about.bucket,
                "ownerIdentity": {"principalId": about.account},
                "arn": f"arn:aws:s3:::{about.bucket}",
            },
            "object": {
                "key": quote_plus(about.key, safe="/"),
                **bytes_and_tag,
                "versionId": about.version,
                "sequencer": f"{int(about.requested_at * 1_000_000):018X}",
            },
        },
        "replicationEventData": {
            "replicationRuleId": about.rule_id,
            "destinationBucket": f"arn:aws:s3:::{about.destination}",
            "s3Operation": about.operation,
            "requestTime": stamp(about.requested_at),
            **more,
        },
    }
    return {"Records": [record]}


def trial_event(bucket: str, request_id: str, now: float) -> Message:
    """What a destination gets when it is configured; it has no records."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": stamp(now),
        "Bucket": bucket,
        "RequestId": request_id,
        "HostId": request_id,
    }


def duration(seconds: float) -> str:
    """Seconds in ISO 8601."""
    return f"PT{int(seconds // 60)}M{int(seconds % 60)}S"
