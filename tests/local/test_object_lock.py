"""What a user loses when one of these fails: the belief that a rehearsed vault keeps what it promised to keep."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.local.kernel.cloud import Cloud
from support.data_cloud import WEST, buckets, client, running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), list(buckets())) as started:
        s3 = client(started, "s3", WEST)
        where = {"CreateBucketConfiguration": {"LocationConstraint": WEST}}
        s3.create_bucket(Bucket="vault", ObjectLockEnabledForBucket=True, **where)
        s3.create_bucket(Bucket="plain", **where)
        yield started


def locked(s3: Any, mode: str, key: str, days: float = 1) -> str:
    until = datetime.now(UTC) + timedelta(days=days)
    answer = s3.put_object(Bucket="vault", Key=key, Body=b"a", ObjectLockMode=mode, ObjectLockRetainUntilDate=until)
    return str(answer["VersionId"])


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_a_locked_version_cannot_be_deleted(cloud: Cloud, mode: str) -> None:
    s3 = client(cloud, "s3", WEST)
    version = locked(s3, mode, f"a-{mode}")
    with pytest.raises(ClientError) as caught:
        s3.delete_object(Bucket="vault", Key=f"a-{mode}", VersionId=version)
    assert code(caught) == "AccessDenied"
    told = s3.delete_objects(Bucket="vault", Delete={"Objects": [{"Key": f"a-{mode}", "VersionId": version}]})
    assert [each["Code"] for each in told.get("Errors", [])] == ["AccessDenied"]
    assert s3.get_object(Bucket="vault", Key=f"a-{mode}", VersionId=version)["Body"].read() == b"a"


def test_a_plain_delete_hides_it_and_deletes_nothing(cloud: Cloud) -> None:
    s3 = client(cloud, "s3", WEST)
    version = locked(s3, "COMPLIANCE", "b")
    assert s3.delete_object(Bucket="vault", Key="b")["DeleteMarker"] is True
    assert s3.get_object(Bucket="vault", Key="b", VersionId=version)["Body"].read() == b"a"


def test_governance_may_be_bypassed_by_who_says_so_and_compliance_may_not(cloud: Cloud) -> None:
    s3 = client(cloud, "s3", WEST)
    version = locked(s3, "GOVERNANCE", "c")
    s3.delete_object(Bucket="vault", Key="c", VersionId=version, BypassGovernanceRetention=True)
    kept = locked(s3, "COMPLIANCE", "d")
    with pytest.raises(ClientError) as caught:
        s3.delete_object(Bucket="vault", Key="d", VersionId=kept, BypassGovernanceRetention=True)
    assert code(caught) == "AccessDenied"


def test_a_lock_that_is_over_holds_nothing(cloud: Cloud) -> None:
    s3 = client(cloud, "s3", WEST)
    version = locked(s3, "COMPLIANCE", "e", days=2 / 86_400)
    cloud.stopping.wait(2.2)
    s3.delete_object(Bucket="vault", Key="e", VersionId=version)


def test_a_bucket_without_object_lock_takes_no_locks(cloud: Cloud) -> None:
    s3 = client(cloud, "s3", WEST)
    until = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="plain", Key="a", Body=b"a", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)
    assert code(caught) == "InvalidRequest"
