"""A disaster as data: what happens to the regions, who acts when, and which fault meets which call of whom. A seed
makes a plan; a plan alone decides everything that follows, so a shrunk plan is a test that needs no seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from disaster_world import FAILED_OVER, PROTECTED

KILL_BEFORE, KILL_AFTER = "kill-before", "kill-after"
LATE_ACT, LOST_ANSWER, FROZEN = "late-act", "lost-answer", "frozen"
THROTTLED, SILENT, REFUSED_READ, STALE_READ = "throttled", "silent", "refused-read", "stale-read"
ABORT = "operator-abort"
CALL_FAULTS = (
    KILL_BEFORE,
    KILL_AFTER,
    LATE_ACT,
    LOST_ANSWER,
    FROZEN,
    THROTTLED,
    SILENT,
    REFUSED_READ,
    STALE_READ,
    ABORT,
)
"""What can meet a call. `late-act`: it takes effect after its caller has given up, or later; `lost-answer`: it is done
and nobody hears of it; `frozen`: the whole process stands still between the fence and the act."""
SECOND_LOSS, CLOCK_SKEW, OVERLAPPING, LATE_ALARM = "second-loss", "clock-skew", "overlapping-protect", "late-alarm"
DOUBLE_ALARM, TWO_RUNNERS, LEASE_EXPIRED, SERVICE_SILENT = (
    "doubled-alarm",
    "two-runners",
    "lease-expired",
    "service-silent",
)
COPIES_LOST = "copies-lost"
"""Somebody deletes the snapshots of the newest points."""
AGAINST_EACH_OTHER = "failover-beside-failback"
FAULTS = (
    *CALL_FAULTS,
    SECOND_LOSS,
    CLOCK_SKEW,
    OVERLAPPING,
    LATE_ALARM,
    DOUBLE_ALARM,
    TWO_RUNNERS,
    AGAINST_EACH_OTHER,
    LEASE_EXPIRED,
    SERVICE_SILENT,
    COPIES_LOST,
)
PRIMARY, STANDBY = "primary", "standby"
SKEW_SECONDS_MAX = 60.0
"""Clocks may differ by up to a minute."""
SECOND_LOSS_SHARE, SERVICE_SILENT_SHARE, COPIES_LOST_SHARE = 0.35, 0.25, 0.2
FAILED_OVER_SHARE, DUEL_SHARE = 0.4, 0.45
MANUAL_SHARE = 0.3
HOME_SHARE = 0.5
PROTECT, FAILOVER, FAILBACK, ALARM = "protect", "failover", "failback", "alarm"


@dataclass(frozen=True)
class Loss:
    """A region, or one service of it, does not answer from `at` on for so many seconds."""

    at: float
    side: str
    seconds: float
    service: str = ""


@dataclass(frozen=True)
class Actor:
    """Somebody who begins at a moment: a scheduled run, a person, an alarm's function; `skew` of their machine's clock.

    An alarm that is delivered late went off `late` seconds before."""

    name: str
    does: str
    at: float
    skew: float = 0.0
    late: float = 0.0


@dataclass(frozen=True)
class Fault:
    """What meets the first fitting call of an actor from its nth on; `seconds` where it has a length."""

    actor: str
    nth: int
    kind: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before it begins. `pace` is the seed of how long calls take; 0: all the same."""

    pace: int
    start: str = PROTECTED
    losses: tuple[Loss, ...] = ()
    actors: tuple[Actor, ...] = ()
    faults: tuple[Fault, ...] = ()
    manual: bool = False
    """A person has to approve; the word is given a minute after it is asked for."""
    copies_lost_at: float | None = None
    copies_lost_when_chosen: bool = False
    home: bool = True
    """Whether a person brings it home before it is judged at rest; otherwise it rests where the record says."""

    @property
    def size(self) -> int:
        """How much there is to read."""
        return len(self.losses) + len(self.actors) + len(self.faults)

    def without(self, part: Loss | Actor | Fault) -> Plan:
        """The same, with one thing less; an actor takes its faults with it."""
        actors = tuple(each for each in self.actors if each != part)
        names = {each.name for each in actors}
        faults = tuple(each for each in self.faults if each != part and each.actor.split("+")[0] in names)
        return replace(self, losses=tuple(each for each in self.losses if each != part), actors=actors, faults=faults)


