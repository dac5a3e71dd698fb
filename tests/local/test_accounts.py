"""Two accounts: what the other one has not opened is closed, and what it has opened needs both sides' word."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_requests import EAST, WEST, allow, client, make_bucket, set_policy

from pilotlight.local.handle import LocalCloud
from pilotlight.local.kernel.cloud import ACCOUNT, MEMBER

ADMINISTRATOR = f"arn:aws:iam::{MEMBER}:role/OrganizationAccountAccessRole"
REPLICATED_SECONDS = 20.0


@pytest.fixture(scope="module")
def member(local_cloud: LocalCloud) -> dict[str, str]:
    """Credentials of the member's administrator."""
    sts = client(local_cloud, "sts", WEST)
    return dict(sts.assume_role(RoleArn=ADMINISTRATOR, RoleSessionName="it")["Credentials"])


def user(cloud: LocalCloud, name: str, *statements: dict[str, Any]) -> dict[str, str]:
    """Credentials of a user of the first account, who may do this."""
    iam = client(cloud, "iam", EAST)
    iam.create_user(UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName=name, PolicyName="it", PolicyDocument=document)
    return dict(iam.create_access_key(UserName=name)["AccessKey"])


def open_to(account: str, actions: list[str], bucket: str) -> str:
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = allow(actions, resources) | {"Principal": {"AWS": f"arn:aws:iam::{account}:root"}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def code_of(act: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as problem:
        act(**parameters)
    return str(problem.value.response["Error"]["Code"])


def test_the_administrator_of_the_member_is_in_the_member(local_cloud: LocalCloud, member: dict[str, str]) -> None:
    told = client(local_cloud, "sts", WEST, credentials=member).get_caller_identity()
    assert told["Account"] == MEMBER
    client(local_cloud, "dynamodb", WEST, credentials=member).create_table(
        TableName="theirs",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    assert "theirs" not in client(local_cloud, "dynamodb", WEST).list_tables()["TableNames"]


def test_a_user_may_not_assume_a_role_that_trusts_others(local_cloud: LocalCloud, member: dict[str, str]) -> None:
    iam = client(local_cloud, "iam", EAST, credentials=member)
    trust = allow("sts:AssumeRole", "*") | {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    del trust["Resource"]
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName="vault", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    named = {"RoleArn": arn, "RoleSessionName": "it"}
    without = user(local_cloud, "without", allow("s3:*", "*"))
    assert code_of(client(local_cloud, "sts", WEST, credentials=without).assume_role, **named) == "AccessDenied"
    may = user(local_cloud, "may", allow("sts:AssumeRole", arn))
    assert client(local_cloud, "sts", WEST, credentials=may).assume_role(**named)["Credentials"]


def test_a_bucket_of_the_other_account_needs_the_word_of_both(local_cloud: LocalCloud, member: dict[str, str]) -> None:
    theirs = client(local_cloud, "s3", WEST, credentials=member)
    theirs.create_bucket(Bucket="of-the-member", CreateBucketConfiguration={"LocationConstraint": WEST})
    theirs.put_object(Bucket="of-the-member", Key="k", Body=b"1")
    ours = client(local_cloud, "s3", WEST, credentials=user(local_cloud, "reader", allow("s3:GetObject", "*")))
    closed = user(local_cloud, "nobody", allow("s3:ListAllMyBuckets", "*"))
    assert code_of(ours.get_object, Bucket="of-the-member", Key="k") == "AccessDenied"
    assert code_of(client(local_cloud, "s3", WEST).get_object, Bucket="of-the-member", Key="k") == "AccessDenied"
    theirs.put_bucket_policy(Bucket="of-the-member", Policy=open_to(ACCOUNT, ["s3:GetObject"], "of-the-member"))
    assert ours.get_object(Bucket="of-the-member", Key="k")["Body"].read() == b"1"
    astray = client(local_cloud, "s3", WEST, credentials=closed)
    assert code_of(astray.get_object, Bucket="of-the-member", Key="k") == "AccessDenied"
    assert code_of(ours.put_object, Bucket="of-the-member", Key="k", Body=b"2") == "AccessDenied"
    assert "of-the-member" not in [each["Name"] for each in client(local_cloud, "s3", WEST).list_buckets()["Buckets"]]


def test_a_key_of_the_other_account_needs_the_word_of_both(local_cloud: LocalCloud, member: dict[str, str]) -> None:
    theirs = client(local_cloud, "kms", WEST, credentials=member)
    arn = theirs.create_key()["KeyMetadata"]["Arn"]
    ours = client(local_cloud, "kms", WEST, credentials=user(local_cloud, "sealer", allow("kms:*", "*")))
    assert code_of(ours.describe_key, KeyId=arn) == "AccessDeniedException"
    assert arn.split(":")[4] == MEMBER


def replicating(cloud: LocalCloud, member: dict[str, str], name: str, key: str = "") -> tuple[Any, Any]:
    """(our S3, theirs): `<name>-from` is replicated by a role of ours, which may everything, into their `<name>-to`."""
    theirs, ours = client(cloud, "s3", WEST, credentials=member), client(cloud, "s3", EAST)
    theirs.create_bucket(Bucket=f"{name}-to", CreateBucketConfiguration={"LocationConstraint": WEST})
    versions = {"Status": "Enabled"}
    theirs.put_bucket_versioning(Bucket=f"{name}-to", VersioningConfiguration=versions)
    make_bucket(cloud, f"{name}-from", EAST)
    ours.put_bucket_versioning(Bucket=f"{name}-from", VersioningConfiguration=versions)
    trust = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = client(cloud, "iam", EAST).create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    set_policy(cloud, name, allow(["s3:*", "kms:*"], "*"))
    encrypted = {
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": {
            "Bucket": f"arn:aws:s3:::{name}-to",
            "EncryptionConfiguration": {"ReplicaKmsKeyID": key},
        },
    }
    rule = {
        "ID": "it",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{name}-to"},
    }
    rules = [rule | (encrypted if key else {})]
    ours.put_bucket_replication(Bucket=f"{name}-from", ReplicationConfiguration={"Role": role, "Rules": rules})
    return ours, theirs


REPLICATE = ["s3:ReplicateObject", "s3:ReplicateTags"]


def test_objects_are_replicated_into_the_other_account_where_it_lets_them(
    local_cloud: LocalCloud, member: dict[str, str]
) -> None:
    ours, theirs = replicating(local_cloud, member, "plain")
    ours.put_object(Bucket="plain-from", Key="refused", Body=b"1")
    assert status(ours, "plain-from", "refused") == "FAILED"
    theirs.put_bucket_policy(Bucket="plain-to", Policy=open_to(ACCOUNT, REPLICATE, "plain-to"))
    ours.put_object(Bucket="plain-from", Key="taken", Body=b"2", Tagging="a=b")
    assert status(ours, "plain-from", "taken") == "COMPLETED"
    assert theirs.get_object(Bucket="plain-to", Key="taken")["Body"].read() == b"2"
    assert theirs.get_object_tagging(Bucket="plain-to", Key="taken")["TagSet"] == [{"Key": "a", "Value": "b"}]


def test_replicas_are_encrypted_with_a_key_of_the_other_account_where_its_policy_lets_them(
    local_cloud: LocalCloud, member: dict[str, str]
) -> None:
    kms = client(local_cloud, "kms", WEST, credentials=member)
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/theirs", TargetKeyId=key["KeyId"])
    alias = f"arn:aws:kms:{WEST}:{MEMBER}:alias/theirs"
    ours, theirs = replicating(local_cloud, member, "sealed", alias)
    theirs.put_bucket_policy(Bucket="sealed-to", Policy=open_to(ACCOUNT, REPLICATE, "sealed-to"))
    sealed = {"Bucket": "sealed-from", "Body": b"1", "ServerSideEncryption": "aws:kms"}
    ours.put_object(**sealed, Key="refused")
    assert status(ours, "sealed-from", "refused") == "FAILED"
    anybody_through_s3 = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["kms:Encrypt", "kms:GenerateDataKey"],
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT, "kms:ViaService": f"s3.{WEST}.amazonaws.com"}},
    }
    rule = allow("kms:*", "*") | {"Principal": {"AWS": f"arn:aws:iam::{MEMBER}:root"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [rule, anybody_through_s3]})
    kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=document)
    ours.put_object(**sealed, Key="taken")
    assert status(ours, "sealed-from", "taken") == "COMPLETED"
    assert theirs.head_object(Bucket="sealed-to", Key="taken")["SSEKMSKeyId"] == key["Arn"]


