"""Answers that come from AWS's front line rather than from a service: refusals, in the words of each protocol.

Source: botocore's service models (protocol), "Common errors" of each API reference (codes). EC2, S3 and SNS have codes
of their own; JSON services add "Exception" to the name that the query services use.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: Headers = field(default_factory=list)
    body: Iterable[bytes] = ()
    code: str = "ok"


@dataclass(frozen=True)
class Refusal:
    """Why AWS refuses: one reason, named differently by each kind of service."""

    reason: str
    message: str
    extra: tuple[tuple[str, str], ...] = ()


QUERY_COMPATIBLE = frozenset({"cloudwatch", "sqs"})
"""Moved from the query protocol to JSON; clients go on seeing the old codes (Smithy, "awsQueryCompatible")."""

JSON_KIND = frozenset({"json", "rest-json"})

CODES: dict[str, dict[str, tuple[int, str]]] = {
    "denied": {
        "s3": (403, "AccessDenied"),
        "ec2": (403, "UnauthorizedOperation"),
        "sns": (403, "AuthorizationError"),
        "rest-json": (403, "AccessDeniedException"),
        "json": (400, "AccessDeniedException"),
        "query": (403, "AccessDenied"),
    },
    "unknown key": {
        "s3": (403, "InvalidAccessKeyId"),
        "ec2": (401, "AuthFailure"),
        "rest-json": (403, "UnrecognizedClientException"),
        "json": (400, "UnrecognizedClientException"),
        "query": (403, "InvalidClientTokenId"),
    },
    "expired": {
        "s3": (400, "ExpiredToken"),
        "ec2": (400, "RequestExpired"),
        "rest-json": (403, "ExpiredTokenException"),
        "json": (400, "ExpiredTokenException"),
        "query": (403, "ExpiredToken"),
    },
    "unsigned": {
        "s3": (403, "AccessDenied"),
        "rest-json": (403, "MissingAuthenticationTokenException"),
        "json": (400, "MissingAuthenticationTokenException"),
        "query": (403, "MissingAuthenticationToken"),
    },
    "malformed": {
        "s3": (400, "AuthorizationHeaderMalformed"),
        "rest-json": (403, "IncompleteSignatureException"),
        "json": (400, "IncompleteSignatureException"),
        "query": (400, "IncompleteSignature"),
    },
    "wrong region": {
        "s3": (400, "AuthorizationHeaderMalformed"),
        "ec2": (401, "AuthFailure"),
        "rest-json": (403, "InvalidSignatureException"),
        "json": (400, "InvalidSignatureException"),
        "query": (403, "SignatureDoesNotMatch"),
    },
    "not served": {"query": (403, "OptInRequired")},
    "throttled": {
        "s3": (503, "SlowDown"),
        "ec2": (503, "RequestLimitExceeded"),
        "lambda": (429, "TooManyRequestsException"),
        "rest-json": (429, "ThrottlingException"),
        "json": (400, "ThrottlingException"),
        "query": (400, "Throttling"),
    },
    "unavailable": {
        "rest-json": (503, "ServiceUnavailableException"),
        "json": (503, "ServiceUnavailableException"),
        "query": (503, "ServiceUnavailable"),
    },
    "redirect": {"s3": (301, "PermanentRedirect"), "query": (301, "PermanentRedirect")},
    "location": {"s3": (400, "IllegalLocationConstraintException"), "query": (400, "InvalidParameterValue")},
    "unknown operation": {
        "s3": (405, "MethodNotAllowed"),
        "rest-json": (404, "UnknownOperationException"),
        "json": (400, "UnknownOperationException"),
        "query": (400, "InvalidAction"),
    },
    "too large": {"query": (400, "EntityTooLarge")},
    "failure": {
        "s3": (500, "InternalError"),
        "rest-json": (500, "InternalServerError"),
        "json": (500, "InternalServerError"),
        "query": (500, "InternalFailure"),
    },
}
"""Reason -> service or protocol -> (status, code); what is not listed is as for query."""


def refuse(refusal: Refusal, service: str, protocol: str, method: str = "POST") -> Answer:
    """The refusal as this service would put it."""
    codes = CODES[refusal.reason]
    status, code = codes.get(service) or codes.get(protocol) or codes["query"]
    request_id = str(uuid.uuid4())
    if protocol in JSON_KIND:
        answer = _json(status, code, refusal, request_id)
        if service in QUERY_COMPATIBLE:
            answer.headers.append(("x-amzn-query-error", f"{codes['query'][1]};Sender"))
        return answer
    body = b"" if method == "HEAD" else _xml(service, code, refusal, request_id)
    headers = [("content-type", "text/xml"), ("x-amzn-requestid", request_id), ("x-amz-request-id", request_id)]
    region = dict(refusal.extra).get("Region")
    if region:
        headers.append(("x-amz-bucket-region", region))
    return Answer(status, headers, (body,), code)


def _json(status: int, code: str, refusal: Refusal, request_id: str) -> Answer:
    body = json.dumps({"__type": code, "message": refusal.message, "Message": refusal.message})
    headers = [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amzn-errortype", code),
        ("x-amzn-requestid", request_id),
    ]
    return Answer(status, headers, (body.encode(),), code)


def _xml(service: str, code: str, refusal: Refusal, request_id: str) -> bytes:
    error = f"<Code>{code}</Code><Message>{escape(refusal.message)}</Message>"
    if service == "s3":
        more = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in refusal.extra)
        text = f"<Error>{error}{more}<RequestId>{request_id}</RequestId></Error>"
    elif service == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        inner = f"<Error><Type>Sender</Type>{error}</Error><RequestId>{request_id}</RequestId>"
        text = f"<ErrorResponse>{inner}</ErrorResponse>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
