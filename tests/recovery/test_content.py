"""What a user loses when one of these fails: bytes that rotted count as proven, or sound ones as damaged."""

from __future__ import annotations

import base64
import hashlib
import itertools
import random
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from awscrt import checksums as crt

from pilotlight.runtime.aws.checksums import CHECKSUMS, PYTHON_BYTES_MAX, Algorithm, algorithms, crc64nvme
from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.aws.paging import pages
from pilotlight.runtime.checkpoints.encodings.crc32c import crc32c
from pilotlight.runtime.errors import RegionUnreachable
from pilotlight.runtime.kinds.buckets import content
from pilotlight.runtime.kinds.buckets.content import DAMAGED, EQUAL, UNCOMPARED, UNDECIDED, Compared, Content
from pilotlight.runtime.kinds.buckets.listing import Bucket, Current

RANGE = 1000
BUCKET = Bucket("us-west-2", "copies")
FUNCTIONS: dict[str, Callable[[bytes], bytes]] = {
    "CRC64NVME": lambda data: crt.crc64nvme(data).to_bytes(8, "big"),
    "CRC32C": lambda data: crt.crc32c(data).to_bytes(4, "big"),
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
    "SHA1": lambda data: hashlib.sha1(data).digest(),
}


@dataclass
class Object:
    body: bytes
    told: dict[str, Any] = field(default_factory=dict)
    parts: list[int] = field(default_factory=list)
    etag: str = '"0"'


@dataclass
class Store:
    """An S3 of one bucket."""

    objects: dict[str, Object] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refuses: str = ""
    cuts: bool = False
    now: int = 0
    most: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        with self.lock:
            self.calls.append((operation, parameters))
            self.now += 1
            self.most = max(self.now, self.most)
        try:
            return getattr(self, operation)(**parameters)
        finally:
            with self.lock:
                self.now -= 1

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        return pages(self.call, service, operation, region, parameters)

    def head_object(self, Key: str, PartNumber: int = 0, **more: Any) -> dict[str, Any]:  # noqa: N803
        found = self.objects[Key]
        if not PartNumber:
            return {"ContentLength": len(found.body), "ETag": found.etag} | found.told
        if not found.parts:
            return {"ContentLength": len(found.body)}
        return {"ContentLength": found.parts[PartNumber - 1], "PartsCount": len(found.parts)}

    def get_object(self, Key: str, Range: str = "", **more: Any) -> dict[str, Any]:  # noqa: N803
        found = self.objects[Key]
        if self.refuses and (self.refuses in Range or self.refuses == Key):
            raise refused("s3", "get_object", BUCKET.region, "AccessDenied", "AccessDenied: not allowed")
        time.sleep(0.0005)
        if not Range:
            return {"Body": found.body, "ETag": found.etag} | found.told
        first, _, last = Range.removeprefix("bytes=").partition("-")
        body = found.body[int(first) : int(last) + 1]
        return {"Body": body[:-1] if self.cuts else body}


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "RANGE_BYTES", RANGE)


