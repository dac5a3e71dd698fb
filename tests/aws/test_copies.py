"""Copies inside S3, without botocore's client and in parts: whole, on their condition, and provable afterwards."""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import Session
from test_raw_s3 import Server, says, server  # noqa: F401 - a fixture

from pilotlight.local.handle import LocalCloud
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.aws.client import aws_code
from pilotlight.runtime.errors import CallRefused, RegionUnreachable, Throttled
from pilotlight.runtime.kinds.buckets import copying
from pilotlight.runtime.kinds.buckets.listing import CHECKSUM, Bucket, current
from pilotlight.runtime.kinds.buckets.proofs import resolved
from support.data_cloud import EAST, WEST

FROM, TO = Bucket(EAST, "copied-from"), Bucket(WEST, "copied-to")
MIB = 1024 * 1024


@pytest.fixture
def client(local_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[BotoClient]:
    for name, value in local_cloud.environment().items():
        monkeypatch.setenv(name, value)
    made = BotoClient()
    for bucket in (FROM, TO):
        where = {} if bucket.region == EAST else {"CreateBucketConfiguration": {"LocationConstraint": bucket.region}}
        try:
            made.call("s3", "create_bucket", bucket.region, Bucket=bucket.name, **where)
        except CallRefused:
            continue
        on = {"Status": "Enabled"}
        made.call("s3", "put_bucket_versioning", bucket.region, Bucket=bucket.name, VersioningConfiguration=on)
    yield made


def put(key: str, body: bytes, **more: Any) -> None:
    Session().create_client("s3", region_name=EAST).put_object(Bucket=FROM.name, Key=key, Body=body, **more)


def one(client: BotoClient, bucket: Bucket, key: str) -> Any:
    return next((each for each in current(client, Bucket(bucket.region, bucket.name, key)) if each.key == key), None)


@pytest.mark.parametrize("key", ["plain", "a b+c", "ä/日本", "100%&=?#", "'quoted'"])
def test_an_object_of_any_name_is_copied_with_what_is_said_of_it(client: BotoClient, key: str) -> None:
    put(key, b"bytes", Metadata={"step": "7"}, ContentType="text/x-weights", Tagging="licence=open")
    copying.copy(client, FROM, TO, one(client, FROM, key), None)
    told = client.call("s3", "head_object", WEST, Bucket=TO.name, Key=key)
    assert (told["Metadata"], told["ContentType"], told["ContentLength"]) == ({"step": "7"}, "text/x-weights", 5)
    tags = client.call("s3", "get_object_tagging", WEST, Bucket=TO.name, Key=key)["TagSet"]
    assert tags == [{"Key": "licence", "Value": "open"}]


def test_the_version_that_was_listed_is_copied_and_not_what_came_after_it(client: BotoClient) -> None:
    put("again", b"older")
    older = one(client, FROM, "again")
    put("again", b"newer")
    copying.copy(client, FROM, TO, older, None)
    assert client.call("s3", "get_object", WEST, Bucket=TO.name, Key="again")["Body"] == b"older"


def test_a_copy_over_what_was_not_there_when_it_was_decided_on_is_refused(client: BotoClient) -> None:
    put("late", b"first")
    listed = one(client, FROM, "late")
    copying.copy(client, FROM, TO, listed, None)
    with pytest.raises(CallRefused) as refusal:
        copying.copy(client, FROM, TO, listed, None)
    assert aws_code(refusal.value) in copying.MOVED_ON
    over = one(client, TO, "late")
    put("late", b"second")
    copying.copy(client, FROM, TO, one(client, FROM, "late"), over)
    with pytest.raises(CallRefused):
        copying.copy(client, FROM, TO, listed, over)


def test_a_copy_in_parts_is_proven_equal_by_the_checksum_of_all_its_bytes(
    client: BotoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entity tag is of parts: without a checksum of the same kind a large object would never be proven."""
    monkeypatch.setattr(copying, "PART_BYTES", 5 * MIB)
    body = os.urandom(6 * MIB)
    put("large", body)
    copying.copy_in_parts(client, FROM, TO, one(client, FROM, "large"), None)
    ours, theirs = one(client, FROM, "large"), one(client, TO, "large")
    assert ours.etag != theirs.etag and ours.size == theirs.size
    told = client.call("s3", "head_object", WEST, Bucket=TO.name, Key="large", ChecksumMode="ENABLED")
    assert told["ChecksumCRC32"] == base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    assert resolved(client, FROM, TO, ours, theirs) == CHECKSUM


def test_an_error_in_an_answer_that_began_well_is_no_copy(server: Server) -> None:  # noqa: F811
    """S3 says 200 before it begins to copy."""
    error = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>told so</Message></Error>"
    server.answers = [says(error % b"InternalError"), says(error % b"SlowDown"), says(b"<CopyObjectResult/>")]
    source = {"Bucket": "a", "Key": "k", "VersionId": "v"}
    client = BotoClient()
    for problem in (RegionUnreachable, Throttled):
        with pytest.raises(problem):
            client.call("s3", "copy_object", EAST, Bucket="b", Key="k", CopySource=source)
    assert client.call("s3", "copy_object", EAST, Bucket="b", Key="k", CopySource=source) == {}
