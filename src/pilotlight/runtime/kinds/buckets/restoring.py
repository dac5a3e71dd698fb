"""A prefix of a bucket as it was at a moment: planned from its versions, and carried out by copies inside S3.

In place a version of then comes back as a new version on top, and what was not there gets a delete marker: nothing is
erased. Each act is on condition that its key is still what the plan says is hidden by it (copying.py); what is not is
looked at, and is either done already, by this plan, or has moved on and is left. So a plan that was cut off is carried
out again. At the end the bucket is listed once more, and counts by what that proves.

Dollars are list prices of us-east-1 (S3 pricing, "S3 Standard"; "S3 Batch Operations"); deletions cost nothing.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import IO, Any, cast

from pilotlight.runtime.aws.client import AwsClient, aws_code
from pilotlight.runtime.aws.pages import Row
from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import BadOption, CallRefused, NotRestorable
from pilotlight.runtime.kinds.buckets import copying, manifests, restoring_batch, retained
from pilotlight.runtime.kinds.buckets.backfill import COPIES_AT_ONCE, POSITION_EVERY
from pilotlight.runtime.kinds.buckets.listing import CHECKSUM, ETAG, SIZE, Bucket, Current
from pilotlight.runtime.kinds.buckets.proofs import FULL_CHECKSUMS, GONE
from pilotlight.runtime.kinds.buckets.versions import (
    ARCHIVED,
    STANDARD,
    AsOf,
    Cut,
    History,
    Pick,
    TheSame,
    cut,
    histories,
    of_key,
    told,
)
from pilotlight.runtime.kinds.restore import Item, PlanFile, Planned, Restored, Tell, Wanted, item_of
from pilotlight.runtime.records.inventory import Datasets

COPY, DELETE, LOST, ARCHIVE = "copy", "delete", "lost", "archived"
BATCH, HERE = "batch", "copy"
BATCH_FROM_ITEMS = 100_000
"""From so many copies on a job of S3 Batch Operations makes them: at 2,500 a second that is 40 s here; a job survives
this process."""
READ_AT_ONCE = 16
SPOOLED_BYTES = 32 * 1024
REQUEST_DOLLARS = 0.005 / 1000
"""S3 pricing, "Requests & data retrievals": PUT, COPY, POST and LIST, us-east-1."""
STORED_DOLLARS = 0.023 / 1000**3
"""S3 pricing, "Storage": a byte a month in S3 Standard, first 50 TB, us-east-1."""
JOB_DOLLARS, TASK_DOLLARS = 0.25, 1.0 / 1_000_000
"""S3 pricing, "S3 Batch Operations": a job, an object."""
LIST_KEYS = 1000
OWN = ".pilotlight/"
"""Below it lie canaries and lists of ours, which are nobody's data."""
DONE, TO_DO = "done", ""


# -- planning --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """From where to where: in place both are one. A key becomes `below` and the key."""

    source: Bucket
    target: Bucket
    below: str = ""
    own: bool = True
    """Whether the target lies within the asset, where the asset's role may write."""

    @property
    def in_place(self) -> bool:
        return self.source.name == self.target.name and not self.below

    def told(self) -> dict[str, Any]:
        """As a plan says it."""
        return {
            "region": self.source.region,
            "bucket": self.source.name,
            "prefix": self.source.prefix,
            "in_place": self.in_place,
            "into": {"bucket": self.target.name, "below": self.below, "own": self.own},
        }

    @classmethod
    def of(cls, where: dict[str, Any]) -> Place:
        """The inverse of `told`."""
        region, into, prefix = str(where["region"]), where["into"], str(where["prefix"])
        target = Bucket(region, str(into["bucket"]), str(into["below"]) + prefix)
        return cls(Bucket(region, str(where["bucket"]), prefix), target, str(into["below"]), bool(into["own"]))


