"""Keeping: one scheduled run makes one recovery point, begins what the next ones need, and prunes what the retention
policy lets go.

The point says what is proven in the standby region at this moment; copies begun now are for later points. It is made
also when the primary region does not answer, from what the standby holds, and says so. While the standby region is
the active one there is nothing to copy to, and points of that region alone are made (one_region.py).

A region makes only so many copies at once. Once its point is made, a run with a deadline goes on to begin further ones
as others end, until the next run is due; when all are completed it makes the point that has them.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from pilotlight.runtime.aws.wrappers import Fenced, Made, Until, with_innermost
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import (
    CallRefused,
    EpochStale,
    PilotlightError,
    RegionUnreachable,
    Throttled,
    TimeIsUp,
)
from pilotlight.runtime.kinds.kind import Observation, remarked
from pilotlight.runtime.kinds.registry import by_kind, in_order
from pilotlight.runtime.kinds.volumes.schedule import run_id
from pilotlight.runtime.metrics import put_metric
from pilotlight.runtime.naming import METRIC_PROTECT_FAILURES, METRIC_UNREPLICATED
from pilotlight.runtime.points import choose, one_region
from pilotlight.runtime.points.earlier import Earlier
from pilotlight.runtime.points.observation import ask_first, learn, observe
from pilotlight.runtime.points.prune import prune
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.records.point import Part, RecoveryPoint
from pilotlight.runtime.store.lease import PROTECT, Held
from pilotlight.runtime.store.ledger import SERVING, PointLine
from pilotlight.runtime.store.record_bucket import locked

log = logging.getLogger(__name__)

FURTHER_LOOKS_MAX = 3
FURTHER_LOOK_SECONDS = 2.0
"""S3 replicates most objects within seconds: a point that waits for them is worth more than one that lacks them."""
TURN_SECONDS = 2.0
"""How often it is asked whether there is room for further copies: EBS tells of the end of one only when asked, and the
shortest takes about a minute."""
NEXT_RUN_SECONDS = 60.0
"""EventBridge Scheduler User Guide, "Schedule types": a schedule fires within a minute of its time. A run lets go of
its lease so long before the next one is due, or a quarter of the interval before, whichever is less."""
PRIMARY_SILENT = "The primary region does not answer; the point is what the standby region holds."


@dataclass(frozen=True)
class ScheduledRun:
    """What one came to. `waits_until`: something is under way still, and another process may go on with it until then
    (seconds since 1970)."""

    point: RecoveryPoint | None
    waits_until: float | None = None


def protect(
    context: RecoveryContext,
    holder: str,
    left: Callable[[RecoveryContext], Iterable[str]],
    deadline: float | None = None,
) -> ScheduledRun:
    """One scheduled run. A point of one region while the standby serves, none while a run goes on. LeaseHeld when the
    last one still works.

    `left` looks for what older runs left on the primary: a sentence each, which people are told. Without a `deadline`
    (seconds since 1970) it ends with its point.
    """
    ledger = context.ledger
    ledger.sightings.keep_heartbeat()
    if not _serves(context):
        return _protect_alone(context, holder, deadline)
    until = context.clock.now() + context.inventory.every_seconds - _early(context.inventory.every_seconds)
    with ledger.leases.during(holder, PROTECT) as held:
        own = _fenced(_timed(context, deadline), held)
        try:
            turns = Turns(own)
            point, remarks = _keep(own, held, left, turns)
        except EpochStale:
            raise
        except PilotlightError as problem:
            _fail(context, problem)
            raise
        if deadline is None:
            return ScheduledRun(point)
        return _go_on(own, held, turns, until, ScheduledRun(point), remarks)


def _protect_alone(context: RecoveryContext, holder: str, deadline: float | None) -> ScheduledRun:
    """While the standby region serves what it writes is kept there; while a run moves the workload nothing is."""
    if not one_region.is_alone(context):
        return ScheduledRun(None)
    with context.ledger.leases.during(holder, PROTECT) as held:
        own = _fenced(_timed(context, deadline), held)
        try:
            made = one_region.keep(own, held)
            prune(own, primary_answers=False)
        except EpochStale:
            raise
        except PilotlightError as problem:
            _fail(context, problem)
            raise
        put_metric(own, METRIC_PROTECT_FAILURES, 0)
        return ScheduledRun(made)


def go_on(context: RecoveryContext, holder: str, until: float, deadline: float) -> ScheduledRun:
    """What a scheduled run left under way is gone on with `until` the next is due; LeaseHeld when one works."""
    if not _serves(context):
        return ScheduledRun(None)
    with context.ledger.leases.during(holder, PROTECT) as held:
        own = _fenced(_timed(context, deadline), held)
        return _go_on(own, held, Turns(own), until, ScheduledRun(None))


def _serves(context: RecoveryContext) -> bool:
    """Whether the primary region does, and nothing is changing that."""
    active = context.ledger.active(context.inventory.primary)
    return active.region == context.inventory.primary and active.state == SERVING


def _early(every_seconds: float) -> float:
    return min(NEXT_RUN_SECONDS, every_seconds / 4)


def _keep(
    context: RecoveryContext, held: Held, left: Callable[[RecoveryContext], Iterable[str]], turns: Turns
) -> tuple[RecoveryPoint, tuple[str, ...]]:
    """What is due, the point, what it says of buckets, and what is not kept any longer; with the remarks about what is
    due."""
    primary_answers = context.answers(context.inventory.primary)
    remarks = _keep_up(context) if primary_answers else (PRIMARY_SILENT,)
    waits = turns.take() if primary_answers else ()
    point = _point(context, primary_answers, held, (*remarks, *waits))
    _tidy(context, primary_answers, left)
    return point, remarks


def _point(context: RecoveryContext, primary_answers: bool, held: Held, remarks: tuple[str, ...]) -> RecoveryPoint:
    """Made, and told to whoever judges and watches by it."""
    point = make_point(context, primary_answers, held, remarks)
    for kind, asset in in_order(context.inventory):
        if part := point.part(asset.name):
            kind.judge(context, asset, part)
    _publish(context, point.parts)
    return point


def _go_on(
    context: RecoveryContext,
    held: Held,
    turns: Turns,
    until: float,
    run: ScheduledRun,
    remarks: tuple[str, ...] = (),
) -> ScheduledRun:
    """Turn after turn, then the point that has it all. A point is made already: what ends this early is no failure, and
    the next run meets it again."""
    clock, waited = context.clock, run.point is None
    try:
        while _serves(context):
            if not turns.left:
                complete = waited and context.answers(context.inventory.primary)
                return ScheduledRun(_point(context, True, held, remarks)) if complete else run
            if clock.now() + TURN_SECONDS >= until:
                return run
            clock.sleep(TURN_SECONDS)
            turns.take()
            waited = True
    except TimeIsUp:
        return replace(run, waits_until=until)
    except (CallRefused, RegionUnreachable, Throttled):
        pass
    return run


class Turns:
    """The turns of all kinds of a workload (AssetKind.in_turns)."""

    def __init__(self, context: RecoveryContext) -> None:
        self._left = [(kind.name, kind.in_turns(context, assets)) for kind, assets in by_kind(context.inventory)]

    @property
    def left(self) -> bool:
        return bool(self._left)

    def take(self) -> tuple[str, ...]:
        """One of each kind that has any left; remarks about what waits, and what could not be."""
        remarks, left = list[str](), list[tuple[str, Iterator[tuple[str, ...]]]]()
        for name, turns in self._left:
            with remarked(name, remarks):
                told = next(turns, None)
                if told is not None:
                    remarks += told
                    left.append((name, turns))
        self._left = left
        return tuple(remarks)


def _keep_up(context: RecoveryContext) -> tuple[str, ...]:
    """What later points need is begun; remarks about what could not be: one kind keeps no other from being kept."""
    remarks = list[str]()
    for kind, assets in by_kind(context.inventory):
        with remarked(kind.name, remarks):
            remarks += kind.keep_up(context, assets)
    return tuple(remarks)


def _timed(context: RecoveryContext, deadline: float | None) -> RecoveryContext:
    """The same, with no call after the deadline (seconds since 1970), so that the lease can be given back in time."""
    if deadline is None:
        return context
    timed = Until(context.client, context.inventory.workload, context.clock, deadline)
    return replace(context, client=timed, deadline=deadline)


def _fenced(context: RecoveryContext, held: Held) -> RecoveryContext:
    """The same, with no act of a scheduled run that has lost its lease: the next one may have let go of what it stands
    on."""
    leases, workload = context.ledger.leases, context.inventory.workload

    def late(made: Made) -> None:
        log.warning("%s: %s:%s was done late", workload, made.service, made.operation)

    return context.through(
        with_innermost(context.client, lambda inner: Fenced(inner, lambda: leases.confirm(held), late))
    )


def _fail(context: RecoveryContext, problem: PilotlightError) -> None:
    """Keep why for whoever looks; where even that cannot be kept, the age of the newest point tells."""
    with contextlib.suppress(PilotlightError):
        context.ledger.sightings.keep_heartbeat((f"the scheduled run failed: {problem.message}",))
        put_metric(context, METRIC_PROTECT_FAILURES, 1)


def _tidy(context: RecoveryContext, primary_answers: bool, left: Callable[[RecoveryContext], Iterable[str]]) -> None:
    """Prune, and look for fences that an older run left. What is refused or found there is told to people, by the alarm
    `protect-failing`; the point is made already."""
    troubles = list(left(context)) if primary_answers else []
    try:
        prune(context, primary_answers)
    except CallRefused as refusal:
        troubles.append(f"what is not kept any longer could not be deleted: {refusal.message}")
    if troubles:
        context.ledger.sightings.keep_heartbeat(tuple(troubles))
    put_metric(context, METRIC_PROTECT_FAILURES, len(troubles))


def make_point(
    context: RecoveryContext, primary_answers: bool, held: Held, remarks: tuple[str, ...] = ()
) -> RecoveryPoint:
    """Look at everything, write the records, then list the point, if the lease was not lost meanwhile."""
    earlier = Earlier(context)
    first = ask_first(context, primary_answers)
    look = Observation(context, primary_answers, earlier, first)
    made = _judged(context, look, remarks)
    for _ in range(FURTHER_LOOKS_MAX):
        if not (look.primary_answers and unsettled(context.inventory, made)):
            break
        context.clock.sleep(FURTHER_LOOK_SECONDS)
        look = Observation(context, look.primary_answers, earlier, first)
        made = _judged(context, look, remarks)
    learn(look)
    _write(context, made, look, held)
    return made


def _judged(context: RecoveryContext, look: Observation, remarks: tuple[str, ...]) -> RecoveryPoint:
    parts = observe(look)
    moment = stamp(context.clock.now())
    return choose.point(context.inventory, run_id(moment), moment, parts, (*remarks, *told(parts)))


def unsettled(inventory: Inventory, made: RecoveryPoint) -> bool:
    """Whether only what is on its way keeps the point from being complete (pure)."""
    if any(choose.lacking(choose.blocking(made.parts))):
        return False
    return any(choose.loose_ends(made.parts)) or any(choose.edges(inventory, made.parts))


def _write(context: RecoveryContext, made: RecoveryPoint, look: Observation, held: Held) -> None:
    """Manifests first, the point's record next, its line last: what is listed can be read."""
    lock = locked(context.inventory.lock, context.clock.now())
    for manifest in look.lists.values():
        if manifest.key and (lock or not context.records.has_manifest(manifest.key)):
            context.records.write_manifest(manifest.key, manifest.body(), lock)
    context.records.write_point(made, lock)
    context.ledger.index_point(line(made), held)


