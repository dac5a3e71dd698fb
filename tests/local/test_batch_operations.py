"""What a user loses when one of these fails: a rehearsed hand-over to Batch Replication that the real one refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.local.kernel.cloud import ACCOUNT, ROOT_ACCESS_KEY, ROOT_SECRET_KEY, Cloud
from pilotlight.local.s3.batch_operations import BatchOperations
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.errors import CallRefused
from support.data_cloud import EAST, WEST, buckets, client, eventually, running

REPLICATE = f"arn:aws:iam::{ACCOUNT}:role/replicate"
BATCH = f"arn:aws:iam::{ACCOUNT}:role/batch"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), [*buckets(), BatchOperations()]) as started:
        role(started, "replicate", "s3.amazonaws.com", ["s3:*"])
        role(started, "batch", "batchoperations.s3.amazonaws.com", NEEDED)
        yield started


NEEDED = ["s3:InitiateReplication", "s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"]


def role(cloud: Cloud, name: str, service: str, actions: list[str]) -> None:
    iam = client(cloud, "iam", EAST)
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document)


def filled(cloud: Cloud, name: str, objects: int = 3) -> None:
    """Objects first, the rule after them."""
    east, west = client(cloud, "s3", EAST), client(cloud, "s3", WEST)
    east.create_bucket(Bucket=name)
    west.create_bucket(Bucket=f"{name}-copy", CreateBucketConfiguration={"LocationConstraint": WEST})
    for s3, bucket in ((east, name), (west, f"{name}-copy")):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(objects):
        east.put_object(Bucket=name, Key=f"old/{number}", Body=b"a")
    rule = {
        "ID": "all",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {"Prefix": "old/"},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{name}-copy"},
    }
    east.put_bucket_replication(Bucket=name, ReplicationConfiguration={"Role": REPLICATE, "Rules": [rule]})


def asked(bucket: str, token: str = "", role: str = BATCH, **more: Any) -> dict[str, Any]:
    wanted = {"EligibleForReplication": True, "ObjectReplicationStatuses": ["NONE", "FAILED"]}
    generator = {"SourceBucket": f"arn:aws:s3:::{bucket}", "Filter": wanted, "EnableManifestOutput": False}
    return {
        "AccountId": ACCOUNT,
        "ConfirmationRequired": False,
        "Operation": {"S3ReplicateObject": {}},
        "Report": {"Enabled": False},
        "ClientRequestToken": token or bucket,
        "Priority": 1,
        "RoleArn": role,
        "ManifestGenerator": {"S3JobManifestGenerator": generator},
    } | more


@pytest.fixture
def aws(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> BotoClient:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.router_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ROOT_ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ROOT_SECRET_KEY)
    return BotoClient()


def ended(aws: BotoClient, id: str) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        job = aws.call("s3control", "describe_job", EAST, AccountId=ACCOUNT, JobId=id)["Job"]
        return job if job["Status"] in ("Complete", "Failed") else {}

    return eventually(look)


def test_a_job_replicates_what_was_there_before_the_rule_with_its_version_ids(cloud: Cloud, aws: BotoClient) -> None:
    filled(cloud, "before")
    client(cloud, "s3", EAST).put_object(Bucket="before", Key="outside", Body=b"no rule selects it")
    id = aws.call("s3control", "create_job", EAST, **asked("before"))["JobId"]
    assert aws.call("s3control", "describe_job", EAST, AccountId=ACCOUNT, JobId=id)["Job"]["Status"] == "Preparing"
    job = ended(aws, id)
    assert job["Status"] == "Complete"
    assert job["ProgressSummary"]["TotalNumberOfTasks"] == job["ProgressSummary"]["NumberOfTasksSucceeded"] == 3
    source = client(cloud, "s3", EAST).list_object_versions(Bucket="before", Prefix="old/")["Versions"]
    copies = client(cloud, "s3", WEST).list_object_versions(Bucket="before-copy")["Versions"]
    assert {each["VersionId"] for each in source} == {each["VersionId"] for each in copies}
    head = client(cloud, "s3", EAST).head_object(Bucket="before", Key="old/0")
    assert head["ReplicationStatus"] == "COMPLETED"


def test_the_same_token_is_the_same_job_and_a_second_job_finds_nothing_to_do(cloud: Cloud, aws: BotoClient) -> None:
    filled(cloud, "twice")
    first = aws.call("s3control", "create_job", EAST, **asked("twice"))["JobId"]
    assert aws.call("s3control", "create_job", EAST, **asked("twice"))["JobId"] == first
    ended(aws, first)
    second = aws.call("s3control", "create_job", EAST, **asked("twice", "another"))["JobId"]
    assert second != first
    assert ended(aws, second)["ProgressSummary"]["TotalNumberOfTasks"] == 0


def test_a_role_that_may_not_initiate_replication_fails_every_object(cloud: Cloud, aws: BotoClient) -> None:
    filled(cloud, "denied")
    role(cloud, "half", "batchoperations.s3.amazonaws.com", NEEDED[1:])
    half = f"arn:aws:iam::{ACCOUNT}:role/half"
    job = ended(aws, aws.call("s3control", "create_job", EAST, **asked("denied", role=half))["JobId"])
    assert (job["Status"], job["ProgressSummary"]["NumberOfTasksFailed"]) == ("Failed", 3)


def test_a_role_that_batch_operations_cannot_assume_fails_the_job_and_says_so(cloud: Cloud, aws: BotoClient) -> None:
    filled(cloud, "untrusted")
    job = ended(aws, aws.call("s3control", "create_job", EAST, **asked("untrusted", role=REPLICATE))["JobId"])
    assert job["Status"] == "Failed" and "cannot be assumed" in job["FailureReasons"][0]["FailureReason"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Operation": {"S3DeleteObjectTagging": {}}}, "S3ReplicateObject"),
        ({"Report": {"Enabled": True, "Bucket": "arn:aws:s3:::any"}}, "Reports"),
        (asked("nowhere"), "nowhere"),
    ],
)
def test_what_is_not_built_is_refused_by_name(
    cloud: Cloud, aws: BotoClient, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(CallRefused, match=words):
        aws.call("s3control", "create_job", EAST, **asked("anything", words, **changes))


def test_a_job_that_is_not_there_is_told(cloud: Cloud, aws: BotoClient) -> None:
    with pytest.raises(CallRefused, match="NotFound"):
        aws.call("s3control", "describe_job", EAST, AccountId=ACCOUNT, JobId="a" * 32)


def test_any_client_whose_host_is_the_routers_reaches_it(cloud: Cloud) -> None:
    """Who uses boto3 himself has to send S3 Control to the address without the account before it."""
    s3control = client(cloud, "s3control", EAST)
    s3control.meta.events.register(
        "before-sign.s3-control", lambda request, **_: setattr(request, "url", request.url.replace(f"{ACCOUNT}.", ""))
    )
    assert isinstance(s3control.list_jobs(AccountId=ACCOUNT)["Jobs"], list)
    with pytest.raises(ClientError):
        s3control.describe_job(AccountId=ACCOUNT, JobId="b" * 32)
