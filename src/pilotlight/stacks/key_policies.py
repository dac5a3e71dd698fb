"""Policies of KMS keys: who rules each, and who may use it through which service (pure).

In a key policy the resource `*` is the key itself (KMS Developer Guide, "Key policies in AWS KMS").
"""

from __future__ import annotations

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.naming import Names
from pilotlight.stacks.policies import Document, Statement, document, log_group

ENCRYPT_AND_DECRYPT = [
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
]


def standby_key(names: Names) -> Document:
    """Key of the standby region: buckets, journal, logs, topic, database and volumes there."""
    return document(
        _key_administration(names.account),
        _key_use_by_alarms(names),
        _key_use_by_logs(names),
        _key_use_through(names, names.standby, "dynamodb", ["kms:Decrypt", "kms:DescribeKey"]),
        *_key_use_by_auto_scaling(names),
    )


def primary_key(names: Names) -> Document:
    """Key of the primary region: what comes back by reverse replication is encrypted with it.

    Whoever S3 lets read an object of the bucket can decrypt it too, as with the AWS managed key `aws/s3`; otherwise
    the workload's own roles, which know nothing of this key, could not read their data after a failback.
    """
    through_s3 = _key_use_through(names, names.primary, "s3", ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"])
    return document(_key_administration(names.account), through_s3)


def copies_key(names: Names) -> Document:
    """Key of a vault in an account of its own: that account rules it, the workload's may use it through S3."""
    use = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    return document(_key_administration(names.vault_account), _key_use_through(names, names.standby, "s3", use))


def _key_administration(account: str) -> Statement:
    """The account's IAM policies decide (KMS Developer Guide, "Default key policy")."""
    return {
        "Sid": "KeyAdministration",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{PARTITION}:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }


def _key_use_by_alarms(names: Names) -> Statement:
    """An alarm cannot publish to an encrypted topic without it (SNS Developer Guide, "Key management")."""
    return {
        "Sid": "KeyUseByAlarms",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": names.account}},
    }


def _key_use_by_logs(names: Names) -> Statement:
    """CloudWatch Logs User Guide, "Encrypt log data using AWS KMS"."""
    groups = f"arn:{PARTITION}:logs:{names.standby}:{names.account}:log-group:{log_group(names, '*')}"
    return {
        "Sid": "KeyUseByLogs",
        "Effect": "Allow",
        "Principal": {"Service": f"logs.{names.standby}.amazonaws.com"},
        "Action": ENCRYPT_AND_DECRYPT,
        "Resource": "*",
        "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
    }


def _key_use_through(names: Names, region: str, service: str, actions: list[str]) -> Statement:
    """Anyone of the account whom the service itself lets in, through that service only."""
    condition = {"kms:CallerAccount": names.account, "kms:ViaService": f"{service}.{region}.amazonaws.com"}
    return {
        "Sid": f"KeyUseThrough{service.capitalize()}",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": actions,
        "Resource": "*",
        "Condition": {"StringEquals": condition},
    }


def _key_use_by_auto_scaling(names: Names) -> tuple[Statement, Statement]:
    """Without it instances with encrypted volumes end at once (Auto Scaling User Guide, "Required key policy")."""
    role = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    is_role = {
        "ArnEquals": {"aws:PrincipalArn": f"arn:{PARTITION}:iam::{names.account}:role/{role}"},
        "StringEquals": {"kms:CallerAccount": names.account},
    }
    base = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": "*"}
    use = base | {"Sid": "KeyUseByAutoScaling", "Action": ENCRYPT_AND_DECRYPT, "Condition": is_role}
    for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    grant = base | {"Sid": "KeyGrants", "Action": ["kms:CreateGrant"], "Condition": is_role | for_aws}
    return use, grant
