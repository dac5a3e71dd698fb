"""The way into the embedded cloud: every region answers for itself alone, uploads arrive whole or not at all."""

from __future__ import annotations

import io
import os
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from local_requests import EAST, ONCE, ROOT, WEST, authorization, by_hand, client, make_bucket, open_socket

from pilotlight.local.handle import LocalCloud
from pilotlight.local.wire.calls import Call


def code_of(problem: pytest.ExceptionInfo[ClientError]) -> str:
    return str(problem.value.response["Error"]["Code"])


def wait_for_call(cloud: LocalCloud, bucket: str, operation: str) -> Call:
    """The call is recorded a moment after its connection was cut."""
    deadline = time.monotonic() + 5
    while True:
        found = [call for call in cloud.calls() if (call.params.get("Bucket"), call.operation) == (bucket, operation)]
        if found or time.monotonic() > deadline:
            return found[-1]
        time.sleep(0.02)


def test_a_region_keeps_its_own_resources(local_cloud: LocalCloud) -> None:
    schema = {
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    client(local_cloud, "dynamodb", WEST).create_table(TableName="only-west", **schema)
    assert client(local_cloud, "dynamodb", WEST).list_tables()["TableNames"] == ["only-west"]
    assert client(local_cloud, "dynamodb", EAST).list_tables()["TableNames"] == []


def test_an_endpoint_of_a_region_refuses_requests_signed_for_another(local_cloud: LocalCloud) -> None:
    astray = client(local_cloud, "dynamodb", EAST, local_cloud.endpoints[WEST])
    with pytest.raises(ClientError) as problem:
        astray.list_tables()
    assert code_of(problem) == "InvalidSignatureException"
    with pytest.raises(ClientError) as problem:
        client(local_cloud, "s3", EAST, local_cloud.endpoints[WEST]).list_buckets()
    assert code_of(problem) == "AuthorizationHeaderMalformed"


def test_a_region_that_is_not_served_is_named_and_refused(local_cloud: LocalCloud) -> None:
    with pytest.raises(ClientError, match="eu-west-1 is not served"):
        client(local_cloud, "ec2", "eu-west-1").describe_vpcs()


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("ec2", "describe_vpcs"),
        ("rds", "describe_db_clusters"),
        ("lambda", "list_functions"),
        ("cloudwatch", "describe_alarms"),
        ("scheduler", "list_schedules"),
        ("elbv2", "describe_load_balancers"),
        ("autoscaling", "describe_auto_scaling_groups"),
        ("secretsmanager", "list_secrets"),
        ("ssm", "describe_parameters"),
        ("kms", "list_keys"),
        ("sns", "list_topics"),
        ("logs", "describe_log_groups"),
        ("iam", "list_roles"),
        ("route53", "list_hosted_zones"),
        ("sts", "get_caller_identity"),
    ],
)
def test_every_service_answers_and_is_recorded_by_its_own_name(
    local_cloud: LocalCloud, service: str, operation: str
) -> None:
    since = time.time()
    getattr(client(local_cloud, service, WEST), operation)()
    call = local_cloud.calls(since=since)[-1]
    assert (call.service, call.outcome, call.principal) == (service, "ok", "root")
    assert call.operation.lower() == operation.replace("_", "")
    assert call.region == (EAST if service in ("iam", "route53") else WEST)


def test_the_root_key_is_root(local_cloud: LocalCloud) -> None:
    assert client(local_cloud, "sts", WEST).get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:root"


# -- buckets ---------------------------------------------------------------------------------------------------


def test_a_bucket_is_made_only_in_the_region_it_names(local_cloud: LocalCloud) -> None:
    with pytest.raises(ClientError) as problem:
        client(local_cloud, "s3", WEST).create_bucket(Bucket="lost-bucket")
    assert code_of(problem) == "IllegalLocationConstraintException"
    with pytest.raises(ClientError) as problem:
        client(local_cloud, "s3", EAST).create_bucket(
            Bucket="lost-bucket", CreateBucketConfiguration={"LocationConstraint": WEST}
        )
    assert code_of(problem) == "IllegalLocationConstraintException"


def test_a_bucket_of_another_region_is_redirected_and_not_read(local_cloud: LocalCloud) -> None:
    make_bucket(local_cloud, "far-bucket", WEST)
    headers = {"Authorization": authorization(EAST)}
    status, answered, body = by_hand(local_cloud.endpoints[EAST], "GET", "/far-bucket?list-type=2", headers)
    assert status == 301
    assert b"<Code>PermanentRedirect</Code>" in body
    assert answered["x-amz-bucket-region"] == WEST


