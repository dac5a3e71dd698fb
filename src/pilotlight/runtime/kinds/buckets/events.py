"""What S3 tells of replication that failed or is late, taken from the workload's queue into a small index.

Events are delivered at least once as a rule, in any order, late, and now and then not at all (S3 User Guide, "Amazon S3
Event Notifications"; "Receiving replication failure events with Amazon S3 Event Notifications"). So an event proves
nothing: it names a key that is looked at, on both sides, until its state has arrived. That replication of a version
has failed S3 tells for good: such a key is overdue at once. A key leaves the index when its state was seen to be there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_plus

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.buckets import comparisons
from pilotlight.runtime.kinds.buckets.comparisons import FAILED
from pilotlight.runtime.records.inventory import Datasets

LATE = "OperationMissedThreshold"
NOT_TRACKED = "OperationNotTracked"
KEPT = (FAILED, LATE, NOT_TRACKED)
"""`OperationReplicatedAfterThreshold` is good news, and good news is seen, not believed."""
MESSAGES_AT_ONCE = 10
"""SQS API Reference, ReceiveMessage: MaxNumberOfMessages."""
RECEIVES_MAX = 100
"""Of one look; the rest waits in the queue, for 14 days."""
INDEX_MAX = 1_000
"""Keys that are looked at one by one; where more are named the bucket is compared whole, and what has failed comes
before what is late."""


@dataclass(frozen=True)
class Event:
    """One record of a message."""

    bucket: str
    key: str
    what: str


def take_in(context: RecoveryContext) -> tuple[str, ...]:
    """Read the queue until it is empty, into the index; remarks where it cannot be read. Read messages are deleted once
    what they say is kept."""
    names = context.inventory.names
    sightings, about = context.ledger.sightings, {"QueueUrl": names.events_queue_url}
    known = {asset.name: sightings.awaited(asset.name) for asset in context.inventory.datasets}
    for _ in range(RECEIVES_MAX if known else 0):
        try:
            answer = context.client.call(
                "sqs", "receive_message", names.primary, **about, MaxNumberOfMessages=MESSAGES_AT_ONCE
            )
        except CallRefused as refusal:
            if says_absent(refusal):
                return (f"S3 has no queue to tell of failed replication: run `pilotlight up` ({refusal.message})",)
            raise
        messages = answer.get("Messages", [])
        for event in (each for message in messages for each in read(str(message.get("Body", "")))):
            for asset in context.inventory.datasets:
                if event.bucket == asset.primary_bucket and event.key.startswith(asset.prefix):
                    _keep(context, asset, event, known[asset.name])
        if not messages:
            break
        entries = [{"Id": str(at), "ReceiptHandle": each["ReceiptHandle"]} for at, each in enumerate(messages)]
        context.client.call("sqs", "delete_message_batch", names.primary, **about, Entries=entries)
    return ()


def read(body: str) -> Iterator[Event]:
    """The records of a message that are kept (S3 User Guide, "Event message structure"); whatever else comes, as S3's
    own test message, says nothing (pure)."""
    try:
        records = json.loads(body).get("Records", [])
        for each in records:
            what = str(each["eventName"]).rpartition(":")[2]
            if what in KEPT:
                key = unquote_plus(str(each["s3"]["object"]["key"]))
                yield Event(str(each["s3"]["bucket"]["name"]), key, what)
    except (ValueError, KeyError, TypeError, AttributeError):
        return


def failed(context: RecoveryContext, asset: Datasets) -> int:
    """How many of the keys whose replication S3 says has failed have not arrived; those that have are forgotten."""
    index = context.ledger.sightings.awaited(asset.name)
    return len(comparisons.lacking(context, asset, [key for key, what in index.items() if what == FAILED]))


def _keep(context: RecoveryContext, asset: Datasets, event: Event, index: dict[str, str]) -> None:
    if index.get(event.key) in (FAILED, event.what):
        return
    if len(index) >= INDEX_MAX and event.key not in index:
        comparisons.hasten(context, asset)
        other = next((key for key, what in index.items() if what != FAILED), None)
        if event.what != FAILED or other is None:
            return
        del index[other]
        context.ledger.sightings.forget_awaited(asset.name, other)
    index[event.key] = event.what
    context.ledger.sightings.keep_awaited(asset.name, event.key, event.what)
