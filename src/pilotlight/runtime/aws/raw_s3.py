"""The calls of S3 that are made by the million, without botocore's client: listings, copies inside S3, and ranges.

They are signed by botocore's signer and go over connections that are kept; botocore's client takes four times as long
for each. Bytes are given as they came: whoever asks for checksums compares them. Where a call goes (address style,
endpoint, partition) botocore says once for each bucket; through a proxy, or with parameters that are not known here,
the ordinary client asks. So does a call that is answered by a redirection.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import ssl
import threading
from collections import defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from pilotlight.runtime.aws.checksums import CHECKSUMS
from pilotlight.runtime.aws.pages import OBJECTS, VERSIONS, HalfPage, Page

ASKED = {
    VERSIONS: {
        "Prefix": "prefix",
        "Delimiter": "delimiter",
        "KeyMarker": "key-marker",
        "VersionIdMarker": "version-id-marker",
        "MaxKeys": "max-keys",
    },
    OBJECTS: {
        "Prefix": "prefix",
        "Delimiter": "delimiter",
        "StartAfter": "start-after",
        "ContinuationToken": "continuation-token",
        "MaxKeys": "max-keys",
    },
}
"""Operation -> parameter -> its name in the query."""
COPY = "copy_object"
COPIES = {"Key", "CopySource", "IfMatch", "IfNoneMatch"}
READ = "get_object"
READS = {"Key", "VersionId", "Range", "IfMatch", "ChecksumMode"}
PARTIAL = {"Range", "ChecksumMode"}
"""Who gives one of them asks for bytes, and for nothing else that an object has."""
TOLD = {
    "etag": "ETag",
    "content-range": "ContentRange",
    "x-amz-version-id": "VersionId",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-checksum-type": "ChecksumType",
} | {f"x-amz-checksum-{name.lower()}": f"Checksum{name}" for name in CHECKSUMS}
"""Header of what was read -> its name in boto3's answer."""
MADE = (*ASKED, COPY, READ)
"""The operations that can be made here."""
FIRST = {VERSIONS: "versions", OBJECTS: "list-type=2"}
DONE = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)
REDIRECTED = ("AuthorizationHeaderMalformed", "PermanentRedirect")
"""botocore, S3RegionRedirectorv2: the bucket lies in another region than the one that was named."""
ERROR_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 128 * 1024 * 1024
"""More than the largest safetensors header; whatever is larger must be read in ranges."""
UNQUOTED = "/~"
"""botocore, percent_encode of keys."""
COPY_READ_SECONDS = 900
"""S3 answers CopyObject and UploadPartCopy when the copy is done."""


class Elsewhere(Exception):
    """The ordinary client has to ask."""


@dataclass(frozen=True)
class _Place:
    """Where the pages of a bucket come from."""

    scheme: str
    host: str
    path: str


