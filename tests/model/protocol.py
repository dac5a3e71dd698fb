"""The protocol of runs as a table of guarded transitions: lease, epoch, claim, fence, record, journal, looking again.

Two runners, a region that is lost and returns, a person, an alarm that comes late, and one act on its way while the
others move. Whatever a runner does is three transitions - it asks, its fence is passed, the act is sent - and it can
die, or stand still while the other goes on, between any two of them. `term` counts the takings of the lease; it is the
model's own and no runner reads it, so that a protocol which hands out one epoch twice is seen through.

Not in it: the loss of the standby region (lease, journal and record live there), the bytes that are brought home, two
acts late at once. A look at several things is one transition: an act that lands between two of its questions is the
same as one that lands after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

P, S = 0, 1
SERVING, FAILING_OVER, SWITCHING = 0, 1, 2
FAILOVER, FAILBACK = 0, 1
IDLE, LOOKED, TAKEN, ASKS, ABSENT, PASSED = range(6)
"""Where a runner is: nowhere, having looked before the lease, with the lease, before a step's question, before its
fence, before its act."""
WRITER, COMPUTE_P, COMPUTE_S, BUCKET, TRAFFIC, RECORD, NOTHING = range(7)
"""What an act changes. BUCKET is 1 where the primary's bucket takes writes."""
FREE = -1


class Act(NamedTuple):
    """A step of a runbook, as far as the protocol goes: what it makes so, and whether it needs the primary region."""

    name: str
    target: int
    value: int = 0
    state: int = SERVING
    at_primary: bool = False


RUNBOOKS: tuple[tuple[Act, ...], ...] = (
    (
        Act("fence", RECORD, S, FAILING_OVER),
        Act("promote", WRITER, S),
        Act("scale", COMPUTE_S, 1),
        Act("checks", NOTHING, S),
        Act("traffic", TRAFFIC, S),
        Act("look-again", NOTHING, S),
        Act("commit", RECORD, S, SERVING),
    ),
    (
        Act("fence-compute", COMPUTE_P, 0, at_primary=True),
        Act("fence-bucket", BUCKET, 0, at_primary=True),
        Act("quiesce", RECORD, S, SWITCHING),
        Act("switch", WRITER, P, at_primary=True),
        Act("hand-over", RECORD, P, SWITCHING),
        Act("open-bucket", BUCKET, 1, at_primary=True),
        Act("scale", COMPUTE_P, 1, at_primary=True),
        Act("checks", NOTHING, P, at_primary=True),
        Act("traffic", TRAFFIC, P),
        Act("rest", COMPUTE_S, 0),
        Act("look-again", NOTHING, P, at_primary=True),
        Act("commit", RECORD, P, SERVING),
    ),
)
"""runtime/runs/runbooks.py with one asset of each kind, in one of the orders that its needs allow."""
AGAIN = ({1, 2, 4}, {3, 5, 6, 8, 9})
"""The steps that look-again asks anew."""


class Weak(NamedTuple):
    """What a weakened protocol goes without; `timely` is an assumption about the world and not a protection: whatever
    passed a fence has taken effect, or never will, before the lease that was confirmed there can end."""

    timely: bool = False
    fence_outside_retries: bool = False
    fence_without_time_left: bool = False
    no_claim: bool = False
    no_look_again: bool = False
    unfenced_journal: bool = False
    keeps_epoch: bool = False
    automatic_out_of_switching: bool = False
    looks_once: bool = False


class Message(NamedTuple):
    """An act that was sent and has not taken effect: `run` and `state` are a record's."""

    target: int
    value: int
    state: int
    epoch: int
    term: int
    run: int
    kind: int
    mask: int


class Runner(NamedTuple):
    """One process. `mask` are the steps that it knows as proven, `aim` the step that it acts on."""

    at: int = IDLE
    kind: int = FAILOVER
    by_itself: bool = False
    seen: int = 0
    epoch: int = 0
    term: int = 0
    run: int = 0
    mask: int = 0
    aim: int = 0


