"""What the signature of a request says: which key, which region, which service. Nothing is computed, only read.

Source: IAM User Guide, "Signature Version 4 for API requests" (header and query forms); S3 API Reference,
"Authenticating requests: using query parameters", and the older query form with AWSAccessKeyId, whose requests go to
whatever region the bucket is in.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Signature:
    """Read from the Authorization header or from the query; `region` is empty where the form has none."""

    access_key: str
    region: str
    service: str
    token: str | None
    expires_at: float | None = None


class Malformed(Exception):
    """There is an Authorization header, and it is not a SigV4 one."""


def read_signature(environ: Mapping[str, Any]) -> Signature | None:
    """The signature of a WSGI request, or None if it is anonymous."""
    header = environ.get("HTTP_AUTHORIZATION")
    if header:
        return _from_header(str(header), environ.get("HTTP_X_AMZ_SECURITY_TOKEN"))
    query = str(environ.get("QUERY_STRING", ""))
    if "X-Amz-Credential=" in query:
        return _from_query(parse_qs(query))
    if "AWSAccessKeyId=" in query:
        return _from_old_query(parse_qs(query))
    return None


def expired(signature: Signature, now: float | None = None) -> bool:
    """Whether a presigned URL is past its end."""
    moment = time.time() if now is None else now
    return signature.expires_at is not None and moment > signature.expires_at


def _from_header(header: str, token: Any) -> Signature:
    start = header.find("Credential=")
    if not header.startswith("AWS4-HMAC-SHA256") or start < 0:
        raise Malformed(header.split(" ", 1)[0])
    credential = header[start + len("Credential=") :].split(",", 1)[0].strip()
    return _scoped(credential, str(token) if token else None)


def _from_query(query: dict[str, list[str]]) -> Signature:
    token = query.get("X-Amz-Security-Token", [""])[0]
    scoped = _scoped(query["X-Amz-Credential"][0], token or None)
    signed_at = datetime.strptime(query.get("X-Amz-Date", [""])[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ends = signed_at.timestamp() + float(query.get("X-Amz-Expires", ["0"])[0])
    return Signature(scoped.access_key, scoped.region, scoped.service, scoped.token, ends)


def _from_old_query(query: dict[str, list[str]]) -> Signature:
    ends = float(query.get("Expires", ["0"])[0])
    token = query.get("x-amz-security-token", [""])[0]
    return Signature(query["AWSAccessKeyId"][0], "", "s3", token or None, ends)


def _scoped(credential: str, token: str | None) -> Signature:
    parts = credential.split("/")
    if len(parts) < 5:
        raise Malformed(credential)
    return Signature("/".join(parts[:-4]), parts[-3], parts[-2].lower(), token)


def signed_region(url: str) -> str:
    """The region that a URL was signed for; empty where it was signed for none (SigV4, "Credential scope")."""
    scope = parse_qs(urlsplit(url).query).get("X-Amz-Credential", [""])[0].split("/")
    return scope[2] if len(scope) == 5 else ""