class _Answer(NamedTuple):
    """What came back; of an error not more than its beginning."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class RawS3:
    """S3 of one region; any number of threads may ask at once, each over a connection of its own."""

    def __init__(self, session: Any, client: Any, region: str, connect_seconds: float, read_seconds: float) -> None:
        self._session, self._client, self._region = session, client, region
        self._connect_seconds, self._read_seconds = connect_seconds, read_seconds
        self._places: dict[str, _Place] = {}
        self._idle: defaultdict[tuple[str, str], list[http.client.HTTPConnection]] = defaultdict(list)
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None

    def call(self, operation: str, Bucket: str, **given: Any) -> dict[str, Any]:  # noqa: N803 - as AWS names it
        """The answer. ClientError and HTTPClientError as botocore's client; Elsewhere where that has to be asked."""
        known = {COPY: COPIES, READ: READS}.get(operation) or ASKED[operation].keys()
        if not given.keys() <= known or (operation == READ and not given.keys() & PARTIAL):
            raise Elsewhere
        place = self._place(Bucket)
        if operation == READ:
            return self._read(place, **given)
        return self._copy(place, **given) if operation == COPY else self._page(place, operation, given)

    def _page(self, place: _Place, operation: str, given: dict[str, Any]) -> Page:
        names = ASKED[operation]
        query = "&".join(
            [FIRST[operation], "encoding-type=url"]
            + [f"{names[name]}={quote(str(value), safe='')}" for name, value in given.items() if value != ""]
        )
        body = self._made(operation, "GET", place, f"{place.path}?{query}", {}).body
        try:
            return Page(operation, body)
        except HalfPage as problem:
            raise HTTPClientError(error=problem) from problem

    def _copy(
        self,
        place: _Place,
        Key: str,  # noqa: N803
        CopySource: dict[str, str],  # noqa: N803
        IfMatch: str = "",  # noqa: N803
        IfNoneMatch: str = "",  # noqa: N803
    ) -> dict[str, Any]:
        source = quote(f"{CopySource['Bucket']}/{CopySource['Key']}", safe=UNQUOTED)
        if "VersionId" in CopySource:
            source += f"?versionId={quote(CopySource['VersionId'], safe=UNQUOTED)}"
        headers = {"x-amz-copy-source": source, "Content-Length": "0"}
        headers |= {name: each for name, each in (("If-Match", IfMatch), ("If-None-Match", IfNoneMatch)) if each}
        body = self._made(COPY, "PUT", place, _target(place, Key), headers).body
        if b"<CopyObjectResult" not in body:
            # S3 API reference, CopyObject: an error may come in the body of an answer whose status is 200
            raise ClientError(_error(HTTPStatus.INTERNAL_SERVER_ERROR, body), COPY)
        return {}

    def _read(
        self,
        place: _Place,
        Key: str,  # noqa: N803
        VersionId: str = "",  # noqa: N803
        Range: str = "",  # noqa: N803
        IfMatch: str = "",  # noqa: N803
        ChecksumMode: str = "",  # noqa: N803
    ) -> dict[str, Any]:
        target = _target(place, Key) + (f"?versionId={quote(VersionId, safe='')}" if VersionId else "")
        given = (("Range", Range), ("If-Match", IfMatch), ("x-amz-checksum-mode", ChecksumMode))
        found = self._made(READ, "GET", place, target, {name: each for name, each in given if each})
        told = {TOLD[name.lower()]: value for name, value in found.headers.items() if name.lower() in TOLD}
        return told | {"Body": found.body, "ContentLength": len(found.body)}

    def _made(self, operation: str, method: str, place: _Place, target: str, headers: dict[str, str]) -> _Answer:
        """What S3 says of a call that it carried out."""
        found = self._answer(method, place, target, headers)
        status, body = found.status, found.body
        if status in DONE:
            return found
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            raise Elsewhere
        said = _error(status, body)
        if said["Error"]["Code"] in REDIRECTED:
            raise Elsewhere
        raise ClientError(said, operation)

    def _place(self, bucket: str) -> _Place:
        place = self._places.get(bucket)
        if place is None:
            told = urlsplit(self._client.generate_presigned_url(VERSIONS, {"Bucket": bucket}))
            if get_environ_proxies(f"{told.scheme}://{told.netloc}{told.path}"):
                raise Elsewhere
            place = self._places[bucket] = _Place(told.scheme, told.netloc, told.path or "/")
        return place

    def _answer(self, method: str, place: _Place, target: str, more: dict[str, str]) -> _Answer:
        headers = self._signed(method, place, target, more)
        try:
            return self._over(self._kept(place) or self._opened(place), method, place, target, headers)
        except (OSError, http.client.HTTPException) as problem:
            raise HTTPClientError(error=problem) from problem

    def _over(
        self, connection: http.client.HTTPConnection, method: str, place: _Place, target: str, headers: dict[str, str]
    ) -> _Answer:
        with contextlib.ExitStack() as unless_kept:
            unless_kept.callback(connection.close)
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            if connection.sock is not None:
                connection.sock.settimeout(self._read_seconds if method == "GET" else COPY_READ_SECONDS)
            answer = connection.getresponse()
            if answer.status in DONE and (answer.length or 0) > BODY_BYTES_MAX:
                raise Elsewhere
            body = answer.read() if answer.status in DONE else answer.read(ERROR_BYTES_MAX)
            if answer.isclosed() and not answer.will_close:
                unless_kept.pop_all()
                with self._lock:
                    self._idle[place.scheme, place.host].append(connection)
            return _Answer(answer.status, answer.headers, body)

    def _signed(self, method: str, place: _Place, target: str, more: dict[str, str]) -> dict[str, str]:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        request = AWSRequest(method, f"{place.scheme}://{place.host}{target}", {"Host": place.host} | more)
        S3SigV4Auth(credentials.get_frozen_credentials(), "s3", self._region).add_auth(request)
        return dict(request.headers.items()) | {"User-Agent": self._client.meta.config.user_agent or "pilotlight"}

    def _kept(self, place: _Place) -> http.client.HTTPConnection | None:
        """One that nobody uses; what was closed on the other side meanwhile can be read, and tells its end."""
        while True:
            with self._lock:
                idle = self._idle[place.scheme, place.host]
                if not idle:
                    return None
                connection = idle.pop()
            looking = select.poll()
            looking.register(connection.sock, select.POLLIN)
            if not looking.poll(0):
                return connection
            connection.close()

    def _opened(self, place: _Place) -> http.client.HTTPConnection:
        if place.scheme == "http":
            return http.client.HTTPConnection(place.host, timeout=self._connect_seconds)
        return http.client.HTTPSConnection(place.host, timeout=self._connect_seconds, context=self._context())

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                bundle = self._session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
                self._tls = ssl.create_default_context(cafile=bundle or get_cert_path(True))
            return self._tls


def _target(place: _Place, key: str) -> str:
    return f"{place.path.rstrip('/')}/{quote(key, safe=UNQUOTED)}"


def _error(status: int, body: bytes) -> dict[str, Any]:
    """As botocore's parser tells an error of S3."""
    said = {"Code": str(status), "Message": http.client.responses.get(status, "")}
    try:
        for part in ElementTree.fromstring(body):
            said[part.tag.rpartition("}")[2]] = part.text or ""
    except ElementTree.ParseError:
        pass
    return {"Error": said, "ResponseMetadata": {"HTTPStatusCode": status}}
