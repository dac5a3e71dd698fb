"""S3's listings as it sends them: a page is kept as bytes, and its entries are read where somebody asks for them.

botocore builds a tree of XML and a dictionary with a parsed date for every entry, 20 microseconds each; two sides of a
replicated bucket are mostly the same bytes. What a page says of itself is read at once; `Versions`, `DeleteMarkers` and
`Contents` are there as in botocore's answers. S3 API reference, ListObjectVersions and ListObjectsV2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape, unescape
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree

VERSIONS, OBJECTS = "list_object_versions", "list_objects_v2"
ROOTS = {VERSIONS: "ListVersionsResult", OBJECTS: "ListBucketResult"}
ENTRY = {VERSIONS: re.compile(rb"<(?:Version|DeleteMarker)>"), OBJECTS: re.compile(rb"<Contents>")}
"""How an entry begins."""
LAST = {VERSIONS: (b"</Version>", b"</DeleteMarker>"), OBJECTS: (b"</Contents>",)}
MARKERS = ("NextKeyMarker", "NextVersionIdMarker")
_LATEST = re.compile(
    rb"<Key>([^<]*)</Key><VersionId>([^<]*)</VersionId><IsLatest>(true|false)</IsLatest>"
    rb"<LastModified>([^<]*)</LastModified>"
    rb"(?:<ETag>([^<]*)</ETag>(?:<Checksum\w+>[^<]*</Checksum\w+>)*<Size>(\d+)</Size>)?"
)
_OBJECT = re.compile(
    rb"<Key>([^<]*)</Key>()()<LastModified>([^<]*)</LastModified>"
    rb"<ETag>([^<]*)</ETag>(?:<Checksum\w+>[^<]*</Checksum\w+>)*<Size>(\d+)</Size>"
)
"""Entries in the order in which S3 sends their parts; any other is read as a tree."""
_SAID = re.compile(rb"<(EncodingType|NextKeyMarker|NextVersionIdMarker|NextContinuationToken|IsTruncated)>([^<]*)</")
_PREFIX = re.compile(rb"<CommonPrefixes>\s*<Prefix>([^<]*)</Prefix>")


class HalfPage(ValueError):
    """The bytes are no whole page."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry; a delete marker has no entity tag. `modified` as S3 writes it, the key as it is."""

    key: str
    version: str
    latest: bool
    modified: str
    etag: str
    size: int
    deleted: bool

    @property
    def seconds(self) -> float:
        """When it was written, in seconds since 1970."""
        return datetime.fromisoformat(self.modified).timestamp()


class Page(dict[str, Any]):
    """An answer of S3 to a listing, as botocore gives it; the entries themselves are `raw`, unread."""

    def __init__(self, operation: str, body: bytes) -> None:
        root = ROOTS[operation].encode()
        if b"<" + root not in body[:300] or not body.rstrip().endswith(b"</" + root + b">"):
            raise HalfPage(f"no whole {ROOTS[operation]}")
        found = ENTRY[operation].search(body)
        begin = end = found.start() if found else 0
        for each in LAST[operation]:
            at = body.rfind(each, end)
            end = at + len(each) if at >= 0 else end
        self.operation, self.raw = operation, body[begin:end]
        said = {name.decode(): unescape(value.decode()) for name, value in _SAID.findall(body[:begin] + body[end:])}
        self.encoded = said.get("EncodingType") == "url"
        super().__init__(said | {"IsTruncated": said.get("IsTruncated") == "true"})
        if self.encoded and "NextKeyMarker" in said:
            self["NextKeyMarker"] = unquote_plus(said["NextKeyMarker"])
        if b"<CommonPrefixes>" in body:
            self["CommonPrefixes"] = [{"Prefix": _key(each, self.encoded)} for each in _PREFIX.findall(body)]

    def __missing__(self, name: str) -> Any:
        if name not in LISTS:
            raise KeyError(name)
        value = self[name] = [_entry(row) for row in rows(self.operation, self.raw, self.encoded) if LISTS[name](row)]
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """As of a dictionary, where entries are asked for by name, too."""
        try:
            return self[name]
        except KeyError:
            return default