def some(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def whole(name: str, body: bytes) -> Object:
    return Object(body, {f"Checksum{name}": base64.b64encode(FUNCTIONS[name](body)).decode()})


def of_parts(name: str, body: bytes, sizes: list[int]) -> Object:
    ends = list(itertools.accumulate(sizes))
    assert ends[-1] == len(body)
    digests = [FUNCTIONS[name](body[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
    told = f"{base64.b64encode(FUNCTIONS[name](b''.join(digests))).decode()}-{len(sizes)}"
    return Object(body, {f"Checksum{name}": told, "ChecksumType": "COMPOSITE"}, sizes)


def rotten(found: Object, at: int) -> Object:
    body = bytearray(found.body)
    body[at] ^= 1
    return replace(found, body=bytes(body))


def compared(store: Store, known: dict[str, Algorithm] | None = None, version: str = "v1") -> list[Compared | None]:
    items = [Current(key, version, 0.0, len(each.body), each.etag) for key, each in store.objects.items()]
    with Content(store, BUCKET, known) as reader:
        return list(reader.compared(items))


def one(found: Object, known: dict[str, Algorithm] | None = None) -> Compared:
    (told,) = compared(Store({"k": found}), known)
    assert told is not None
    return told


WITHOUT = algorithms(False)
"""Of a machine that has only the standard library."""


@pytest.mark.parametrize("known", [None, WITHOUT], ids=["awscrt", "standard library"])
@pytest.mark.parametrize("size", [0, 1, RANGE - 1, RANGE, RANGE + 1, 5 * RANGE, 40 * RANGE + 7])
@pytest.mark.parametrize("name", CHECKSUMS)
def test_bytes_are_equal_by_every_checksum_of_s3_and_one_bit_is_found(
    name: str, size: int, known: dict[str, Algorithm] | None
) -> None:
    sound = whole(name, some(size))
    assert one(sound, known) == Compared(EQUAL, by=f"Checksum{name}", bytes_read=size)
    for at in {0, size // 2, size - 1} if size else ():
        found = one(rotten(sound, at), known)
        assert found.state == DAMAGED and "they are not what was written" in found.why and name in found.why


@pytest.mark.parametrize(
    "sizes", [[2500], [500, 200], [2500, 2500, 2500], [2500, 2500, 1], [3000, 1000, 2500], [500, 2500]]
)
@pytest.mark.parametrize("name", ["SHA256", "SHA1", "CRC32C", "CRC32"])
def test_bytes_are_equal_by_the_checksum_of_parts_of_any_size(name: str, sizes: list[int]) -> None:
    sound = of_parts(name, some(sum(sizes)), sizes)
    assert one(sound).state == EQUAL
    assert one(sound).by == f"Checksum{name}"
    for at in (0, sum(sizes) - 1):
        assert one(rotten(sound, at)).state == DAMAGED


def test_parts_of_one_size_are_asked_for_once_and_uneven_ones_each() -> None:
    for sizes, asked in (([2500] * 40, 1), ([2500, 2600, 2500], 4)):
        store = Store({"k": of_parts("SHA256", some(sum(sizes)), sizes)})
        (found,) = compared(store)
        assert found is not None and found.state == EQUAL
        assert len([each for _, each in store.calls if "PartNumber" in each]) == asked


def test_an_entity_tag_proves_bytes_in_one_part_or_several_where_kms_did_not_encrypt_them() -> None:
    body = some(5 * RANGE)
    single = Object(body, etag=f'"{hashlib.md5(body).hexdigest()}"')
    assert one(single) == Compared(EQUAL, by="ETag", bytes_read=len(body))
    assert one(rotten(single, 3)).state == DAMAGED
    digests = b"".join(hashlib.md5(body[at : at + 2000]).digest() for at in (0, 2000, 4000))
    several = Object(body, parts=[2000, 2000, 1000], etag=f'"{hashlib.md5(digests).hexdigest()}-3"')
    assert one(several).by == "ETag" and one(rotten(several, 4999)).state == DAMAGED
    for told in (
        {"ServerSideEncryption": "aws:kms"},
        {"ServerSideEncryption": "aws:kms:dsse"},
        {"SSECustomerAlgorithm": "AES256"},
    ):
        found = one(replace(single, told=told))
        assert found.state == UNCOMPARED and found.by == "" and found.bytes_read == len(body)


@pytest.mark.parametrize("size", [10, 5 * RANGE])
def test_what_s3_keeps_no_checksum_of_is_read_and_not_called_proven(size: int) -> None:
    store = Store({"k": Object(some(size))})
    (found,) = compared(store)
    assert found == Compared(UNCOMPARED, content.NO_CHECKSUM, bytes_read=size)
    read = sum(1 for operation, _ in store.calls if operation == "get_object")
    assert read == max(1, size // RANGE), "that it can be read is learned all the same"


def test_parts_that_s3_does_not_tell_prove_nothing() -> None:
    for size in (900, 5000):
        untold = replace(of_parts("SHA256", some(size), [size - 100, 100]), parts=[])
        assert one(untold).state == UNCOMPARED and "does not tell the parts" in one(untold).why
        short = replace(untold, parts=[size - 200, 100])
        assert one(short).state == UNCOMPARED, "parts that are not the whole object"


def test_a_checksum_that_python_would_take_minutes_for_is_said_with_what_would_help() -> None:
    huge = Current("k", "v1", 0.0, PYTHON_BYTES_MAX + 1, '"0"')
    for name in ("CRC64NVME", "CRC32C"):
        told = {f"Checksum{name}": base64.b64encode(bytes(8)).decode()}
        evidence, why = content.evidence_of(told, huge, WITHOUT)
        assert evidence is None and "pilotlight[content]" in why and name in why
        evidence, _ = content.evidence_of(told, huge, algorithms())
        assert evidence is not None and evidence.algorithm.name == name
        evidence, _ = content.evidence_of(told | {"ETag": '"' + "0" * 32 + '"'}, huge, WITHOUT)
        assert evidence is not None and evidence.name == "ETag", "the tag is there, too"


def test_a_checksum_that_cannot_be_one_is_none() -> None:
    item = Current("k", "v1", 0.0, 10, '"0"')
    for told in ({"ChecksumSHA256": "not base64!"}, {"ChecksumSHA256": "AAAA", "ChecksumType": "COMPOSITE"}, {}):
        assert content.evidence_of(told, item, algorithms()) == (None, content.NO_CHECKSUM)


def test_a_refused_read_is_undecided_and_the_others_are_read() -> None:
    sound = whole("CRC64NVME", some(20 * RANGE))
    store = Store({"a": sound, "b": replace(sound), "c": whole("SHA256", b"small")}, refuses="c")
    equal, also, undecided = compared(store)
    assert equal is not None and also is not None and equal.state == also.state == EQUAL
    assert undecided is not None and undecided.state == UNDECIDED and "AccessDenied" in undecided.why
    store.refuses = "bytes=7000-"
    assert [each.state for each in compared(store) if each] == [UNDECIDED, UNDECIDED, EQUAL]


def test_bytes_that_do_not_all_come_are_undecided() -> None:
    (found,) = compared(Store({"k": whole("CRC32", some(5 * RANGE))}, cuts=True))
    assert found is not None and found.state == UNDECIDED and "999 bytes came of 1000" in found.why
    item = Current("k", "v1", 0.0, 12, '"0"')
    with Content(Store({"k": whole("CRC32", b"eleven byte")}), BUCKET) as reader:
        (small,) = reader.compared([item])
    assert small is not None and small.state == UNDECIDED


def test_a_region_that_falls_silent_is_no_objects_fault() -> None:
    class Silent(Store):
        def get_object(self, **more: Any) -> dict[str, Any]:
            raise RegionUnreachable(region=BUCKET.region, service="s3", operation="get_object")

    with pytest.raises(RegionUnreachable):
        compared(Silent({"k": whole("CRC32", some(5 * RANGE))}))


@pytest.mark.parametrize("name", ["CRC64NVME", "SHA256"])
def test_several_ranges_and_several_objects_are_under_way_and_never_more_than_fit(name: str) -> None:
    store = Store({f"k{at}": whole(name, some(60 * RANGE, at)) for at in range(6)})
    assert {each.state for each in compared(store) if each} == {EQUAL}
    assert content.IN_ORDER_AT_ONCE < store.most <= content.RANGES_AT_ONCE + content.OBJECTS_AT_ONCE
    store = Store({f"k{at}": whole(name, some(60, at)) for at in range(60)})
    assert [each.by for each in compared(store) if each] == [f"Checksum{name}"] * 60
    assert 1 < store.most <= content.OBJECTS_AT_ONCE


def test_the_version_is_read_that_was_listed_and_without_one_what_was_listed() -> None:
    store = Store({"k": whole("CRC32", some(5 * RANGE))})
    compared(store)
    assert {each.get("VersionId") for _, each in store.calls} == {"v1"}
    store.calls.clear()
    compared(store, version="null")
    assert {each.get("IfMatch") for _, each in store.calls} == {'"0"'} and "VersionId" not in store.calls[0][1]


def test_what_is_not_there_as_it_was_is_passed_over_in_its_place() -> None:
    store = Store({"k": whole("CRC32", b"bytes")})
    with Content(store, BUCKET) as reader:
        found = list(reader.compared([None, Current("k", "v1", 0.0, 5, '"0"'), None]))
    assert [each and each.state for each in found] == [None, EQUAL, None]


def test_python_computes_what_awscrt_does() -> None:
    assert crc64nvme(b"123456789") == 0xAE8B14860A799888, "the check value of the catalogue of CRCs"
    for size in (0, 1, 255, 4096):
        body = some(size)
        assert crc64nvme(body) == crt.crc64nvme(body) and crc32c(body) == crt.crc32c(body)
        assert crc64nvme(body[9:], crc64nvme(body[:9])) == crc64nvme(body)
