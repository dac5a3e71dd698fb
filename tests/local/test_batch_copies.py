"""What a user loses when one of these fails: a rehearsed restore of a million objects that the real one refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pilotlight.local.kernel.cloud import ACCOUNT, ROOT_ACCESS_KEY, ROOT_SECRET_KEY, Cloud
from pilotlight.local.s3.batch_operations import BatchOperations
from pilotlight.local.s3.conditional_writes import ConditionalWrites
from pilotlight.local.s3.listed_versions import ListedVersions
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.clock import SystemClock, parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import BatchCopyFailed
from pilotlight.runtime.kinds import restore as restoring
from pilotlight.runtime.kinds.buckets import batch
from pilotlight.runtime.kinds.restore import PlanFile, Wanted
from pilotlight.runtime.records.inventory import Datasets, Inventory
from pilotlight.runtime.recovery import Recovery
from pilotlight.stacks import policies
from support.data_cloud import EAST, WEST, buckets, client, running
from support.fake_aws import inventory as of_tests
from support.inventories import changed

BUCKET, COPY = "corpus-of-jobs", "corpus-of-jobs-copy"
ASSET = Datasets("corpus", "dataset", BUCKET, COPY)


def built() -> Inventory:
    return changed(of_tests(account=ACCOUNT), datasets=[ASSET], volumes=[], databases=[], computes=[])


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    behaviours = [ConditionalWrites(), ListedVersions(), *buckets(), BatchOperations()]
    with running(tmp_path_factory.mktemp("cloud"), behaviours) as started:
        s3, iam = client(started, "s3", EAST), client(started, "iam", EAST)
        s3.create_bucket(Bucket=BUCKET)
        for key in ("old/0", "old/1"):
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"from before there were versions")
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        trust = {"Effect": "Allow", "Principal": {"Service": "batchoperations.s3.amazonaws.com"}}
        document = {"Version": "2012-10-17", "Statement": [trust | {"Action": "sts:AssumeRole"}]}
        name = built().names.role("batch-corpus")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
        allow(started, policies.batch_jobs(built().names, BUCKET, COPY, ""))
        client(started, "dynamodb", WEST).create_table(
            TableName=built().names.journal_table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield started


def allow(cloud: Cloud, document: Any) -> None:
    """What the role of the bucket's jobs may do."""
    client(cloud, "iam", EAST).put_role_policy(
        RoleName=built().names.role("batch-corpus"), PolicyName="all", PolicyDocument=json.dumps(document)
    )


