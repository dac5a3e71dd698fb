"""What every key of a bucket was at a moment, from its versions; one key in hand at a time.

S3 lists the versions of a key in the order in which they were stored, the newest first, and dates each in whole
seconds, one that was uploaded in parts by the beginning of its upload (S3 API reference, CreateMultipartUpload). So a
version was current at a moment when it is the newest of those below everything that is dated later.

A long bucket is read from many places at once, as ranges.py does; where the keys that there are now do not tell places
to cut at (everything was deleted), it is read in one.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.pages import VERSIONS, Page, Row, page_of, rows
from pilotlight.runtime.kinds.buckets.listing import Bucket
from pilotlight.runtime.kinds.buckets.ranges import CUT_PAGES, Places, Span

STANDARD = "STANDARD"
ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes that nothing can be copied out of before it is restored there (S3 User Guide, "Restoring an archived
object")."""
_CLASS = re.compile(
    rb"<VersionId>([^<]*)</VersionId>(?:(?!</Version>|</DeleteMarker>).)*?<StorageClass>([A-Z_]+)</StorageClass>",
    re.DOTALL,
)
_SAID, _PLAIN = b"<StorageClass>", b"<StorageClass>STANDARD<"


class Pick(Protocol):
    """Sees the entries of one key, the newest first; `found` is the one that is wanted, once all were seen."""

    @property
    def found(self) -> Row | None: ...

    def see(self, row: Row) -> None:
        """One entry more."""


class AsOf:
    """What was current at the end of a second: the newest entry below all that are dated later."""

    def __init__(self, moment: float) -> None:
        self._until = math.floor(moment) + 1
        self.found: Row | None = None

    def see(self, row: Row) -> None:
        """See Pick."""
        if row.seconds >= self._until:
            self.found = None
        elif self.found is None:
            self.found = row


class TheSame:
    """The very version, or the newest one with the same entity tag and size: copies have ids of their own."""

    def __init__(self, version: str, etag: str, size: int) -> None:
        self._version, self._etag, self._size = version, etag, size
        self.found: Row | None = None

    def see(self, row: Row) -> None:
        """See Pick."""
        is_it = row.version == self._version and row.version not in ("", "null")
        alike = (row.etag, row.size, row.deleted) == (self._etag, self._size, False)
        if is_it or (alike and self.found is None):
            self.found = row


@dataclass(frozen=True)
class History:
    """One key: what is current, what was wanted of it, how old what is left of it is."""

    key: str
    now: Row
    picked: Pick
    oldest: Row
    older: int
    """Entries below the current one."""
    storage: str = STANDARD
    """Storage class of what was wanted."""

    @property
    def was(self) -> Row | None:
        """What was wanted; None where nothing that is left is that old, or nothing fits."""
        return self.picked.found


def histories(
    client: AwsClient, bucket: Bucket, pick: Callable[[str], Pick], span: Span | None = None
) -> Iterator[History]:
    """Every key of a span in order; `pick` makes what chooses among the entries of a key."""
    within = span or Span()
    where = {"Bucket": bucket.name, "Prefix": bucket.prefix} | ({"KeyMarker": within.after} if within.after else {})
    yield from told(map(page_of, client.pages("s3", VERSIONS, bucket.region, **where)), pick, within.until)


def of_key(client: AwsClient, bucket: Bucket, key: str, pick: Pick) -> History | None:
    """One key; None where nothing of it is left."""
    alone = Bucket(bucket.region, bucket.name, key)
    found = next(histories(client, alone, lambda _: pick), None)
    return found if found is not None and found.key == key else None


def told(pages: Iterable[Page], pick: Callable[[str], Pick], until: str | None = None) -> Iterator[History]:
    """The same of these pages; a page may end within a key."""
    last = until.encode() if until is not None else None
    now = oldest = None
    older, picked, classes = 0, pick(""), dict[str, str]()
    for page in pages:
        classes = {**_classes(page), **({} if now is None else classes)}
        for row in stored(page):
            if now is None or row.key != now.key:
                if now is not None and oldest is not None:
                    yield _history(now, oldest, older, picked, classes)
                if last is not None and row.key.encode() > last:
                    return
                now, older, picked = row, -1, pick(row.key)
            oldest, older = row, older + 1
            picked.see(row)
        classes = {each: name for each, name in classes.items() if picked.found and each == picked.found.version}
    if now is not None and oldest is not None:
        yield _history(now, oldest, older, picked, classes)


def _history(now: Row, oldest: Row, older: int, picked: Pick, classes: dict[str, str]) -> History:
    was = picked.found
    return History(now.key, now, picked, oldest, older, classes.get(was.version, STANDARD) if was else STANDARD)


def stored(page: Page) -> list[Row]:
    """Entries of a page, of each key the newest first. Where delete markers stand behind all versions, as who builds
    pages from botocore's answers puts them, by their dates."""
    found = rows(VERSIONS, page.raw, page.encoded)
    first = page.raw.find(b"<DeleteMarker>")
    if first >= 0 and page.raw.rfind(b"<Version>") < first:
        found.sort(key=lambda each: (each.key.encode(), not each.latest, -each.seconds))
    return found


def _classes(page: Page) -> dict[str, str]:
    """Version -> storage class, of those that are not STANDARD."""
    if page.raw.count(_SAID) == page.raw.count(_PLAIN):
        return {}
    return {version.decode(): name.decode() for version, name in _CLASS.findall(page.raw) if name != STANDARD.encode()}


@dataclass(frozen=True)
class Cut:
    """A long bucket in spans of keys: the pages that were read to know that it is long, up to `first.until`, and the
    spans behind it."""

    pages: Iterator[Page]
    first: Span
    rest: tuple[Span, ...]


def cut(client: AwsClient, bucket: Bucket) -> Cut:
    """Read the first pages, and find places to cut at behind them."""
    asked = client.pages("s3", VERSIONS, bucket.region, Bucket=bucket.name, Prefix=bucket.prefix)
    pages = map(page_of, asked)
    head = list(itertools.islice(pages, CUT_PAGES))
    whole = itertools.chain(head, pages)
    come_to = str(head[-1].get("NextKeyMarker") or "") if head and head[-1]["IsTruncated"] else ""
    places = Places(client, bucket).between(come_to, None) if come_to else []
    if not places:
        return Cut(whole, Span(), ())
    spans = itertools.pairwise([come_to, *places, None])
    rest = tuple(Span(str(after), until) for after, until in spans)
    return Cut(whole, Span("", come_to), rest)
