"""IAM documents of buckets, topics, queues, replication and instances, as pure functions. Keys: key_policies.py.

No document allows every action. A resource of `*` appears only in the statements named in `WILDCARD_RESOURCES`, each
with the reason. Keys are named by their alias (condition `kms:ResourceAliases`; AWS KMS Developer Guide, "Use aliases
to control access to KMS keys"), so that no stack has to read another's state to know a key's id.
"""

from __future__ import annotations

import json
from typing import Any

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.naming import Names

VERSION = "2012-10-17"

Statement = dict[str, Any]
Document = dict[str, Any]

WILDCARD_RESOURCES = {
    "DescribeCompute": "EC2, Auto Scaling and Elastic Load Balancing offer no narrower resource for Describe calls",
    "DescribeVolumes": "EC2 offers no narrower resource for Describe calls",
    "DescribeStandby": "EC2 and Auto Scaling offer no narrower resource for Describe calls",
    "LookAtRegions": "EC2 offers no narrower resource for Describe calls",
    "LookAtGroups": "Auto Scaling offers no narrower resource for Describe calls",
    "MeasureLag": "cloudwatch:GetMetricStatistics takes no resource",
    "PutMetrics": "cloudwatch:PutMetricData takes no resource; the namespace condition narrows it",
    "KeyAdministration": "in a key policy `*` is the key itself; without it the key could become unmanageable",
    "KeyUse": "in a key policy `*` is the key itself",
    "KeyGrants": "in a key policy `*` is the key itself",
}
"""Sid prefix -> why the resource is `*` (Service Authorization Reference; KMS Developer Guide, "Key policies")."""


def document(*statements: Statement) -> Document:
    """A policy document of these statements."""
    return {"Version": VERSION, "Statement": list(statements)}


def text(policy: Document) -> str:
    """The document as JSON, always the same bytes for the same document."""
    return json.dumps(policy, sort_keys=True)


def allow(
    sid: str, actions: list[str], resources: list[str], condition: dict[str, dict[str, Any]] | None = None
) -> Statement:
    """One Allow statement of an identity policy."""
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})


