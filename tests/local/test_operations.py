"""Every protocol is named as boto3 names it, and no secret reaches the call record."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from moto.core.request import Request

from pilotlight.local.iam.conditions import Unsupported, holds
from pilotlight.local.iam.needs import needs_of
from pilotlight.local.iam.policies import Principal, Question, Verdict, evaluate
from pilotlight.local.iam.resources import Place
from pilotlight.local.wire.operations import STARRED, Operation, UnknownOperation, resolve

PLACE = Place("us-west-2", "123456789012")


def named(service: str, method: str, path: str, body: bytes = b"", **headers: str) -> Operation:
    """The operation of one request."""
    given = {"host": f"{service}.us-west-2.amazonaws.com"} | {k.replace("_", "-"): v for k, v in headers.items()}
    request = Request.from_primitives(method, f"http://{given['host']}{path}", given, body)
    return resolve(service, request, body)


def query(service: str, **parameters: str) -> Operation:
    body = urlencode(parameters).encode()
    return named(service, "POST", "/", body, content_type="application/x-www-form-urlencoded")


def in_json(service: str, target: str, body: bytes) -> Operation:
    return named(service, "POST", "/", body, x_amz_target=target, content_type="application/x-amz-json-1.0")


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/", "ListBuckets"),
        ("GET", "/b?list-type=2&prefix=a%2F", "ListObjectsV2"),
        ("GET", "/b?versions", "ListObjectVersions"),
        ("GET", "/b?versioning", "GetBucketVersioning"),
        ("PUT", "/b?replication", "PutBucketReplication"),
        ("PUT", "/b", "CreateBucket"),
        ("PUT", "/b/k", "PutObject"),
        ("HEAD", "/b/k", "HeadObject"),
        ("GET", "/b/k/with/parts", "GetObject"),
        ("POST", "/b/k?uploads", "CreateMultipartUpload"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart"),
        ("POST", "/b/k?uploadId=u", "CompleteMultipartUpload"),
        ("DELETE", "/b/k?uploadId=u", "AbortMultipartUpload"),
        ("POST", "/b?delete", "DeleteObjects"),
        ("GET", "/b/k?tagging", "GetObjectTagging"),
    ],
)
def test_operations_of_s3_are_told_apart_by_method_path_and_query(method: str, path: str, name: str) -> None:
    assert named("s3", method, path).name == name


def test_a_copy_is_a_put_with_a_source() -> None:
    copy = named("s3", "PUT", "/b/k", x_amz_copy_source="/a/x")
    assert (copy.name, copy.params["CopySource"]) == ("CopyObject", "/a/x")


def test_query_json_and_rest_requests_get_their_parameters() -> None:
    cluster = query("rds", Action="FailoverGlobalCluster", Version="2014-10-31", GlobalClusterIdentifier="registry")
    assert (cluster.name, cluster.params) == ("FailoverGlobalCluster", {"GlobalClusterIdentifier": "registry"})
    snapshot = query("ec2", Action="DeleteSnapshot", Version="2016-11-15", SnapshotId="snap-1")
    assert (snapshot.name, snapshot.params) == ("DeleteSnapshot", {"SnapshotId": "snap-1"})
    item = in_json("dynamodb", "DynamoDB_20120810.GetItem", b'{"TableName":"t","Key":{"pk":{"S":"active"}}}')
    assert (item.name, item.params["TableName"]) == ("GetItem", "t")
    invoke = named("lambda", "POST", "/2015-03-31/functions/recover/invocations", b"{}")
    assert (invoke.name, invoke.params["FunctionName"]) == ("Invoke", "recover")
    metric = in_json("monitoring", "GraniteServiceVersion20100801.PutMetricData", b'{"Namespace":"Pilotlight"}')
    assert (metric.service, metric.prefix, metric.name) == ("cloudwatch", "cloudwatch", "PutMetricData")


def test_what_is_no_operation_is_said_to_be_none() -> None:
    with pytest.raises(UnknownOperation):
        query("rds", Action="MakeCoffee", Version="2014-10-31")
    with pytest.raises(UnknownOperation):
        named("no-such-service", "GET", "/")


def test_secrets_do_not_reach_the_record() -> None:
    cluster = query("rds", Action="CreateDBCluster", Version="2014-10-31", DBClusterIdentifier="c", Engine="aurora",
                    MasterUserPassword="hunter22")  # fmt: skip
    assert cluster.recorded["MasterUserPassword"] == STARRED
    secret = in_json("secretsmanager", "secretsmanager.CreateSecret", b'{"Name":"n","SecretString":"hunter22"}')
    assert "hunter22" not in str(secret.recorded)
    assert secret.recorded["Name"] == "n"


@pytest.mark.parametrize(
    ("service", "name", "params", "expected"),
    [
        (
            "rds",
            "FailoverGlobalCluster",
            {
                "GlobalClusterIdentifier": "g",
                "TargetDbClusterIdentifier": "arn:aws:rds:us-west-2:123456789012:cluster:c",
            },
            ["arn:aws:rds:us-west-2:123456789012:cluster:c", "arn:aws:rds::123456789012:global-cluster:g"],
        ),
        ("lambda", "Invoke", {"FunctionName": "f"}, ["arn:aws:lambda:us-west-2:123456789012:function:f"]),
        ("ssm", "GetParameter", {"Name": "/a/b"}, ["arn:aws:ssm:us-west-2:123456789012:parameter/a/b"]),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "/aws/lambda/f", "logStreamName": "s"},
            ["arn:aws:logs:us-west-2:123456789012:log-group:/aws/lambda/f:log-stream:s"],
        ),
        ("ec2", "DescribeSnapshots", {"SnapshotIds": ["snap-1"]}, ["*"]),
        (
            "ec2",
            "CopySnapshot",
            {"SourceSnapshotId": "snap-1", "SourceRegion": "us-east-1"},
            ["arn:aws:ec2:us-east-1::snapshot/snap-1", "arn:aws:ec2:us-west-2::snapshot/*"],
        ),
        ("sts", "GetCallerIdentity", {}, []),
    ],
)
def test_a_call_needs_permission_on_what_its_parameters_name(
    service: str, name: str, params: dict[str, Any], expected: list[str]
) -> None:
    operation = Operation(service, name, service, "query", params)
    assert [need.resource for need in needs_of(operation, PLACE)] == expected


@pytest.mark.parametrize(
    ("service", "name", "params", "besides"),
    [
        ("kms", "CreateKey", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}, ["kms:TagResource"]),
        ("kms", "CreateKey", {}, []),
        ("iam", "CreateRole", {"RoleName": "r", "Tags": [{"Key": "a", "Value": "b"}]}, ["iam:TagRole"]),
        ("logs", "CreateLogGroup", {"logGroupName": "g", "tags": {"a": "b"}}, ["logs:TagResource"]),
        (
            "s3",
            "CreateBucket",
            {"Bucket": "b", "ObjectLockEnabledForBucket": True},
            ["s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"],
        ),
        (
            "rds",
            "DeleteDBCluster",
            {"DBClusterIdentifier": "c", "FinalDBSnapshotIdentifier": "s"},
            ["rds:CreateDBClusterSnapshot", "rds:CreateDBClusterSnapshot"],
        ),
    ],
)
def test_what_aws_does_on_the_way_needs_permission_too(
    service: str, name: str, params: dict[str, Any], besides: list[str]
) -> None:
    own, *along = needs_of(Operation(service, name, service, "query", params), PLACE)
    assert own.action.endswith(f":{name}") and [need.action for need in along] == besides


# -- conditions and policies -----------------------------------------------------------------------------------

CONTEXT = {"s3:prefix": ("papers/",), "aws:tagkeys": ("a", "b"), "n": ("5",), "aws:securetransport": ("true",)}


@pytest.mark.parametrize(
    ("operator", "key", "value", "expected"),
    [
        ("StringEquals", "s3:prefix", "papers/", True),
        ("StringEquals", "S3:Prefix", ["x", "papers/"], True),
        ("StringNotEquals", "s3:prefix", "papers/", False),
        ("StringNotEquals", "absent", "x", True),
        ("StringEquals", "absent", "x", False),
        ("StringEqualsIfExists", "absent", "x", True),
        ("StringLike", "s3:prefix", "pap*", True),
        ("StringNotLike", "s3:prefix", "pap*", False),
        ("Bool", "aws:SecureTransport", "true", True),
        ("Bool", "aws:SecureTransport", False, False),
        ("Null", "absent", "true", True),
        ("Null", "s3:prefix", "true", False),
        ("NumericLessThan", "n", "6", True),
        ("NumericGreaterThanEquals", "n", 6, False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b", "c"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a"], False),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["a"], True),
        ("ForAllValues:StringEquals", "absent", ["a"], True),
        ("ForAnyValue:StringEquals", "absent", ["a"], False),
    ],
)
def test_conditions_hold_as_iam_says(operator: str, key: str, value: Any, expected: bool) -> None:
    assert holds({operator: {key: value}}, CONTEXT) is expected


def test_an_operator_that_is_not_built_says_so() -> None:
    with pytest.raises(Unsupported):
        holds({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, CONTEXT)


def test_a_policy_that_names_the_account_leaves_the_answer_to_iam() -> None:
    caller = Principal("role", "arn:aws:sts::1:assumed-role/r/s", "1", "r", role_arn="arn:aws:iam::1:role/r")
    question = Question("kms:Decrypt", "arn:aws:kms:us-west-2:1:key/k", {}, caller)

    def policy(principal: str) -> str:
        return f'{{"Statement": {{"Effect": "Allow", "Principal": {principal}, "Action": "kms:*", "Resource": "*"}}}}'

    assert evaluate([policy('{"AWS": "arn:aws:iam::1:root"}')], question) is Verdict.ACCOUNT
    assert evaluate([policy('{"AWS": "arn:aws:iam::1:role/r"}')], question) is Verdict.ALLOW
    assert evaluate([policy('{"AWS": "arn:aws:iam::2:root"}')], question) is Verdict.SILENT
    assert evaluate([policy('{"Service": "s3.amazonaws.com"}')], question) is Verdict.SILENT
