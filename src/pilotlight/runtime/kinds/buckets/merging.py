"""Two listings of one range of keys, merged page by page: what is the same on both sides is not read entry by entry.

S3 lists keys in the order of their UTF-8 bytes, and of one key the newest version first (S3 API reference,
ListObjectVersions). Entries are cut where one side's page ends. Stretches of equal bytes, or of the same keys and
version ids, are the same; of others only what lies between the first and the last difference is read, key by key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from pilotlight.runtime.aws.pages import ENTRY, VERSIONS, Page, key_bytes, rows
from pilotlight.runtime.kinds.buckets.listing import Current, Pair, joined, of_row

KEY, CLOSE = b"<Key>", b"</Key>"
VERSION, MARKER = b"<Version>", b"<DeleteMarker>"
NULL = b"<VersionId>null<"
"""A version from before the bucket had versions: its id says nothing of its bytes."""
LATEST = b"<IsLatest>true<"
_ENTRY = re.compile(rb"<(?:Version|DeleteMarker)>.*?</(?:Version|DeleteMarker)>", re.DOTALL)
_IDENTITY = re.compile(
    rb"<Key>([^<]*</Key><VersionId>[^<]*</VersionId><IsLatest>(?:true|false))</IsLatest><LastModified>[^<]*<"
    rb"(?:/LastModified><ETag>[^<]*</ETag>(?:<Checksum\w+>[^<]*</Checksum\w+>)*<Size>([^<]*)<)?"
)
"""Key, id and whether it is the newest, and its size: a replica's entity tag may be another (SSE-KMS)."""


@dataclass(frozen=True)
class Same:
    """Consecutive keys, every version of which has the same id on both sides; as the copy's bucket lists them."""

    keys: int
    """How many, those that are deleted on both sides among them."""
    raw: bytes
    encoded: bool

    def objects(self) -> Iterator[Current]:
        """What is current of them in the copy."""
        for row in rows(VERSIONS, self.raw, self.encoded):
            if row.latest and not row.deleted:
                yield of_row(row)


@dataclass
class Side:
    """What was read of one listing and is not merged yet: entries as bytes, in the order of their keys."""

    raw: bytes = b""
    encoded: bool = True
    ended: bool = False

    def feed(self, page: Page, until: bytes | None) -> None:
        """One page more; what lies behind `until` belongs to another range."""
        self.raw += _ordered(page.raw, page.encoded)
        self.encoded, self.ended = page.encoded, not page["IsTruncated"]
        if until is not None:
            self.end_at(until)

    def end_at(self, until: bytes) -> None:
        """What lies behind this key is somebody else's."""
        if self.raw and self._last() > until:
            self.raw, self.ended = self.raw[: _first(self.raw, self.encoded, until + b"\0")], True

    @property
    def limit(self) -> bytes | None:
        """Of this key more versions may come; every key below it is whole. None: all are."""
        return None if self.ended else self._last()

    def take(self, limit: bytes | None) -> bytes:
        """Every entry of a key below this one."""
        cut = len(self.raw) if limit is None else _first(self.raw, self.encoded, limit)
        taken, self.raw = self.raw[:cut], self.raw[cut:]
        return taken

    def _last(self) -> bytes:
        return _last(self.raw, self.encoded)


@dataclass
class Merge:
    """The two sides of one range."""

    source: Side = field(default_factory=Side)
    copy: Side = field(default_factory=Side)
    told_to: bytes = b""
    """Every key up to this one was told."""

    def told(self) -> Iterator[Same | Pair]:
        """Everything that both sides tell by now, in the order of the keys."""
        limit = self._limit()
        ours, theirs = self.source.take(limit), self.copy.take(limit)
        ends = _last(ours, self.source.encoded), _last(theirs, self.copy.encoded)
        yield from _merged(ours, theirs, self.source.encoded, self.copy.encoded)
        self.told_to = max(self.told_to, *ends)

    def lacks(self, side: Side) -> bool:
        """Whether nothing more can be told before this side's next page is there."""
        return not side.ended and side.limit == self._limit()

    @property
    def over(self) -> bool:
        """Whether all is told."""
        return self.source.ended and self.copy.ended and not self.source.raw and not self.copy.raw

    def _limit(self) -> bytes | None:
        return min((each for each in (self.source.limit, self.copy.limit) if each is not None), default=None)