def plan_of(seed: int) -> Plan:
    """The disaster of a seed."""
    home = random.Random(f"{seed}/home").random() < HOME_SHARE
    return replace(_plan_of(seed), home=home)


def _plan_of(seed: int) -> Plan:
    rng = random.Random(seed)
    if rng.random() < DUEL_SHARE:
        return _duel(rng, seed)
    start = FAILED_OVER if rng.random() < FAILED_OVER_SHARE else PROTECTED
    lost_at, back_at = _first_loss(rng, start)
    losses = [Loss(lost_at, PRIMARY, back_at - lost_at)] if start == PROTECTED else []
    losses += _more_losses(rng, lost_at, back_at)
    actors = _Cast(rng)
    (_after_a_loss if start == PROTECTED else _on_the_way_home)(actors, lost_at, back_at)
    faults = tuple(fault for actor in actors.found for fault in _faults(rng, actor))
    copies = lost_at + rng.uniform(-20, 90) if start == PROTECTED and rng.random() < COPIES_LOST_SHARE else None
    manual, when_chosen = rng.random() < MANUAL_SHARE, rng.random() < COPIES_LOST_SHARE / 2
    return Plan(seed, start, tuple(losses), tuple(actors.found), faults, manual, copies, when_chosen)


def _duel(rng: random.Random, seed: int) -> Plan:
    """Two runners and little else: one is held up for longer than a lease, at any call; the other comes meanwhile."""
    start = rng.choice([PROTECTED, FAILED_OVER])
    first = rng.choice([FAILOVER, ALARM] if start == PROTECTED else [FAILBACK, FAILBACK, PROTECT, FAILOVER])
    second = rng.choice([FAILOVER, ALARM, FAILBACK, PROTECT] if start == PROTECTED else [FAILBACK, FAILOVER, PROTECT])
    back_after = rng.choice([30.0, 70.0])
    losses = [Loss(5.0, PRIMARY, back_after)] if start == PROTECTED else []
    begins = 8.0
    actors = (Actor("first", first, begins), Actor("second", second, begins + rng.uniform(20, 95)))
    nth, length = rng.randrange(1, CALLS[first]), round(rng.uniform(35, 125), 1)
    kind = rng.choice([FROZEN, FROZEN, LATE_ACT])
    faults = [Fault("first", nth, kind, length)]
    if kind == LATE_ACT and rng.random() < 0.7:
        faults.append(Fault("first", nth + rng.randrange(1, 6), KILL_BEFORE))
    if rng.random() < 0.3:
        faults.append(_fault(rng, actors[1], rng.choice([LATE_ACT, STALE_READ, KILL_AFTER, LOST_ANSWER])))
    return Plan(seed, start, tuple(losses), actors, tuple(faults))


def _first_loss(rng: random.Random, start: str) -> tuple[float, float]:
    """(when, back when), in seconds; where the primary is back already, the moment that people act by."""
    if start == FAILED_OVER:
        return 0.0, 0.0
    lost_at = rng.uniform(5, 40)
    return lost_at, lost_at + rng.choice([60.0, 120.0, 240.0, 900.0]) * rng.uniform(0.8, 1.2)


def _more_losses(rng: random.Random, lost_at: float, back_at: float) -> list[Loss]:
    found = []
    if rng.random() < SECOND_LOSS_SHARE:
        at = rng.uniform(lost_at, back_at + 150)
        found.append(Loss(at, rng.choice([PRIMARY, STANDBY]), rng.uniform(10, 200)))
    if rng.random() < SERVICE_SILENT_SHARE:
        service = rng.choice(["s3", "ec2", "autoscaling", "rds", "ssm", "cloudwatch", "dynamodb"])
        at = rng.uniform(lost_at, back_at + 100)
        found.append(Loss(at, rng.choice([PRIMARY, STANDBY]), rng.uniform(2, 60), service))
    return found


