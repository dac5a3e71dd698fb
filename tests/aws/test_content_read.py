"""Objects as an S3 keeps them, uploaded as people do, read whole and compared: through boto's client and without it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import Session
from test_raw_s3 import Server, says, server  # noqa: F401 - a fixture

from pilotlight.local.handle import LocalCloud
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.aws.client import aws_code
from pilotlight.runtime.errors import CallRefused, RegionUnreachable
from pilotlight.runtime.kinds.buckets.content import EQUAL, Compared, Content
from pilotlight.runtime.kinds.buckets.listing import Bucket, current
from support.data_cloud import EAST

READ = Bucket(EAST, "read-whole")
MIB = 1024 * 1024


@pytest.fixture
def client(local_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[BotoClient]:
    for name, value in local_cloud.environment().items():
        monkeypatch.setenv(name, value)
    made = BotoClient()
    try:
        made.call("s3", "create_bucket", EAST, Bucket=READ.name)
    except CallRefused:
        yield made
        return
    on = {"Status": "Enabled"}
    made.call("s3", "put_bucket_versioning", EAST, Bucket=READ.name, VersioningConfiguration=on)
    yield made


def s3() -> Any:
    return Session().create_client("s3", region_name=EAST)


def upload(key: str, parts: list[bytes], **kind: str) -> None:
    """In parts, as any uploader does with a large file."""
    client, where = s3(), {"Bucket": READ.name, "Key": key}
    begun = client.create_multipart_upload(**where, **kind)["UploadId"]
    made = [
        {"PartNumber": at, "ETag": client.upload_part(**where, UploadId=begun, PartNumber=at, Body=body)["ETag"]}
        for at, body in enumerate(parts, 1)
    ]
    client.complete_multipart_upload(**where, UploadId=begun, MultipartUpload={"Parts": made})


def compared(client: BotoClient, key: str) -> Compared:
    items = [each for each in current(client, Bucket(EAST, READ.name, key)) if each.key == key]
    with Content(client, READ) as reader:
        (found,) = reader.compared(items)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["CRC64NVME", "CRC32", "SHA256", "SHA1"])
def test_an_object_that_was_uploaded_whole_is_equal_by_the_checksum_that_was_asked_for(
    client: BotoClient, name: str
) -> None:
    for key, size in ((f"small-{name}", 1000), (f"large-{name}", 9 * MIB)):
        s3().put_object(Bucket=READ.name, Key=key, Body=os.urandom(size), ChecksumAlgorithm=name)
        assert compared(client, key) == Compared(EQUAL, by=f"Checksum{name}", bytes_read=size)


@pytest.mark.parametrize("sizes", [[5, 5, 1], [6, 5, 2]], ids=["alike", "uneven"])
def test_an_object_that_was_uploaded_in_parts_is_equal_by_the_checksum_of_its_parts(
    client: BotoClient, sizes: list[int]
) -> None:
    parts = [os.urandom(size * MIB) for size in sizes]
    upload("in-parts", parts, ChecksumAlgorithm="SHA256", ChecksumType="COMPOSITE")
    assert compared(client, "in-parts") == Compared(EQUAL, by="ChecksumSHA256", bytes_read=sum(sizes) * MIB)
    s3().copy_object(Bucket=READ.name, Key="copied", CopySource=f"{READ.name}/in-parts")
    assert compared(client, "copied").state == EQUAL, "S3 makes a copy's checksum of all its bytes"


def test_an_object_in_parts_without_a_checksum_is_equal_by_its_entity_tag(client: BotoClient) -> None:
    upload("tagged", [os.urandom(5 * MIB), os.urandom(5 * MIB), b"end"])
    found = compared(client, "tagged")
    assert (found.state, found.by) == (EQUAL, "ETag")


def test_a_range_is_read_of_any_key_and_version_and_comes_with_what_s3_says_of_it(client: BotoClient) -> None:
    for key in ("a b+c", "ä/日本", "100%&=?#"):
        older = s3().put_object(Bucket=READ.name, Key=key, Body=b"0123456789", ChecksumAlgorithm="CRC32")["VersionId"]
        s3().put_object(Bucket=READ.name, Key=key, Body=b"abcdefghij")
        where = {"Bucket": READ.name, "Key": key}
        found = client.call("s3", "get_object", EAST, **where, Range="bytes=2-4")
        assert (found["Body"], found["ContentLength"], found["ContentRange"]) == (b"cde", 3, "bytes 2-4/10")
        found = client.call("s3", "get_object", EAST, **where, VersionId=older, ChecksumMode="ENABLED")
        told = s3().get_object(**where, VersionId=older, ChecksumMode="ENABLED")
        assert found["Body"] == b"0123456789" and found["ChecksumCRC32"]
        assert {name: told[name] for name in found if name != "Body"} == {
            name: value for name, value in found.items() if name != "Body"
        }
        for more, code in (({"IfMatch": '"0"'}, "PreconditionFailed"), ({"VersionId": "none"}, "NoSuchVersion")):
            with pytest.raises(CallRefused) as refusal:
                client.call("s3", "get_object", EAST, **where, Range="bytes=0-1", **more)
            assert aws_code(refusal.value) in (code, "404", "NoSuchKey", "InvalidArgument")


def test_a_body_that_ends_early_is_no_answer_and_one_that_is_too_long_is_not_held(server: Server) -> None:  # noqa: F811
    client = BotoClient()
    server.answers = [says(b"half", status=206, close=True, length=8)]
    with pytest.raises(RegionUnreachable):
        client.call("s3", "get_object", EAST, Bucket="b", Key="k", Range="bytes=0-7")
    huge = says(b"", close=True, length=1 << 40)
    server.answers = [huge, huge]
    with pytest.raises(CallRefused, match="read at once"):
        client.call("s3", "get_object", EAST, Bucket="b", Key="k", Range="bytes=0-7")
    server.answers = [says(b"bits", status=206)]
    assert client.call("s3", "get_object", EAST, Bucket="b", Key="k", Range="bytes=0-3")["Body"] == b"bits"
    assert server.answers == []
