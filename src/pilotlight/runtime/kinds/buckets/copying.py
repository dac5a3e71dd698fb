"""Copying one object from bucket to bucket inside S3, metadata and tags kept; the call goes to the target's region.

S3 User Guide, "Copying objects": CopyObject takes up to 5 GiB; above that parts are copied by range, and metadata and
tags have to be given again, because a multipart upload inherits none. The target bucket's default encryption applies.
A copy reads one named version, so an object that is overwritten meanwhile is copied whole or not at all. It is made on
condition that its key is still what it was when the copy was decided on (S3 User Guide, "How to prevent object
overwrites with conditional writes"): one that arrives late, after a replica or the workload itself, is refused.
"""

from __future__ import annotations

import urllib.parse
from typing import Any

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.buckets.listing import Bucket, Current

COPY_BYTES_MAX = 5 * 1024**3
PART_BYTES = 512 * 1024**2
PARTS_MAX = 10_000
"""S3 User Guide, "Multipart upload limits"."""
KEPT = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "Metadata",
    "StorageClass",
    "WebsiteRedirectLocation",
)
"""What of a HeadObject answer a multipart upload takes again."""

OF_PARTS = ("CRC64NVME", "CRC32C", "CRC32")
"""S3 User Guide, "Checking object integrity": by these an upload in parts gets a checksum of all its bytes, by SHA-1
and SHA-256 it does not."""
MOVED_ON = ("NoSuchVersion", "NoSuchKey", "PreconditionFailed")
"""What S3 says where source or target are not what they were when they were listed."""


def copy(
    client: AwsClient,
    source: Bucket,
    target: Bucket,
    item: Current,
    over: Current | None,
    key: str = "",
    storage: str = "",
    exact: bool = False,
) -> None:
    """Copy this version of an object over what was current at the target, under its own `key` or another, into a
    `storage` class or S3 Standard; CallRefused, MOVED_ON, where that is not current any more. `exact`: the version from
    before there were any is named, too, which may lie below others."""
    if item.size > COPY_BYTES_MAX:
        copy_in_parts(client, source, target, item, over, key, exact)
    else:
        into = {"Bucket": target.name, "Key": key or item.key, "CopySource": _of(source, item, exact)} | _still(over)
        into |= {"StorageClass": storage} if storage else {}
        client.call("s3", "copy_object", target.region, **into)


def why_not(refusal: CallRefused) -> str:
    """Why an object could not be copied, in words that say what to do about it."""
    code, reason = str(refusal.facts.get("aws_code", "")), str(refusal.facts.get("reason", ""))
    if code == "InvalidObjectState":
        return 'it lies in an archive class: restore it there first (S3 User Guide, "Restoring an archived object")'
    if "Server Side Encryption" in reason or "SSE-C" in reason or "customer provided" in reason.lower():
        return "it is encrypted with a key of its writer's (SSE-C), which only they can give: copy it yourself"
    if "kms" in reason.lower():
        return f"its KMS key may not be used: {reason}"
    return f"{code}: {reason}" if code and code not in reason else reason


def remove(client: AwsClient, target: Bucket, over: Current) -> None:
    """A delete marker over what was current, as the source has one; the versions below it stay."""
    condition = {"IfMatch": over.etag} if over.etag else {}
    client.call("s3", "delete_object", target.region, Bucket=target.name, Key=over.key, **condition)


def _still(over: Current | None) -> dict[str, str]:
    """The condition that a key is what it was; nothing and a delete marker are one to S3."""
    if over is None or over.deleted:
        return {"IfNoneMatch": "*"}
    return {"IfMatch": over.etag} if over.etag else {}


def part_ranges(size: int) -> list[tuple[int, int]]:
    """(first byte, last byte) of every part: as small as PART_BYTES, larger where there would be too many (pure)."""
    part = max(PART_BYTES, -(-size // PARTS_MAX))
    return [(start, min(start + part, size) - 1) for start in range(0, size, part)]


def _of(source: Bucket, item: Current, exact: bool) -> dict[str, str]:
    where = {"Bucket": source.name, "Key": item.key}
    return where | ({"VersionId": item.version} if item.version and (exact or item.version != "null") else {})


def copy_in_parts(
    client: AwsClient,
    source: Bucket,
    target: Bucket,
    item: Current,
    over: Current | None,
    key: str = "",
    exact: bool = False,
) -> None:
    """The same in parts, for large objects; an upload that fails is aborted, so that its parts are not paid for."""
    into = {"Bucket": target.name, "Key": key or item.key}
    upload = client.call("s3", "create_multipart_upload", target.region, **into, **_again(client, source, item, exact))
    into["UploadId"] = upload["UploadId"]
    try:
        parts = []
        for number, (first, last) in enumerate(part_ranges(item.size), start=1):
            answer = client.call(
                "s3",
                "upload_part_copy",
                target.region,
                **into,
                PartNumber=number,
                CopySource=_of(source, item, exact),
                CopySourceRange=f"bytes={first}-{last}",
            )
            parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
        whole = into | {"MultipartUpload": {"Parts": parts}} | _still(over)
        client.call("s3", "complete_multipart_upload", target.region, **whole)
    except BaseException:
        client.call("s3", "abort_multipart_upload", target.region, **into)
        raise


def _again(client: AwsClient, source: Bucket, item: Current, exact: bool) -> dict[str, Any]:
    """Metadata and tags of the source, as a multipart upload takes them, and its kind of checksum: entity tags of parts
    are others, so only that proves both equal."""
    where = _of(source, item, exact)
    head = client.call("s3", "head_object", source.region, **where, ChecksumMode="ENABLED")
    tags = client.call("s3", "get_object_tagging", source.region, **where)["TagSet"]
    kept = {name: head[name] for name in KEPT if head.get(name)}
    pairs = urllib.parse.urlencode([(tag["Key"], tag["Value"]) for tag in tags])
    return kept | ({"Tagging": pairs} if pairs else {}) | _checksum_like(head)


def _checksum_like(head: dict[str, Any]) -> dict[str, str]:
    """What asks for the same checksum of all bytes; nothing where S3 cannot make it of parts."""
    if head.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return {}
    found = next((each for each in OF_PARTS if head.get(f"Checksum{each}")), "")
    return {"ChecksumAlgorithm": found, "ChecksumType": "FULL_OBJECT"} if found else {}
