"""Full comparisons of buckets too long to be listed by every scheduled run, and what is known between two of them.

A bucket of up to EACH_RUN_OBJECTS is compared whole by every scheduled run, in a few pages. A longer one is compared on
a schedule of its own, in turns after the point, by as many invocations of the function as it takes: what is left of it
is kept. Between two of them the keys that were awaited are looked at one by one; the watermark moves up to the moment
at which the last full comparison began, and no further: nothing short of a listing proves that nothing else is missing.
Deliveries of events get lost (S3 User Guide, "Amazon S3 Event Notifications": at least once is what they are designed
for), so events may hold a watermark back, and never move it forward.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from typing import IO, ClassVar

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RecordUnreadable
from pilotlight.runtime.kinds.buckets.listing import DIFFERENT, Bucket, Current, current
from pilotlight.runtime.kinds.buckets.manifests import Manifest
from pilotlight.runtime.kinds.buckets.observe import (
    Comparison,
    Rules,
    buckets,
    compare_some,
    patience_seconds,
    watermark,
)
from pilotlight.runtime.kinds.buckets.proofs import Proofs
from pilotlight.runtime.kinds.buckets.ranges import WHOLE, Span
from pilotlight.runtime.kinds.buckets.rule import Rule, seen
from pilotlight.runtime.records import codec
from pilotlight.runtime.records.inventory import Datasets, Inventory
from pilotlight.runtime.store.record_bucket import locked

EACH_RUN_OBJECTS = 10_000
"""Keys that every scheduled run compares: ten pages a side, 0.0001 USD (S3 pricing: 0.005 USD for 1,000 listings)."""
INLINE_PAGES = 60
"""What a scheduled run reads of a bucket whose length it does not know, before it leaves the rest to turns."""
TURN_PAGES = 5_000
"""Of one turn: five million entries, some seconds of reading."""
EVERY_SECONDS = 3600.0
"""How often a longer bucket is compared where nothing is declared: of a hundred million objects, 200,000 pages, it
costs 1 USD."""
LATE_TIMES = 3.0
"""A comparison is late when it is this many times its interval old: one may be cut off, and one be slow."""
LOOKS_AT_ONCE = 16
FAILED = "OperationFailedReplication"
"""What S3 tells of a version that it will not replicate (S3 User Guide, "Receiving replication failure events")."""
DATASET = "dataset"
UNLISTED = "it was compared by more than one invocation, so its objects are not listed"
GONE = "the list of its objects is gone from the vault"


@dataclass(frozen=True)
class Full:
    """A full comparison: what it found of everything that was written before it began."""

    begun_at: str
    ended_at: str
    found: Comparison
    manifest: str = ""
    unlisted: str = ""
    """Why there is no manifest."""


@dataclass(frozen=True)
class Unfinished:
    """One that goes on: what is left to be read, and what was found so far; `pages` is the next turn's."""

    begun_at: str
    spans: tuple[Span, ...] = WHOLE
    found: Comparison = field(default_factory=Comparison)
    pages: int = field(default_factory=lambda: TURN_PAGES)
    refused: str = ""
    """What AWS said to the last turn, where it refused it."""


@dataclass(frozen=True)
class State:
    """What is kept of a bucket that is too long for every run."""

    SCHEMA: ClassVar[str] = "pilotlight/comparisons/1"

    full: Full | None = None
    unfinished: Unfinished | None = None
    schema: str = SCHEMA


@dataclass(frozen=True)
class Seen:
    """One look: what is known of the bucket, as of the full comparison that it stands on."""

    found: Comparison
    begun: float
    compared_at: str
    manifest: Manifest | KeptManifest | None = None
    unlisted: str = ""

    @property
    def as_of(self) -> str:
        """The watermark."""
        return stamp(watermark(self.found, self.begun))


@dataclass(frozen=True)
class NotYet:
    """Nothing is known of the whole yet: why."""

    why: str


class KeptManifest:
    """The manifest that an earlier look has written."""

    def __init__(self, context: RecoveryContext, key: str) -> None:
        self._context, self.key = context, key

    def body(self) -> IO[bytes]:
        """Its bytes."""
        return BytesIO(self._context.records.manifest(self.key))


def look(context: RecoveryContext, asset: Datasets, rule: Rule) -> Seen | NotYet:
    """What is known of a bucket now. The primary answers."""
    state = _state(context, asset)
    if state.unfinished is None and (state.full is None or state.full.found.objects <= EACH_RUN_OBJECTS):
        if seen := _whole(context, asset, rule, state):
            return seen
        state = _state(context, asset)
    if state.full is None:
        return NotYet(_going_on(state.unfinished))
    if why := _outdated(context, state.full, rule):
        _keep(context, asset, State(None, Unfinished(stamp(context.clock.now()))))
        return NotYet(why)
    return _between(context, asset, rule, state.full)


