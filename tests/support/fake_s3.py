"""S3 as recovery uses it: versioned buckets in two regions, with replication that takes a while."""
# ruff: noqa: N803 - parameters are named as AWS names them

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
import zlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from html import escape
from typing import Any

from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.aws.pages import VERSIONS, Page
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.naming import RULE_BEFORE


@dataclass(frozen=True)
class Version:
    id: str
    at: float
    body: bytes = b""
    deleted: bool = False
    metadata: dict[str, str] = field(default_factory=dict)

    told_etag: str = ""
    """What S3 says of bytes that have rotted since."""
    has_checksum: bool | None = None
    """Whether S3 keeps one; by itself of everything but what has rotted."""

    @cached_property
    def etag(self) -> str:
        return self.told_etag or f'"{hashlib.md5(self.body).hexdigest()}"'

    @cached_property
    def modified(self) -> datetime:
        """S3 tells whole seconds."""
        return datetime.fromtimestamp(int(self.at), tz=UTC)

    @cached_property
    def behind_latest(self) -> str:
        """An entry of a listing from there on, as S3 writes it."""
        modified = f"<LastModified>{self.modified.isoformat()}</LastModified>"
        if self.deleted:
            return f"{modified}</DeleteMarker>"
        return f"{modified}<ETag>{self.etag}</ETag><Size>{len(self.body)}</Size></Version>"