def test_boto3_follows_the_redirect_to_the_right_region(local_cloud: LocalCloud) -> None:
    client(local_cloud, "s3", WEST).put_object(Bucket="far-bucket", Key="k", Body=b"far")
    assert client(local_cloud, "s3", EAST).get_object(Bucket="far-bucket", Key="k")["Body"].read() == b"far"


def test_keys_of_any_spelling_come_back_with_their_bytes(local_cloud: LocalCloud) -> None:
    make_bucket(local_cloud, "spelling", WEST)
    s3 = client(local_cloud, "s3", WEST)
    keys = ["plain", "a b/c+d", "é/ü", "x//y", "trailing/", "q?a=b&c", "50%", "_cloud/status"]
    for key in keys:
        s3.put_object(Bucket="spelling", Key=key, Body=key.encode(), Metadata={"spelled_as": "it-is"})
    listed = [item["Key"] for item in s3.list_objects_v2(Bucket="spelling")["Contents"]]
    assert sorted(listed) == sorted(keys)
    for key in keys:
        found = s3.get_object(Bucket="spelling", Key=key)
        assert found["Body"].read() == key.encode()
        assert found["Metadata"] == {"spelled_as": "it-is"}


def test_a_bucket_in_the_host_name_is_the_same_bucket(local_cloud: LocalCloud) -> None:
    make_bucket(local_cloud, "hosted", WEST)
    headers = {"Authorization": authorization(WEST), "Host": "hosted.s3.localhost:1"}
    status, _, _ = by_hand(local_cloud.router_url, "PUT", "/folder/key%20one", headers, b"bytes")
    assert status == 200
    found = client(local_cloud, "s3", WEST).get_object(Bucket="hosted", Key="folder/key one")
    assert found["Body"].read() == b"bytes"


def test_a_large_upload_and_a_multipart_upload_arrive_whole(local_cloud: LocalCloud) -> None:
    make_bucket(local_cloud, "large-bucket", WEST)
    s3 = client(local_cloud, "s3", WEST)
    data = os.urandom(24 << 20)
    s3.put_object(Bucket="large-bucket", Key="one", Body=io.BytesIO(data))
    s3.upload_fileobj(io.BytesIO(data), "large-bucket", "parts")
    assert s3.get_object(Bucket="large-bucket", Key="one")["Body"].read() == data
    assert s3.get_object(Bucket="large-bucket", Key="parts")["Body"].read() == data


def test_an_upload_in_aws_chunks_with_a_trailing_checksum_is_unpacked(local_cloud: LocalCloud) -> None:
    make_bucket(local_cloud, "chunked", WEST)
    body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
    headers = {
        "Authorization": authorization(WEST),
        "Content-Encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "11",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    status, _, _ = by_hand(local_cloud.router_url, "PUT", "/chunked/k", headers, body)
    assert status == 200
    assert client(local_cloud, "s3", WEST).get_object(Bucket="chunked", Key="k")["Body"].read() == b"hello world"


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_address_is_taken_until_it_expires(local_cloud: LocalCloud, version: str) -> None:
    bucket = f"presigned-{version}"
    make_bucket(local_cloud, bucket, WEST)
    s3 = boto3.session.Session().client(
        "s3",
        region_name=WEST,
        endpoint_url=local_cloud.router_url,
        aws_access_key_id=ROOT,
        aws_secret_access_key="x",
        config=ONCE.merge(Config(signature_version=version)),
    )
    client(local_cloud, "s3", WEST).put_object(Bucket=bucket, Key="k", Body=b"signed")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    assert urllib.request.urlopen(url).read() == b"signed"
    late = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=1)
    time.sleep(2.2)
    with pytest.raises(urllib.error.HTTPError) as problem:
        urllib.request.urlopen(late)
    assert problem.value.code == 403


def test_a_lease_taken_by_many_at_once_is_held_by_one(local_cloud: LocalCloud) -> None:
    table = client(local_cloud, "dynamodb", WEST)
    table.create_table(
        TableName="leases",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    def take(number: int) -> bool:
        try:
            table.put_item(
                TableName="leases",
                Item={"pk": {"S": "lease"}, "holder": {"N": str(number)}},
                ConditionExpression="attribute_not_exists(pk)",
            )
        except table.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(40))) == 1


