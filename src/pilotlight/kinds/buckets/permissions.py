"""What the functions may do with a bucket and its copy."""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.permissions import KindPermissions
from pilotlight.stacks.policies import Statement, allow, bucket_arn, objects_arn

READ_OBJECTS = ["s3:GetObject"]
LIST_OBJECTS = ["s3:ListBucket"]


class BucketPermissions(KindPermissions):
    """Of datasets."""

    def probe(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """HeadBucket of the first bucket alone: what is asked for is whether S3 answers. What S3 tells of replication
        is read, and what it says has failed is looked at on both sides."""
        if not assets:
            return []
        pair = [bucket_arn(each) for each in (assets[0].primary_bucket, assets[0].standby_bucket)]
        both = [bucket_arn(name) for each in assets for name in (each.primary_bucket, each.standby_bucket)]
        return [
            allow("LookAtBuckets", ["s3:ListBucket"], pair),
            allow("LookAtFailed", ["s3:ListBucketVersions"], _unique(both)),
            _read_events(inventory.names),
        ]

    def protect(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """Both sides are compared; the primary's is closed where the lost region returns while the standby serves."""
        if not assets:
            return []
        sources = _unique([bucket_arn(each.primary_bucket) for each in assets])
        return [
            *_read_buckets(assets, both=True),
            allow("LookAtVersioning", ["s3:GetBucketVersioning"], [bucket_arn(each.standby_bucket) for each in assets]),
            allow("ReadRules", ["s3:GetReplicationConfiguration", "s3:GetBucketNotification"], sources),
            _read_events(inventory.names),
            _decrypt_sources(inventory.names),
            allow("CloseReturned", ["s3:GetBucketPolicy", "s3:PutBucketPolicy"], sources),
        ]

    def recover(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """The copies are read."""
        return _read_buckets(assets, both=False)


def _read_buckets(assets: tuple[Any, ...], both: bool) -> list[Statement]:
    if not assets:
        return []
    places = [(each.standby_bucket, each.prefix) for each in assets]
    places += [(each.primary_bucket, each.prefix) for each in assets if both]
    listing = [*LIST_OBJECTS, "s3:ListBucketVersions"] if both else LIST_OBJECTS
    return [
        allow("ListReplicas", listing, _unique([bucket_arn(bucket) for bucket, _ in places])),
        allow("ReadReplicas", READ_OBJECTS, _unique([objects_arn(*place) for place in places])),
    ]


def _read_events(names: Names) -> Statement:
    """What is read is kept, and deleted."""
    return allow("ReadEvents", ["sqs:ReceiveMessage", "sqs:DeleteMessage"], [names.events_queue_arn])


def _decrypt_sources(names: Names) -> Statement:
    """Objects of the primary may be encrypted with keys of the user's: decrypting through S3 only."""
    keys = f"arn:{PARTITION}:kms:{names.primary}:{names.account}:key/*"
    through = {"StringEquals": {"kms:ViaService": f"s3.{names.primary}.amazonaws.com"}}
    return allow("DecryptSources", ["kms:Decrypt"], [keys], through)


def _unique(items: list[str]) -> list[str]:
    return list(dict.fromkeys(items))


KIND = BucketPermissions()