@pytest.fixture
def recovery(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Recovery:
    for name, value in {
        "AWS_ENDPOINT_URL": cloud.router_url,
        "AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_SECRET_KEY,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("pilotlight.runtime.kinds.buckets.restoring.BATCH_FROM_ITEMS", 3)
    monkeypatch.setattr(batch, "POLL_SECONDS", 0.1)
    return Recovery(RecoveryContext(BotoClient(), built(), SystemClock()), "test")


def spoiled(cloud: Cloud, prefix: str) -> float:
    """Objects that were good, and somebody's bytes over them; the last second in which all was good."""
    s3 = client(cloud, "s3", EAST)
    for number in range(6):
        s3.put_object(
            Bucket=BUCKET, Key=f"{prefix}/ö {number},x", Body=b"good %d" % number, Tagging="licence=open",
            Metadata={"made": "by hand"},
        )  # fmt: skip
    SystemClock().sleep(1.2)
    good = SystemClock().now() - 1.0
    SystemClock().sleep(0.2)
    for number in range(6):
        s3.put_object(Bucket=BUCKET, Key=f"{prefix}/ö {number},x", Body=b"spoiled")
    s3.put_object(Bucket=BUCKET, Key=f"{prefix}/ransom.txt", Body=b"pay")
    return good


def plan(recovery: Recovery, folder: Path, moment: float, **more: str) -> PlanFile:
    path = folder / "plan.json"
    with path.open("w") as into:
        recovery.plan_restore(ASSET, Wanted(EAST, moment, **more), into)  # type: ignore[arg-type]
    return restoring.read(path)


def bodies(cloud: Cloud, prefix: str) -> dict[str, bytes]:
    s3 = client(cloud, "s3", EAST)
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
    return {key.removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


GOOD = {f"/ö {number},x": b"good %d" % number for number in range(6)}


def test_a_plan_is_a_jobs_manifest_and_what_the_job_copied_has_its_tags_and_metadata(
    cloud: Cloud, recovery: Recovery, tmp_path: Path
) -> None:
    good = spoiled(cloud, "a")
    found = plan(recovery, tmp_path, good, prefix="a/")
    assert found.totals["engine"] == "batch" and found.totals["dollars"] >= 0.25, stamp(good)
    done = recovery.restore(found)
    assert (done.done, done.left) == (7, 0)
    assert bodies(cloud, "a") == GOOD
    s3 = client(cloud, "s3", EAST)
    assert s3.get_object_tagging(Bucket=BUCKET, Key="a/ö 1,x")["TagSet"] == [{"Key": "licence", "Value": "open"}]
    assert s3.head_object(Bucket=BUCKET, Key="a/ö 1,x")["Metadata"] == {"made": "by hand"}
    assert bodies(cloud, ".pilotlight/") == {}, "its manifest is taken away"
    made = len(s3.list_object_versions(Bucket=BUCKET, Prefix="a/ö 1,x")["Versions"])
    assert recovery.restore(found).done == 7
    assert len(s3.list_object_versions(Bucket=BUCKET, Prefix="a/ö 1,x")["Versions"]) == made, "nothing is done twice"


def test_a_prefix_beside_is_the_jobs_prefix(cloud: Cloud, recovery: Recovery, tmp_path: Path) -> None:
    good = spoiled(cloud, "b")
    assert recovery.restore(plan(recovery, tmp_path, good, prefix="b/", beside="tuesday")).left == 0
    assert bodies(cloud, "tuesday/b") == GOOD
    assert bodies(cloud, "b")["/ransom.txt"] == b"pay"


def test_a_job_that_was_begun_before_a_crash_is_waited_for_and_made_once(
    cloud: Cloud, recovery: Recovery, tmp_path: Path
) -> None:
    found = plan(recovery, tmp_path, spoiled(cloud, "c"), prefix="c/")

    def killed(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recovery.restore(found, killed)
    jobs = recovery.context.client.call("s3control", "list_jobs", EAST, AccountId=ACCOUNT)["Jobs"]
    assert recovery.restore(found).left == 0 and bodies(cloud, "c") == GOOD
    again = recovery.context.client.call("s3control", "list_jobs", EAST, AccountId=ACCOUNT)["Jobs"]
    assert len(again) == len(jobs)


def test_a_role_that_may_not_copy_is_named_and_nothing_is_hidden(
    cloud: Cloud, recovery: Recovery, tmp_path: Path
) -> None:
    found = plan(recovery, tmp_path, spoiled(cloud, "d"), prefix="d/")
    whole = policies.batch_jobs(built().names, BUCKET, COPY, "")
    allow(cloud, {**whole, "Statement": [each for each in whole["Statement"] if each["Sid"] != "RestoreVersions"]})
    try:
        with pytest.raises(BatchCopyFailed, match="may not s3:GetObject"):
            recovery.restore(found)
    finally:
        allow(cloud, whole)
    assert set(bodies(cloud, "d").values()) == {b"spoiled", b"pay"}
    assert recovery.restore(found).left == 0


def test_small_plans_are_copied_from_here_by_the_same_rules(
    cloud: Cloud, recovery: Recovery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilotlight.runtime.kinds.buckets.restoring.BATCH_FROM_ITEMS", 100_000)
    found = plan(recovery, tmp_path, spoiled(cloud, "e"), prefix="e/")
    assert found.totals["engine"] == "copy" and parse_stamp(found.made_at) > 0
    client(cloud, "s3", EAST).put_object(Bucket=BUCKET, Key="e/ö 3,x", Body=b"written since")
    done = recovery.restore(found)
    assert (done.done, done.left) == (6, 1)
    assert bodies(cloud, "e") == GOOD | {"/ö 3,x": b"written since"}


@pytest.mark.parametrize("threshold", [0, 100_000])
def test_an_object_from_before_there_were_versions_comes_back_from_below_others(
    cloud: Cloud, recovery: Recovery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threshold: int
) -> None:
    """Its id is `null`; asked for without it, S3 copies what is current: the ransom note onto itself."""
    monkeypatch.setattr("pilotlight.runtime.kinds.buckets.restoring.BATCH_FROM_ITEMS", threshold)
    SystemClock().sleep(1.2)
    good = SystemClock().now() - 1.0
    client(cloud, "s3", EAST).put_object(Bucket=BUCKET, Key="old/0", Body=b"spoiled")
    client(cloud, "s3", EAST).delete_object(Bucket=BUCKET, Key="old/1")
    found = plan(recovery, tmp_path, good, prefix="old/")
    assert recovery.restore(found).done == 2
    assert set(bodies(cloud, "old/").values()) == {b"from before there were versions"}