def place(context: RecoveryContext, asset: Datasets, wanted: Wanted) -> Place:
    """Where an asset lies in a region, and where it is restored to: `beside` is s3://bucket/prefix/ or prefix/."""
    bucket = asset.primary_bucket if wanted.region == context.inventory.primary else asset.standby_bucket
    source = Bucket(wanted.region, bucket, asset.prefix + wanted.prefix)
    name, below = bucket, wanted.beside
    if below.startswith("s3://"):
        name, _, below = below.removeprefix("s3://").partition("/")
    below = f"{below.strip('/')}/" if below.strip("/") else ""
    if wanted.beside and name == bucket and not below:
        reason = "is the bucket itself"
        raise BadOption(option="--beside", value=wanted.beside, reason=reason, expected="another place, or --in-place")
    own = name == bucket and (below + source.prefix).startswith(asset.prefix)
    return Place(source, Bucket(wanted.region, name, below + source.prefix), below, own)


def plan(
    context: RecoveryContext, asset: Datasets, wanted: Wanted, only: Callable[[str], bool] | None = None
) -> Planned:
    """Every key that is not what it was; `only` keys that it lets through. A point that lists its objects is restored
    by that list, any other by the moment up to which it holds everything."""
    where = place(context, asset, wanted)
    planning = _Planning(context, where, wanted, only or (lambda key: True))
    listed = _listed(context, asset, wanted)
    found = Planned(where.told(), iter(()))
    items = planning.by_list(listed) if listed is not None else planning.by_moment(moment(asset, wanted))
    found.items = _counted(items, planning, found.totals)
    return found


def moment(asset: Datasets, wanted: Wanted) -> float:
    """Seconds since 1970 up to which an asset is wanted (pure)."""
    part = wanted.point.part(asset.name) if wanted.point else None
    return parse_stamp(part.as_of) if part and part.as_of else wanted.moment


def _listed(context: RecoveryContext, asset: Datasets, wanted: Wanted) -> Iterator[Current] | None:
    """What a point's list names below the prefix."""
    part = wanted.point.part(asset.name) if wanted.point else None
    if wanted.point is not None and (part is None or not part.as_of):
        why = f"point {wanted.point.id} proved nothing of it"
        raise NotRestorable(
            asset=asset.name, region=wanted.region, reason=why, instead="Name a moment, or another point"
        )
    key = part.reference.listed_in if part and part.reference else ""
    if not key:
        return None
    within = asset.prefix + wanted.prefix
    named = manifests.lines(io.BytesIO(context.records.manifest(key)))
    return (each for each in named if each.key.startswith(within))


@dataclass
class _Seen:
    """What was counted of a range of keys: those that stay as they are, and versions and markers of all."""

    unchanged: int = 0
    entries: int = 0


