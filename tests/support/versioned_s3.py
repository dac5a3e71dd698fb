"""S3 with versions by the hundred thousand: listings as S3 sends them, a thousand a page, and conditional writes.

A version has the number of its writing and a digit of content; bytes are not kept, so that what a test measures is what
restores. `Buckets` beside it (fake_s3.py) keeps bytes, and puts delete markers behind versions as botocore does.
"""
# ruff: noqa: N803 - parameters are named as AWS names them

from __future__ import annotations

import bisect
import itertools
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.aws.pages import VERSIONS, Page
from pilotlight.runtime.clock import FakeClock

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A version, or a delete marker where it has no tag."""

    id: str
    at: int
    etag: str = ""
    size: int = 0
    storage: str = "STANDARD"


class VersionedBuckets:
    """bucket -> key -> entries, the oldest first."""

    def __init__(self, clock: FakeClock, regions: dict[str, str]) -> None:
        self.clock, self.regions = clock, regions
        self.keys: dict[str, dict[str, list[Entry]]] = {bucket: {} for bucket in regions}
        self.order: dict[str, list[str]] = {bucket: [] for bucket in regions}
        self.cut: set[str] = set()
        self.rules: list[dict[str, Any]] = []
        self.checksums: dict[str, str] = {}
        """Version -> what S3 keeps of it."""
        self.kms = False
        """Every version has an entity tag of its own, as with KMS keys."""
        self.acts_left = -1
        """So many copies and deletions until the process is killed; -1: never."""
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def put(self, bucket: str, key: str, content: int, size: int = 10, storage: str = "STANDARD") -> Entry:
        """What a workload does, now."""
        number = next(self._numbers)
        etag = f'"{number if self.kms else content}-{key}"'
        made = Entry(f"v{number}", int(self.clock.now()), etag, size, storage)
        self.checksums[made.id] = str(content)
        return self._add(bucket, key, made)

    def delete(self, bucket: str, key: str) -> Entry:
        """The same."""
        return self._add(bucket, key, Entry(f"m{next(self._numbers)}", int(self.clock.now())))

    def _add(self, bucket: str, key: str, entry: Entry) -> Entry:
        with self._lock:
            there = self.keys[bucket].get(key)
            if there is None:
                self.keys[bucket][key] = [entry]
                bisect.insort(self.order[bucket], key, key=str.encode)
            else:
                there.append(entry)
        return entry

    def current(self, bucket: str) -> dict[str, str]:
        """Key -> content, of what is there."""
        return {key: self.checksums[each[-1].id] for key, each in self.keys[bucket].items() if each and each[-1].etag}

    # -- the API -----------------------------------------------------------------------------------------------

    def list_object_versions(
        self, Bucket: str, Prefix: str = "", KeyMarker: str = "", VersionIdMarker: str = ""
    ) -> dict[str, Any]:
        order, told, count, last = self.order[Bucket], list[str](), 0, ("", "")
        if VersionIdMarker:
            begin = bisect.bisect_left(order, KeyMarker.encode(), key=str.encode)
        else:
            first = max(Prefix.encode(), KeyMarker.encode())
            find = bisect.bisect_right if KeyMarker and first == KeyMarker.encode() else bisect.bisect_left
            begin = find(order, first, key=str.encode)
        for at in range(begin, len(order)):
            key = order[at]
            if not key.startswith(Prefix):
                break
            entries = self.keys[Bucket][key][::-1]
            behind = next((i + 1 for i, each in enumerate(entries) if each.id == VersionIdMarker), 0)
            for number, each in enumerate(entries):
                if key == KeyMarker and number < behind:
                    continue
                if count == PAGE:
                    return self._page(told, last)
                told.append(_xml(key, each, number == 0))
                count, last = count + 1, (key, each.id)
        return self._page(told, ("", ""))

    def _page(self, told: list[str], last: tuple[str, str]) -> Page:
        cut = f"<NextKeyMarker>{escape(last[0])}</NextKeyMarker><NextVersionIdMarker>{last[1]}</NextVersionIdMarker>"
        said = f"<IsTruncated>{'true' if last[0] else 'false'}</IsTruncated>{cut if last[0] else ''}"
        return Page(VERSIONS, f"<ListVersionsResult>{said}{''.join(told)}</ListVersionsResult>".encode())

    def list_objects_v2(
        self, Bucket: str, Prefix: str = "", Delimiter: str = "", StartAfter: str = "", MaxKeys: int = PAGE
    ) -> dict[str, Any]:
        keys = [key for key in self.order[Bucket] if key.startswith(Prefix) and key > StartAfter]
        there = [key for key in keys if self.keys[Bucket][key][-1].etag]
        if not Delimiter:
            return {"IsTruncated": False, "Contents": [{"Key": key} for key in there[:MaxKeys]]}
        begins = {key[: key.index("/", len(Prefix)) + 1] for key in there if "/" in key[len(Prefix) :]}
        return {"IsTruncated": False, "CommonPrefixes": [{"Prefix": each} for each in sorted(begins)]}

    def get_bucket_lifecycle_configuration(self, Bucket: str) -> dict[str, Any]:
        if not self.rules:
            code = "NoSuchLifecycleConfiguration"
            raise refused("s3", "get_bucket_lifecycle_configuration", self.regions[Bucket], code, "there is none")
        return {"Rules": self.rules}

    def copy_object(
        self,
        Bucket: str,
        Key: str,
        CopySource: dict[str, str],
        IfMatch: str = "",
        IfNoneMatch: str = "",
        StorageClass: str = "STANDARD",
    ) -> dict[str, Any]:
        self._count()
        self._require("copy_object", Bucket, Key, IfMatch, IfNoneMatch)
        versions = self.keys[CopySource["Bucket"]].get(CopySource["Key"], [])
        found = next((each for each in versions if each.id == CopySource["VersionId"]), None)
        if found is None:
            raise refused("s3", "copy_object", self.regions[Bucket], "NoSuchVersion", "the version does not exist")
        content = int(self.checksums[found.id])
        number = next(self._numbers)
        etag = f'"{number}-{Key}"' if self.kms else found.etag
        made = Entry(f"v{number}", int(self.clock.now()), etag, found.size, StorageClass)
        self.checksums[made.id] = str(content)
        self._add(Bucket, Key, made)
        return {}

    def delete_object(self, Bucket: str, Key: str, IfMatch: str = "") -> dict[str, Any]:
        self._count()
        self._require("delete_object", Bucket, Key, IfMatch, "")
        self.delete(Bucket, Key)
        return {}

    def head_object(self, Bucket: str, Key: str, VersionId: str = "", ChecksumMode: str = "") -> dict[str, Any]:
        found = next((each for each in self.keys[Bucket].get(Key, []) if each.id == VersionId), None)
        if found is None:
            raise refused("s3", "head_object", self.regions[Bucket], "404", "Not Found")
        kept = {"ChecksumCRC32": self.checksums[found.id]} if found.id in self.checksums else {}
        return {"ETag": found.etag, "ContentLength": found.size} | kept

    def _count(self) -> None:
        with self._lock:
            if not self.acts_left:
                raise KeyboardInterrupt
            self.acts_left -= 1

    def _require(self, operation: str, bucket: str, key: str, match: str, none: str) -> None:
        there = [each for each in self.keys[bucket].get(key, [])[-1:] if each.etag]
        if (match and (not there or there[0].etag != match)) or (none and there):
            raise refused("s3", operation, self.regions[bucket], "PreconditionFailed", "a condition did not hold")


def _xml(key: str, entry: Entry, latest: bool) -> str:
    name = "Version" if entry.etag else "DeleteMarker"
    at = datetime.fromtimestamp(entry.at, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    told = f"<Key>{escape(key)}</Key><VersionId>{entry.id}</VersionId><IsLatest>{'true' if latest else 'false'}"
    told += f"</IsLatest><LastModified>{at}</LastModified>"
    if entry.etag:
        tag = escape(entry.etag, {'"': "&quot;"})
        told += f"<ETag>{tag}</ETag><Size>{entry.size}</Size><StorageClass>{entry.storage}</StorageClass>"
    return f"<{name}>{told}</{name}>"
