"""Every byte of objects is read and compared with the checksum that S3 keeps of them; many ranges at once.

What is compared (S3 User Guide, "Checking object integrity"): the strongest checksum there is, of the whole object or
of its parts; else the entity tag, which is the MD5 of an object in one part, or the MD5 of its parts' MD5s, unless KMS
encrypted it. A CRC of the whole is joined from its ranges, which are read in any order; a hash needs them in order, and
reads ahead. What cannot be compared is UNCOMPARED and what cannot be read UNDECIDED: neither is proven, nor damaged.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import BoundedSemaphore
from types import TracebackType
from typing import Any, Self, TypeVar

from pilotlight.runtime.aws.checksums import CHECKSUMS, MD5, Algorithm, algorithms
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.buckets.listing import Bucket, Current

EQUAL = "equal"
DAMAGED = "damaged"
UNCOMPARED = "uncompared"
UNDECIDED = "undecided"

RANGE_BYTES = 8 * 1024 * 1024
"""S3 User Guide, "Performance guidelines for Amazon S3": ranges of 8 to 16 MB."""
RANGES_AT_ONCE = 16
"""There: one for each 85 to 90 MB/s that are wanted; this is 1.4 GB/s, in 128 MiB."""
OBJECTS_AT_ONCE = 16
IN_ORDER_AT_ONCE, AHEAD = 2, 4
"""Objects of which a hash needs all ranges in order, and how many ranges of one wait for it: 64 MiB."""
WAITING_MAX = 2 * RANGES_AT_ONCE
COMPOSITE = re.compile(r"(.+)-(\d+)")
"""A checksum of checksums, and of how many."""
TAG = re.compile(r'"?([0-9a-f]{32})(?:-(\d+))?"?')
NO_CHECKSUM = "S3 keeps no checksum of it to compare with"
SLOW = (
    "computing its {name} here would take too long without the package awscrt: pip install 'pilotlight[content]' where "
    "this runs"
)
NO_PARTS = "S3 does not tell the parts that its {name} was made of"

Item = TypeVar("Item")
Given = TypeVar("Given")
Span = tuple[int, int]
"""From one byte to before another."""


@dataclass(frozen=True)
class Compared:
    """What came of one object: EQUAL `by` a checksum, or one of the others with the reason."""

    state: str
    why: str = ""
    by: str = ""
    bytes_read: int = 0


@dataclass(frozen=True)
class Evidence:
    """What S3 keeps of all bytes: the digest, or the digest of so many parts' digests."""

    name: str
    """As the answer's field is called: ChecksumCRC64NVME, ETag."""
    algorithm: Algorithm
    wanted: bytes
    parts: int = 0


class _Short(Exception):
    """Another number of bytes came than was asked for."""