class Buckets:
    """bucket -> key -> versions, the oldest first. `rules`: bucket -> bucket that its writes are replicated to."""

    def __init__(self, clock: FakeClock, regions: dict[str, str], lag_seconds: float = 1.0) -> None:
        self.clock, self.regions, self.lag_seconds = clock, regions, lag_seconds
        self.objects: dict[str, dict[str, list[Version]]] = {bucket: {} for bucket in regions}
        self.rules: dict[str, str] = {}
        self.queue: list[tuple[float, str, str, Version]] = []
        self.policies: dict[str, str] = {}
        self.notifications: dict[str, dict[str, Any]] = {}
        self.cut: set[str] = set()
        self.locks: dict[tuple[str, str], dict[str, Any]] = {}
        self.uncopyable: dict[str, tuple[str, str]] = {}
        """key -> (code, what S3 says)."""
        self.statuses: dict[str, str] = {}
        """key -> ReplicationStatus."""
        self.unversioned: set[str] = set()
        self.numbers = itertools.count(1)
        self.page_keys = 0
        """So many keys a page of a listing; 0: all."""

    # -- what tests do -----------------------------------------------------------------------------------------

    def write(self, bucket: str, key: str, body: bytes, replicate: bool = True, at: float | None = None) -> Version:
        version = Version(f"v{next(self.numbers)}", self.clock.now() if at is None else at, body)
        self._add(bucket, key, version, replicate)
        return version

    def current(self, bucket: str) -> dict[str, bytes]:
        self.arrive()
        return {key: each[-1].body for key, each in sorted(self.objects[bucket].items()) if not each[-1].deleted}

    def arrive(self) -> None:
        """Replicas whose time has come arrive; none leaves or reaches a region that is cut off."""
        for each in tuple(self.queue):
            due, bucket, key, version = each
            source = next((one for one, target in self.rules.items() if target == bucket), "")
            if due > self.clock.now() or {self.regions[bucket], self.regions.get(source, "")} & self.cut:
                continue
            with contextlib.suppress(ValueError):  # another thread has seen it arrive
                self.queue.remove(each)
                self.objects[bucket].setdefault(key, []).append(version)

    def _add(self, bucket: str, key: str, version: Version, replicate: bool) -> None:
        self.objects[bucket].setdefault(key, []).append(version)
        if replicate and bucket in self.rules:
            self.queue.append((self.clock.now() + self.lag_seconds, self.rules[bucket], key, version))

    # -- the API -----------------------------------------------------------------------------------------------

    def head_bucket(self, Bucket: str) -> dict[str, Any]:
        return {}

    def list_objects_v2(
        self,
        Bucket: str,
        Prefix: str = "",
        Delimiter: str = "",
        StartAfter: str = "",
        MaxKeys: int = 1000,
        ContinuationToken: str = "",
    ) -> dict[str, Any]:
        self.arrive()
        objects, most = self.objects[Bucket], min(MaxKeys, self.page_keys or MaxKeys)
        keys, after, found = sorted(objects), ContinuationToken or StartAfter, list[str]()
        at = max(bisect_left(keys, Prefix), bisect_right(keys, after))
        while at < len(keys) and keys[at].startswith(Prefix) and len(found) <= most:
            told = _rolled_up(keys[at], Prefix, Delimiter)
            if told > after and not objects[keys[at]][-1].deleted:
                found.append(told)
                at = max(at + 1, bisect_left(keys, f"{told}{chr(0x10FFFF)}") if told != keys[at] else 0)
            else:
                at += 1
        page, is_cut = found[:most], len(found) > most
        folders = {each: {"Prefix": each} for each in page if Delimiter and each.endswith(Delimiter) and each != Prefix}
        contents = [_listed(each, objects[each][-1]) for each in page if each not in folders]
        listing: dict[str, Any] = {"IsTruncated": is_cut, "Contents": contents}
        listing |= {"NextContinuationToken": page[-1]} if is_cut else {}
        return listing | ({"CommonPrefixes": list(folders.values())} if folders else {})

    def list_object_versions(
        self, Bucket: str, Prefix: str = "", KeyMarker: str = "", Delimiter: str = ""
    ) -> dict[str, Any]:
        """By key, and of one key the newest first."""
        self.arrive()
        objects = self.objects[Bucket]
        keys = sorted(key for key in objects if key.startswith(Prefix) and key > KeyMarker)
        keys = [key for key in keys if _rolled_up(key, Prefix, Delimiter) == key] if Delimiter else keys
        more = "<IsTruncated>false</IsTruncated>"
        if self.page_keys and len(keys) > self.page_keys:
            keys = keys[: self.page_keys]
            more = f"<NextKeyMarker>{escape(keys[-1])}</NextKeyMarker><IsTruncated>true</IsTruncated>"
        entries = "".join(_entry(escape(key), version, version is objects[key][-1])
                          for key in keys for version in reversed(objects[key]))  # fmt: skip
        return Page(VERSIONS, f"<ListVersionsResult>{more}{entries}</ListVersionsResult>".encode())

    def get_object(
        self, Bucket: str, Key: str, Range: str = "", IfMatch: str = "", VersionId: str = "", ChecksumMode: str = ""
    ) -> dict[str, Any]:
        version = self._version("get_object", Bucket, Key, VersionId)
        if IfMatch and IfMatch != version.etag:
            raise refused("s3", "get_object", self.regions[Bucket], "PreconditionFailed", "it has changed")
        first, _, last = Range.removeprefix("bytes=").partition("-") if Range else ("0", "", str(len(version.body)))
        told = {"ETag": version.etag} | (_checksum(version) if ChecksumMode == "ENABLED" else {})
        return told | {"Body": version.body[int(first) : int(last) + 1]}

    def head_object(
        self, Bucket: str, Key: str, VersionId: str = "", ChecksumMode: str = "", IfMatch: str = ""
    ) -> dict[str, Any]:
        version = self._version("head_object", Bucket, Key, VersionId)
        if IfMatch and IfMatch != version.etag:
            raise refused("s3", "head_object", self.regions[Bucket], "PreconditionFailed", "it has changed")
        found = {"ContentLength": len(version.body), "ETag": version.etag, "Metadata": version.metadata}
        found |= _checksum(version) if ChecksumMode == "ENABLED" else {}
        return found | ({"ReplicationStatus": self.statuses[Key]} if Key in self.statuses else {})

    def put_object(self, Bucket: str, Key: str, Body: Any, ContentType: str = "", **more: Any) -> dict[str, Any]:
        there = self.objects[Bucket].get(Key)
        if more.pop("IfNoneMatch", "") and there and not there[-1].deleted:
            raise refused("s3", "put_object", self.regions[Bucket], "PreconditionFailed", "it is there already")
        self.locks[Bucket, Key] = more
        return {"VersionId": self.write(Bucket, Key, Body if isinstance(Body, bytes) else Body.read()).id}

    def _require(self, operation: str, bucket: str, key: str, match: str, none: str) -> None:
        """S3's conditions on what is current: of this tag, or nothing."""
        self.arrive()
        there = [each for each in self.objects[bucket].get(key, [])[-1:] if not each.deleted]
        if (match and (not there or there[0].etag != match)) or (none and there):
            raise refused("s3", operation, self.regions[bucket], "PreconditionFailed", "a condition did not hold")

    def copy_object(
        self, Bucket: str, Key: str, CopySource: dict[str, str], IfMatch: str = "", IfNoneMatch: str = ""
    ) -> dict[str, Any]:
        self._require("copy_object", Bucket, Key, IfMatch, IfNoneMatch)
        if Key in self.uncopyable:
            raise refused("s3", "copy_object", self.regions[Bucket], *self.uncopyable[Key])
        versions = self.objects[CopySource["Bucket"]].get(CopySource["Key"], [])
        found = next((each for each in versions if each.id == CopySource["VersionId"]), None)
        if found is None:
            raise refused("s3", "copy_object", self.regions[Bucket], "NoSuchVersion", "the version does not exist")
        copied = Version(f"v{next(self.numbers)}", self.clock.now(), found.body, metadata=found.metadata)
        self._add(Bucket, Key, copied, replicate=False)
        return {}

    def delete_object(self, Bucket: str, Key: str, IfMatch: str = "") -> dict[str, Any]:
        self._require("delete_object", Bucket, Key, IfMatch, "")
        self._add(Bucket, Key, Version(f"v{next(self.numbers)}", self.clock.now(), deleted=True), replicate=True)
        return {}

    def get_bucket_lifecycle_configuration(self, Bucket: str) -> dict[str, Any]:
        code = "NoSuchLifecycleConfiguration"
        raise refused("s3", "get_bucket_lifecycle_configuration", self.regions[Bucket], code, "there is none")

    def get_bucket_policy(self, Bucket: str) -> dict[str, Any]:
        if Bucket not in self.policies:
            raise refused("s3", "get_bucket_policy", self.regions[Bucket], "NoSuchBucketPolicy", "there is none")
        return {"Policy": self.policies[Bucket]}

    def put_bucket_policy(self, Bucket: str, Policy: str) -> dict[str, Any]:
        json.loads(Policy)
        self.policies[Bucket] = Policy
        return {}

    def delete_bucket_policy(self, Bucket: str) -> dict[str, Any]:
        self.policies.pop(Bucket, None)
        return {}

    def get_bucket_versioning(self, Bucket: str) -> dict[str, Any]:
        return {} if Bucket in self.unversioned else {"Status": "Enabled"}

    def get_bucket_replication(self, Bucket: str) -> dict[str, Any]:
        target = self.rules.get(Bucket)
        if target is None:
            code = "ReplicationConfigurationNotFoundError"
            raise refused("s3", "get_bucket_replication", self.regions[Bucket], code, "there is none")
        rule = {"ID": RULE_BEFORE, "Status": "Enabled", "Destination": {"Bucket": f"arn:aws:s3:::{target}"}}
        return {"ReplicationConfiguration": {"Rules": [rule]}}

    def get_bucket_notification_configuration(self, Bucket: str) -> dict[str, Any]:
        return dict(self.notifications.get(Bucket, {}))

    def put_bucket_notification_configuration(
        self, Bucket: str, NotificationConfiguration: dict[str, Any], SkipDestinationValidation: bool
    ) -> dict[str, Any]:
        self.notifications[Bucket] = NotificationConfiguration
        return {}

    def _version(self, operation: str, bucket: str, key: str, id: str) -> Version:
        """The newest one, or the one of this id."""
        self.arrive()
        versions = [each for each in self.objects[bucket].get(key, []) if id in ("", each.id)]
        if not versions or versions[-1].deleted:
            raise refused("s3", operation, self.regions[bucket], "NoSuchKey", "The specified key does not exist.")
        return versions[-1]


def _rolled_up(key: str, prefix: str, delimiter: str) -> str:
    """The key, or what keys have in common up to the next delimiter behind the prefix."""
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return key if at < 0 else key[: at + 1]


def _entry(key: str, version: Version, latest: bool) -> str:
    named = f"<Key>{key}</Key><VersionId>{version.id}</VersionId><IsLatest>{'true' if latest else 'false'}</IsLatest>"
    return f"{'<DeleteMarker>' if version.deleted else '<Version>'}{named}{version.behind_latest}"


def _checksum(version: Version) -> dict[str, Any]:
    """S3 keeps one of every object that was uploaded since December 2024."""
    if not (not version.told_etag if version.has_checksum is None else version.has_checksum):
        return {}
    checksum = base64.b64encode(zlib.crc32(version.body).to_bytes(4, "big")).decode()
    return {"ChecksumCRC32": checksum, "ChecksumType": "FULL_OBJECT"}


def _listed(key: str, version: Version) -> dict[str, Any]:
    return {"Key": key, "Size": len(version.body), "ETag": version.etag, "LastModified": version.modified}
