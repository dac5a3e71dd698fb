"""The calls of S3 that are made by the million, without botocore's client: listings, and copies inside S3.

They are signed by botocore's signer and go over connections that are kept; botocore's client takes four times as long
for each. Where a call goes (address style, endpoint, partition) botocore says once for each bucket; through a proxy, or
with parameters that are not known here, the ordinary client asks. So does a call that is answered by a redirection.
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
from typing import Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

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
MADE = (*ASKED, COPY)
"""The operations that can be made here."""
FIRST = {VERSIONS: "versions", OBJECTS: "list-type=2"}
REDIRECTED = ("AuthorizationHeaderMalformed", "PermanentRedirect")
"""botocore, S3RegionRedirectorv2: the bucket lies in another region than the one that was named."""
ERROR_BYTES_MAX = 64 * 1024
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
        known = COPIES if operation == COPY else ASKED[operation].keys()
        if not given.keys() <= known:
            raise Elsewhere
        place = self._place(Bucket)
        return self._copy(place, **given) if operation == COPY else self._page(place, operation, given)

    def _page(self, place: _Place, operation: str, given: dict[str, Any]) -> Page:
        names = ASKED[operation]
        query = "&".join(
            [FIRST[operation], "encoding-type=url"]
            + [f"{names[name]}={quote(str(value), safe='')}" for name, value in given.items() if value != ""]
        )
        body = self._made(operation, "GET", place, f"{place.path}?{query}", {})
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
        body = self._made(COPY, "PUT", place, f"{place.path.rstrip('/')}/{quote(Key, safe=UNQUOTED)}", headers)
        if b"<CopyObjectResult" not in body:
            # S3 API reference, CopyObject: an error may come in the body of an answer whose status is 200
            raise ClientError(_error(HTTPStatus.INTERNAL_SERVER_ERROR, body), COPY)
        return {}

    def _made(self, operation: str, method: str, place: _Place, target: str, headers: dict[str, str]) -> bytes:
        """The body of a call that S3 carried out."""
        status, body = self._answer(method, place, target, headers)
        if status == HTTPStatus.OK:
            return body
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

    def _answer(self, method: str, place: _Place, target: str, more: dict[str, str]) -> tuple[int, bytes]:
        headers = self._signed(method, place, target, more)
        try:
            return self._over(self._kept(place) or self._opened(place), method, place, target, headers)
        except (OSError, http.client.HTTPException) as problem:
            raise HTTPClientError(error=problem) from problem

    def _over(
        self, connection: http.client.HTTPConnection, method: str, place: _Place, target: str, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        with contextlib.ExitStack() as unless_kept:
            unless_kept.callback(connection.close)
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            if connection.sock is not None:
                connection.sock.settimeout(self._read_seconds if method == "GET" else COPY_READ_SECONDS)
            answer = connection.getresponse()
            body = answer.read() if answer.status == HTTPStatus.OK else answer.read(ERROR_BYTES_MAX)
            if answer.isclosed() and not answer.will_close:
                unless_kept.pop_all()
                with self._lock:
                    self._idle[place.scheme, place.host].append(connection)
            return answer.status, body

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


def _error(status: int, body: bytes) -> dict[str, Any]:
    """As botocore's parser tells an error of S3."""
    said = {"Code": str(status), "Message": http.client.responses.get(status, "")}
    try:
        for part in ElementTree.fromstring(body):
            said[part.tag.rpartition("}")[2]] = part.text or ""
    except ElementTree.ParseError:
        pass
    return {"Error": said, "ResponseMetadata": {"HTTPStatusCode": status}}
