"""Listings as bytes: what botocore's client would tell, and never less of a bucket than there is."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from botocore.session import Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pilotlight.local.handle import LocalCloud
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.aws.pages import VERSIONS, HalfPage, Page, page_of, rows
from pilotlight.runtime.errors import CallRefused, RegionUnreachable, Throttled
from support.data_cloud import EAST

ODD_KEYS = (
    "a b",
    "a+b",
    "100%",
    "x&y",
    "<z>",
    '"q"',
    "ä/ö",
    "日本",
    "sp ace/+plus",
    "~tilde",
    "a//b",
    "new\nline",
    "\x7f",
)
ENTRY = (
    "<Version><Key>{key}</Key><VersionId>v1</VersionId><IsLatest>true</IsLatest>"
    "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size>"
    "<StorageClass>STANDARD</StorageClass><Owner><ID>1</ID></Owner></Version>"
)


def whole(entries: str, head: str = "<IsTruncated>false</IsTruncated>", encoded: bool = True) -> bytes:
    encoding = "<EncodingType>url</EncodingType>" if encoded else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>b</Name>{encoding}{head}{entries}</ListVersionsResult>"
    ).encode()


@dataclass
class Server:
    """Answers what it is told to, and remembers what was asked."""

    answers: list[Callable[[Any], None]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    url: str = ""
    listening: Any = None


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told.asked.append(self.path)
            told.connections.add(self.client_address)
            told.answers.pop(0)(self)

        def do_PUT(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.listening = listening
    told.url = f"http://127.0.0.1:{listening.server_port}"
    for name, value in (("ENDPOINT_URL", told.url), ("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(f"AWS_{name}", value)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield told
    listening.shutdown()
    listening.server_close()


def says(body: bytes, status: int = 200, close: bool = False, length: int | None = None) -> Callable[[Any], None]:
    def answer(handler: Any) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = close

    return answer


def listed(client: BotoClient, **where: Any) -> dict[str, Any]:
    return client.call("s3", "list_object_versions", EAST, Bucket="b", **where)


def test_it_tells_what_botocore_tells_of_every_key(local_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in local_cloud.environment().items():
        monkeypatch.setenv(name, value)
    s3 = Session().create_client("s3", region_name=EAST)
    s3.create_bucket(Bucket="odd")
    s3.put_bucket_versioning(Bucket="odd", VersioningConfiguration={"Status": "Enabled"})
    keys = [each for each in ODD_KEYS if each.isprintable()]
    for key in keys:
        s3.put_object(Bucket="odd", Key=key, Body=key.encode())
    s3.put_object(Bucket="odd", Key=keys[0], Body=b"again")
    s3.delete_object(Bucket="odd", Key=keys[1])
    for operation, lists in (
        ("list_object_versions", ("Versions", "DeleteMarkers")),
        ("list_objects_v2", ("Contents",)),
    ):
        theirs = getattr(s3, operation)(Bucket="odd", MaxKeys=5)
        ours = BotoClient().call("s3", operation, EAST, Bucket="odd", MaxKeys=5)
        assert isinstance(ours, Page) and ours["IsTruncated"] is True
        for name in lists:
            wanted = [
                {part: each[part] for part in entry}
                for entry, each in zip(ours[name], theirs.get(name, []), strict=True)
            ]
            assert ours[name] == wanted
        for name in ("NextKeyMarker", "NextVersionIdMarker", "NextContinuationToken"):
            assert ours.get(name) == theirs.get(name)
    found = BotoClient().pages("s3", "list_objects_v2", EAST, Bucket="odd", MaxKeys=3)
    assert sorted(each["Key"] for page in found for each in page["Contents"]) == sorted(set(keys) - {keys[1]})


def test_keys_that_xml_cannot_hold_come_through(server: Server) -> None:
    keys = sorted(ODD_KEYS, key=str.encode)
    server.answers = [says(whole("".join(ENTRY.format(key=quote(key, safe="/~")) for key in keys)))]
    assert [each["Key"] for each in listed(BotoClient())["Versions"]] == keys
    assert parse_qs(urlsplit(server.asked[0]).query, keep_blank_values=True) == {
        "versions": [""],
        "encoding-type": ["url"],
    }


def test_half_a_page_is_no_answer(server: Server) -> None:
    """A listing that was cut in the middle must not pass for the whole bucket."""
    page = whole(ENTRY.format(key="a") * 3)
    server.answers = [says(page[:-30]), says(page[:-30], length=len(page), close=True), says(b"<html/>"), says(page)]
    client = BotoClient()
    for _ in range(3):
        with pytest.raises(RegionUnreachable):
            listed(client)
    assert len(listed(client)["Versions"]) == 3


def test_a_slowdown_may_be_asked_again_and_a_refusal_says_why(server: Server) -> None:
    error = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>told so</Message></Error>"
    server.answers = [says(error % b"SlowDown", 503), says(b"", 503), says(error % b"AccessDenied", 403)]
    client = BotoClient()
    with pytest.raises(Throttled):
        listed(client)
    with pytest.raises(RegionUnreachable):
        listed(client)
    with pytest.raises(CallRefused, match="AccessDenied: told so"):
        listed(client)


def test_connections_are_kept_and_one_that_was_closed_is_opened_anew(server: Server) -> None:
    page = whole(ENTRY.format(key="a"))
    server.answers = [says(page), says(page, close=True), says(page), says(page)]
    client = BotoClient()
    for _ in range(2):
        listed(client)
    assert len(server.connections) == 1
    for _ in range(2):
        assert listed(client)["Versions"]
    assert len(server.connections) == 2


def certificate(folder: Path) -> Path:
    """One that signs itself, for this machine, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    now = datetime.now(UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    signed = made.add_extension(here, False).sign(key, hashes.SHA256())
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "here.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, *plain)
    )
    return path