LISTS: dict[str, Callable[[Row], bool]] = {
    "Versions": lambda row: not row.deleted,
    "DeleteMarkers": lambda row: row.deleted,
    "Contents": lambda row: True,
}


def page_of(answer: dict[str, Any]) -> Page:
    """An answer to a listing of versions as a page, whoever gave it."""
    if isinstance(answer, Page):
        return answer
    said = "".join(f"<{name}>{escape(str(answer[name]))}</{name}>" for name in MARKERS if answer.get(name))
    cut = "true" if answer.get("IsTruncated") else "false"
    entries = [_written("Version", each) for each in answer.get("Versions", [])]
    entries += [_written("DeleteMarker", each) for each in answer.get("DeleteMarkers", [])]
    root = ROOTS[VERSIONS]
    whole = f"<{root}>{said}<IsTruncated>{cut}</IsTruncated>{''.join(entries)}</{root}>"
    return Page(VERSIONS, whole.encode())


def _written(name: str, entry: dict[str, Any]) -> str:
    told = [("Key", entry["Key"]), ("VersionId", entry.get("VersionId", ""))]
    told += [
        ("IsLatest", "true" if entry["IsLatest"] else "false"),
        ("LastModified", entry["LastModified"].isoformat()),
    ]
    if name == "Version":
        told += [("ETag", entry.get("ETag", "")), ("Size", entry["Size"])]
    return f"<{name}>{''.join(f'<{part}>{escape(str(value))}</{part}>' for part, value in told)}</{name}>"


def rows(operation: str, raw: bytes, encoded: bool) -> list[Row]:
    """The entries in these bytes, in their order; `encoded`: their keys are as in an address."""
    pattern = _LATEST if operation == VERSIONS else _OBJECT
    found = pattern.findall(raw)
    versions = raw.count(b"<Version>") if operation == VERSIONS else raw.count(b"<Contents>")
    markers = raw.count(b"<DeleteMarker>") if operation == VERSIONS else 0
    if len(found) != versions + markers or sum(1 for each in found if each[4]) != versions:
        return list(_by_tree(raw, encoded))
    return [
        Row(
            _key(key, encoded),
            version.decode(),
            latest != b"false",
            modified.decode(),
            _text(etag),
            int(size or 0),
            not etag,
        )
        for key, version, latest, modified, etag, size in found
    ]


def _by_tree(raw: bytes, encoded: bool) -> Iterator[Row]:
    """Whatever order their parts are in, and whatever is between them."""
    for each in ElementTree.fromstring(b"<all>" + raw + b"</all>"):
        said = {part.tag: part.text or "" for part in each}
        if "Key" in said:
            yield Row(
                unquote_plus(said["Key"]) if encoded else said["Key"],
                said.get("VersionId", ""),
                said.get("IsLatest", "true") == "true",
                said["LastModified"],
                said.get("ETag", ""),
                int(said.get("Size", 0)),
                each.tag == "DeleteMarker",
            )


def _entry(row: Row) -> dict[str, Any]:
    modified = datetime.fromisoformat(row.modified)
    said: dict[str, Any] = {"Key": row.key, "LastModified": modified.replace(tzinfo=modified.tzinfo or UTC)}
    if row.version:
        said |= {"VersionId": row.version, "IsLatest": row.latest}
    return said if row.deleted else said | {"ETag": row.etag, "Size": row.size}


def key_bytes(raw: bytes, encoded: bool) -> bytes:
    """A key as UTF-8, by which S3 orders, from how it stands in a page."""
    return _key(raw, encoded).encode() if b"%" in raw or b"+" in raw or b"&" in raw else raw


def _text(raw: bytes) -> str:
    """Of a part of an entry; most hold no entity but the quotes of entity tags."""
    text = raw.decode().replace("&quot;", '"')
    return unescape(text) if "&" in text else text


def _key(raw: bytes, encoded: bool) -> str:
    text = _text(raw)
    return unquote_plus(text) if encoded and ("%" in text or "+" in text) else text
