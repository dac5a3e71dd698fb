"""Reading a dataset's part of a point again in the standby bucket, object by object, against its manifest.

Shallow: the version that the manifest names is there, of the same size and entity tag, and what lies on top of it, if
anything, came by replication (a replica keeps its version id: S3 User Guide, "What does Amazon S3 replicate?"). Deep:
every byte is read and compared with the object's checksum; where S3 keeps none that covers all bytes, it is said.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.errors import CallRefused, RegionUnreachable
from pilotlight.runtime.kinds.buckets.listing import Bucket, Current, current

PROBLEMS_MAX = 50
"""How many are named; all are counted."""
CHUNK_BYTES = 8 * 1024 * 1024
MARKER = "a delete marker"


@dataclass
class Reread:
    """What was found: `problems` are sentences, `compared` the objects whose every byte agreed with a checksum."""

    objects: int = 0
    damaged: int = 0
    compared: int = 0
    bytes_read: int = 0
    problems: list[str] = field(default_factory=list)

    def damage(self, problem: str) -> None:
        """One object that is not as the point says."""
        self.damaged += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)


def reread(
    client: AwsClient,
    standby: Bucket,
    primary: Bucket,
    wanted: Iterable[Current],
    deep: bool,
    progress: Callable[[int], None] = lambda objects: None,
) -> Reread:
    """Look at every object of a manifest; `wanted` in the order of the keys."""
    found = Reread()
    for item, key in _joined(wanted, current(client, standby)):
        found.objects += 1
        problem = standing(item, key) or _covered(client, primary, item, key)
        if problem:
            found.damage(problem)
        elif deep:
            _compare(client, standby, item, found)
        progress(found.objects)
    return found


def standing(item: Current, now: Current | None) -> str:
    """Whether the version that was proven is still there, in words of what is wrong (pure)."""
    if now is None:
        return f"{item.key} is gone from the standby bucket, with all its versions"
    there = next((each for each in (now, *now.older) if each.version == item.version and not each.deleted), None)
    if there is None:
        return f"{item.key}: version {item.version} is gone from the standby bucket"
    if (there.size, there.etag) != (item.size, item.etag):
        proven = f"{item.size} bytes, {item.etag} were proven"
        return f"{item.key}: version {item.version} has {there.size} bytes, {there.etag}; {proven}"
    return ""


def _covered(client: AwsClient, primary: Bucket, item: Current, now: Current | None) -> str:
    """Whether something that the primary never had lies on top of it."""
    if now is None or now.version == item.version:
        return ""
    what = MARKER if now.deleted else "a version"
    try:
        theirs = next(current(client, Bucket(primary.region, primary.name, item.key)), None)
    except (CallRefused, RegionUnreachable) as problem:
        return f"{item.key} is covered by {what} {now.version}; whether the primary has it cannot be told: {problem}"
    if theirs is not None and theirs.key == item.key and _same(now, theirs):
        return ""
    return f"{item.key} is covered by {what} ({now.version}) that the primary never had: made in the standby bucket"


def _same(copy: Current, source: Current) -> bool:
    """A replica has its source's version id; a backfilled copy has its source's bytes."""
    if any(copy.version == each.version for each in (source, *source.older)):
        return True
    return (copy.deleted, copy.size, copy.etag) == (source.deleted, source.size, source.etag)


# -- every byte ------------------------------------------------------------------------------------------------

CHECKSUMS: tuple[tuple[str, Callable[[], Any]], ...] = (
    ("ChecksumSHA256", hashlib.sha256),
    ("ChecksumSHA1", hashlib.sha1),
    ("ChecksumCRC32", lambda: _Crc32()),
)
"""Those of S3 that the standard library computes at the speed of a network."""


class _Crc32:
    """zlib's CRC32 with the face of a hash."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def _compare(client: AwsClient, bucket: Bucket, item: Current, found: Reread) -> None:
    where = {"Bucket": bucket.name, "Key": item.key}
    where |= {"VersionId": item.version} if item.version not in ("", "null") else {}
    head = client.call("s3", "head_object", bucket.region, **where, ChecksumMode="ENABLED")
    name, wanted, digest = _evidence(head)
    for start in range(0, item.size, CHUNK_BYTES):
        ranged = f"bytes={start}-{min(start + CHUNK_BYTES, item.size) - 1}"
        body = client.call("s3", "get_object", bucket.region, **where, Range=ranged)["Body"]
        found.bytes_read += len(body)
        digest.update(body)
    if not name:
        return
    said = digest.hexdigest() if name == "ETag" else base64.b64encode(digest.digest()).decode()
    if said == wanted:
        found.compared += 1
    else:
        found.damage(f"{item.key}: its bytes have {name} {said}, S3 says {wanted}: they are not what was written")


def _evidence(head: dict[str, Any]) -> tuple[str, str, Any]:
    """(name, wanted value, fresh digest) of the strongest evidence there is for all bytes; no name where there is none.

    S3 User Guide, "Checking object integrity": an entity tag is the MD5 only of objects in one part that KMS did not
    encrypt; a checksum of parts says nothing about the whole.
    """
    if head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        for name, make in CHECKSUMS:
            if head.get(name):
                return name, str(head[name]), make()
    tag = str(head.get("ETag", "")).strip('"')
    if len(tag) == hashlib.md5(usedforsecurity=False).digest_size * 2 and "kms" not in str(
        head.get("ServerSideEncryption", "")
    ):
        return "ETag", tag, hashlib.md5(usedforsecurity=False)
    return "", "", hashlib.sha256()


def _joined(wanted: Iterable[Current], there: Iterator[Current]) -> Iterator[tuple[Current, Current | None]]:
    """Every wanted object with the current state of its key; keys that the manifest does not name are newer than it."""
    key = next(there, None)
    for item in wanted:
        while key is not None and key.key.encode() < item.key.encode():
            key = next(there, None)
        yield item, key if key is not None and key.key == item.key else None
