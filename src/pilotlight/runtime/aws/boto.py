"""BotoClient: botocore behind the AWS client. One client per service and region, short timeouts, no retries of its own.

Retries belong to the wrapper (wrappers.py): boto3's defaults were measured to lose 71 % of 400 CreateVolume calls under
throttling, and they hide how often AWS said no. Short timeouts, because a lost region often does not refuse, it is
silent. Every failure leaves here as one of our errors, with service, operation, region and AWS's own words.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
    ValidationError,
)

from pilotlight.runtime.aws import paging, transient
from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.aws.raw_s3 import BODY_BYTES_MAX, COPY_READ_SECONDS, MADE, Elsewhere, RawS3
from pilotlight.runtime.aws.session import assumed, opened
from pilotlight.runtime.errors import AwsSettingsUnusable, NoCredentials, PilotlightError, RegionUnreachable, Throttled

CONNECT_SECONDS = 2
"""A healthy endpoint answers the handshake in milliseconds; a lost one never does."""
READ_SECONDS = 20
"""Longer than any control-plane answer used here; CopyObject of up to 5 GiB has its own limit below."""
CONNECTIONS_MAX = 400
"""Kept open to one service of one region: as many as steps go on at once (runs/engine.py, SIDE_BY_SIDE_MAX). Each is
made only when all others are in use."""

COPYING = ("copy_object", "upload_part_copy")

UNUSABLE = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    SSOError,
    LoginError,
)
"""What boto3 raises where it finds no credentials, or those of a sign-in that is over."""
SETTINGS = (BotoCoreError, ValueError, OSError)
"""What reading the settings raises: of botocore's own for a file of two sections that do not fit, of Python's for a
number that is none, an address without a scheme, a program or token file that is not there."""
UNREADABLE = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
"""Of a call: a file that a setting names (a web identity token) is read as late as that."""
EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
    }
)
"""What AWS says of keys that it does not know or no longer takes (IAM User Guide, "Troubleshoot access denied")."""

_ACCOUNT_ON_ADDRESS = re.compile(r"^(https?://)\d{12}\.(\d+\.\d+\.\d+\.\d+[:/])")
_CALLER = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::\d{12}:[^\s]+")


class BotoClient:
    """The client of AWS, or to whatever AWS_ENDPOINT_URL names."""

    def __init__(self, session: Any | None = None, read_seconds: float = READ_SECONDS) -> None:
        self._session = session or _session()
        self._read_seconds = read_seconds
        self._clients: dict[tuple[str, str, bool], Any] = {}
        self._raw: dict[str, RawS3] = {}
        self._lock = threading.Lock()

    @classmethod
    def assuming(cls, role_arn: str, region: str) -> BotoClient:
        """The client of a role that this region's STS is asked for; CallRefused at the first call if it says no."""
        return cls(assumed(role_arn, region))

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See AwsClient.call."""
        try:
            client = self._client(service, region, operation in COPYING)
            if service == "s3" and operation in MADE:
                with contextlib.suppress(Elsewhere):
                    return self._raw_s3(client, region).call(operation, **parameters)
            answer: dict[str, Any] = getattr(client, operation)(**parameters)
            return _read_body(service, operation, region, answer)
        except ClientError as problem:
            raise said_no(service, operation, region, problem) from problem
        except (ConnectionError, HTTPClientError, IncompleteReadError) as problem:
            raise RegionUnreachable(region=region, service=service, operation=operation) from problem
        except UNUSABLE as problem:
            raise NoCredentials(reason=_words(problem)) from problem
        except UNREADABLE as problem:
            raise AwsSettingsUnusable(reason=_words(problem)) from problem
        except BotoCoreError as problem:
            raise refused(service, operation, region, type(problem).__name__, str(problem)) from problem

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """See AwsClient.pages."""
        return paging.pages(self.call, service, operation, region, parameters)

    def _raw_s3(self, client: Any, region: str) -> RawS3:
        with self._lock:
            if region not in self._raw:
                self._raw[region] = RawS3(self._session, client, region, CONNECT_SECONDS, self._read_seconds)
            return self._raw[region]

    def _client(self, service: str, region: str, copying: bool) -> Any:
        key = (service, region, copying)
        with self._lock:
            if key not in self._clients:
                client = _made(self._session, service, region, _config(copying, self._read_seconds))
                if service == "s3control":
                    client.meta.events.register("before-sign.s3-control", _on_an_address)
                self._clients[key] = client
            return self._clients[key]


def _session() -> Any:
    try:
        return opened()
    except ProfileNotFound as problem:
        raise NoCredentials(reason=_words(problem)) from problem
    except SETTINGS as problem:
        raise AwsSettingsUnusable(reason=_words(problem)) from problem


def _made(session: Any, service: str, region: str, config: Config) -> Any:
    """A client. botocore looks for credentials and reads the settings now, and each is wrong in a way of its own."""
    try:
        client = session.create_client(service, region_name=region, config=config)
        _ = urlsplit(client.meta.endpoint_url).port  # a port that is no number is met by nobody before it signs
        return client
    except (ValidationError, *UNUSABLE):
        raise
    except SETTINGS as problem:
        raise AwsSettingsUnusable(reason=_words(problem)) from problem


def _words(problem: Exception) -> str:
    return str(problem).rstrip(".") or type(problem).__name__


def _config(copying: bool, read_seconds: float) -> Config:
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=COPY_READ_SECONDS if copying else read_seconds,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=CONNECTIONS_MAX,
        user_agent_extra="pilotlight",
    )


def _on_an_address(request: Any, **_: Any) -> None:
    """S3 Control puts the account before the host's name; an endpoint that is an address has no names below it."""
    request.url = _ACCOUNT_ON_ADDRESS.sub(r"\1\2", request.url)


def _read_body(service: str, operation: str, region: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Streams are read here, so that a connection lost in the middle of one is met like any other."""
    answer.pop("ResponseMetadata", None)
    for name in ("Body", "Payload"):
        if hasattr(answer.get(name), "read"):
            if int(answer.get("ContentLength") or 0) > BODY_BYTES_MAX:
                reason = f"the body has {answer['ContentLength']} bytes, at most {BODY_BYTES_MAX} are read at once"
                raise refused(service, operation, region, "BodyTooLarge", reason)
            answer[name] = answer[name].read()
    return answer


def said_no(service: str, operation: str, region: str, problem: ClientError) -> PilotlightError:
    """What an error of AWS means: not done, not known, no credentials, or a refusal with AWS's own words."""
    said = problem.response.get("Error", {})
    code, words = str(said.get("Code", "")), str(said.get("Message", "")) or str(problem)
    status = int(problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    reasons = [str(each.get("Code", "")) for each in problem.response.get("CancellationReasons", [])]
    if transient.passes(code, reasons):
        return Throttled(service=service, operation=operation, region=region, attempts=1)
    if code in EXPIRED:
        return NoCredentials(reason=f"{code}: {words.rstrip('.')}")
    if transient.unanswered(code, status):
        return RegionUnreachable(region=region, service=service, operation=operation)
    caller = _CALLER.search(words)
    return refused(service, operation, region, code, f"{code}: {words.rstrip('.')}", caller.group(0) if caller else "")
