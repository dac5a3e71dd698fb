"""What S3 is asked to tell of a bucket's replication: one entry of ours in the notification configuration, which is
the user's and is one for all.

S3 keeps one configuration a bucket, and PutBucketNotificationConfiguration writes it whole (S3 API Reference); so does
the stack of whoever owns the bucket, and ours is gone until the next `up` (deploy/bucket_events.py). An entry is known
by its id. The events are those of the S3 User Guide, "Receiving replication failure events with Amazon S3 Event
Notifications"; what they may and may not decide: docs/adr/0013-events.md.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.naming import EVENTS, Names
from pilotlight.runtime.records.inventory import Datasets, Inventory

FAILED = "s3:Replication:OperationFailedReplication"
MISSED = "s3:Replication:OperationMissedThreshold"
AFTERWARDS = "s3:Replication:OperationReplicatedAfterThreshold"
UNTRACKED = "s3:Replication:OperationNotTracked"
TOLD = (FAILED, MISSED, AFTERWARDS, UNTRACKED)
"""What is asked for, as configurations name it; messages leave out `s3:`."""
PARTS = ("TopicConfigurations", "QueueConfigurations", "LambdaFunctionConfigurations", "EventBridgeConfiguration")
"""What a configuration consists of, as boto3 has it."""
QUEUES = "QueueConfigurations"

Configuration = dict[str, Any]


def missing(client: AwsClient, inventory: Inventory, asset: Datasets) -> bool:
    """Whether S3 was not asked, or not as it should be, to tell of this bucket's replication. CallRefused and
    RegionUnreachable: it is not known."""
    return not has_ours(configuration_of(client, inventory, asset), inventory.names, asset)


def configuration_of(client: AwsClient, inventory: Inventory, asset: Datasets) -> Configuration:
    """What the bucket has, in the form that writing it back takes."""
    answer = client.call("s3", "get_bucket_notification_configuration", inventory.primary, Bucket=asset.primary_bucket)
    return {part: answer[part] for part in PARTS if part in answer}


def wanted(names: Names, asset: Datasets) -> Configuration:
    """Our entry. Keys are filtered as S3 takes them: percent-encoded, with `+` for a space (S3 User Guide, "Configuring
    event notifications using object key name filtering") (pure)."""
    prefix = quote_plus(asset.prefix, safe="/")
    rules = {"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}} if prefix else {}
    return {"Id": names.rule(asset.name, EVENTS), "QueueArn": names.events_queue_arn, "Events": list(TOLD), **rules}


def has_ours(found: Configuration, names: Names, asset: Datasets) -> bool:
    """Whether our entry is there, and says what it should (pure)."""
    ours = [each for each in found.get(QUEUES, []) if each.get("Id") == names.rule(asset.name, EVENTS)]
    return [_comparable(each) for each in ours] == [_comparable(wanted(names, asset))]


def with_ours(found: Configuration, names: Names, asset: Datasets) -> Configuration:
    """The configuration with our entry in it, once; everything else as it is (pure)."""
    rest = without_ours(found, names, asset.name)
    return rest | {QUEUES: [*rest.get(QUEUES, []), wanted(names, asset)]}


def without_ours(found: Configuration, names: Names, asset: str) -> Configuration:
    """The configuration as the user has it (pure)."""
    theirs = [each for each in found.get(QUEUES, []) if each.get("Id") != names.rule(asset, EVENTS)]
    return {part: each for part, each in found.items() if part != QUEUES} | ({QUEUES: theirs} if theirs else {})


def _comparable(entry: Configuration) -> tuple[Any, ...]:
    """S3 tells events in its own order, and `Prefix` where `prefix` was said."""
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    filters = sorted((str(each["Name"]).lower(), str(each["Value"])) for each in rules)
    return entry["QueueArn"], sorted(entry["Events"]), filters