def test_what_the_other_account_lends_is_done_in_its_bucket_whoever_asks(
    local_cloud: LocalCloud, member: dict[str, str]
) -> None:
    theirs, ours = client(local_cloud, "s3", WEST, credentials=member), client(local_cloud, "s3", WEST)
    theirs.create_bucket(Bucket="lent", CreateBucketConfiguration={"LocationConstraint": WEST})
    theirs.put_bucket_versioning(Bucket="lent", VersioningConfiguration={"Status": "Enabled"})
    actions = ["s3:PutObject", "s3:PutObjectTagging", "s3:GetObjectTagging", "s3:DeleteObject", "s3:ListBucket"]
    theirs.put_bucket_policy(Bucket="lent", Policy=open_to(ACCOUNT, actions, "lent"))
    version = ours.put_object(Bucket="lent", Key="k", Body=b"1", Tagging="a=b")["VersionId"]
    assert ours.get_object_tagging(Bucket="lent", Key="k")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert theirs.get_object_tagging(Bucket="lent", Key="k")["TagSet"] == [{"Key": "a", "Value": "b"}]
    ours.delete_object(Bucket="lent", Key="k")
    assert code_of(ours.delete_object, Bucket="lent", Key="k", VersionId=version) == "AccessDenied"
    assert [each["Key"] for each in theirs.list_object_versions(Bucket="lent")["Versions"]] == ["k"]


def status(s3: Any, bucket: str, key: str) -> str:
    """Of the object's replication, once it is settled."""
    deadline = time.monotonic() + REPLICATED_SECONDS
    while time.monotonic() < deadline:
        found = str(s3.head_object(Bucket=bucket, Key=key).get("ReplicationStatus", ""))
        if found in ("COMPLETED", "FAILED"):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{key} was not settled")