def assume(service: str, account: str) -> Document:
    """Trust of a service role, closed to other accounts (IAM User Guide, "The confused deputy problem")."""
    return document(
        {
            "Sid": "Assume",
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
    )


def assume_by_own_resources(service: str) -> Document:
    """Trust for Lambda, EC2 and Batch Operations: their jobs assume only roles of their own account, which whoever
    makes them must be allowed to pass; they send no aws:SourceAccount."""
    principal = {"Service": service}
    return document({"Sid": "Assume", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def bucket_arn(bucket: str) -> str:
    return f"arn:{PARTITION}:s3:::{bucket}"


def objects_arn(bucket: str, prefix: str = "") -> str:
    return f"arn:{PARTITION}:s3:::{bucket}/{prefix}*"


def alias_arn(names: Names, region: str) -> str:
    """The workload's key in this region, by alias: what S3, EBS and RDS take as a key id."""
    return f"arn:{PARTITION}:kms:{region}:{names.account}:{names.key_alias}"


def copies_alias_arn(names: Names) -> str:
    """The key of the vault's buckets, which is the standby region's, or another account's."""
    return f"arn:{PARTITION}:kms:{names.standby}:{names.vault_account}:{names.key_alias}"


def table_arn(names: Names) -> str:
    return f"arn:{PARTITION}:dynamodb:{names.standby}:{names.account}:table/{names.journal_table}"


def use_key(names: Names, region: str, actions: list[str], sid: str = "UseKey") -> Statement:
    """Use of the workload's key in this region, and of no other key."""
    keys = f"arn:{PARTITION}:kms:{region}:{names.account}:key/*"
    return allow(sid, actions, [keys], {"ForAnyValue:StringEquals": {"kms:ResourceAliases": names.key_alias}})


def use_copies_key(names: Names, actions: list[str], sid: str = "UseKey") -> Statement:
    """Use of the key of the vault's buckets. One of another account is named by no alias that IAM would look up there:
    S3 alone may use it, and its own policy says the rest (KMS Developer Guide, "Allowing users in other accounts")."""
    if not names.vault:
        return use_key(names, names.standby, actions, sid)
    keys = f"arn:{PARTITION}:kms:{names.standby}:{names.vault}:key/*"
    return allow(sid, actions, [keys], {"StringEquals": {"kms:ViaService": f"s3.{names.standby}.amazonaws.com"}})


def shared_arn(region: str, kind: str) -> str:
    """The ARN of a snapshot or an image has no account (Service Authorization Reference, "Amazon EC2")."""
    return f"arn:{PARTITION}:ec2:{region}::{kind}/*"


def snapshot_keys(names: Names) -> list[Statement]:
    """Read with the volumes' keys, write with ours (EBS User Guide, "Requirements for EBS encryption")."""
    read = ["kms:Decrypt", "kms:DescribeKey", "kms:ReEncryptFrom"]
    write = ["kms:DescribeKey", "kms:Decrypt", "kms:ReEncryptTo", "kms:GenerateDataKeyWithoutPlaintext"]
    sources = f"arn:{PARTITION}:kms:{names.primary}:{names.account}:key/*"
    services = [f"ec2.{region}.amazonaws.com" for region in (names.primary, names.standby)]
    through = {"StringEquals": {"kms:ViaService": services}}
    granted = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    grant = use_key(names, names.standby, ["kms:CreateGrant"], "GrantStandbyKey")
    return [
        allow("ReadVolumeKeys", read, [sources], through),
        allow("GrantVolumeKeys", ["kms:CreateGrant"], [sources], through | granted),
        use_key(names, names.standby, write, "EncryptCopies"),
        grant | {"Condition": grant["Condition"] | granted},
    ]


# -- buckets, topics and queues ----------------------------------------------------------------------------------


def tls_only(bucket: str) -> Document:
    """Refuse every request that is not over TLS (S3 User Guide, "Security best practices")."""
    return document(
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket_arn(bucket), f"{bucket_arn(bucket)}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


LENT_OBJECTS = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionTagging",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectTagging",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
    "s3:ReplicateTags",
]
"""What the workload's account may do with objects of a vault that is another account's: read, write, and set delete
markers. No version can be destroyed by it, no retention lifted, and no setting of a bucket changed."""
LENT_BUCKET = [
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "s3:GetLifecycleConfiguration",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
]
LENT_LOCK = ["s3:PutObjectRetention"]
"""Needed to write a locked record; without s3:BypassGovernanceRetention it makes a lock longer and never shorter."""


def lent(names: Names, bucket: str, locked: bool = False) -> tuple[Statement, ...]:
    """What the vault's account lets the workload's do; who there may do it, that account's own policies say. None where
    both are one. S3 User Guide, "Bucket owner granting cross-account bucket permissions"."""
    if not names.vault:
        return ()
    to = {"Effect": "Allow", "Principal": {"AWS": f"arn:{PARTITION}:iam::{names.account}:root"}}
    objects = LENT_OBJECTS + (LENT_LOCK if locked else [])
    return (
        to | {"Sid": "LentObjects", "Action": objects, "Resource": [objects_arn(bucket)]},
        to | {"Sid": "LentBucket", "Action": LENT_BUCKET, "Resource": [bucket_arn(bucket)]},
    )


def topic(names: Names, name: str) -> Document:
    """CloudWatch alarms of this workload may publish, nobody else (SNS Developer Guide, "Example cases"); who may of
    this account besides, their own policies say."""
    arn = f"arn:{PARTITION}:sns:{names.standby}:{names.account}:{name}"
    alarms = f"arn:{PARTITION}:cloudwatch:{names.standby}:{names.account}:alarm:{names.alarm('*')}"
    return document(
        {
            "Sid": "AlarmsPublish",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": names.account},
                "ArnLike": {"aws:SourceArn": alarms},
            },
        },
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )


def queue(names: Names, buckets: list[str]) -> Document:
    """S3 may send of these buckets, nobody else (S3 User Guide, "Granting permissions to publish event notification
    messages to a destination"); who may receive, their own policies say. Where so many do not fit, all buckets of the
    account may."""
    narrow = _queue(names, [bucket_arn(each) for each in buckets])
    return narrow if len(text(narrow)) <= QUEUE_POLICY_BYTES_MAX else _queue(names, [bucket_arn("*")])


QUEUE_POLICY_BYTES_MAX = 8192
"""SQS Developer Guide, "Amazon SQS policy quotas"; a hundred buckets or more."""


def _queue(names: Names, sources: list[str]) -> Document:
    arn = names.events_queue_arn
    return document(
        {
            "Sid": "BucketsSend",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": names.account},
                "ArnLike": {"aws:SourceArn": sources},
            },
        },
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )


# -- replication -----------------------------------------------------------------------------------------------


def replication(names: Names, source: tuple[str, str], target: tuple[str, str], prefix: str) -> Document:
    """What S3 needs to replicate below a prefix; `source` and `target` are (bucket, region).

    S3 User Guide, "Setting up permissions for live replication" and "Replicating encrypted objects". The objects of
    the source may be encrypted with a key of the user's, so decrypting is allowed through S3 for this bucket alone.
    """
    bucket, region = source
    copy, copy_region = target
    reading = {"StringLike": {"kms:ViaService": f"s3.{region}.amazonaws.com"} | _objects_context(bucket)}
    source_keys = [f"arn:{PARTITION}:kms:{region}:{names.account}:key/*"]
    encrypt, sid = ["kms:Encrypt", "kms:GenerateDataKey"], "EncryptReplicas"
    to_vault = copy_region == names.standby
    return document(
        allow("ReadRule", ["s3:GetReplicationConfiguration", "s3:ListBucket"], [bucket_arn(bucket)]),
        allow("ReadVersions", READ_FOR_REPLICATION, [objects_arn(bucket, prefix)]),
        allow("WriteReplicas", WRITE_REPLICAS, [objects_arn(copy, prefix)]),
        allow("DecryptSource", ["kms:Decrypt"], source_keys, reading),
        use_copies_key(names, encrypt, sid) if to_vault else use_key(names, copy_region, encrypt, sid),
    )


def batch_jobs(names: Names, bucket: str, copy: str, prefix: str) -> Document:
    """What jobs of S3 Batch Operations need: one of Batch Replication, which finds its objects itself, and one that
    copies versions of a bucket onto that bucket, for a restore; neither writes a report.

    S3 User Guide, "Configuring an IAM role for S3 Batch Replication"; "Granting permissions for Batch Operations",
    "Copy objects". The copies are encrypted with the bucket's key, and read with what their versions have.
    """
    rules = ["s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"]
    both = [objects_arn(each, prefix) for each in (bucket, copy)]
    regions = [f"s3.{region}.amazonaws.com" for region in (names.primary, names.standby)]
    keys = [f"arn:{PARTITION}:kms:{names.primary}:{names.account}:key/*"]
    return document(
        allow("FindObjects", rules, [bucket_arn(bucket)]),
        allow("InitiateReplication", ["s3:InitiateReplication"], [objects_arn(bucket, prefix)]),
        allow("RestoreVersions", COPY_VERSIONS, both),
        allow("UseKeys", KEYS_OF_COPIES, keys, {"StringEquals": {"kms:ViaService": regions}}),
        use_copies_key(names, KEYS_OF_COPIES, "UseKeyOfCopies"),
    )


COPY_VERSIONS = [
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionTagging",
    "s3:PutObject",
    "s3:PutObjectTagging",
]
KEYS_OF_COPIES = ["kms:Decrypt", "kms:GenerateDataKey"]


READ_FOR_REPLICATION = [
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging",
]
WRITE_REPLICAS = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]


def _objects_context(bucket: str) -> dict[str, list[str]]:
    """The encryption context is the object's ARN, or the bucket's where it has a bucket key."""
    return {"kms:EncryptionContext:aws:s3:arn": [bucket_arn(bucket), f"{bucket_arn(bucket)}/*"]}


# -- instances -------------------------------------------------------------------------------------------------


def instance(names: Names, own: Document) -> Document:
    """The workload's own policy, and: read the active record, read what the run chose, use the standby key."""
    parameters = f"arn:{PARTITION}:ssm:{names.standby}:{names.account}:parameter{names.parameter('*')}"
    active = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["active"]}}
    return document(
        *own.get("Statement", []),
        allow("ReadActiveRecord", ["dynamodb:GetItem"], [table_arn(names)], active),
        allow("ReadRecovered", ["ssm:GetParameter"], [parameters]),
        use_copies_key(names, ["kms:Decrypt", "kms:GenerateDataKey"], "UseStandbyKey"),
    )


def log_group(names: Names, purpose: str) -> str:
    """Where Lambda writes the log of this function (Lambda Developer Guide, "Log groups")."""
    return f"/aws/lambda/{names.function(purpose)}"
