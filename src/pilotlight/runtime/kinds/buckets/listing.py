"""Current objects of two buckets side by side, in bounded memory, and how strongly two of them are known to be equal.

S3 lists keys in the order of their UTF-8 bytes, so two listings are compared like two sorted files. Strength of
evidence (S3 User Guide, "Checking object integrity"; "What does Amazon S3 replicate?"): a replica keeps its version id;
equal entity tags of equal sizes mean equal bytes; otherwise only sizes are known, and `prove` asks for checksums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.pages import VERSIONS, Row, page_of, rows

VERSION = "version"
CHECKSUM = "checksum"
CONTENT = "content"
"""Both were read."""
ETAG = "etag"
SIZE = "size"
DIFFERENT = ""


@dataclass(frozen=True)
class Bucket:
    """Where objects lie: a prefix of a bucket in a region."""

    region: str
    name: str
    prefix: str = ""


@dataclass(frozen=True)
class Current:
    """The current state of one key; `deleted` when it is a delete marker. `modified` in seconds since 1970."""

    key: str
    version: str
    modified: float
    size: int = 0
    etag: str = ""
    deleted: bool = False
    older: tuple[Current, ...] = ()
    """The versions and delete markers below it, the newest first."""


Pair = tuple[Current | None, Current | None]
Stays = Callable[[Current, Current | None], bool]
"""Whether (source, copy) that differ are left as they are."""


def current(client: AwsClient, bucket: Bucket, after: str = "", below: bool = True) -> Iterator[Current]:
    """The newest version or delete marker of every key after `after`, in the order of the keys; a page may end within
    a key. Without what is `below` a further slash, that is passed over by S3 (ListObjectVersions, `Delimiter`)."""
    of_one: list[Current] = []
    for item in _versions(client, bucket, after, below):
        if of_one and item.key != of_one[0].key:
            yield replace(of_one[0], older=tuple(of_one[1:]))
            of_one = []
        of_one.append(item)
    if of_one:
        yield replace(of_one[0], older=tuple(of_one[1:]))


def _versions(client: AwsClient, bucket: Bucket, after: str, below: bool) -> Iterator[Current]:
    """Every version and delete marker, by key, and of one key the newest first."""
    where = {"Bucket": bucket.name, "Prefix": bucket.prefix} | ({"KeyMarker": after} if after else {})
    where |= {} if below else {"Delimiter": "/"}
    pages = client.pages("s3", "list_object_versions", bucket.region, **where)
    for page in map(page_of, pages):
        found = rows(VERSIONS, page.raw, page.encoded)
        found.sort(key=lambda each: (each.key.encode(), not each.latest, -each.seconds))
        yield from map(of_row, found)


def joined(left: Iterable[Current], right: Iterable[Current]) -> Iterator[Pair]:
    """Every key of either side once, with its state on both; None where a side never had it."""
    ours, theirs = iter(left), iter(right)
    here, there = next(ours, None), next(theirs, None)
    while here is not None or there is not None:
        if there is None or (here is not None and here.key.encode() < there.key.encode()):
            yield here, None
            here = next(ours, None)
        elif here is None or there.key.encode() < here.key.encode():
            yield None, there
            there = next(theirs, None)
        else:
            yield here, there
            here, there = next(ours, None), next(theirs, None)


def strength(source: Current, copy: Current) -> str:
    """How strongly a copy is known to hold the source's bytes; DIFFERENT when it does not (pure).

    A replica of an older version may arrive after a newer one of the same size was written: its id tells it apart.
    """
    if source.size != copy.size:
        return DIFFERENT
    if source.version == copy.version and source.version not in ("", "null"):
        return VERSION
    if source.etag and source.etag == copy.etag:
        return ETAG
    if copy.modified < source.modified or any(copy.version == older.version for older in source.older):
        return DIFFERENT
    return SIZE


def settled(source: Current, copy: Current | None) -> str:
    """Strength for a pair where the source may be deleted and the copy absent; VERSION for a deletion that arrived."""
    if source.deleted:
        return VERSION if copy is None or copy.deleted else DIFFERENT
    return strength(source, copy) if copy is not None and not copy.deleted else DIFFERENT


def stays(ours: Current, theirs: Current | None, fenced_at: float) -> bool:
    """Whether a key's state in the region that is returned to stays, though the other side's differs: it had that very
    version, or marker, and went on from it; or its own is the newer one (pure).

    A replica keeps its version's id (S3 User Guide, "What does Amazon S3 replicate?"), so a copy that was only carried
    over is known from an object that was written on the other side. LastModified is S3's own clock on both. What came
    after its bucket was fenced (seconds since 1970) nobody wrote there: it was brought, and a copy is dated by its
    making, later than the version that it is of.
    """
    if theirs is None or theirs.modified >= fenced_at or _among(theirs, ours.older):
        return False
    return _among(ours, theirs.older) or theirs.modified > ours.modified


def _among(item: Current, older: Iterable[Current]) -> bool:
    return item.version not in ("", "null") and any(item.version == each.version for each in older)


def always_over(ours: Current, theirs: Current | None) -> bool:
    """Where a copy is to become what its source is, nothing of the copy's own stays."""
    return False


def of_row(row: Row) -> Current:
    """An entry of a page."""
    return Current(row.key, row.version, row.seconds, row.size, row.etag, row.deleted)
