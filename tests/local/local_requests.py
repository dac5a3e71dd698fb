"""Clients for tests of the embedded cloud: ones that do not retry, role sessions, and requests written by hand."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from pilotlight.local.handle import LocalCloud

ROOT = "AKIALOCALROOT0000000"
ONCE = Config(retries={"total_max_attempts": 1}, proxies={}, connect_timeout=5, read_timeout=20)
EAST, WEST = "us-east-1", "us-west-2"


def client(
    cloud: LocalCloud, service: str, region: str, url: str | None = None, credentials: dict[str, Any] | None = None
) -> Any:
    """A boto3 client that asks once; as root unless credentials are given."""
    given = credentials or {"AccessKeyId": ROOT, "SecretAccessKey": "local-root-secret"}
    return boto3.session.Session().client(
        service,
        region_name=region,
        endpoint_url=url or cloud.router_url,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given.get("SessionToken"),
        config=ONCE,
    )


def make_bucket(cloud: LocalCloud, name: str, region: str) -> None:
    """A bucket in its region."""
    where = {} if region == EAST else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    client(cloud, "s3", region).create_bucket(Bucket=name, **where)


def make_role(
    cloud: LocalCloud, name: str, *statements: dict[str, Any], trust: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A role with one inline policy, and credentials of a session of it."""
    iam = client(cloud, "iam", EAST)
    principal = trust or {"AWS": "arn:aws:iam::123456789012:root"}
    document = {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    set_policy(cloud, name, *statements)
    return assume(cloud, arn)


def set_policy(cloud: LocalCloud, role: str, *statements: dict[str, Any]) -> None:
    """Replace the role's inline policy."""
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    client(cloud, "iam", EAST).put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document)


def assume(cloud: LocalCloud, arn: str, region: str = WEST) -> dict[str, Any]:
    """Credentials of a session, from the regional STS endpoint."""
    answer = client(cloud, "sts", region).assume_role(RoleArn=arn, RoleSessionName="test")
    return dict(answer["Credentials"])


def allow(actions: str | list[str], resources: str | list[str] = "*", **condition: Any) -> dict[str, Any]:
    """One Allow statement."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})


def authorization(region: str, service: str = "s3", key: str = ROOT) -> str:
    """A SigV4 header; the cloud reads the scope and does not recompute the signature."""
    scope = f"{key}/20260101/{region}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"


def by_hand(
    url: str, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """One request without boto3."""
    target = urlsplit(url)
    connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def open_socket(url: str) -> socket.socket:
    """A bare connection to an endpoint."""
    target = urlsplit(url)
    return socket.create_connection((str(target.hostname), target.port), timeout=20)