def in_turns(context: RecoveryContext, assets: Iterable[Datasets]) -> Iterator[tuple[str, ...]]:
    """Full comparisons that are due or go on, a turn each; what AWS refuses of one is raised behind the others."""
    refused: CallRefused | None = None
    for asset in assets:
        state = _state(context, asset)
        if state.unfinished is None and not _due(context, asset, state):
            continue
        going: Unfinished | None = state.unfinished or Unfinished(stamp(context.clock.now()))
        while going is not None:
            try:
                further = _turn(context, asset, state.full, going)
            except CallRefused as refusal:
                _keep(context, asset, State(state.full, replace(going, refused=refusal.message)))
                refused = refusal
                break
            going = further
            if going is not None and context.deadline is not None:
                yield ()
    if refused is not None:
        raise refused


def again(context: RecoveryContext, asset: Datasets) -> None:
    """Something was changed by other means than replication: the next turn compares anew."""
    state = _state(context, asset)
    if state.full is not None or state.unfinished is not None:
        _keep(context, asset, replace(state, unfinished=Unfinished(stamp(context.clock.now()))))


def hasten(context: RecoveryContext, asset: Datasets) -> None:
    """The next turn compares, though it is not due; what goes on already is not begun anew."""
    if _state(context, asset).unfinished is None:
        again(context, asset)


def every_seconds(inventory: Inventory, asset: Datasets) -> float:
    """How often a bucket too long for every run is compared."""
    return max(asset.compare_seconds or EVERY_SECONDS, inventory.every_seconds)


def lasts_seconds(inventory: Inventory, asset: Datasets, objects: int) -> float:
    """How old a full comparison of so many may be before nobody goes by it; 0 where every scheduled run makes one."""
    return LATE_TIMES * every_seconds(inventory, asset) if objects > EACH_RUN_OBJECTS else 0.0


# -- full ------------------------------------------------------------------------------------------------------


def _whole(context: RecoveryContext, asset: Datasets, rule: Rule, state: State) -> Seen | None:
    """Compared whole, in this look; None where it is too long for that, which is kept."""
    told = context.ledger.sightings.awaited(asset.name)
    begun, manifest = context.clock.now(), _manifest(asset)
    pages = None if context.deadline is None else INLINE_PAGES
    rules, sides = _rules(context, asset, rule, told, begun), buckets(context.inventory, asset)
    found, left = compare_some(context.client, *sides, rules, manifest, pages=pages)
    if left:
        _keep(context, asset, State(state.full, Unfinished(stamp(begun), left, found)))
        return None
    if found.awaits_named:
        _forget(context, asset, told.keys() - set(found.awaited))
    if found.objects > EACH_RUN_OBJECTS:
        _keep(context, asset, State(_full(context, stamp(begun), found, manifest)))
    elif state != State():
        _keep(context, asset, State())
    return Seen(found, begun, stamp(context.clock.now()), manifest, manifest.unlisted if manifest else "")


def _turn(context: RecoveryContext, asset: Datasets, full: Full | None, going: Unfinished) -> Unfinished | None:
    """One turn more of what goes on; what is left is kept. One that gets nowhere has a longer one after it: a key with
    very many versions is told once all of them are read."""
    manifest = _manifest(asset) if going.spans == WHOLE else None
    pages = None if context.deadline is None else going.pages
    told, begun = context.ledger.sightings.awaited(asset.name), parse_stamp(going.begun_at)
    rules, sides = _rules(context, asset, seen(context, asset), told, begun), buckets(context.inventory, asset)
    found, left = compare_some(context.client, *sides, rules, manifest, going.spans, pages)
    total = deepcopy(going.found)
    total.add(found)
    if left:
        more = going.pages * 2 if left == going.spans else going.pages
        further = Unfinished(going.begun_at, left, total, more)
        _keep(context, asset, State(full, further))
        return further
    if manifest and manifest.key:
        lock = locked(context.inventory.lock, context.clock.now())
        context.records.write_manifest(manifest.key, manifest.body(), lock)
    _keep(context, asset, State(_full(context, going.begun_at, total, manifest)))
    return None


def _manifest(asset: Datasets) -> Manifest | None:
    """Of a dataset; of checkpoints a point lists the one that it names (kinds/checkpoints)."""
    return Manifest(asset.name) if asset.kind == DATASET else None


def _full(context: RecoveryContext, begun: str, found: Comparison, manifest: Manifest | None) -> Full:
    now = stamp(context.clock.now())
    if manifest is None:
        return Full(begun, now, found, "", UNLISTED)
    return Full(begun, now, found, manifest.key, manifest.unlisted)


def _rules(context: RecoveryContext, asset: Datasets, rule: Rule, told: Mapping[str, str], begun: float) -> Rules:
    before = context.clock.now() - patience_seconds(context.inventory, asset)
    proofs = Proofs(context, asset.name, *buckets(context.inventory, asset))
    failed = frozenset(key for key, what in told.items() if what == FAILED)
    return Rules(before, rule_since=rule.since, proofs=proofs, begun=begun, failed=failed)


