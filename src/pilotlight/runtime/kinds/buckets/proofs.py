"""Equal size is not equal: pairs of which listings know no more are proven by S3's own checksums, once.

S3 keeps a checksum of every object that was uploaded since December 2024, and of older ones where it was asked to (S3
User Guide, "Checking object integrity"); a copy gets one as well. What was proven is kept in the vault by version and
entity tag of both sides, so that the next look asks for what is new. It is kept for as long as such a pair is met.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from pilotlight.runtime.aws.client import AwsClient, aws_code
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RecordUnreadable
from pilotlight.runtime.kinds.buckets.listing import CHECKSUM, CONTENT, DIFFERENT, SIZE, Bucket, Current, settled

FULL_CHECKSUMS = ("ChecksumCRC64NVME", "ChecksumSHA256", "ChecksumSHA1", "ChecksumCRC32C", "ChecksumCRC32")
"""HeadObject's fields, the strongest evidence first; only one of type FULL_OBJECT says something about all bytes."""
ASKED_MAX = 20_000
"""Pairs that one look asks for: two calls each, 32 at once, within two minutes. More are proven by the looks after."""
AT_ONCE = 32
DIGEST_BYTES = 16
READ_AT_ONCE, PIECE_BYTES = 8, 8 * 1024 * 1024
GONE = ("PreconditionFailed", "412", "404", "NoSuchKey", "InvalidRange")
"""What S3 says of an object that is another one by now, or none; a HEAD has no words, only the status."""

Sides = tuple[Current, Current]


class Proofs:
    """Of one asset: what is proven, and what is found out in this look."""

    def __init__(self, context: RecoveryContext, asset: str, source: Bucket, copy: Bucket, reads: bool = False) -> None:
        """`reads`: where S3 keeps no checksum the bytes of both are read, which costs as much as they weigh."""
        self._context, self._asset, self._buckets, self._reads = context, asset, (source, copy), reads
        self._kept: bytes | None = None
        self._taken = 0
        self._met = bytearray()
        self._learned = False

    def strength(self, ours: Current, theirs: Current) -> str:
        """CHECKSUM where this very pair was proven before; SIZE where it was not."""
        digest = _digest(ours, theirs)
        if not _among(digest, self._read()):
            return SIZE
        self._met += digest
        return CHECKSUM

    def takes_more(self) -> bool:
        """Whether one pair more is asked for in this look; who reads whole objects has the time for all of them."""
        self._taken += 1
        return self._reads or self._taken <= ASKED_MAX

    def ask(self, pairs: list[Sides]) -> Iterator[tuple[Sides, str]]:
        """CHECKSUM or CONTENT, DIFFERENT, or SIZE where S3 keeps no checksum of one."""
        with ThreadPoolExecutor(READ_AT_ONCE if self._reads else AT_ONCE, thread_name_prefix="checksums") as pool:
            for pair, strength in zip(pairs, pool.map(self._asked, pairs), strict=True):
                if strength in (CHECKSUM, CONTENT):
                    self._met += _digest(*pair)
                    self._learned = True
                yield pair, strength

    def keep(self, whole: bool = True) -> None:
        """Write what is proven by now where this look has learned something; with it goes what was met no more, where
        the `whole` was compared."""
        if self._learned:
            kept = self._met if whole else self._met + self._read()
            met = {bytes(kept[at : at + DIGEST_BYTES]) for at in range(0, len(kept), DIGEST_BYTES)}
            self._context.records.write_proofs(self._asset, b"".join(sorted(met)))

    def _asked(self, pair: Sides) -> str:
        strength = by_checksum(self._context.client, *self._buckets, *pair)
        return by_reading(self._context.client, *self._buckets, *pair) if strength == SIZE and self._reads else strength

    def _read(self) -> bytes:
        if self._kept is None:
            try:
                self._kept = self._context.records.proofs(self._asset)
            except RecordUnreadable:
                self._kept = b""
        return self._kept


def resolved(client: AwsClient, source: Bucket, copy: Bucket, ours: Current, theirs: Current | None) -> str:
    """Strength of the evidence for one pair; where only sizes are known, checksums of both sides decide."""
    strength = settled(ours, theirs)
    if strength != SIZE or theirs is None:
        return strength
    return by_checksum(client, source, copy, ours, theirs)


def by_checksum(client: AwsClient, source: Bucket, copy: Bucket, ours: Current, theirs: Current) -> str:
    """CHECKSUM or DIFFERENT by what S3 keeps of both; SIZE where it keeps nothing that can be compared, or one of them
    is not what was listed any more."""
    here, there = _checksums(client, source, ours), _checksums(client, copy, theirs)
    common = [name for name in FULL_CHECKSUMS if name in here and name in there]
    if not common:
        return SIZE
    return CHECKSUM if all(here[name] == there[name] for name in common) else DIFFERENT


def by_reading(client: AwsClient, source: Bucket, copy: Bucket, ours: Current, theirs: Current) -> str:
    """CONTENT or DIFFERENT by the bytes of both; SIZE where one is not what was listed any more."""
    try:
        for start in range(0, ours.size, PIECE_BYTES):
            if _piece(client, source, ours, start) != _piece(client, copy, theirs, start):
                return DIFFERENT
    except CallRefused as refusal:
        if aws_code(refusal) in GONE:
            return SIZE
        raise
    return CONTENT


def _piece(client: AwsClient, bucket: Bucket, item: Current, start: int) -> bytes:
    condition = {"IfMatch": item.etag} if item.etag else {}
    span = f"bytes={start}-{min(start + PIECE_BYTES, item.size) - 1}"
    where = {"Bucket": bucket.name, "Key": item.key, "Range": span} | condition
    body: bytes = client.call("s3", "get_object", bucket.region, **where)["Body"]
    return body


def _checksums(client: AwsClient, bucket: Bucket, item: Current) -> dict[str, str]:
    """Of the current version, as it was listed: reading an older one takes a permission more."""
    condition = {"IfMatch": item.etag} if item.etag else {}
    try:
        where = {"Bucket": bucket.name, "Key": item.key} | condition
        head = client.call("s3", "head_object", bucket.region, **where, ChecksumMode="ENABLED")
    except CallRefused as refusal:
        if aws_code(refusal) in GONE:
            return {}
        raise
    if head.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return {}
    return {name: head[name] for name in FULL_CHECKSUMS if head.get(name)}


def _digest(*sides: Current) -> bytes:
    """Of a pair, whichever side is the source."""
    told = sorted(f"{each.version}\0{each.etag}\0{each.size}" for each in sides)
    return hashlib.blake2b("\0".join([sides[0].key, *told]).encode(), digest_size=DIGEST_BYTES).digest()


def _among(digest: bytes, kept: bytes) -> bool:
    """Searched by halves in digests that are in order."""
    low, high = 0, len(kept) // DIGEST_BYTES
    while low < high:
        middle = (low + high) // 2
        found = kept[middle * DIGEST_BYTES : (middle + 1) * DIGEST_BYTES]
        if found == digest:
            return True
        low, high = (middle + 1, high) if found < digest else (low, middle)
    return False
