"""Two long listings read in many ranges of keys at once.

A listing can only be read from one key to the next, a thousand a page; but it can be begun anywhere. The first pages
show whether a bucket is long. Then the keys between here and the end are cut into ranges: by what lies between slashes,
and where there is nothing between them by asking for the next key behind some that might be. A range that is long
still when others have ended is cut again. S3 answers 5,500 listings a second and prefix (S3 User Guide, "Best practices
design patterns: optimizing Amazon S3 performance"); what it slows down is asked again by the client.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.pages import OBJECTS, VERSIONS, Page, page_of
from pilotlight.runtime.errors import ListingCut
from pilotlight.runtime.kinds.buckets.listing import Bucket, Pair
from pilotlight.runtime.kinds.buckets.merging import Merge, Same, Side

AT_ONCE = 96
"""Pages that are under way: of 80 ms each, 1,200 a second, in some 60 MB."""
CUT_PAGES = 4
"""A range is cut once it has come so many pages without an end, both sides together: most buckets have fewer."""
AGAIN_PAGES = 8
DEPTH_MAX, PARENTS_MAX, ENOUGH = 6, 16, 8
"""Folders below folders that are looked into for places to cut at, how many of each depth, until there are so many."""
PROBES_MAX, PROBES_AGAIN = 128, 16
CUTTING = -1

Told = TypeVar("Told")


@dataclass(frozen=True)
class Span:
    """Keys behind `after` up to `until`, or to the end."""

    after: str = ""
    until: str | None = None


WHOLE = (Span(),)
Taking = Callable[[Iterable[Same | Pair], Told], None]
"""Takes what is told of a range, in the order of its keys, into what is kept of it."""


@dataclass(eq=False)
class Range(Generic[Told]):
    """Keys behind `after` up to `until`, or to the end."""

    after: str
    until: str | None
    told: Told
    merge: Merge = field(default_factory=Merge)
    pages: int = 0
    asked: dict[int, dict[str, str]] = field(default_factory=dict)
    """Side -> where its page that is under way begins."""
    at: dict[int, dict[str, str]] = field(default_factory=dict)
    """Side -> where its next page begins."""
    cut_at: int = CUT_PAGES

    @property
    def sides(self) -> tuple[Side, Side]:
        """The primary's, or whatever is compared, and its copy."""
        return self.merge.source, self.merge.copy

    @property
    def come_to(self) -> str:
        """Everything up to this key was told."""
        return self.merge.told_to.decode() or self.after

    @property
    def position(self) -> str:
        """What either side has come to: nothing behind this key was told yet."""
        return max((each["KeyMarker"] for each in self.at.values()), key=str.encode, default=self.after)