class _Cast:
    """Who acts."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.found = rng, list[Actor]()

    def add(self, share: float, does: str, earliest: float, latest: float, late: float = 0.0) -> bool:
        """One more, in this share of disasters."""
        if self.rng.random() >= share:
            return False
        moment = max(0.0, self.rng.uniform(earliest, latest))
        skew = self.rng.uniform(-SKEW_SECONDS_MAX, SKEW_SECONDS_MAX) if self.rng.random() < 0.3 else 0.0
        self.found.append(Actor(f"{does}-{len(self.found) + 1}", does, moment, skew, late))
        return True


def _after_a_loss(cast: _Cast, lost_at: float, back_at: float) -> None:
    if cast.add(0.6, PROTECT, lost_at - 15, lost_at + 5):
        first = cast.found[-1].at
        cast.add(0.4, PROTECT, first, first + 40)
    late = cast.rng.choice([0.0, 0.0, 60.0, 400.0])
    if cast.add(0.55, ALARM, lost_at + late + 5, lost_at + late + 60, late):
        first = cast.found[-1].at
        cast.add(0.35, ALARM, first, first + 30, late)
    none_yet = not any(each.does == ALARM for each in cast.found)
    if cast.add(1.0 if none_yet else 0.5, FAILOVER, lost_at + 3, lost_at + 90):
        cast.add(0.3, FAILOVER, lost_at + 3, lost_at + 120)
    cast.add(0.3, PROTECT, back_at, back_at + 60)
    if cast.add(0.5, FAILBACK, max(lost_at + 30, back_at - 30), back_at + 60):
        first = cast.found[-1].at
        cast.add(0.4, FAILOVER, first - 20, first + 60)


def _on_the_way_home(cast: _Cast, lost_at: float, back_at: float) -> None:
    cast.add(1.0, FAILBACK, 0, 20)
    cast.add(0.5, FAILBACK, 0, 90)
    cast.add(0.6, PROTECT, 0, 90)
    cast.add(0.6, FAILOVER, 0, 120)
    cast.add(0.3, ALARM, 0, 90)
    cast.add(0.3, PROTECT, 60, 150)


CALLS = {PROTECT: 175, FAILOVER: 155, FAILBACK: 375, ALARM: 170}
"""About as many as one of them makes, undisturbed."""
SHARES = {
    KILL_BEFORE: 3,
    KILL_AFTER: 3,
    LATE_ACT: 5,
    LOST_ANSWER: 3,
    FROZEN: 5,
    THROTTLED: 2,
    SILENT: 2,
    REFUSED_READ: 1,
    STALE_READ: 3,
    ABORT: 1,
}
"""Of each kind, as often."""
LENGTHS = {LATE_ACT: (1.0, 90.0), FROZEN: (5.0, 120.0)}
"""Seconds: a lease is 30 s, and a caller gives up after 22 s."""
COUNTS = (0, 0, 1, 1, 2, 3)


def _faults(rng: random.Random, actor: Actor) -> list[Fault]:
    kinds = rng.choices(list(SHARES), list(SHARES.values()), k=rng.choice(COUNTS))
    found = [_fault(rng, actor, kind) for kind in kinds if kind != ABORT or actor.does in (FAILOVER, FAILBACK)]
    if any(each.kind == LATE_ACT for each in found) and rng.random() < 0.5:
        late = next(each for each in found if each.kind == LATE_ACT)
        found.append(Fault(actor.name, late.nth + rng.randrange(1, 8), KILL_BEFORE))
    return sorted(found, key=lambda each: each.nth)


def _fault(rng: random.Random, actor: Actor, kind: str) -> Fault:
    seconds = round(rng.uniform(*LENGTHS[kind]), 1) if kind in LENGTHS else 0.0
    return Fault(actor.name, rng.randrange(1, CALLS[actor.does]), kind, seconds)
