"""A bucket whose settings make S3 copy nothing, or not all of it, is refused or told before a disaster shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from surveyed_account import ACCOUNT, Account, problems, surveyed

from pilotlight.kinds.buckets.bucket_settings import denial
from pilotlight.workload.model import Workload

BUCKET = f"inference-corpus-{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pilotlight-inference-replication-corpus"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/one"


def _encrypted(**rule: Any) -> dict[str, Any]:
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    rules = [{"ApplyServerSideEncryptionByDefault": default} | rule]
    return {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def _owned(by: str) -> dict[str, Any]:
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": by}]}}


def test_a_bucket_with_mfa_delete_is_refused_where_up_would_end_half_way(account: Account, workload: Workload) -> None:
    account.answers["get_bucket_versioning"] = {"Status": "Enabled", "MFADelete": "Enabled"}
    assert f"corpus (us-east-1): bucket {BUCKET} has MFA delete" in problems(account, workload)


def test_the_key_of_a_bucket_has_to_decrypt(account: Account, workload: Workload) -> None:
    account.answers["get_bucket_encryption"] = _encrypted()
    account.answers["describe_key"] = {"KeyMetadata": {"KeyState": "PendingDeletion"}}
    assert f"corpus (us-east-1): key {KEY} of bucket {BUCKET} is PendingDeletion" in problems(account, workload)


@pytest.mark.parametrize(
    ("operation", "answer", "said"),
    [
        ("get_bucket_versioning", {"Status": "Suspended"}, "are suspended; `up` keeps them again"),
        ("get_bucket_request_payment", {"Payer": "Requester"}, "is paid for by who reads it; its copy is not"),
        ("get_bucket_ownership_controls", _owned("ObjectWriter"), "are theirs (ObjectWriter)"),
        ("get_bucket_ownership_controls", {"OwnershipControls": {"Rules": []}}, "that other accounts write are theirs"),
        ("get_bucket_encryption", _encrypted(BlockedEncryptionTypes={"EncryptionType": ["NONE"]}), "(SSE-C), and its"),
    ],
)
def test_what_leaves_some_objects_without_a_copy_is_told(
    account: Account, workload: Workload, operation: str, answer: dict[str, Any], said: str
) -> None:
    assert surveyed(account, workload).remarks == ()
    account.answers[operation] = answer
    assert [each for each in surveyed(account, workload).remarks if each.startswith("corpus: ") and said in each]


@pytest.mark.parametrize(
    "operation", ["get_bucket_versioning", "get_bucket_request_payment", "get_bucket_policy", "get_bucket_encryption"]
)
def test_a_setting_that_cannot_be_read_is_not_taken_for_none(
    account: Account, workload: Workload, operation: str
) -> None:
    account.taken[operation, BUCKET] = "AccessDenied"
    assert f"of bucket {BUCKET} cannot be read" in problems(account, workload)


def _policy(account: Account, **statement: Any) -> None:
    whole = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"} | statement
    account.answers["get_bucket_policy"] = {"Policy": json.dumps({"Statement": [whole]})}


def test_a_policy_that_denies_the_role_is_refused_before_each_object_fails(
    account: Account, workload: Workload
) -> None:
    _policy(account, Sid="Closed")
    assert "denies pilotlight-inference-replication-corpus" in problems(account, workload)


def test_a_policy_that_may_deny_the_role_is_told(account: Account, workload: Workload) -> None:
    _policy(account, Sid="OurNetwork", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}})
    told = [each for each in surveyed(account, workload).remarks if each.startswith("corpus: ")]
    assert "where aws:sourcevpce says so (OurNetwork)" in told[0]


@pytest.mark.parametrize(
    ("statement", "is_denied"),
    [
        ({"Principal": {"AWS": ROLE}, "Action": ["s3:GetObject*"]}, True),
        ({"Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:root"]}, "Action": "s3:ListBucket"}, True),
        ({"Principal": "*", "Action": "s3:DeleteObject"}, False),
        ({"Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "s3:*"}, False),
        ({"Principal": "*", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
        ({"Effect": "Allow", "Principal": "*", "Action": "s3:*"}, False),
    ],
)
def test_only_what_denies_replication_counts(statement: dict[str, Any], is_denied: bool) -> None:
    assert bool(denial({"Effect": "Deny"} | statement, ROLE, ACCOUNT)) == is_denied