class Content:
    """The objects of a bucket; a context manager, whose threads end with it."""

    def __init__(self, client: AwsClient, bucket: Bucket, known: dict[str, Algorithm] | None = None) -> None:
        """`known`: the algorithms that can be computed; None: those of this machine."""
        self._client, self._bucket, self._known = client, bucket, known or algorithms()
        self._objects = ThreadPoolExecutor(OBJECTS_AT_ONCE, thread_name_prefix="objects")
        self._ranges = ThreadPoolExecutor(RANGES_AT_ONCE, thread_name_prefix="ranges")
        self._in_order = BoundedSemaphore(IN_ORDER_AT_ONCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in (self._objects, self._ranges):
            pool.shutdown(cancel_futures=True)

    def compared(self, items: Iterable[Current | None]) -> Iterator[Compared | None]:
        """Of each in turn, several at once; None stays None. RegionUnreachable, Throttled: the region's, not the
        object's."""
        return _each(self._objects, self._one, items, 2 * OBJECTS_AT_ONCE)

    def _one(self, item: Current | None) -> Compared | None:
        if item is None:
            return None
        try:
            if item.size <= RANGE_BYTES:
                return self._small(item)
            return self._large(item)
        except CallRefused as refusal:
            return Compared(UNDECIDED, f"{item.key} could not be read: {refusal.message}")
        except _Short as short:
            return Compared(UNDECIDED, f"{item.key} could not be read whole: {short}")

    def _small(self, item: Current) -> Compared:
        """In one call: what is read whole comes with its checksum."""
        found = self._call("get_object", item, ChecksumMode="ENABLED")
        body: bytes = found["Body"]
        if len(body) != item.size:
            raise _Short(f"{len(body)} bytes came of {item.size}")
        evidence, reason = evidence_of(found, item, self._known)
        if evidence is None:
            return Compared(UNCOMPARED, reason, bytes_read=item.size)
        if evidence.parts:
            judged = self._of_parts(item, evidence, lambda span: evidence.algorithm.of(body[slice(*span)]))
            return judged or Compared(UNCOMPARED, NO_PARTS.format(name=evidence.name), bytes_read=item.size)
        return _judged(item, evidence, evidence.algorithm.of(body))

    def _large(self, item: Current) -> Compared:
        head = self._call("head_object", item, ChecksumMode="ENABLED")
        evidence, reason = evidence_of(head, item, self._known)
        if evidence is None:
            return self._only_read(item, reason)
        algorithm = evidence.algorithm
        if evidence.parts:
            judged = self._of_parts(item, evidence, lambda span: self._part(item, algorithm, span))
            return judged or self._only_read(item, NO_PARTS.format(name=evidence.name))
        if algorithm.join:
            return _judged(item, evidence, self._joined(item, algorithm, algorithm.join))
        with self._in_order:
            return _judged(item, evidence, self._hashed(item, algorithm))

    def _only_read(self, item: Current, reason: str) -> Compared:
        """That it can be read is all that is learned."""
        for _ in _each(self._ranges, lambda span: len(self._read(item, span)), _cut(0, item.size), WAITING_MAX):
            pass
        return Compared(UNCOMPARED, reason, bytes_read=item.size)

    def _joined(self, item: Current, algorithm: Algorithm, join: Callable[[bytes, bytes, int], bytes]) -> bytes:
        whole = algorithm.of(b"")

        def one(span: Span) -> tuple[bytes, int]:
            return algorithm.of(self._read(item, span)), span[1] - span[0]

        for digest, length in _each(self._ranges, one, _cut(0, item.size), WAITING_MAX):
            whole = join(whole, digest, length)
        return whole

    def _hashed(self, item: Current, algorithm: Algorithm) -> bytes:
        running = algorithm.start()
        for body in _each(self._ranges, lambda span: self._read(item, span), _cut(0, item.size), AHEAD):
            running.update(body)
        return running.digest()

    def _part(self, item: Current, algorithm: Algorithm, part: Span) -> bytes:
        running = algorithm.start()
        for span in _cut(*part):
            running.update(self._read(item, span))
        return running.digest()

    def _of_parts(self, item: Current, evidence: Evidence, digest: Callable[[Span], bytes]) -> Compared | None:
        """None where S3 does not tell the parts. Mostly all are of one size, which the first tells; where that proves
        nothing, each is asked for."""
        spans = self._alike(item, evidence.parts) or self._told(item, evidence.parts)
        found = self._digest_of_parts(evidence, digest, spans)
        if found != evidence.wanted:
            told = self._told(item, evidence.parts)
            found = self._digest_of_parts(evidence, digest, told) if told != spans else found
            spans = told
        return _judged(item, evidence, found) if spans else None

    def _digest_of_parts(self, evidence: Evidence, digest: Callable[[Span], bytes], spans: list[Span]) -> bytes:
        return evidence.algorithm.of(b"".join(_each(self._ranges, digest, spans, WAITING_MAX)))

    def _alike(self, item: Current, parts: int) -> list[Span]:
        """Where the parts begin and end if all but the last are as long as the first; empty where they cannot be."""
        size = self._part_bytes(item, 1, parts)
        if not size * (parts - 1) < item.size <= size * parts:
            return []
        return _spans([min(size * number, item.size) for number in range(1, parts + 1)])

    def _told(self, item: Current, parts: int) -> list[Span]:
        """Where S3 says that they begin and end; empty where what it says is not the whole object."""
        sizes = _each(
            self._ranges, lambda number: self._part_bytes(item, number, parts), range(1, parts + 1), WAITING_MAX
        )
        ends = list(itertools.accumulate(sizes))
        return _spans(ends) if ends[-1] == item.size else []

    def _part_bytes(self, item: Current, number: int, parts: int) -> int:
        """S3 API reference, HeadObject, `partNumber`: the size of that part, and how many there are; 0 where it does
        not say so."""
        head = self._call("head_object", item, PartNumber=number)
        return int(head.get("ContentLength", 0)) if int(head.get("PartsCount", 0)) == parts else 0

    def _read(self, item: Current, span: Span) -> bytes:
        body: bytes = self._call("get_object", item, Range=f"bytes={span[0]}-{span[1] - 1}")["Body"]
        if len(body) != span[1] - span[0]:
            raise _Short(f"{len(body)} bytes came of {span[1] - span[0]} from {span[0]} on")
        return body

    def _call(self, operation: str, item: Current, **more: Any) -> dict[str, Any]:
        """Of the very version; where a bucket has none, on condition that it is still what was listed."""
        where: dict[str, Any] = {"Bucket": self._bucket.name, "Key": item.key}
        if item.version not in ("", "null"):
            where["VersionId"] = item.version
        elif item.etag:
            where["IfMatch"] = item.etag
        return self._client.call("s3", operation, self._bucket.region, **where, **more)


def evidence_of(head: dict[str, Any], item: Current, known: dict[str, Algorithm]) -> tuple[Evidence | None, str]:
    """The strongest evidence of an object's bytes that can be computed here, or None and why there is none (pure)."""
    found = [each for each in map(lambda name: _checksum(head, name, known), CHECKSUMS) if each]
    tag = _tag(head, known)
    found += [tag] if tag else []
    usable = next((each for each in found if item.size <= each.algorithm.bytes_max), None)
    if usable:
        return usable, ""
    return None, SLOW.format(name=found[0].algorithm.name) if found else NO_CHECKSUM


def _checksum(head: dict[str, Any], name: str, known: dict[str, Algorithm]) -> Evidence | None:
    field = f"Checksum{name}"
    told = str(head.get(field) or "")
    of_parts = COMPOSITE.fullmatch(told)
    if not told or name not in known or (head.get("ChecksumType") == "COMPOSITE" and not of_parts):
        return None
    wanted = _decoded(of_parts[1] if of_parts else told)
    return Evidence(field, known[name], wanted, int(of_parts[2]) if of_parts else 0) if wanted else None


def _tag(head: dict[str, Any], known: dict[str, Algorithm]) -> Evidence | None:
    """S3 API reference, Object: an entity tag is no MD5 where KMS, or a key of the customer's, encrypted it."""
    found = TAG.fullmatch(str(head.get("ETag") or ""))
    encrypted = "kms" in str(head.get("ServerSideEncryption", "")) or head.get("SSECustomerAlgorithm")
    if not found or encrypted:
        return None
    return Evidence("ETag", known[MD5], bytes.fromhex(found[1]), int(found[2] or 0))


def _decoded(told: str) -> bytes:
    try:
        return base64.b64decode(told, validate=True)
    except binascii.Error:
        return b""


def _judged(item: Current, evidence: Evidence, found: bytes) -> Compared:
    if found == evidence.wanted:
        return Compared(EQUAL, by=evidence.name, bytes_read=item.size)
    said, wanted = (
        each.hex() if evidence.name == "ETag" else base64.b64encode(each).decode() for each in (found, evidence.wanted)
    )
    of = f", of {evidence.parts} parts" if evidence.parts else ""
    why = f"{item.key}: its bytes have {evidence.name} {said}{of}, S3 says {wanted}: they are not what was written"
    return Compared(DAMAGED, why, evidence.name, item.size)


def _cut(begin: int, end: int) -> Iterator[Span]:
    for start in range(begin, end, RANGE_BYTES):
        yield start, min(start + RANGE_BYTES, end)


def _spans(ends: list[int]) -> list[Span]:
    return list(zip([0, *ends[:-1]], ends, strict=True))


def _each(
    pool: ThreadPoolExecutor, work: Callable[[Given], Item], given: Iterable[Given], ahead: int
) -> Iterator[Item]:
    """What comes of each, in order; at most so many are under way or wait to be taken."""
    waiting: deque[Future[Item]] = deque()
    try:
        for one in given:
            waiting.append(pool.submit(work, one))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for each in waiting:
            each.cancel()