def test_over_tls_only_a_certificate_that_is_trusted_is_listened_to(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server.listening.socket = context.wrap_socket(server.listening.socket, server_side=True)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.replace("http:", "https:"))
    server.answers = [says(whole(ENTRY.format(key="a")))] * 2
    with pytest.raises(RegionUnreachable):
        listed(BotoClient())
    assert not server.asked
    monkeypatch.setenv("AWS_CA_BUNDLE", str(path))
    client = BotoClient()
    assert [len(listed(client)["Versions"]) for _ in range(2)] == [1, 1]
    assert len(server.connections) == 1


def test_through_a_proxy_and_with_unknown_parameters_the_ordinary_client_asks(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = whole(ENTRY.format(key="a"))
    server.answers = [says(page), says(page)]
    assert not isinstance(listed(BotoClient(), ExpectedBucketOwner="123456789012"), Page)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://s3.example.internal")
    assert not isinstance(listed(BotoClient()), Page)
    assert server.asked[1].startswith("http://s3.example.internal/")


@pytest.mark.parametrize("between", ["", "\n    "])
def test_parts_in_another_order_are_read_all_the_same(between: str) -> None:
    parts = (
        "<Owner><ID>1</ID></Owner>", "<ETag>&quot;e&quot;</ETag>", "<Size>7</Size>", "<IsLatest>false</IsLatest>",
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified>", "<VersionId>v1</VersionId>", "<Key>a%20b</Key>",
    )  # fmt: skip
    marker = parts[0] + parts[3] + parts[4] + parts[5] + "<Key>c</Key>"
    body = whole(f"<Version>{between.join(parts)}</Version>{between}<DeleteMarker>{marker}</DeleteMarker>")
    page = Page(VERSIONS, body)
    version, deleted = rows(VERSIONS, page.raw, page.encoded)
    assert (version.key, version.version, version.latest, version.etag, version.size) == ("a b", "v1", False, '"e"', 7)
    assert (deleted.key, deleted.deleted, deleted.version) == ("c", True, "v1")
    assert [each["Key"] for each in page["DeleteMarkers"]] == ["c"]


def test_checksums_of_an_entry_change_nothing_of_how_it_is_read() -> None:
    told = ENTRY.replace(
        "</ETag>", "</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
    )
    page = Page(VERSIONS, whole(told.format(key="a")))
    assert [each.size for each in rows(VERSIONS, page.raw, True)] == [7]


def test_an_answer_of_any_client_is_a_page() -> None:
    page = Page(
        VERSIONS,
        whole(ENTRY.format(key="a%26b"), "<IsTruncated>true</IsTruncated><NextKeyMarker>a%26b</NextKeyMarker>"),
    )
    again = page_of({name: page.get(name) for name in ("Versions", "IsTruncated", "NextKeyMarker")})
    assert rows(VERSIONS, again.raw, again.encoded)[0].key == "a&b" == again["NextKeyMarker"]
    with pytest.raises(HalfPage):
        Page(VERSIONS, b"<ListVersionsResult>")