# -- dark ------------------------------------------------------------------------------------------------------


def test_a_dark_region_does_not_answer_and_the_other_does(healthy_cloud: LocalCloud) -> None:
    healthy_cloud.dark(EAST)
    since = time.time() - 1
    for url in (healthy_cloud.router_url, healthy_cloud.endpoints[EAST]):
        with pytest.raises(ConnectionClosedError):
            client(healthy_cloud, "dynamodb", EAST, url).list_tables()
    assert client(healthy_cloud, "dynamodb", WEST).list_tables()["TableNames"] is not None
    dark = [call for call in healthy_cloud.calls(since=since, region=EAST) if call.outcome == "dark"]
    assert [call.operation for call in dark] == ["ListTables", "ListTables"]
    assert dark[0].principal == "root"


def test_global_control_planes_go_dark_with_the_region_they_live_in(healthy_cloud: LocalCloud) -> None:
    healthy_cloud.dark(EAST)
    for service, operation in (
        ("iam", "list_roles"),
        ("route53", "list_hosted_zones"),
        ("organizations", "list_roots"),
    ):
        with pytest.raises(ConnectionClosedError):
            getattr(client(healthy_cloud, service, WEST), operation)()
    assert client(healthy_cloud, "sts", WEST).get_caller_identity()["Account"] == "123456789012"
    with pytest.raises(ConnectionClosedError):
        client(healthy_cloud, "sts", EAST).get_caller_identity()


def test_what_was_there_is_there_again_when_the_region_comes_back(healthy_cloud: LocalCloud) -> None:
    make_bucket(healthy_cloud, "patient", EAST)
    client(healthy_cloud, "s3", EAST).put_object(Bucket="patient", Key="k", Body=b"kept")
    healthy_cloud.dark(EAST)
    healthy_cloud.light(EAST)
    assert client(healthy_cloud, "s3", EAST).get_object(Bucket="patient", Key="k")["Body"].read() == b"kept"


@pytest.mark.parametrize("endpoint", ["region", "router"])
def test_an_upload_under_way_when_the_region_goes_dark_never_takes_effect(
    healthy_cloud: LocalCloud, endpoint: str
) -> None:
    bucket = f"torn-{endpoint}"
    make_bucket(healthy_cloud, bucket, EAST)
    url = healthy_cloud.endpoints[EAST] if endpoint == "region" else healthy_cloud.router_url
    half = b"x" * (1 << 20)
    with open_socket(url) as upload:
        head = f"PUT /{bucket}/shard HTTP/1.1\r\nHost: x\r\nContent-Length: {2 * len(half)}\r\n"
        upload.sendall(f"{head}Authorization: {authorization(EAST)}\r\n\r\n".encode() + half)
        time.sleep(0.2)
        healthy_cloud.dark(EAST)
        try:
            upload.sendall(half)
            answer = upload.recv(1000)
        except OSError:
            answer = b""
        assert answer == b""
    assert wait_for_call(healthy_cloud, bucket, "PutObject").outcome == "dark"
    healthy_cloud.light(EAST)
    assert client(healthy_cloud, "s3", EAST).list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_an_upload_that_asks_first_is_not_told_to_go_on_by_a_dark_region(healthy_cloud: LocalCloud) -> None:
    healthy_cloud.dark(EAST)
    with open_socket(healthy_cloud.router_url) as upload:
        head = "PUT /torn-router/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
        upload.sendall(f"{head}Authorization: {authorization(EAST)}\r\n\r\n".encode())
        assert upload.recv(1000) == b""


def test_a_copy_out_of_a_dark_region_fails(healthy_cloud: LocalCloud) -> None:
    make_bucket(healthy_cloud, "source-east", EAST)
    make_bucket(healthy_cloud, "target-west", WEST)
    client(healthy_cloud, "s3", EAST).put_object(Bucket="source-east", Key="k", Body=b"x")
    west = client(healthy_cloud, "s3", WEST)
    west.copy_object(Bucket="target-west", Key="before", CopySource={"Bucket": "source-east", "Key": "k"})
    healthy_cloud.dark(EAST)
    with pytest.raises(ClientError) as problem:
        west.copy_object(Bucket="target-west", Key="after", CopySource={"Bucket": "source-east", "Key": "k"})
    assert code_of(problem) == "ServiceUnavailable"
    assert west.list_objects_v2(Bucket="target-west")["KeyCount"] == 1
