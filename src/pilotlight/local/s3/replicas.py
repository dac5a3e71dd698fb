"""Replicas of object versions and delete markers, made beside the source in moto's memory.

Source: S3 User Guide, "What does Amazon S3 replicate?" (metadata, tags, version id and creation time are the source's,
bytes are its own), "Default bucket encryption and replication" (the replica has the source's kind of encryption; with
KMS its ETag is another one), "Replicating encrypted objects". A replica takes the place in the order of versions that
its creation time gives it, so that one which arrives late does not become the current version.
"""

from __future__ import annotations

import hashlib
from typing import Any

from moto.s3 import models

from pilotlight.local.s3.replication_rules import Rule

FakeKey: Any = models.FakeKey
FakeDeleteMarker: Any = models.FakeDeleteMarker

REPLICA = "REPLICA"
KMS = "aws:kms"


def find_version(bucket: Any, name: str, version: str) -> Any | None:
    """An object version or a delete marker."""
    versions = bucket.keys.getlist(name, []) if bucket is not None else []
    return next((each for each in versions if each.version_id == version), None)


def is_marker(version: Any) -> bool:
    """Whether it is a delete marker."""
    return isinstance(version, FakeDeleteMarker)


def tags_of(backend: Any, version: Any) -> dict[str, str]:
    """Tags of an object version; a delete marker has none."""
    return {} if is_marker(version) else dict(backend.tagger.get_tag_dict_for_resource(version.arn))


def set_tags(backend: Any, version: Any, tags: dict[str, str]) -> None:
    """Replace the tags without anybody's taking notice."""
    backend.tagger.delete_all_tags_for_resource(version.arn)
    backend.tagger.tag_resource(version.arn, backend.tagger.convert_dict_to_tags_input(tags))


def part_sizes(version: Any) -> list[int]:
    """Bytes of each part that a version was uploaded in, or its source was; none where it was uploaded whole."""
    if version.multipart is not None:
        return [version.multipart.parts[each].contentsize for each in version.multipart.partlist]
    return list(getattr(version, "source_part_sizes", ()))


def add_object(bucket: Any, source: Any, rule: Rule, key_arn: str | None) -> Any:
    """The replica of an object version; `key_arn` is the KMS key of the replica if it has one."""
    replica = FakeKey(
        name=source.name,
        value=source.value,
        account_id=bucket.account_id,
        region_name=bucket.region_name,
        storage=rule.storage_class or source.storage_class,
        etag=_etag(source, key_arn),
        is_versioned=True,
        version_id=source.version_id,
        bucket_name=bucket.name,
        encryption=source.encryption,
        kms_key_id=key_arn,
        bucket_key_enabled=source.bucket_key_enabled,
        lock_mode=source.lock_mode,
        lock_legal_status=source.lock_legal_status,
        lock_until=source.lock_until,
        checksum_value=source.checksum_value,
        checksum_type=source.checksum_type,
        checksum_parts=source.checksum_parts,
    )
    replica.checksum_algorithm = source.checksum_algorithm
    replica.source_part_sizes = part_sizes(source)
    replica.set_metadata(dict(source.metadata))
    replica.website_redirect_location = source.website_redirect_location
    replica.last_modified = source.last_modified
    replica.replication_status = REPLICA
    _insert(bucket, replica)
    return replica


def add_marker(bucket: Any, source: Any) -> None:
    """The replica of a delete marker."""
    marker = FakeDeleteMarker(key=source.key)
    marker._version_id = source.version_id
    marker.last_modified = source.last_modified
    marker.replication_status = REPLICA
    _insert(bucket, marker)


def _insert(bucket: Any, version: Any) -> None:
    versions = list(bucket.keys.getlist(version.name, []))
    place = len(versions)
    while place and versions[place - 1].last_modified > version.last_modified:
        place -= 1
    versions.insert(place, version)
    bucket.keys.setlist(version.name, versions)


def _etag(source: Any, key_arn: str | None) -> str:
    """Of the source; encrypted with another KMS key, the bytes stored are others."""
    etag = str(source.etag).strip('"')
    if source.encryption != KMS or key_arn is None:
        return etag
    digest, dash, parts = etag.partition("-")
    return hashlib.md5(f"{digest} {key_arn}".encode(), usedforsecurity=False).hexdigest() + dash + parts