class _Planning:
    """Makes the items of a plan."""

    def __init__(self, context: RecoveryContext, where: Place, wanted: Wanted, only: Callable[[str], bool]) -> None:
        self._client, self._where, self._only = context.client, where, only
        self._now = context.clock.now()
        self._rules = retained.expiries(context.client, where.source)
        self._skip = where.target.prefix if where.below and where.source.name == where.target.name else ""
        self.seen = _Seen()

    def by_moment(self, moment: float) -> Iterator[Item]:
        """In place in many ranges at once; beside key by key with what is there."""
        if self._where.in_place:
            yield from self._in_ranges(cut(self._client, self._where.source), lambda _: AsOf(moment))
            return
        for history, there in self._with_target(histories(self._client, self._where.source, lambda _: AsOf(moment))):
            yield from self._one(history, there, None, self.seen)

    def by_list(self, listed: Iterator[Current]) -> Iterator[Item]:
        """Every key of the bucket, and of the list, once: both are in the order of their keys."""
        seeking = _Seeking(listed)
        found = histories(self._client, self._where.source, seeking.pick)
        both = ((each, each.now) for each in found) if self._where.in_place else self._with_target(found)
        for history, there in both:
            yield from map(_gone, seeking.passed(history.key))
            yield from self._one(history, there, seeking.wanted(history.key), self.seen)
        yield from map(_gone, seeking.rest())

    def _in_ranges(self, found: Cut, pick: Callable[[str], Pick]) -> Iterator[Item]:
        """The first range as it comes, the others meanwhile into files, in their order."""
        with ThreadPoolExecutor(READ_AT_ONCE, thread_name_prefix="versions") as pool:
            source = self._where.source
            rest = [pool.submit(self._spooled, histories(self._client, source, pick, span)) for span in found.rest]
            try:
                for history in told(found.pages, pick, found.first.until):
                    yield from self._one(history, history.now, None, self.seen)
                for each in rest:
                    spooled, seen = each.result()
                    self.seen.unchanged, self.seen.entries = (
                        self.seen.unchanged + seen.unchanged,
                        self.seen.entries + seen.entries,
                    )
                    with spooled:
                        yield from (item_of(json.loads(line)) for line in spooled)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _spooled(self, found: Iterator[History]) -> tuple[IO[bytes], _Seen]:
        file, seen = cast(IO[bytes], tempfile.SpooledTemporaryFile(SPOOLED_BYTES)), _Seen()  # noqa: SIM115 - given away
        for history in found:
            for item in self._one(history, history.now, None, seen):
                file.write(json.dumps(item.told()).encode() + b"\n")
        file.seek(0)
        return file, seen

    def _with_target(self, found: Iterator[History]) -> Iterator[tuple[History, Row | None]]:
        """Each with what is current where it would go to: both are in the order of their keys."""
        there = histories(self._client, self._where.target, lambda _: _Nothing())
        at = next(there, None)
        for each in found:
            key = (self._where.below + each.key).encode()
            while at is not None and at.key.encode() < key:
                at = next(there, None)
            yield each, at.now if at is not None and at.key.encode() == key else None

    def _one(self, key: History, there: Row | None, listed: Current | _Unlisted | None, seen: _Seen) -> Iterator[Item]:
        """What becomes of one key; nothing where it is what it was."""
        skipped = self._skip and key.key.startswith(self._skip)
        if skipped or key.key.startswith(self._where.source.prefix + OWN) or not self._only(key.key):
            return
        seen.entries += key.older + 1
        shadows = version_told(there) if there is not None else None
        if isinstance(listed, Current) and key.was is None:
            yield replace(_gone(listed), shadows=shadows)
        elif key.was is None or key.was.deleted:
            yield from self._not_there(key, there, isinstance(listed, _Unlisted), seen)
        elif there is not None and _alike(key.was, there):
            seen.unchanged += 1
        else:
            source = version_told(key.was) | ({"storage": key.storage} if key.storage != STANDARD else {})
            archived = key.storage in ARCHIVED
            yield Item(key.key, source, ARCHIVE if archived else COPY, shadows, _thaw(key.storage) if archived else "")

    def _not_there(self, key: History, there: Row | None, unlisted: bool, seen: _Seen) -> Iterator[Item]:
        why = "" if key.was is not None or unlisted else retained.lost(key, self._rules, self._now)
        if why:
            yield Item(key.key, None, LOST, version_told(there) if there is not None else None, why)
        elif self._where.in_place and there is not None and not there.deleted:
            yield Item(key.key, None, DELETE, version_told(there))
        else:
            seen.unchanged += 1


def _gone(listed: Current) -> Item:
    """What a point's list names, and nothing is left of."""
    why = "the point names it, and no version of it is left: a lifecycle rule, or somebody, took it"
    return Item(listed.key, {"version": listed.version, "size": listed.size, "etag": listed.etag}, LOST, None, why)


class _Unlisted:
    """A point's list does not name the key: it was not there."""


class _Nothing:
    """Picks nothing: what is current is enough."""

    found: Row | None = None

    def see(self, row: Row) -> None:
        """Nothing is kept."""