def _merged(ours: bytes, theirs: bytes, encoded: bool, copy_encoded: bool) -> Iterator[Same | Pair]:
    """Two stretches of the same keys."""
    if NULL in ours or encoded != copy_encoded:
        yield from joined(_grouped(ours, encoded), _grouped(theirs, copy_encoded))
        return
    first, last = _difference(ours, theirs, encoded)
    if first is None:
        yield from _same(theirs, encoded)
        return
    begin, copy_begin = (_first(each, encoded, first) for each in (ours, theirs))
    end, copy_end = (_first(each, encoded, last + b"\0") for each in (ours, theirs))
    yield from _same(theirs[:copy_begin], encoded)
    yield from joined(_grouped(ours[begin:end], encoded), _grouped(theirs[copy_begin:copy_end], encoded))
    yield from _same(theirs[copy_end:], encoded)


def _difference(ours: bytes, theirs: bytes, encoded: bool) -> tuple[bytes | None, bytes]:
    """The first and the last key of which something differs; None where nothing does."""
    if ours == theirs:
        return None, b""
    here, there = _IDENTITY.findall(ours), _IDENTITY.findall(theirs)
    if len(here) != _entries(ours) or len(there) != _entries(theirs):
        return b"", b"\xff"  # parts in another order than S3 sends them: all of it is read
    if here == there:
        return None, b""
    shorter = min(len(here), len(there))
    head = next((at for at in range(shorter) if here[at] != there[at]), shorter)
    tail = next((at for at in range(shorter - head) if here[-1 - at] != there[-1 - at]), shorter - head)
    between = [_key(each, encoded) for side in (here, there) for each in side[head : len(side) - tail]]
    return min(between), max(between)


def _key(identity: tuple[bytes, bytes], encoded: bool) -> bytes:
    return key_bytes(identity[0][: identity[0].index(b"<")], encoded)


def _entries(raw: bytes) -> int:
    return raw.count(VERSION) + raw.count(MARKER)


def _same(raw: bytes, encoded: bool) -> Iterator[Same]:
    if raw:
        yield Same(raw.count(LATEST), raw, encoded)


def _grouped(raw: bytes, encoded: bool) -> Iterator[Current]:
    """The newest of every key, with the older ones below it."""
    for _, versions in groupby(rows(VERSIONS, raw, encoded), key=lambda each: each.key):
        of_one = list(versions)
        if len(of_one) == 1:
            yield of_row(of_one[0])
            continue
        of_one.sort(key=lambda each: (not each.latest, -each.seconds))
        newest, *older = map(of_row, of_one)
        yield replace(newest, older=tuple(older))


# -- where entries begin ---------------------------------------------------------------------------------------


def _first(raw: bytes, encoded: bool, key: bytes) -> int:
    """Where the first entry begins whose key is not below this one: searched by halves, since they are in order."""
    low, high = 0, len(raw)
    while low < high:
        middle = _entry_at(raw, (low + high) // 2, high)
        if middle == high:
            middle = low
        if _key_behind(raw, raw.index(KEY, middle), encoded) < key:
            low = _entry_at(raw, middle + 1, high)
        else:
            high = middle
    return high


def _last(raw: bytes, encoded: bool) -> bytes:
    at = raw.rfind(KEY)
    return _key_behind(raw, at, encoded) if at >= 0 else b""


def _entry_at(raw: bytes, start: int, end: int) -> int:
    """Where the first entry at or behind this place begins; `end` where none does."""
    found = ENTRY[VERSIONS].search(raw, start, end)
    return found.start() if found else end


def _key_behind(raw: bytes, at: int, encoded: bool) -> bytes:
    begin = at + len(KEY)
    return key_bytes(raw[begin : raw.index(CLOSE, begin)], encoded)


def _ordered(raw: bytes, encoded: bool) -> bytes:
    """The entries by their keys: S3 sends them so, some endpoints send a page's delete markers behind its versions."""
    if raw.endswith(b"</Version>") or VERSION not in raw:
        return raw
    entries = _ENTRY.findall(raw)
    keys = [_key_behind(each, each.index(KEY), encoded) for each in entries]
    if keys == sorted(keys):
        return raw
    return b"".join(entries[at] for at in sorted(range(len(entries)), key=keys.__getitem__))
