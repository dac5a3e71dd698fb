"""What a user loses when one of these fails: AWS's own words, on the day somebody has to understand them."""

from __future__ import annotations

import io
import itertools
import socket
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from moto import mock_aws

from pilotlight.runtime.aws import transient
from pilotlight.runtime.aws.boto import BODY_BYTES_MAX, BotoClient
from pilotlight.runtime.aws.client import aws_code, is_reading
from pilotlight.runtime.aws.paging import pages
from pilotlight.runtime.errors import (
    CallRefused,
    ListingCut,
    NoCredentials,
    PilotlightError,
    RegionUnreachable,
    Throttled,
)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[BotoClient]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield BotoClient()


def test_bodies_are_bytes(client: BotoClient) -> None:
    client.call("s3", "create_bucket", "us-east-1", Bucket="bucket")
    client.call("s3", "put_object", "us-east-1", Bucket="bucket", Key="k", Body=b"0123456789")
    assert client.call("s3", "get_object", "us-east-1", Bucket="bucket", Key="k")["Body"] == b"0123456789"


def test_a_refusal_says_service_operation_region_and_why(client: BotoClient) -> None:
    with pytest.raises(CallRefused, match=r"s3:get_object in us-west-2 was refused: NoSuchBucket: .+") as raised:
        client.call("s3", "get_object", "us-west-2", Bucket="nowhere", Key="k")
    assert aws_code(raised.value) == "NoSuchBucket"


def test_a_listing_that_is_longer_than_its_bound_is_cut_with_a_word_and_counts_for_nothing() -> None:
    numbers = itertools.count()

    def endless(service: str, operation: str, region: str, **asked: str) -> dict[str, object]:
        return {"Contents": [], "IsTruncated": True, "NextContinuationToken": f"{next(numbers)}"}

    with pytest.raises(ListingCut, match=r"s3:list_objects_v2 in us-east-1: .+ more than 3 pages"):
        list(pages(endless, "s3", "list_objects_v2", "us-east-1", {"Bucket": "b"}, pages_max=3))


def test_a_listing_that_repeats_its_page_is_not_taken_for_ended() -> None:
    def again(service: str, operation: str, region: str, **asked: str) -> dict[str, object]:
        return {"Contents": [], "IsTruncated": True, "NextContinuationToken": "same"}

    with pytest.raises(ListingCut, match="the one that was just read"):
        list(pages(again, "s3", "list_objects_v2", "us-east-1", {"Bucket": "b"}))


def test_a_first_page_is_not_taken_for_the_whole_where_there_is_no_way_to_the_next() -> None:
    def first(service: str, operation: str, region: str, **asked: str) -> dict[str, object]:
        return {"HostedZones": [], "IsTruncated": True}

    with pytest.raises(ListingCut, match="no way to ask"):
        list(pages(first, "route53", "list_hosted_zones_by_name", "us-east-1", {}))


def test_a_region_that_does_not_answer_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(RegionUnreachable, match=r"us-east-1 does not answer \(ec2:describe_volumes\)"):
        BotoClient().call("ec2", "describe_volumes", "us-east-1")


class Session:
    """Hands out one client that fails as it was told."""

    def __init__(self, code: str, message: str) -> None:
        self.error = ClientError({"Error": {"Code": code, "Message": message}}, "CopySnapshot")

    endpoint_url = "http://127.0.0.1:1"

    @property
    def meta(self) -> Session:
        return self

    def create_client(self, *_: object, **__: object) -> Session:
        return self

    def copy_snapshot(self, **_: object) -> dict[str, object]:
        raise self.error


def failure(code: str, message: str = "words") -> PilotlightError:
    with pytest.raises(PilotlightError) as raised:
        BotoClient(Session(code, message)).call("ec2", "copy_snapshot", "us-west-2")
    return raised.value


def test_throttling_is_told_apart_from_refusal_and_from_silence() -> None:
    assert isinstance(failure("RequestLimitExceeded"), Throttled)
    assert isinstance(failure("SlowDown"), Throttled)
    assert isinstance(failure("InternalError"), RegionUnreachable)
    assert isinstance(failure("UnauthorizedOperation"), CallRefused)


def test_every_code_that_botocore_tries_again_passes_by_itself_here() -> None:
    """A code of its next version that is not in our table would make a hiccup a decision."""
    for code in TransientRetryableChecker._TRANSIENT_ERROR_CODES:
        assert isinstance(failure(code), (Throttled, RegionUnreachable)), code
    for code in ThrottledRetryableChecker._THROTTLED_ERROR_CODES:
        assert isinstance(failure(code), Throttled) or code == "LimitExceededException", code


@pytest.mark.parametrize("code", ["KMS.ThrottlingException", "OperationAborted", "ResourceContention"])
def test_what_awss_documents_say_passes_is_no_refusal(code: str) -> None:
    assert isinstance(failure(code), Throttled)
    assert not transient.passes("AccessDenied") and not transient.unanswered("KMSAccessDeniedException", 502)
    assert transient.unanswered("SomethingNew", 503) and not transient.unanswered("SomethingNew", 403)


def test_the_caller_that_lacks_a_permission_is_named_in_the_advice() -> None:
    role = "arn:aws:sts::123456789012:assumed-role/pilotlight-inference-recover/session"
    error = failure("AccessDenied", f"User: {role} is not authorized to perform: ec2:CopySnapshot")
    assert role in error.advice and "ec2:CopySnapshot" in error.message


def test_credentials_that_are_missing_are_one_clear_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(NoCredentials, match="Unable to locate credentials"):
        BotoClient().call("ec2", "describe_volumes", "us-east-1")


def test_a_profile_that_there_is_not_and_a_key_that_is_over_are_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nope")
    with pytest.raises(NoCredentials, match="nope"):
        BotoClient()
    told = failure("ExpiredToken", "The security token included in the request is expired")
    assert isinstance(told, NoCredentials) and "sign in again" in told.advice


class Huge(Session):
    """An object too large to be read whole."""

    def get_object(self, **_: object) -> dict[str, object]:
        return {"Body": io.BytesIO(b""), "ContentLength": BODY_BYTES_MAX + 1}


def test_a_body_too_large_is_refused_and_not_read() -> None:
    with pytest.raises(CallRefused, match="at most"):
        BotoClient(Huge("", "")).call("s3", "get_object", "us-west-2", Bucket="b", Key="k")


def test_reading_operations_are_known_by_their_names() -> None:
    reading = ("describe_volumes", "get_object", "list_objects_v2", "head_object", "query")
    acting = ("put_object", "create_snapshots", "copy_snapshot", "delete_snapshot", "invoke", "update_item")
    assert all(is_reading(each) for each in reading)
    assert not any(is_reading(each) for each in acting)
