"""What `up` adds to the notification configuration of the user's buckets, and `destroy` takes out again.

A bucket has one such configuration, and it is the user's: no stack of ours owns it, for one that did would write it
whole and undo what the user says there. So it is read, one entry is put in or taken out, and all of the user's is
written back as it was. S3 takes no part of it and knows no version of it: what somebody else writes between the two
calls is lost, as for any two who write it (S3 API Reference, PutBucketNotificationConfiguration). Destinations are not
validated, so that no consumer of the user's gets a test message, and one that is gone stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import AwsClient, aws_code
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.buckets.notifications import configuration_of, has_ours, with_ours, without_ours
from pilotlight.runtime.records.inventory import Datasets, Inventory

OVERLAP = "overlap"
"""In the sentences in which S3 refuses two entries for one event and one key; their code is that of others too."""

Say = Callable[[str], None]


def ask(client: AwsClient, inventory: Inventory, say: Say) -> None:
    """Have every bucket of this inventory send what it has to tell; one that does is only looked at. Where another
    entry is in the way, what is lost is said, and it goes on."""
    names = inventory.names
    for asset in inventory.datasets:
        found = configuration_of(client, inventory, asset)
        if has_ours(found, names, asset):
            continue
        try:
            _write(client, inventory, asset, with_ours(found, names, asset))
        except CallRefused as refusal:
            if not _is_overlap(refusal):
                raise
            say(f"  primary: {_in_the_way(asset, str(refusal.facts['reason']))}")
        else:
            say(f"  primary: bucket {asset.primary_bucket} tells queue {names.events_queue} of its replication")


def leave(client: AwsClient, before: Inventory | None, now: Inventory | None, say: Say) -> None:
    """Take our entries out of the buckets of `before` that are not in `now`."""
    kept = {(each.name, each.primary_bucket) for each in now.datasets} if now else set()
    for asset in before.datasets if before else ():
        if (asset.name, asset.primary_bucket) not in kept and before is not None:
            _take_out(client, before, asset, say)


def _take_out(client: AwsClient, inventory: Inventory, asset: Datasets, say: Say) -> None:
    try:
        found = configuration_of(client, inventory, asset)
    except CallRefused as refusal:
        if not says_absent(refusal):
            raise
        return
    theirs = without_ours(found, inventory.names, asset.name)
    if theirs != found:
        _write(client, inventory, asset, theirs)
        say(f"  primary: bucket {asset.primary_bucket} tells nobody of ours of its replication any more")


def _write(client: AwsClient, inventory: Inventory, asset: Datasets, configuration: dict[str, Any]) -> None:
    client.call(
        "s3",
        "put_bucket_notification_configuration",
        inventory.primary,
        Bucket=asset.primary_bucket,
        NotificationConfiguration=configuration,
        SkipDestinationValidation=True,
    )


def _is_overlap(refusal: CallRefused) -> bool:
    return aws_code(refusal) == "InvalidArgument" and OVERLAP in str(refusal.facts["reason"]).lower()


def _in_the_way(asset: Datasets, reason: str) -> str:
    return (
        f"bucket {asset.primary_bucket} does not tell of its replication, because another of its notifications is for "
        f"the same events and keys ({reason}); what fails to replicate is noticed by full comparisons alone"
    )
