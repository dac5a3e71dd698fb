"""A disaster as data: what happens to the regions, who acts when, and which fault meets which call of whom. A seed makes
a plan; a plan alone decides everything that follows, so a shrunk plan is a test that needs no seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

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
"""What can meet a call. `late-act`: it takes effect after its caller has given up, or later; `lost-answer`: it is done and
nobody hears of it; `frozen`: the whole process stands still between the fence and the act."""
SECOND_LOSS, CLOCK_SKEW, OVERLAPPING, LATE_ALARM = "second-loss", "clock-skew", "overlapping-protect", "late-alarm"
DOUBLE_ALARM, TWO_RUNNERS, LEASE_EXPIRED, SERVICE_SILENT = (
    "doubled-alarm",
    "two-runners",
    "lease-expired",
    "service-silent",
)
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
)
PRIMARY, STANDBY = "primary", "standby"
SKEW_SECONDS_MAX = 60.0
"""Clocks may differ by up to a minute."""
SECOND_LOSS_SHARE = 0.35
MANUAL_SHARE = 0.3
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
    """Somebody who begins at a moment: a scheduled run, a person, an alarm's function; `skew` of his machine's clock.

    An alarm that is delivered late went off `late` seconds before."""

    name: str
    does: str
    at: float
    skew: float = 0.0
    late: float = 0.0


@dataclass(frozen=True)
class Fault:
    """What meets the first fitting call of an actor from his nth on; `seconds` where it has a length."""

    actor: str
    nth: int
    kind: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before it begins. `pace` is the seed of how long calls take; 0: all the same."""

    pace: int
    losses: tuple[Loss, ...] = ()
    actors: tuple[Actor, ...] = ()
    faults: tuple[Fault, ...] = ()
    manual: bool = False
    """A person has to approve; the word is given a minute after it is asked for."""

    @property
    def size(self) -> int:
        """How much there is to read."""
        return len(self.losses) + len(self.actors) + len(self.faults)

    def without(self, part: Loss | Actor | Fault) -> Plan:
        """The same, with one thing less; an actor takes his faults with him."""
        actors = tuple(each for each in self.actors if each != part)
        names = {each.name for each in actors}
        faults = tuple(each for each in self.faults if each != part and each.actor.split("+")[0] in names)
        return replace(self, losses=tuple(each for each in self.losses if each != part), actors=actors, faults=faults)


def plan_of(seed: int) -> Plan:
    """The disaster of a seed."""
    chance = random.Random(seed)
    lost_at = chance.uniform(0, 40)
    back_after = chance.choice([60.0, 120.0, 240.0, 900.0]) * chance.uniform(0.8, 1.2)
    losses = [Loss(lost_at, PRIMARY, back_after)] + _more_losses(chance, lost_at, back_after)
    actors = _actors(chance, lost_at, lost_at + back_after)
    faults = tuple(fault for actor in actors for fault in _faults(chance, actor))
    return Plan(seed, tuple(losses), tuple(actors), faults, chance.random() < MANUAL_SHARE)


def _more_losses(chance: random.Random, lost_at: float, back_after: float) -> list[Loss]:
    found = []
    if chance.random() < SECOND_LOSS_SHARE:
        at = lost_at + chance.uniform(0, back_after + 150)
        found.append(Loss(at, chance.choice([PRIMARY, STANDBY]), chance.uniform(10, 200)))
    if chance.random() < 0.25:
        service = chance.choice(["s3", "ec2", "autoscaling", "rds", "ssm", "cloudwatch", "dynamodb"])
        at = lost_at + chance.uniform(0, back_after + 100)
        found.append(Loss(at, chance.choice([PRIMARY, STANDBY]), chance.uniform(2, 60), service))
    return found


def _actors(chance: random.Random, lost_at: float, back_at: float) -> list[Actor]:
    found = []

    def add(does: str, at: float, late: float = 0.0) -> None:
        skew = chance.uniform(-SKEW_SECONDS_MAX, SKEW_SECONDS_MAX) if chance.random() < 0.3 else 0.0
        found.append(Actor(f"{does}-{len(found) + 1}", does, at, skew, late))

    if chance.random() < 0.6:
        add(PROTECT, max(0.0, lost_at - chance.uniform(0, 15)))
        if chance.random() < 0.3:
            add(PROTECT, found[-1].at + chance.uniform(0, 10))
    if chance.random() < 0.6:
        late = chance.choice([0.0, 0.0, 60.0, 400.0])
        add(ALARM, lost_at + chance.uniform(5, 60) + late, late)
        if chance.random() < 0.3:
            add(ALARM, found[-1].at + chance.uniform(0, 30), late)
    if chance.random() < 0.6 or not any(each.does == ALARM for each in found):
        add(FAILOVER, lost_at + chance.uniform(3, 90))
        if chance.random() < 0.25:
            add(FAILOVER, lost_at + chance.uniform(3, 120))
    if chance.random() < 0.5:
        add(PROTECT, back_at + chance.uniform(0, 60))
    if chance.random() < 0.6:
        add(FAILBACK, max(lost_at + 60, back_at + chance.uniform(-30, 90)))
        if chance.random() < 0.3:
            add(FAILOVER, found[-1].at + chance.uniform(0, 90))
    return found


CALLS = {PROTECT: 110, FAILOVER: 260, FAILBACK: 420, ALARM: 280}
"""About as many as one of them makes, undisturbed."""
SHARES = {
    KILL_BEFORE: 3,
    KILL_AFTER: 3,
    LATE_ACT: 4,
    LOST_ANSWER: 3,
    FROZEN: 4,
    THROTTLED: 2,
    SILENT: 2,
    REFUSED_READ: 1,
    STALE_READ: 3,
    ABORT: 1,
}


def _faults(chance: random.Random, actor: Actor) -> list[Fault]:
    count = chance.choice([0, 0, 1, 1, 2, 3])
    kinds = chance.choices(list(SHARES), list(SHARES.values()), k=count)
    found = [_fault(chance, actor, kind) for kind in kinds]
    return sorted((each for each in found if each is not None), key=lambda each: each.nth)


def _fault(chance: random.Random, actor: Actor, kind: str) -> Fault | None:
    if kind == ABORT and actor.does not in (FAILOVER, FAILBACK):
        return None
    lengths = {LATE_ACT: (1.0, 60.0), FROZEN: (5.0, 90.0)}
    seconds = round(chance.uniform(*lengths[kind]), 1) if kind in lengths else 0.0
    return Fault(actor.name, chance.randrange(1, CALLS[actor.does]), kind, seconds)