class World(NamedTuple):
    """Everything that any actor can see, and the counters that bound the exploration."""

    runners: tuple[Runner, Runner] = (Runner(), Runner())
    epoch: int = 1
    term: int = 1
    begun: int = 0
    holder: int = FREE
    region: int = P
    state: int = SERVING
    held: int = 0
    fence_epoch: int = 1
    serial: int = 0
    run: int = 0
    kind: int = FAILOVER
    journal: int = 0
    unfinished: bool = False
    writer: int = P
    compute_p: int = 1
    compute_s: int = 0
    bucket: int = 1
    traffic: int = P
    up: bool = True
    losses: int = 0
    alarm: int = -1
    words: int = 0
    late: Message | None = None
    lates: int = 0
    dirty: bool = False
    after_look: bool = False


class Bounds(NamedTuple):
    """How far is explored."""

    epochs: int = 3
    losses: int = 1
    words: int = 1
    lates: int = 1


class Rule(NamedTuple):
    """One line of the table. `actor` is runner, region, person, alarm or network; the guard says when it may happen and
    the effect what is so afterwards; both are pure."""

    name: str
    actor: str
    guard: Callable[[World, int, Weak, Bounds], bool]
    effect: Callable[[World, int, Weak, Bounds], World]


def _with(world: World, i: int, runner: Runner, **more: object) -> World:
    runners = (runner, world.runners[1]) if i == 0 else (world.runners[0], runner)
    return world._replace(runners=runners, **more)  # type: ignore[arg-type]


def _target(kind: int) -> int:
    return S if kind == FAILOVER else P


def _is_over(world: World, runner: Runner) -> bool:
    """runtime/runs/run.py: is_over, and what a run that begins by itself asks besides."""
    if world.state != SERVING or (world.unfinished and world.kind == runner.kind):
        return False
    return world.region == _target(runner.kind) or world.serial > runner.seen


def _declines(world: World, runner: Runner, weak: Weak) -> bool:
    going_home = runner.by_itself and world.state == SWITCHING and not weak.automatic_out_of_switching
    return _is_over(world, runner) or going_home


def _so(world: World, act: Act, run: int) -> bool:
    """Whether what a step makes so is so."""
    if act.target == RECORD:
        return (world.region, world.state, world.run) == (act.value, act.state, run)
    return _value(world, act.target) == act.value


def _value(world: World, target: int) -> int:
    return (world.writer, world.compute_p, world.compute_s, world.bucket, world.traffic)[target]


def _step(world: World, i: int, weak: Weak) -> int:
    """The next step of a runner: the first that it does not know as proven."""
    runner = world.runners[i]
    for number, act in enumerate(RUNBOOKS[runner.kind]):
        if not runner.mask >> number & 1 and not (weak.no_look_again and act.name == "look-again"):
            return number
    return len(RUNBOOKS[runner.kind])


def _asked(world: World, i: int, weak: Weak) -> int | None:
    """The step that is not so and is to be done; None where the question is answered with yes, -1 where one waits."""
    runner, number = world.runners[i], _step(world, i, weak)
    act = RUNBOOKS[runner.kind][number]
    if act.name == "look-again":
        wrong = [each for each in sorted(AGAIN[runner.kind]) if not _so(world, RUNBOOKS[runner.kind][each], 0)]
        return wrong[0] if wrong else None
    if act.name == "checks":
        return None if (world.compute_s if act.value == S else world.compute_p) else -1
    return None if _so(world, act, runner.run) else number


# -- guards and effects, in the order of the table ------------------------------------------------------------------


def _may_ask(kind: int) -> Callable[[World, int, Weak, Bounds], bool]:
    def guard(world: World, i: int, weak: Weak, bounds: Bounds) -> bool:
        goes_on = world.unfinished and world.kind == kind
        idle = world.runners[i].at == IDLE and world.epoch < bounds.epochs + weak.keeps_epoch
        return idle and world.term < bounds.epochs + 1 and (goes_on or world.words < bounds.words + kind)

    return guard