class Reader(Generic[Told]):
    """Reads both sides. What is told of a range is told in the order of its keys, and ranges come back in order."""

    def __init__(
        self,
        client: AwsClient,
        source: Bucket,
        copy: Bucket,
        begin: Callable[[], Told],
        take: Taking[Told],
        at_once: int = AT_ONCE,
    ) -> None:
        self._client, self._buckets, self._places = client, (source, copy), Places(client, source)
        self._begin, self._take, self._at_once = begin, take, at_once
        self._arrived: SimpleQueue[tuple[Range[Told], int, Any]] = SimpleQueue()
        self._ranges: list[Range[Told]] = []
        self._under_way = 0
        self._pages_left: float = math.inf

    def read(self, spans: Iterable[Span] = WHOLE, pages: int | None = None) -> list[Told]:
        """Everything in these spans, which are in order; no further page is asked for after so many. What a page is
        refused with is raised once no other is under way."""
        self._pages_left = math.inf if pages is None else pages
        self._ranges += [Range(each.after, each.until, self._begin()) for each in spans]
        if len(self._ranges) == 1:
            self._read_first(self._ranges[0])
        if self.left:
            with ThreadPoolExecutor(self._at_once, thread_name_prefix="listing") as pool:
                try:
                    for each in list(self._ranges):
                        self._go_on(each, pool)
                    self._until_over(pool)
                finally:
                    pool.shutdown(wait=False, cancel_futures=True)
        return [each.told for each in self._ranges]

    def _read_first(self, of: Range[Told]) -> None:
        """The first pages, one after the other: most buckets have no more."""
        for side in (0, 1):
            where = {"KeyMarker": of.after} if of.after else {}
            self._feed(of, side, self._page(side, where), where)
        self._take(of.merge.told(), of.told)

    @property
    def left(self) -> tuple[Span, ...]:
        """What is not told yet."""
        return tuple(Span(each.come_to, each.until) for each in self._ranges if not each.merge.over)

    @property
    def told_to(self) -> str:
        """Everything up to this key was told, whatever of what lies behind it was, too."""
        return next((each for each in self._ranges if not each.merge.over), self._ranges[-1]).come_to

    def _until_over(self, pool: ThreadPoolExecutor) -> None:
        while self._under_way:
            of, side, found = self._arrived.get()
            self._under_way -= 1
            before = of.asked.pop(side)
            if isinstance(found, BaseException):
                raise found
            if side == CUTTING:
                self._cut(of, found, pool)
                continue
            self._feed(of, side, found, before)
            self._take(of.merge.told(), of.told)
            self._go_on(of, pool)
            self._cut_more(pool)

    def _go_on(self, of: Range[Told], pool: ThreadPoolExecutor) -> None:
        if self._pages_left <= 0:
            return
        for side, found in enumerate(of.sides):
            if side not in of.asked and of.merge.lacks(found):
                where = of.at.get(side, {"KeyMarker": of.after} if of.after else {})
                self._begins(of, side, where, pool, partial(self._page, side, where))

    def _begins(
        self, of: Range[Told], what: int, where: dict[str, str], pool: ThreadPoolExecutor, does: Callable[[], Any]
    ) -> None:
        def act() -> None:
            try:
                self._arrived.put((of, what, does()))
            except BaseException as problem:
                self._arrived.put((of, what, problem))

        of.asked[what] = where
        self._under_way += 1
        pool.submit(act)

    def _page(self, side: int, where: dict[str, str]) -> Page:
        bucket = self._buckets[side]
        asked = {"Bucket": bucket.name, "Prefix": bucket.prefix} | where
        return page_of(self._client.call("s3", VERSIONS, bucket.region, **asked))

    def _feed(self, of: Range[Told], side: int, page: Page, before: dict[str, str]) -> None:
        of.sides[side].feed(page, of.until.encode() if of.until is not None else None)
        of.pages += 1
        self._pages_left -= 1
        if page["IsTruncated"]:
            of.at[side] = following(page, before, self._buckets[side])

    # -- cutting -----------------------------------------------------------------------------------------------

    def _cut_more(self, pool: ThreadPoolExecutor) -> None:
        """Look for places to cut at in what is long, while less is under way than may be."""
        if self._under_way > self._at_once // 2 or self._pages_left <= 0:
            return
        for each in self._ranges:
            if each.asked and each.pages >= each.cut_at and CUTTING not in each.asked:
                looked_for = partial(self._places.between, each.position, each.until)
                self._begins(each, CUTTING, {}, pool, looked_for)

    def _cut(self, of: Range[Told], found: list[str], pool: ThreadPoolExecutor) -> None:
        """Ranges of their own behind the places that were found and that were not come to meanwhile."""
        of.pages, of.cut_at = 0, max(AGAIN_PAGES, 2 * of.cut_at)
        here = of.position.encode()
        ahead = [each for each in found if each.encode() > here]
        if not ahead or of.merge.over:
            return
        going = sum(1 for each in self._ranges if each.asked or each is of)
        cutting = sum(1 for each in self._ranges if CUTTING in each.asked) + 1
        wanted = max(1, (self._at_once // 2 - going) // cutting)
        places = ahead if len(ahead) <= wanted else [ahead[at * len(ahead) // wanted] for at in range(wanted)]
        more = [
            Range(place, end, self._begin(), cut_at=AGAIN_PAGES)
            for place, end in zip(places, [*places[1:], of.until], strict=True)
        ]
        of.until = places[0]
        for side in of.sides:
            side.end_at(places[0].encode())
        at = self._ranges.index(of) + 1
        self._ranges[at:at] = more
        for each in more:
            self._go_on(each, pool)


class Places:
    """Where the keys of a bucket can be cut."""

    def __init__(self, client: AwsClient, bucket: Bucket) -> None:
        self._client, self._bucket = client, bucket

    def between(self, position: str, until: str | None) -> list[str]:
        """Keys, or what keys begin with, behind one and before another, in order; a few of many, or none."""
        with ThreadPoolExecutor(PARENTS_MAX, thread_name_prefix="cutting") as pool:
            return self._folders(position, until, pool) or self._jumps(position, until, pool)

    def _folders(self, position: str, until: str | None, pool: ThreadPoolExecutor) -> list[str]:
        level = [max(self._bucket.prefix, _folder_of(position, until), key=len)]
        best: list[str] = []
        for _ in range(DEPTH_MAX):
            found = set(itertools.chain.from_iterable(pool.map(partial(self._below, position), level)))
            inside = sorted((each for each in found if _is_before(each, until)), key=str.encode)
            places = {each.removesuffix("/") for each in inside}  # which is another order: `a-b/` is before `a/`
            best = max(best, sorted((each for each in places if _is_before(position, each)), key=str.encode), key=len)
            if len(best) >= ENOUGH or not inside:
                break
            level = inside[:: -(-len(inside) // PARENTS_MAX)]
        return best

    def _below(self, position: str, parent: str) -> list[str]:
        """What lies between slashes below a folder, from where a key lies on."""
        here = parent + position.removeprefix(parent).split("/")[0] if position.startswith(parent) else ""
        where = {"Prefix": parent, "Delimiter": "/"} | ({"StartAfter": here} if here > parent else {})
        answer = self._client.call("s3", OBJECTS, self._bucket.region, Bucket=self._bucket.name, **where)
        return [str(each["Prefix"]) for each in answer.get("CommonPrefixes", [])]

    def _jumps(self, position: str, until: str | None, pool: ThreadPoolExecutor) -> list[str]:
        """Keys that there are, found by raising one letter of the place that was come to."""
        many, same = (
            (PROBES_MAX, len(self._bucket.prefix)) if until is None else (PROBES_AGAIN, _alike(position, until))
        )
        tried = itertools.islice(_raised(position, same), many)
        found = {each for each in pool.map(self._next, tried) if each and _is_before(each, until)}
        return sorted(found, key=str.encode)

    def _next(self, after: str) -> str:
        where = {"Prefix": self._bucket.prefix, "StartAfter": after, "MaxKeys": 1}
        answer = self._client.call("s3", OBJECTS, self._bucket.region, Bucket=self._bucket.name, **where)
        return next((str(each["Key"]) for each in answer.get("Contents", [])), "")


def following(page: Page, before: dict[str, str], bucket: Bucket) -> dict[str, str]:
    """Where the next page begins. ListingCut where the listing would not come to its end."""
    told = {"KeyMarker": page.get("NextKeyMarker") or "", "VersionIdMarker": page.get("NextVersionIdMarker") or ""}
    found = {name: value for name, value in told.items() if value}
    if "KeyMarker" not in found or found == before:
        reason = "its next page is the one that was just read" if found else "there is more, and no way to ask for it"
        raise ListingCut(
            service="s3", operation=VERSIONS, region=bucket.region, reason=reason, caller="in use", aws_code=""
        )
    return found


def _folder_of(key: str, until: str | None) -> str:
    """The folder that both keys are in."""
    pairs = zip(key.split("/")[:-1], (until or "").split("/")[:-1], strict=False)
    return "".join(f"{here}/" for here, there in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _is_before(key: str, until: str | None) -> bool:
    return until is None or key.encode() < until.encode()


def _alike(one: str, other: str) -> int:
    """How many letters both begin with."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in pairs)


def _raised(key: str, begin: int) -> Iterator[str]:
    """The key up to a letter, and that letter raised: a digit to each that follows, another by ever more; the foremost
    letters first."""
    for at in range(begin, len(key)):
        last = next((end for first, end in ("09", "az", "AZ") if first <= key[at] < end), key[at])
        steps = range(1, 10) if last == "9" else (1, 2, 4, 8, 16)
        for letter in (ord(key[at]) + step for step in steps):
            if letter <= ord(last):
                yield key[:at] + chr(letter)