class _Seeking:
    """A list in the order of its keys beside a listing in that order."""

    def __init__(self, listed: Iterator[Current]) -> None:
        self._listed = listed
        self._at = next(listed, None)
        self._passed: deque[Current] = deque()
        self._of: dict[str, Current] = {}

    def pick(self, key: str) -> Pick:
        """What chooses among the entries of this key; what the list names before it is not in the bucket."""
        while self._at is not None and self._at.key.encode() < key.encode():
            self._passed.append(self._at)
            self._at = next(self._listed, None)
        if self._at is None or self._at.key != key:
            return _Nothing()
        named, self._at = self._at, next(self._listed, None)
        self._of[key] = named
        return TheSame(named.version, named.etag, named.size)

    def wanted(self, key: str) -> Current | _Unlisted:
        """What the list says of a key."""
        return self._of.pop(key, None) or _Unlisted()

    def passed(self, key: str) -> Iterator[Current]:
        """What the list names before a key and the bucket has not."""
        while self._passed and self._passed[0].key.encode() < key.encode():
            yield self._passed.popleft()

    def rest(self) -> Iterator[Current]:
        """The same behind the last key."""
        yield from self._passed
        if self._at is not None:
            yield self._at
        yield from self._listed


def _counted(items: Iterator[Item], planning: _Planning, totals: dict[str, Any]) -> Iterator[Item]:
    """Count them as they pass; the totals are whole behind the last."""
    counts, size, requests, small = dict.fromkeys((COPY, DELETE, LOST, ARCHIVE), 0), 0, 0, 0
    for each in items:
        counts[each.action] += 1
        if each.action == COPY and each.source:
            size += int(each.source["size"])
            requests += _requests(int(each.source["size"]))
            small += _goes_by_job(each)
        yield each
    by = BATCH if small > BATCH_FROM_ITEMS and planning._where.own else HERE
    listings = -(-planning.seen.entries // LIST_KEYS) * 2
    dollars = (requests + listings) * REQUEST_DOLLARS + (JOB_DOLLARS + small * TASK_DOLLARS if by == BATCH else 0.0)
    totals |= counts | {"unchanged": planning.seen.unchanged, "bytes": size, "engine": by}
    totals |= {"dollars": round(dollars, 4), "dollars_a_month": round(size * STORED_DOLLARS, 4)}


def _requests(size: int) -> int:
    """A copy, or the parts of one with its beginning and end."""
    return 1 if size <= copying.COPY_BYTES_MAX else len(copying.part_ranges(size)) + 2


def version_told(row: Row) -> dict[str, Any]:
    """An entry as a plan names it."""
    found: dict[str, Any] = {"version": row.version, "modified": stamp(row.seconds)}
    return found | ({"deleted": True} if row.deleted else {"size": row.size, "etag": row.etag})


def _alike(one: Row, other: Row) -> bool:
    """Whether both are known to hold the same bytes by what a listing tells."""
    if one.version == other.version and one.version not in ("", "null"):
        return True
    return not other.deleted and (one.size, one.etag) == (other.size, other.etag)


def _thaw(storage: str) -> str:
    return f"that version is in {storage}: restore it there first (S3 User Guide, 'Restoring an archived object')"


# -- carrying out ----------------------------------------------------------------------------------------------


def restore(context: RecoveryContext, asset: Datasets, plan: PlanFile, tell: Tell) -> Restored:
    """Carry a plan out, or go on with one; then list once more what it says, and count what is so."""
    acting = _Acting(context, Place.of(plan.where), tell, int(plan.totals["items"]))
    done = Restored(asset.name, plan.id)
    if plan.totals.get("engine") == BATCH:
        acting.in_place_of(asset, plan)
    acting.all(asset, plan)
    acting.prove(plan, done)
    return done


class _Acting:
    """Copies and delete markers, so many at once."""

    def __init__(self, context: RecoveryContext, where: Place, tell: Tell, total: int) -> None:
        self._context, self._client, self._where, self._tell, self._total = context, context.client, where, tell, total
        self._whys: dict[str, str] = {}

    def in_place_of(self, asset: Datasets, plan: PlanFile) -> None:
        """The copies that S3 makes by a job: of what is not done yet, and is still what the plan says."""
        left = (item for item, standing, _ in self._standing(plan) if standing == TO_DO and _goes_by_job(item))
        restoring_batch.copy(self._context, asset, self._where.source, self._where.below, plan.id, left, self._tell)

    def all(self, asset: Datasets, plan: PlanFile) -> None:
        """Every item behind the one that was come to; the rest of them side by side."""
        ledger, name = self._context.ledger, f"restore-{asset.name}"
        begun, _, after = ledger.position(name).partition(" ")
        behind = after if begun == plan.id else ""
        items = ((number, each) for number, each in enumerate(plan.items(), 1) if each.item.encode() > behind.encode())
        with ThreadPoolExecutor(COPIES_AT_ONCE, thread_name_prefix="restore") as pool:
            for number, item, why in _side_by_side(pool, self._first, items):
                self._note(item, why)
                if number % POSITION_EVERY == 0:
                    ledger.set_position(name, f"{plan.id} {item.item}")
                self._tell("restored", number, self._total)
        for item in plan.items() if plan.where.get("pointers") else ():
            if _points(item):
                self._note(item, self._acted(item))
        ledger.set_position(name, "")

    def _first(self, item: Item) -> str:
        """One item; what points to others is done when they are there."""
        return "" if _points(item) else self._acted(item)

    def _note(self, item: Item, why: str) -> None:
        if why and len(self._whys) < LIST_KEYS:
            self._whys[item.item] = why

    def prove(self, plan: PlanFile, done: Restored) -> None:
        """What is as the plan says, by how strong an evidence; what is not, with the reason that S3 gave."""
        strengths: dict[str, int] = {}
        for number, (item, standing, strength) in enumerate(self._standing(plan), 1):
            self._tell("compared", number, self._total)
            if standing == DONE:
                done.done += 1
                strengths[strength] = strengths.get(strength, 0) + 1
            else:
                done.leave(item.item, self._whys.get(item.item) or item.why or standing or "it was not carried out")
        done.evidence |= {"strengths": strengths}

    def _acted(self, item: Item) -> str:
        """Do one item; why it was not done, or nothing."""
        if item.action not in (COPY, DELETE):
            return item.why
        try:
            self._act(item)
        except CallRefused as refusal:
            if aws_code(refusal) not in (*copying.MOVED_ON, *GONE):
                return copying.why_not(refusal)
            return self._looked_at(item)
        return ""

    def _act(self, item: Item) -> None:
        target, source = self._where.target, self._where.source
        over = _current(self._where.below + item.item, item.shadows)
        if item.action == DELETE:
            assert over is not None, "what is not there is not deleted"
            copying.remove(self._client, target, over)
        else:
            assert item.source is not None, "a copy is of something"
            of = _current(item.item, item.source)
            assert of is not None
            storage = str(item.source.get("storage", ""))
            copying.copy(self._client, source, target, of, over, self._where.below + item.item, storage, exact=True)

    def _looked_at(self, item: Item) -> str:
        """One that S3 refused because its key is not what the plan says: done before, or moved on."""
        key = self._where.below + item.item
        seen = _Above(item)
        found = of_key(self._client, self._where.target, key, seen)
        standing, _ = self._judged(item, seen, found)
        return "" if standing == DONE else standing or "S3 says that its key is not what the plan says"

    def _standing(self, plan: PlanFile) -> Iterator[tuple[Item, str, str]]:
        """Every item with DONE, TO_DO or why it is neither, and how strongly that is known: one listing beside it."""
        seeking = _Ahead(plan.items(), self._where.below)
        there = histories(self._client, self._where.target, seeking.pick)
        at = next(there, None)
        for item in plan.items():
            key = (self._where.below + item.item).encode()
            while at is not None and at.key.encode() < key:
                at = next(there, None)
            found = at if at is not None and at.key.encode() == key else None
            seen = cast(_Above, found.picked) if found is not None else _Above(item)
            yield (item, *self._judged(item, seen, found))

    def _judged(self, item: Item, seen: _Above, found: History | None) -> tuple[str, str]:
        if item.action not in (COPY, DELETE):
            return item.why, ""
        if seen.found is not None:
            return DONE, ETAG
        if seen.alike is not None and item.source is not None:
            strength = self._by_checksum(item, seen.alike)
            if strength:
                return DONE, strength
        if not seen.moved and (seen.reached or item.shadows is None):
            return TO_DO, ""
        at = f" at {stamp(found.now.seconds)}" if found is not None else ""
        return f"it was changed since the plan was made{at}; plan anew to hide that, too", ""

    def _by_checksum(self, item: Item, row: Row) -> str:
        """Of a new version of the same size whose entity tag is another (a KMS key, parts): what S3 keeps of both."""
        assert item.source is not None
        here = _checksums(self._client, self._where.source, item.item, str(item.source["version"]))
        there = _checksums(self._client, self._where.target, self._where.below + item.item, row.version)
        common = [name for name in FULL_CHECKSUMS if name in here and name in there]
        if not common:
            return SIZE
        return CHECKSUM if all(here[name] == there[name] for name in common) else ""


class _Above:
    """Sees whether an item was carried out: a version of its bytes, or a delete marker, above what the plan hides."""

    def __init__(self, item: Item | None) -> None:
        self._item = item
        self.found: Row | None = None
        self.alike: Row | None = None
        """Of the same size, with another entity tag."""
        self.moved = self.reached = False

    def see(self, row: Row) -> None:
        item = self._item
        if item is None or self.reached:
            return
        if item.shadows is not None and row.version == item.shadows["version"]:
            self.reached = True
        elif item.action == DELETE:
            self.found, self.moved = (self.found or row if row.deleted else self.found), True
        elif item.source is not None and not row.deleted and row.size == item.source.get("size"):
            same = row.etag == item.source.get("etag")
            self.found, self.alike = (self.found or row if same else self.found), self.alike or row
            self.moved = True
        else:
            self.moved = True


class _Ahead:
    """The items of a plan beside a listing of where they go to."""

    def __init__(self, items: Iterator[Item], below: str) -> None:
        self._items, self._below = items, below
        self._at = next(items, None)

    def pick(self, key: str) -> Pick:
        """What sees whether the item of this key was carried out."""
        while self._at is not None and (self._below + self._at.item).encode() < key.encode():
            self._at = next(self._items, None)
        return _Above(self._at if self._at is not None and self._below + self._at.item == key else None)


def _side_by_side(
    pool: ThreadPoolExecutor, act: Callable[[Item], str], items: Iterable[tuple[int, Item]]
) -> Iterator[tuple[int, Item, str]]:
    """What each came to, in their order; no more of them are held than twice as many as are under way."""
    window: deque[tuple[int, Item, Future[str]]] = deque()
    for number, item in items:
        window.append((number, item, pool.submit(act, item)))
        if len(window) >= 2 * COPIES_AT_ONCE:
            first, of, future = window.popleft()
            yield first, of, future.result()
    for first, of, future in window:
        yield first, of, future.result()


def _points(item: Item) -> bool:
    """Whether it names others, and is to be there after them."""
    return item.source is not None and bool(item.source.get("pointer"))


def _goes_by_job(item: Item) -> bool:
    """What a job copies: whole objects, all into one storage class."""
    if item.action != COPY or item.source is None:
        return False
    return int(item.source["size"]) <= copying.COPY_BYTES_MAX and not {"storage", "pointer"} & item.source.keys()


def _current(key: str, told: dict[str, Any] | None) -> Current | None:
    if told is None:
        return None
    size, etag = int(told.get("size", 0)), str(told.get("etag", ""))
    return Current(key, str(told["version"]), 0.0, size, etag, bool(told.get("deleted")))


def _checksums(client: AwsClient, bucket: Bucket, key: str, version: str) -> dict[str, str]:
    where = {"Bucket": bucket.name, "Key": key} | ({"VersionId": version} if version else {})
    try:
        head = client.call("s3", "head_object", bucket.region, **where, ChecksumMode="ENABLED")
    except CallRefused as refusal:
        if aws_code(refusal) in GONE:
            return {}
        raise
    if head.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return {}
    return {name: head[name] for name in FULL_CHECKSUMS if head.get(name)}
