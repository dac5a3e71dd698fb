"""A vault in an account of its own: who rules the workload's account can use the copies, and cannot destroy them."""

from __future__ import annotations

import json
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pulumi_aws
import pytest
from stack_recording import Recording, Registered, record
from stack_samples import ACCOUNT, VAULT, inventory
from test_typed_inputs import wrong

from pilotlight.runtime.records.inventory import Inventory, Lock
from pilotlight.stacks import program, roles

DESTRUCTIVE = [
    "s3:BypassGovernanceRetention", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObjectVersion",
    "s3:ObjectOwnerOverrideToBucketOwner", "s3:PutBucketAcl", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration", "s3:PutObjectLegalHold", "s3:PutReplicationConfiguration",
]  # fmt: skip
"""What takes a version away, or lets it be taken away later."""


@pytest.fixture(scope="module")
def apart() -> Inventory:
    return inventory(VAULT)


def statements(resource: Registered) -> dict[str, dict[str, Any]]:
    return {each["Sid"]: each for each in json.loads(resource.inputs["policy"])["Statement"]}


def test_buckets_and_their_key_are_in_the_vaults_account_and_the_rest_is_not(vault_apart: Recording) -> None:
    there = {each.kind for each in vault_apart.custom if each.provider == "vault-account"}
    here = {each.kind for each in vault_apart.custom if each.provider != "vault-account"}
    assert "Bucket" in there and "BucketPolicy" in there and not here & (there - {"Key", "Alias"})
    assert {"Table", "LogGroup"} <= here
    keys = {each.name: each.provider for each in vault_apart.all("Key")}
    assert keys["vault-copies-key"] == "vault-account" and keys["vault-key"] != "vault-account"


def test_the_provider_assumes_the_declared_role_in_the_standby_region(vault_apart: Recording) -> None:
    provider = next(each for each in vault_apart.resources if each.name == "vault-account")
    (role,) = json.loads(provider.inputs["assumeRoles"])
    assert role["roleArn"] == "arn:aws:iam::210987654321:role/pilotlight-vault"
    assert provider.inputs["region"] == "us-west-2"
    assert list(wrong("role", pulumi_aws.ProviderAssumeRoleArgs, role)) == []


def test_names_tell_whose_the_buckets_are(vault_apart: Recording, apart: Inventory) -> None:
    buckets = [each.inputs["bucket"] for each in vault_apart.all("Bucket")]
    assert len(buckets) == 3 and all("-210987654321-" in each for each in buckets)
    assert ACCOUNT in apart.names.state_bucket, "whoever deploys keeps their state"


def test_the_workloads_account_can_destroy_nothing_that_is_kept(vault_apart: Recording) -> None:
    for policy in vault_apart.all("BucketPolicy"):
        allowed = [each for each in statements(policy).values() if each["Effect"] == "Allow"]
        assert {each["Principal"]["AWS"] for each in allowed} == {f"arn:aws:iam::{ACCOUNT}:root"}
        given = [action for each in allowed for action in each["Action"]]
        assert [each for each in DESTRUCTIVE for action in given if fnmatchcase(each, action)] == [], policy.name
        name = policy.inputs["bucket"]
        assert {resource for each in allowed for resource in each["Resource"]} == {
            f"arn:aws:s3:::{name}",
            f"arn:aws:s3:::{name}/*",
        }


def test_its_key_is_ruled_there_and_used_here_through_s3_alone(vault_apart: Recording) -> None:
    policy = statements(vault_apart.one("vault-copies-key"))
    assert policy["KeyAdministration"]["Principal"] == {"AWS": "arn:aws:iam::210987654321:root"}
    use = policy["KeyUseThroughS3"]
    assert use["Condition"]["StringEquals"] == {
        "kms:CallerAccount": ACCOUNT,
        "kms:ViaService": "s3.us-west-2.amazonaws.com",
    }
    assert set(use["Action"]) == {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"}
    assert set(policy) == {"KeyAdministration", "KeyUseThroughS3"}


def test_replicas_are_encrypted_with_its_key_and_no_rule_leads_back(primary_apart: Recording) -> None:
    rules = primary_apart.all("BucketReplicationConfig")
    assert {each.inputs["region"] for each in rules} == {"us-east-1"}
    for each in rules:
        (rule,) = each.inputs["rules"]
        key = rule["destination"]["encryptionConfiguration"]["replicaKmsKeyId"]
        assert key == "arn:aws:kms:us-west-2:210987654321:alias/pilotlight-inference"
    assert primary_apart.all("Key") == [], "nothing comes back by a rule that would need one"


@pytest.mark.parametrize("purpose", ["probe", "protect", "recover", "instance-fleet", "replication-corpus"])
def test_roles_use_the_vaults_key_through_s3_alone(apart: Inventory, purpose: str) -> None:
    found = roles.documents(apart)[apart.names.role(purpose)]["Statement"]
    theirs = "arn:aws:kms:us-west-2:210987654321:key/*"
    using = [each for each in found if theirs in each["Resource"]]
    assert using and all(
        each["Condition"] == {"StringEquals": {"kms:ViaService": "s3.us-west-2.amazonaws.com"}} for each in using
    )
    assert not any("210987654321:alias/" in resource for each in found for resource in each["Resource"])


def test_without_such_an_account_nobody_else_is_let_in(vault: Recording) -> None:
    assert all(set(statements(each)) == {"TlsOnly"} for each in vault.all("BucketPolicy"))
    assert not any(each.is_provider for each in vault.resources)


def test_a_lock_can_be_put_on_records_and_made_longer_alone() -> None:
    locked = record(lambda: program.vault(replace(inventory(VAULT), lock=Lock("governance", 86400.0))))
    records = next(each for each in locked.all("BucketPolicy") if "-vault-" in each.inputs["bucket"])
    assert "s3:PutObjectRetention" in statements(records)["LentObjects"]["Action"]
    replica = next(each for each in locked.all("BucketPolicy") if "-corpus-" in each.inputs["bucket"])
    assert "s3:PutObjectRetention" not in statements(replica)["LentObjects"]["Action"]