def line(made: RecoveryPoint) -> PointLine:
    """How a point is listed (pure)."""
    named = [(part.asset, part.reference) for part in made.parts if part.reference is not None]
    manifests = tuple(each.listed_in for _, each in named if each.listed_in)
    taken = tuple(f"{asset}#{each.rejectable}" for asset, each in named if each.rejectable is not None)
    kept = tuple(name for _, each in named for name in each.stands_on)
    return PointLine(made.id, made.status, made.created_at, kept, manifests, taken, outdated=made.outdated)


def told(parts: Iterable[Part]) -> tuple[str, ...]:
    """What the parts say that does not make the point partial, in sentences (pure)."""
    return tuple(f"{part.asset}: {each}." for part in parts for each in part.evidence.get("remarks", ()))


# -- what others watch -----------------------------------------------------------------------------------------


def _publish(context: RecoveryContext, parts: Iterable[Part]) -> None:
    """How many objects are overdue; the alarm `unreplicated` watches it. Nothing where nothing was compared."""
    kinds = {asset.name: kind for kind, asset in in_order(context.inventory)}
    counts = (kinds[part.asset].overdue(part) for part in parts)
    overdue = [each for each in counts if each is not None]
    if overdue or not any(kind.replicated for kind in kinds.values()):
        put_metric(context, METRIC_UNREPLICATED, sum(overdue))
