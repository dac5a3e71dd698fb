"""What S3 operations need: their IAM actions have names of their own, and work on a bucket or on its objects.

Source: S3 User Guide, "Required permissions for Amazon S3 API operations"; of conditional writes, "How to
prevent object overwrites with conditional writes" and "How to perform conditional deletes".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pilotlight.local.iam.resources import Place
from pilotlight.local.wire.buckets import copy_source
from pilotlight.local.wire.operations import Operation

Item = tuple[str, str, Mapping[str, tuple[str, ...]]]

BUCKET_ACTIONS = {
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
}
"""Operations on a bucket whose action is not their own name."""

OBJECT_ACTIONS = {
    "HeadObject": "GetObject",
    "GetObject": "GetObject",
    "GetObjectAttributes": "GetObject",
    "PutObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "ListParts": "ListMultipartUploadParts",
    "AbortMultipartUpload": "AbortMultipartUpload",
    "DeleteObject": "DeleteObject",
    "DeleteObjects": "DeleteObject",
    "GetObjectTagging": "GetObjectTagging",
    "PutObjectTagging": "PutObjectTagging",
    "DeleteObjectTagging": "DeleteObjectTagging",
    "GetObjectAcl": "GetObjectAcl",
    "PutObjectAcl": "PutObjectAcl",
    "RestoreObject": "RestoreObject",
    "GetObjectRetention": "GetObjectRetention",
    "PutObjectRetention": "PutObjectRetention",
    "GetObjectLegalHold": "GetObjectLegalHold",
    "PutObjectLegalHold": "PutObjectLegalHold",
}

OF_A_VERSION = {
    "GetObject": "GetObjectVersion",
    "DeleteObject": "DeleteObjectVersion",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObjectAcl": "GetObjectVersionAcl",
    "PutObjectAcl": "PutObjectVersionAcl",
}
"""With a version id the action is another one."""

OBJECT_EXTRAS = {
    "Tagging": "PutObjectTagging",
    "ObjectLockMode": "PutObjectRetention",
    "ObjectLockLegalHoldStatus": "PutObjectLegalHold",
    "BypassGovernanceRetention": "BypassGovernanceRetention",
}
"""What a write or a deletion needs more, where it asks for more (S3 User Guide, "Object Lock considerations")."""

KEYS_FROM_PARAMS = {
    "Prefix": "s3:prefix",
    "Delimiter": "s3:delimiter",
    "MaxKeys": "s3:max-keys",
    "VersionId": "s3:versionid",
    "ACL": "s3:x-amz-acl",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "StorageClass": "s3:x-amz-storage-class",
    "CopySource": "s3:x-amz-copy-source",
    "LocationConstraint": "s3:locationconstraint",
}


def needs(operation: Operation, place: Place) -> Iterator[Item]:
    """Actions on the bucket, the object, and for copies on the source."""
    params, context = operation.params, _context(operation.params)
    if operation.name in OBJECT_ACTIONS:
        yield from _object_needs(operation.name, params, context)
    elif operation.name in ("ListBuckets", "ListDirectoryBuckets"):
        yield "s3:ListAllMyBuckets", "*", context
    else:
        yield f"s3:{BUCKET_ACTIONS.get(operation.name, operation.name)}", _bucket(params), context


def _object_needs(name: str, params: Mapping[str, Any], context: Mapping[str, tuple[str, ...]]) -> Iterator[Item]:
    action = OBJECT_ACTIONS[name]
    if name == "DeleteObjects":
        yield from _delete_needs(params, context)
        return
    yield _versioned(action, params.get("VersionId")), f"{_bucket(params)}/{params.get('Key', '')}", context
    source = copy_source(params)
    if source:
        bucket, key, version = source
        yield _versioned("GetObject", version), f"arn:aws:s3:::{bucket}/{key}", context
    for parameter, more in OBJECT_EXTRAS.items():
        if params.get(parameter) and action in ("PutObject", "DeleteObject"):
            yield f"s3:{more}", f"{_bucket(params)}/{params.get('Key', '')}", context
    if params.get("IfMatch") and action in ("PutObject", "DeleteObject"):
        yield "s3:GetObject", f"{_bucket(params)}/{params.get('Key', '')}", context
    if name == "GetObjectAttributes":
        yield "s3:GetObjectAttributes", f"{_bucket(params)}/{params.get('Key', '')}", context


def _delete_needs(params: Mapping[str, Any], context: Mapping[str, tuple[str, ...]]) -> Iterator[Item]:
    for each in (params.get("Delete") or {}).get("Objects") or ():
        action = _versioned("DeleteObject", each.get("VersionId"))
        yield action, f"{_bucket(params)}/{each.get('Key', '')}", context


def _versioned(action: str, version: Any) -> str:
    return f"s3:{OF_A_VERSION.get(action, action) if version else action}"


def _bucket(params: Mapping[str, Any]) -> str:
    return f"arn:aws:s3:::{params.get('Bucket', '')}"


def _context(params: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {key: (str(params[name]),) for name, key in KEYS_FROM_PARAMS.items() if params.get(name) is not None}