def _asks(kind: int) -> Callable[[World, int, Weak, Bounds], World]:
    def effect(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
        goes_on = world.unfinished and world.kind == kind
        runner = Runner(LOOKED, kind, False, world.serial)
        return world if _is_over(world, runner) else _with(world, i, runner, words=world.words + (not goes_on))

    return effect


def _may_hear(world: World, i: int, weak: Weak, bounds: Bounds) -> bool:
    return world.alarm >= 0 and world.runners[i].at == IDLE and world.term < bounds.epochs + 1


def _hears(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    runner = Runner(LOOKED, FAILOVER, True, world.alarm)
    return world._replace(alarm=-1) if _declines(world, runner, weak) else _with(world, i, runner, alarm=-1)


def _busy(world: World, weak: Weak) -> bool:
    """Whether an act of who holds the lease has passed its fence and not taken effect: then the lease has time left."""
    if not weak.timely or weak.fence_without_time_left or world.holder == FREE:
        return False
    holder = world.runners[world.holder]
    waits = weak.fence_outside_retries and holder.at == PASSED
    passed = holder.at == PASSED and holder.term == world.term and not waits
    return passed or (world.late is not None and world.late.term == world.term)


def _may_take(world: World, i: int, weak: Weak, bounds: Bounds) -> bool:
    return world.runners[i].at == LOOKED and world.term < bounds.epochs + 1 and not _busy(world, weak)


def _takes(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    runner = world.runners[i]
    same = weak.keeps_epoch and world.unfinished and world.kind == runner.kind
    epoch, term = (world.epoch if same else world.epoch + 1), world.term + 1
    if not weak.looks_once and _declines(world, runner, weak):
        return _with(world, i, Runner(), epoch=epoch, term=term, holder=FREE)
    return _with(world, i, runner._replace(at=TAKEN, epoch=epoch, term=term), epoch=epoch, term=term, holder=i)


def _at(*places: int) -> Callable[[World, int, Weak, Bounds], bool]:
    return lambda world, i, weak, bounds: world.runners[i].at in places


def _claims(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    """The claim, and the run that is begun or taken up."""
    runner = world.runners[i]
    if not weak.no_claim and not weak.keeps_epoch and world.held >= runner.epoch:
        return _with(world, i, Runner())
    if world.epoch != runner.epoch and not weak.unfenced_journal:
        return _with(world, i, Runner(), held=max(world.held, runner.epoch))
    taken_up = world.unfinished and world.kind == runner.kind
    run, mask = (world.run, world.journal) if taken_up else (runner.term, 0)
    begun = runner._replace(at=ASKS, run=run, mask=mask)
    held = world.held if weak.no_claim else max(world.held, runner.epoch)
    return _with(world, i, begun, held=held, begun=max(world.begun, runner.term))


def _answered(world: World, i: int, weak: Weak) -> bool:
    """Whether the region that the next step needs answers."""
    number = _step(world, i, weak)
    runbook = RUNBOOKS[world.runners[i].kind]
    return number == len(runbook) or world.up or not runbook[number].at_primary


def _may_prove(world: World, i: int, weak: Weak, bounds: Bounds) -> bool:
    runner = world.runners[i]
    more = runner.at == ASKS and _step(world, i, weak) < len(RUNBOOKS[runner.kind])
    return more and _answered(world, i, weak) and _asked(world, i, weak) is None


def _proves(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    """A transaction with a look at the lease: who lost it writes nothing, and ends."""
    runner, number = world.runners[i], _step(world, i, weak)
    if runner.epoch != world.epoch and not weak.unfenced_journal:
        return _with(world, i, Runner())
    mask = runner.mask | 1 << number
    looked = RUNBOOKS[runner.kind][number].name == "look-again"
    journal = world.journal | 1 << number if world.run == runner.run and world.unfinished else world.journal
    kept = {"dirty": False, "after_look": False} if looked else {}
    return _with(world, i, runner._replace(mask=mask), journal=journal, **kept)


def _may_intend(world: World, i: int, weak: Weak, bounds: Bounds) -> bool:
    runner = world.runners[i]
    more = runner.at == ASKS and _step(world, i, weak) < len(RUNBOOKS[runner.kind])
    if not more or not _answered(world, i, weak):
        return False
    aim = _asked(world, i, weak)
    return aim is not None and aim >= 0


def _intends(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    runner = world.runners[i]
    if runner.epoch != world.epoch and not weak.unfenced_journal:
        return _with(world, i, Runner())
    aim = _asked(world, i, weak)
    assert aim is not None
    return _with(world, i, runner._replace(at=ABSENT, aim=aim))


def _passes(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    runner = world.runners[i]
    return _with(world, i, runner._replace(at=PASSED) if runner.epoch == world.epoch else Runner())


def _message(world: World, i: int) -> Message:
    runner = world.runners[i]
    act = RUNBOOKS[runner.kind][runner.aim]
    return Message(act.target, act.value, act.state, runner.epoch, runner.term, runner.run, runner.kind, runner.mask)


def _reaches(world: World, i: int, weak: Weak, bounds: Bounds) -> bool:
    runner = world.runners[i]
    return runner.at == PASSED and (world.up or not RUNBOOKS[runner.kind][runner.aim].at_primary)


def _acts(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    """It takes effect at once; the runner asks again whether it was told so or not."""
    done = land(world, _message(world, i), weak)
    return _with(done, i, done.runners[i]._replace(at=ASKS, aim=0))


def _may_delay(world: World, i: int, weak: Weak, bounds: Bounds) -> bool:
    return _reaches(world, i, weak, bounds) and world.late is None and world.lates < bounds.lates


def _delays(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    """No answer, and the act is on its way still; the runner asks again."""
    asks = world.runners[i]._replace(at=ASKS, aim=0)
    return _with(world, i, asks, late=_message(world, i), lates=world.lates + 1)


def land(world: World, message: Message, weak: Weak) -> World:
    """An act takes effect; what is conditional is decided now."""
    stale = message.term < world.term
    looked = stale and _has_looked(world)
    seen = world._replace(dirty=world.dirty or stale, after_look=world.after_look or looked)
    if message.target != RECORD:
        name = ("writer", "compute_p", "compute_s", "bucket", "traffic")[message.target]
        return seen._replace(**{name: message.value})
    allowed = world.fence_epoch <= message.epoch if weak.no_claim else world.held == message.epoch
    if not allowed:
        return seen
    raises = message.state == FAILING_OVER or (message.state == SWITCHING and message.value == S)
    return seen._replace(
        region=message.value,
        state=message.state,
        run=message.run,
        kind=message.kind,
        journal=message.mask if world.run != message.run else world.journal,
        unfinished=True if world.run != message.run else world.unfinished,
        fence_epoch=message.epoch if raises else world.fence_epoch,
        serial=world.serial + (message.state == SERVING),
    )


def _has_looked(world: World) -> bool:
    number = len(RUNBOOKS[world.kind]) - 2
    return not world.unfinished or bool(world.journal >> number & 1)


def _lands(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    assert world.late is not None
    return land(world, world.late, weak)._replace(late=None)


def _may_land(world: World, i: int, weak: Weak, bounds: Bounds) -> bool:
    return i == 0 and world.late is not None


def _may_close(world: World, i: int, weak: Weak, bounds: Bounds) -> bool:
    runner = world.runners[i]
    return runner.at == ASKS and _step(world, i, weak) == len(RUNBOOKS[runner.kind])


def _closes(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    runner = world.runners[i]
    if runner.epoch != world.epoch and not weak.unfenced_journal:
        return _with(world, i, Runner())
    unfinished = world.unfinished and world.run != runner.run
    holder = FREE if runner.epoch == world.epoch else world.holder
    return _with(world, i, Runner(), unfinished=unfinished, holder=holder)


def _may_fail(world: World, i: int, weak: Weak, bounds: Bounds) -> bool:
    """The primary does not answer, or what is waited for does not come."""
    runner = world.runners[i]
    if weak.timely and world.late is not None and world.late.term == runner.term:
        return False
    if runner.at == PASSED:
        return not _reaches(world, i, weak, bounds)
    if runner.at != ASKS or _may_close(world, i, weak, bounds):
        return False
    return not _answered(world, i, weak) or _asked(world, i, weak) == -1


def _fails(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    """The lease is given back where it is held still; the record and the journal stay."""
    return _with(world, i, Runner(), holder=FREE if world.runners[i].epoch == world.epoch else world.holder)


def _dies(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    return _with(world, i, Runner())


def _may_lose(world: World, i: int, weak: Weak, bounds: Bounds) -> bool:
    return i == 0 and world.up and world.losses < bounds.losses


def _loses(world: World, i: int, weak: Weak, bounds: Bounds) -> World:
    rings = world.serial if world.region == P and world.state == SERVING else world.alarm
    return world._replace(up=False, losses=world.losses + 1, alarm=rings)


TABLE: tuple[Rule, ...] = (
    Rule("a region is lost", "region", _may_lose, _loses),
    Rule("it returns", "region", lambda w, i, k, b: i == 0 and not w.up, lambda w, i, k, b: w._replace(up=True)),
    Rule("an alarm is heard", "alarm", _may_hear, _hears),
    Rule("a failover is asked for", "person", _may_ask(FAILOVER), _asks(FAILOVER)),
    Rule("a failback is asked for", "person", _may_ask(FAILBACK), _asks(FAILBACK)),
    Rule("takes the lease", "runner", _may_take, _takes),
    Rule("claims the record", "runner", _at(TAKEN), _claims),
    Rule("proves", "runner", _may_prove, _proves),
    Rule("intends", "runner", _may_intend, _intends),
    Rule("passes the fence", "runner", _at(ABSENT), _passes),
    Rule("acts", "runner", _reaches, _acts),
    Rule("acts, late", "runner", _may_delay, _delays),
    Rule("the late act lands", "network", _may_land, _lands),
    Rule("the late act is lost", "network", _may_land, lambda w, i, k, b: w._replace(late=None)),
    Rule("closes", "runner", _may_close, _closes),
    Rule("fails", "runner", _may_fail, _fails),
    Rule("dies or is stopped", "runner", _at(LOOKED, TAKEN, ASKS, ABSENT, PASSED), _dies),
)


# -- what must hold --------------------------------------------------------------------------------------------------


def whole(world: World, region: int) -> bool:
    """Whether a region can serve: it has the writer, instances, traffic and a bucket that takes writes; and on the way
    home the standby is at rest."""
    if region == S:
        return (world.writer, world.compute_s, world.traffic) == (S, 1, S)
    return (world.writer, world.compute_p, world.bucket, world.traffic, world.compute_s) == (P, 1, 1, P, 0)


def wounds(world: World) -> tuple[str, ...]:
    """What a look at a region that serves finds missing of it."""
    if world.state != SERVING or whole(world, world.region):
        return ()
    wanted = {"writer": world.region, "traffic": world.region, "compute_s": world.region}
    if world.region == P:
        wanted |= {"compute_p": 1, "bucket": 1}
    return tuple(sorted(name for name, value in wanted.items() if getattr(world, name) != value))


def _effect(before: World, rule: Rule, i: int) -> Message | None:
    """The act that a transition lets take effect."""
    if rule.name == "the late act lands":
        return before.late
    return _message(before, i) if rule.name == "acts" else None


def _record(world: World) -> tuple[int, int, int, int]:
    return world.region, world.state, world.run, world.serial


def newest_says(before: World, rule: Rule, i: int, after: World) -> bool:
    """Once a newer run has begun, an older one never changes who serves."""
    act = _effect(before, rule, i)
    return act is None or _record(before) == _record(after) or act.term >= before.begun


def commit_is_whole(before: World, rule: Rule, i: int, after: World) -> bool:
    """Who is said to serve can: whatever an older run undid before the last look was found by it."""
    committed = after.serial > before.serial
    return not committed or after.after_look or whole(after, after.region)


def traffic_to_proven(before: World, rule: Rule, i: int, after: World) -> bool:
    """Traffic is moved only to a region with the writer and instances; what an older run undid since they were proven
    is what looking again is for."""
    act = _effect(before, rule, i)
    if act is None or act.target != TRAFFIC or act.term < before.term:
        return True
    running = before.compute_s if act.value == S else before.compute_p
    return before.dirty or (before.writer == act.value and running == 1)


def person_leaves_switching(before: World, rule: Rule, i: int, after: World) -> bool:
    """Nothing begins a failover by itself while a failback is changing who serves: a promotion then loses rows."""
    begins = rule.name == "acts" and before.state == SWITCHING and after.state == FAILING_OVER
    return not begins or not before.runners[i].by_itself


def alarm_is_of_now(before: World, rule: Rule, i: int, after: World) -> bool:
    """An alarm for a region that served before never fails over the one that serves since."""
    begins = rule.name == "acts" and before.state == SERVING and after.state == FAILING_OVER
    runner = before.runners[i]
    return not begins or not runner.by_itself or runner.run != runner.term or before.serial == runner.seen


def journal_of_holder(before: World, rule: Rule, i: int, after: World) -> bool:
    """No line is written by a run that lost its lease: what another goes on from is true."""
    return (
        rule.name not in ("proves", "closes")
        or after.runners[i] == Runner() != before.runners[i]
        or (before.runners[i].term == before.term)
    )


def nothing_late(before: World, rule: Rule, i: int, after: World) -> bool:
    """Where calls end in time, no act takes effect after another has taken the lease."""
    act = _effect(before, rule, i)
    return act is None or act.target == RECORD or act.term == before.term


Property = Callable[[World, Rule, int, World], bool]
ALWAYS: tuple[Property, ...] = (
    newest_says,
    commit_is_whole,
    traffic_to_proven,
    person_leaves_switching,
    alarm_is_of_now,
    journal_of_holder,
)
IN_TIME: tuple[Property, ...] = (*ALWAYS, nothing_late)
"""With `timely`, this holds too."""


# -- where an exploration begins -------------------------------------------------------------------------------------

FIRST = World()
"""The primary serves and nothing has happened."""
AWAY = World(
    epoch=2, term=2, begun=2, region=S, held=2, fence_epoch=2, serial=1, run=2, writer=S, compute_s=1, traffic=S
)
"""The standby serves after a failover; the primary is back, with its instances as they were."""
_HANDED_OVER = 0b11111
HOMEWARD = AWAY._replace(
    epoch=4,
    term=4,
    begun=4,
    holder=1,
    region=P,
    state=SWITCHING,
    held=4,
    fence_epoch=4,
    run=4,
    kind=FAILBACK,
    journal=_HANDED_OVER,
    unfinished=True,
    writer=P,
    compute_p=0,
    bucket=0,
    alarm=0,
    runners=(
        Runner(PASSED, FAILBACK, False, 1, 3, 3, 3, 0b1, 1),
        Runner(ASKS, FAILBACK, False, 1, 4, 4, 4, _HANDED_OVER),
    ),
)
"""A failback has handed over; an older one stands still between its fence and the bucket's, and an alarm is on its
way still. From the first state this is deeper than a breadth-first exploration comes in a minute."""