def _due(context: RecoveryContext, asset: Datasets, state: State) -> bool:
    """Of a long bucket that was compared before; the first time is the look's own."""
    if state.full is None or state.full.found.objects <= EACH_RUN_OBJECTS:
        return False
    age = context.clock.now() - parse_stamp(state.full.ended_at)
    return age >= every_seconds(context.inventory, asset)


def _outdated(context: RecoveryContext, full: Full, rule: Rule) -> str:
    """Why what was found says nothing of now: the other region served since, or the rule is a newer one."""
    if context.ledger.active(context.inventory.primary).since > full.begun_at:
        return "the workload moved since its last full comparison; the next one goes on"
    if not math.isinf(rule.since) and rule.since > parse_stamp(full.begun_at):
        return "its replication rule is newer than its last full comparison; the next one goes on"
    return ""


def _going_on(unfinished: Unfinished | None) -> str:
    if unfinished is None:
        return "it was not compared whole yet"
    told = f"its first full comparison goes on: {unfinished.found.objects} objects were compared so far"
    return f"{told}; AWS refused the last turn: {unfinished.refused}" if unfinished.refused else told


# -- between ---------------------------------------------------------------------------------------------------


def lacking(context: RecoveryContext, asset: Datasets, keys: Iterable[str]) -> list[str]:
    """Which of these are not known to have arrived in their newest state; what was told of the others is forgotten. No
    checksum is asked for."""
    rules = Rules(-math.inf, certain=lambda ours, theirs: DIFFERENT)
    found = {key for key, each in _looked(context, asset, rules, list(keys)) if each.waiting}
    _forget(context, asset, set(keys) - found)
    return sorted(found)


def _between(context: RecoveryContext, asset: Datasets, rule: Rule, full: Full) -> Seen:
    """The last full comparison, with what it awaited looked at again, where that is known by name, and with what S3 has
    told of since."""
    known, told = full.found, context.ledger.sightings.awaited(asset.name)
    rules = _rules(context, asset, rule, told, parse_stamp(full.begun_at))
    found, awaited = deepcopy(known), list[str]()
    if known.awaits_named:
        awaited = known.awaited
        found = Comparison(known.settled, extra=known.extra, extra_keys=known.extra_keys, kept=known.kept)
        found.strengths = dict(known.strengths)
        for _, each in _looked(context, asset, rules, awaited):
            found.add(each)
    arrived = told.keys() & set(awaited) - set(found.awaited)
    counted = {*awaited, *found.awaited, *found.overdue_keys}
    for key, each in _looked(context, asset, rules, sorted(told.keys() - counted)):
        if each.waiting:
            found.add(each)
        else:
            arrived.add(key)
    _forget(context, asset, arrived)
    manifest, unlisted = _kept_manifest(context, full)
    return Seen(found, parse_stamp(full.begun_at), full.ended_at, manifest, unlisted)


def _looked(
    context: RecoveryContext, asset: Datasets, rules: Rules, keys: list[str]
) -> Iterator[tuple[str, Comparison]]:
    """Every key with what is found of it alone: its versions on both sides are listed, and nothing else."""
    sides = buckets(context.inventory, asset)
    with ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="awaited") as pool:
        states = [pool.map(partial(_one, context.client, side), keys) for side in sides]
        for key, ours, theirs in zip(keys, *states, strict=True):
            found = Comparison()
            if ours is not None or theirs is not None:
                rules.pair(found, ours, theirs)
            yield key, rules.settle(found, whole=False)


def _one(client: AwsClient, bucket: Bucket, key: str) -> Current | None:
    """Every version of one key."""
    first = next(current(client, replace(bucket, prefix=key)), None)
    return first if first is not None and first.key == key else None


def _kept_manifest(context: RecoveryContext, full: Full) -> tuple[KeptManifest | None, str]:
    if not full.manifest:
        return None, full.unlisted
    if not context.records.has_manifest(full.manifest):
        return None, GONE
    return KeptManifest(context, full.manifest), ""


def _forget(context: RecoveryContext, asset: Datasets, keys: Iterable[str]) -> None:
    for key in keys:
        context.ledger.sightings.forget_awaited(asset.name, key)


# -- kept ------------------------------------------------------------------------------------------------------


def _state(context: RecoveryContext, asset: Datasets) -> State:
    """What cannot be read is compared anew."""
    text = context.ledger.sightings.comparison(asset.name)
    try:
        return codec.loads(State, text, asset.name) if text else State()
    except RecordUnreadable:
        return State()


def _keep(context: RecoveryContext, asset: Datasets, state: State) -> None:
    text = "" if state == State() else json.dumps(codec.encode(state), ensure_ascii=False, separators=(",", ":"))
    context.ledger.sightings.keep_comparison(asset.name, text)
