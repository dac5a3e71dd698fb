"""What a user loses when one of these fails: a rehearsal in which a late copy is refused that AWS would let through, or
the other way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.local.iam.needs import needs_of
from pilotlight.local.iam.resources import Place
from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.s3.conditional_writes import ConditionalWrites
from pilotlight.local.wire.operations import Operation
from support.data_cloud import WEST, buckets, client, running

HERE = {"Bucket": "conditional", "Key": "model"}
FROM = {"Bucket": "conditional", "Key": "source"}
OTHER = '"00000000000000000000000000000000"'


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running(tmp_path_factory.mktemp("cloud"), [*buckets(), ConditionalWrites()]) as started:
        yield _made(started)


def _made(cloud: Cloud) -> Any:
    s3 = client(cloud, "s3", WEST)
    s3.create_bucket(Bucket="conditional", CreateBucketConfiguration={"LocationConstraint": WEST})
    s3.put_bucket_versioning(Bucket="conditional", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(**FROM, Body=b"older")
    return s3


def copied(s3: Any, **condition: str) -> None:
    s3.copy_object(**HERE, CopySource=FROM, **condition)


def uploaded(s3: Any, **condition: str) -> None:
    upload = s3.create_multipart_upload(**HERE)["UploadId"]
    part = s3.upload_part(**HERE, UploadId=upload, PartNumber=1, Body=b"older")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**HERE, UploadId=upload, MultipartUpload=parts, **condition)


def removed(s3: Any, **condition: str) -> None:
    s3.delete_object(**HERE, **condition)


@pytest.mark.parametrize("act", [copied, uploaded, removed])
def test_what_is_not_as_the_caller_says_is_not_written_over(s3: Any, act: Callable[..., None]) -> None:
    there = s3.put_object(**HERE, Body=b"newer")["ETag"]
    assert code(lambda: act(s3, IfMatch=OTHER)) == "PreconditionFailed"
    assert s3.get_object(**HERE)["Body"].read() == b"newer"
    act(s3, IfMatch=there)
    if act is not removed:
        assert s3.get_object(**HERE)["Body"].read() == b"older"


@pytest.mark.parametrize("act", [copied, uploaded])
def test_nothing_and_a_delete_marker_are_one(s3: Any, act: Callable[..., None]) -> None:
    s3.put_object(**HERE, Body=b"newer")
    assert code(lambda: act(s3, IfNoneMatch="*")) == "PreconditionFailed"
    s3.delete_object(**HERE)
    assert code(lambda: act(s3, IfMatch=OTHER)) == "NoSuchKey"
    act(s3, IfNoneMatch="*")
    assert s3.get_object(**HERE)["Body"].read() == b"older"


@pytest.mark.parametrize("name", ["PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject"])
def test_a_tag_that_is_asked_for_may_be_read(name: str) -> None:
    given = HERE | {"IfMatch": OTHER} | ({"CopySource": "conditional/source"} if name == "CopyObject" else {})
    operation = Operation("s3", name, "s3", "rest-xml", given)
    needed = {(each.action, each.resource) for each in needs_of(operation, Place(WEST, "1" * 12))}
    assert ("s3:GetObject", "arn:aws:s3:::conditional/model") in needed


def code(act: Callable[[], None]) -> str:
    with pytest.raises(ClientError) as caught:
        act()
    return str(caught.value.response["Error"]["Code"])
