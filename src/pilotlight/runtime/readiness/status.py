"""Where a workload stands, whole: read in the standby region alone, so that it can be told while the primary is dark.

Everything has an age, and what is older than its bound is a problem like any other (bounds.py). `problems` is empty
only where all is known and good; a request that waits for a person is the first of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RecordUnreadable
from pilotlight.runtime.kinds.kind import PROTECTED
from pilotlight.runtime.kinds.registry import in_order
from pilotlight.runtime.naming import ACTIVE_UNHEALTHY
from pilotlight.runtime.points.choose import newest_complete, newest_of, newest_usable
from pilotlight.runtime.readiness import alarms as looking
from pilotlight.runtime.readiness import bounds
from pilotlight.runtime.readiness.alarms import RINGS, AlarmState, Channel
from pilotlight.runtime.readiness.standing import AssetStanding, Known, standings
from pilotlight.runtime.records.point import ONE_REGION, RecoveryPoint
from pilotlight.runtime.store.ledger import SERVING, Active, PointLine, Request
from pilotlight.runtime.store.record_bucket import NOTHING_THERE
from pilotlight.runtime.store.sightings import HEALTHY, Heartbeat, Look

APPROVAL = "approval"


@dataclass(frozen=True)
class PointAge:
    """One recovery point, and how old it is."""

    id: str
    created_at: str
    age_seconds: float


@dataclass(frozen=True)
class Points:
    """The newest complete point; None where there is none. `bound_seconds` is how old it may be. `newest_usable` is
    what a run would go by: the same, or a newer one that lacks the newest software alone."""

    newest_complete: PointAge | None
    bound_seconds: float
    newest_usable: PointAge | None
    newest_alone: PointAge | None = None
    """Of the standby region alone, made since it serves."""


@dataclass(frozen=True)
class Status:
    """Everything, with its age in seconds; `problems` are sentences, the most urgent first."""

    workload: str
    trigger: str
    active: Active
    request: Request | None
    points: Points
    assets: tuple[AssetStanding, ...]
    alarms: tuple[AlarmState, ...]
    probe: Look | None
    probe_age_seconds: float | None
    scheduled_run: Heartbeat | None
    scheduled_run_age_seconds: float | None
    channel: Channel | None
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        return not self.problems


def status(context: RecoveryContext) -> Status:
    """Look at everything once."""
    ledger, now = context.ledger, context.clock.now()
    active, lines = ledger.active(context.inventory.primary), ledger.points()
    look, heartbeat = ledger.sightings.look(), ledger.sightings.heartbeat()
    protections = {
        asset.name: ledger.protection(asset.name) for kind, asset in in_order(context.inventory) if kind.replicated
    }
    found = {name: each for name, each in protections.items() if each}
    known = Known(now, active, found, _newest(context, lines), look)
    unread = list[str]()
    rings, channel = _alarms(context, unread), _channel(context, unread)
    request = _request(ledger.open_request(), rings)
    complete, usable = _aged(newest_complete(lines), now), _aged(newest_usable(lines), now)
    alone = _aged(newest_of(lines, ONE_REGION, active.since), now)
    points = Points(complete, bounds.points_seconds(context.inventory), usable, alone)
    made = Status(
        workload=context.inventory.workload,
        trigger=context.inventory.trigger,
        active=active,
        request=request,
        points=points,
        assets=standings(context.inventory, known),
        alarms=rings,
        probe=look,
        probe_age_seconds=_age(look.at, now) if look else None,
        scheduled_run=heartbeat,
        scheduled_run_age_seconds=_age(heartbeat.at, now) if heartbeat else None,
        channel=channel,
    )
    problems = (*_waiting(made), *_of_regions(made), *_of_protection(context, made), *unread)
    return _with(made, problems, tuple(_remarks(context, made)))


def _with(made: Status, problems: tuple[str, ...], remarks: tuple[str, ...]) -> Status:
    return Status(**(vars(made) | {"problems": problems, "remarks": remarks}))


def _age(at: str, now: float) -> float:
    return round(max(0.0, now - parse_stamp(at)), 3)


def _aged(line: PointLine | None, now: float) -> PointAge | None:
    return PointAge(line.id, line.created_at, _age(line.created_at, now)) if line else None


def _newest(context: RecoveryContext, lines: list[PointLine]) -> RecoveryPoint | None:
    """The newest point, however complete; one that is pruned between listing and reading is none."""
    for line in lines[:1]:
        try:
            return context.records.point(line.id)
        except RecordUnreadable as problem:
            if problem.facts["reason"] != NOTHING_THERE:
                raise
    return None


def _alarms(context: RecoveryContext, unread: list[str]) -> tuple[AlarmState, ...]:
    try:
        return looking.alarms(context)
    except CallRefused as problem:
        unread.append(f"the alarms cannot be read: {looking.refusal(problem)}")
        return ()


def _channel(context: RecoveryContext, unread: list[str]) -> Channel | None:
    try:
        return looking.channel(context)
    except CallRefused as problem:
        unread.append(f"who is told cannot be read: {looking.refusal(problem)}")
        return None


def _request(waiting: Request | None, rings: tuple[AlarmState, ...]) -> Request | None:
    """A request ends with its alarm; the function that ends it may be late."""
    alarm = next((each for each in rings if each.name == ACTIVE_UNHEALTHY), None)
    over = waiting and waiting.alarm_at and alarm and alarm.state == looking.OK and alarm.since > waiting.alarm_at
    return None if over else waiting


# -- what is not good ------------------------------------------------------------------------------------------


def _waiting(made: Status) -> Iterator[str]:
    request, channel = made.request, made.channel
    if request:
        word = f"approved by {request.approved_by}, not carried out" if request.approved_by else "waits for a person"
        yield f"a failover {word} since {request.requested_at}: {request.reason}"
        if not request.told_at:
            yield "nobody was told of this request"
    if made.trigger == APPROVAL and channel and (channel.pending or channel.missing):
        lacking = [*(f"{each} (not confirmed)" for each in channel.pending), *channel.missing]
        yield f"not everybody would be asked: {', '.join(lacking)}" + ("" if channel.confirmed else "; nobody would be")


def _of_regions(made: Status) -> Iterator[str]:
    active, look = made.active, made.probe
    if active.state != SERVING:
        yield f"run {active.run} is moving the workload to {active.region} since {active.since}"
    if look is None or made.probe_age_seconds is None:
        yield "the probe has not looked yet: whether the workload is healthy is not known"
    elif made.probe_age_seconds > bounds.LOOK_SECONDS_MAX:
        late = f"{made.probe_age_seconds:.0f} s ago, at most {bounds.LOOK_SECONDS_MAX:.0f} s count"
        yield f"the probe looked {late}: whether the workload is healthy is not known"
    elif look.verdict != HEALTHY:
        yield f"{look.region} is {look.verdict} since {look.since}: {'; '.join(look.told)}"
    elif look.region != active.region:
        yield f"the probe has not looked at {active.region} yet"


def _of_protection(context: RecoveryContext, made: Status) -> Iterator[str]:
    alone = made.active.region == context.inventory.standby
    newest, bound = made.points.newest_alone if alone else made.points.newest_complete, made.points.bound_seconds
    what = f"recovery point of {context.inventory.standby} alone" if alone else "complete recovery point"
    if newest is None:
        yield f"there is no {what}"
    elif newest.age_seconds > bound:
        yield f"the newest {what} is {newest.age_seconds:.0f} s old, at most {bound:.0f} s count"
    yield from (f"{each.name} is {each.state}: {each.why}" for each in made.assets if each.state != PROTECTED)
    heartbeat, bound = made.scheduled_run, bounds.heartbeat_seconds(context.inventory)
    if made.scheduled_run_age_seconds is None:
        yield "the scheduled run has not begun once"
    elif made.scheduled_run_age_seconds > bound:
        yield f"the scheduled run began {made.scheduled_run_age_seconds:.0f} s ago, at most {bound:.0f} s count"
    yield from (heartbeat.troubles if heartbeat else ())
    for alarm in made.alarms:
        if not alarm.is_quiet:
            since = f" since {alarm.since}" if alarm.since else ""
            more = "rings" if alarm.state == RINGS else f"is {alarm.state}"
            yield f"alarm {alarm.name} {more}{since}"


def _remarks(context: RecoveryContext, made: Status) -> Iterator[str]:
    """What is as somebody chose it, and worth knowing; and what the survey of the last `up` saw."""
    yield from context.inventory.remarks
    notify = context.inventory.notify
    if not notify.email and not notify.https and made.channel and not made.channel.reaches_somebody:
        asked = (
            "a failover waits for a word, and nobody is asked for it" if made.trigger == APPROVAL else "nobody is told"
        )
        yield f"the declaration has no `notify`: {asked}"
    elif made.trigger != APPROVAL and made.channel:
        yield from (f"{each} has not confirmed, and is not told" for each in made.channel.pending)
