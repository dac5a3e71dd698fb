"""What is known of a long bucket between full comparisons, against an oracle that sees both sides whole.

A seed makes a history: objects are written, overwritten, deleted; replicas arrive soon, late, in another order, or
never; S3's events of what failed or is late come soon, late, twice, in another order, or never, with others of keys
that never were or are long there; a person repairs some. Scheduled runs make points and the probe looks every minute,
by the product's own code. No point may say that more is there than is; what S3 has told is told on within a minute.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pilotlight.runtime.clock import FakeClock, parse_stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.buckets import comparisons, events, observe, proofs, ranges
from pilotlight.runtime.kinds.buckets.comparisons import FAILED
from pilotlight.runtime.naming import METRIC_FAILED_REPLICATION
from pilotlight.runtime.readiness import probe as probing
from pilotlight.runtime.records.inventory import Datasets
from pilotlight.runtime.records.point import RecoveryPoint
from pilotlight.runtime.recovery import Recovery
from support.fake_aws import CORPUS, CORPUS_COPY, FakeAws, inventory
from support.fake_s3 import Version

ASSET = Datasets("corpus", "dataset", CORPUS, CORPUS_COPY)
RUNS_EVERY, PROBES_EVERY, LASTS = 300.0, 60.0, 5400.0
CALL_SECONDS = 0.3
KEYS = 12
SMALL = ((comparisons, "EACH_RUN_OBJECTS", 2), (comparisons, "INLINE_PAGES", 4), (comparisons, "TURN_PAGES", 8))
"""A bucket of a dozen keys is long here, of two-key pages; one turn does not always reach its end."""
SMALLER = (*SMALL, (observe, "AWAITED_MAX", 1), (events, "INDEX_MAX", 6))
"""In every third history more waits, and more is told, than is looked at key by key."""
LATE_SECONDS = 120.0
"""The threshold after which S3 calls a replica late; really 900 s."""


@dataclass(frozen=True)
class Wrong:
    """Something that may not be, at a virtual second."""

    at: float
    what: str


@dataclass
class Outcome:
    """What a history came to."""

    seed: int
    wrong: list[Wrong] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)
    points: int = 0
    worst_alarm_seconds: float = 0.0
    metric_optimistic: int = 0
    """Points at whose moment the age of the oldest pending object, S3's own metric, told a smaller loss than was."""


class Inline:
    """A pool whose work is done when it is given: what happens between two calls is the history's, not threads'."""

    def __init__(self, *args: Any, **more: Any) -> None: ...

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *args: object) -> None: ...

    def submit(self, act: Callable[..., Any], *given: Any) -> None:
        act(*given)

    def map(self, act: Callable[..., Any], *given: Iterable[Any]) -> Iterator[Any]:
        return iter([act(*each) for each in zip(*given, strict=True)])

    def shutdown(self, **more: Any) -> None: ...


class HistoryClock(FakeClock):
    """While time goes by, what is due happens."""

    def __init__(self) -> None:
        super().__init__()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (moment, next(self._numbers), act))

    def sleep(self, seconds: float) -> None:
        until = self.now() + seconds
        while self._due and self._due[0][0] <= until:
            moment, _, act = heapq.heappop(self._due)
            super().sleep(max(0.0, moment - self.now()))
            act()
        super().sleep(max(0.0, until - self.now()))


class History(FakeAws):
    """One bucket and its copy, and everything that happens to them."""

    def __init__(self, seed: int) -> None:
        self.clock: HistoryClock = HistoryClock()
        super().__init__(self.clock)
        self.rng, self.s3.page_keys = random.Random(seed), 2
        self.pending: dict[tuple[str, str], Version] = {}
        """(key, version) -> what is on its way still; not what has failed."""
        self.told_at: dict[str, float] = {}
        """Key -> when S3's word that it failed lay in the queue, until somebody heard."""
        self.looks: Counter[str] = Counter()
        """Key -> how many looks have not heard of it."""
        self.began = self.clock.now()
        self.lost_share = self.rng.choice([0.0, 0.2, 0.6, 1.0])
        for number in range(KEYS):
            self._written(f"part-{number:02}", self.clock.now() - 1000, 0.0)
        moment = self.began
        while moment < self.began + LASTS:
            moment += self.rng.expovariate(1 / self.rng.choice([20.0, 90.0, 400.0]))
            self.clock.at(moment, self._something)

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if service in ("s3", "sqs"):
            self.clock.sleep(self.rng.uniform(0, CALL_SECONDS))
        return super().call(service, operation, region, **parameters)

    # -- what happens ------------------------------------------------------------------------------------------

    def _something(self) -> None:
        key, kind = f"part-{self.rng.randrange(KEYS + 4):02}", self.rng.random()
        if kind < 0.12 and self.s3.objects[CORPUS].get(key):
            self._replicated(key, self._add(key, Version(self._id(), self.clock.now(), deleted=True)))
        elif kind < 0.2:
            what = self.rng.choice([*events.KEPT, "OperationReplicatedAfterThreshold"])
            self.sqs.tell(CORPUS, self.rng.choice([key, "never-there"]), what)
        else:
            self._written(key, self.clock.now(), None)

    def _written(self, key: str, at: float, delay: float | None) -> None:
        version = self._add(key, Version(self._id(), at, self.rng.randbytes(self.rng.choice([3, 4]))))
        self._replicated(key, version, delay)

    def _id(self) -> str:
        return f"v{next(self.s3.numbers)}"

    def _add(self, key: str, version: Version) -> Version:
        self.s3.objects[CORPUS].setdefault(key, []).append(version)
        return version

    def _replicated(self, key: str, version: Version, delay: float | None = None) -> None:
        """Now, or sooner or later; or it fails."""
        if delay is None and self.rng.random() < 0.12:
            self._tell(key, FAILED, self.rng.uniform(1, 60))
            if self.rng.random() < 0.5:
                self.clock.at(self.clock.now() + self.rng.uniform(300, 2500), lambda: self._arrived(key, version))
            return
        delay = self.rng.choice([1.0, 5.0, 60.0, 400.0, 1500.0]) * self.rng.random() if delay is None else delay
        self.pending[key, version.id] = version
        if delay > LATE_SECONDS:
            self._tell(key, "OperationMissedThreshold", LATE_SECONDS)
            self._tell(key, "OperationReplicatedAfterThreshold", delay)
        self.clock.at(self.clock.now() + delay, lambda: self._arrived(key, version))

    def _arrived(self, key: str, version: Version) -> None:
        there = self.s3.objects[CORPUS_COPY].setdefault(key, [])
        if version not in there:
            there.append(version)
            order = self.s3.objects[CORPUS][key]
            there.sort(key=order.index)
        self.pending.pop((key, version.id), None)

    def _tell(self, key: str, what: str, after: float) -> None:
        """As S3 does: now and then never, late, or twice."""
        if self.rng.random() < self.lost_share:
            return
        for _ in range(self.rng.choice([1, 1, 1, 2])):
            late = after + self.rng.choice([0.0, 0.0, 30.0, 900.0]) * self.rng.random()
            self.clock.at(self.clock.now() + late, lambda: self._lies_there(key, what))

    def _lies_there(self, key: str, what: str) -> None:
        self.sqs.tell(CORPUS, key, what)
        if what == FAILED:
            self.told_at.setdefault(key, self.clock.now())

    # -- the oracle --------------------------------------------------------------------------------------------

    def holds(self, moment: float) -> bool:
        """Whether the copy has the state that every key had then, or a newer one; shares no code with what it
        judges."""
        for key, versions in self.s3.objects[CORPUS].items():
            there = self.s3.objects[CORPUS_COPY].get(key, [])
            then = [at for at, each in enumerate(versions) if int(each.at) < moment]
            if not then or any(each in there for each in versions[then[-1] :]):
                continue
            if not (versions[then[-1]].deleted and (not there or there[-1].deleted)):
                return False
        return True

    def true(self) -> float:
        """The newest second up to which it holds."""
        seconds = {int(each.at) + 1 for versions in self.s3.objects[CORPUS].values() for each in versions}
        seconds |= {second - 1 for second in seconds} | {int(self.clock.now())}
        return float(max((each for each in seconds if each <= self.clock.now() and self.holds(each)), default=0))

    def lacks(self, key: str) -> bool:
        """Whether the newest state of a key is not there."""
        versions, there = self.s3.objects[CORPUS].get(key, []), self.s3.objects[CORPUS_COPY].get(key, [])
        if not versions or versions[-1] in there:
            return False
        return not (versions[-1].deleted and (not there or there[-1].deleted))


@contextmanager
def small(bounds: tuple[tuple[Any, str, int], ...]) -> Iterator[None]:
    """What is long is short here, and nothing is done by threads."""
    instead = [*bounds, *((module, "ThreadPoolExecutor", Inline) for module in (comparisons, proofs, ranges))]
    was = [(module, name, getattr(module, name)) for module, name, _ in instead]
    try:
        for module, name, value in instead:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in was:
            setattr(module, name, value)


def play(seed: int) -> Outcome:
    """One history of an hour and a half."""
    with small(SMALLER if seed % 3 == 0 else SMALL):
        return _play(seed)


def _play(seed: int) -> Outcome:
    world, outcome = History(seed), Outcome(seed)
    asset = replace(ASSET, compare_seconds=world.rng.choice([300.0, 900.0, 3600.0]))
    alone: dict[str, Any] = {"datasets": (asset,), "volumes": (), "databases": (), "computes": (), "traffic": None}
    context = RecoveryContext(world, inventory(every_seconds=RUNS_EVERY, **alone), world.clock, world.fetch)
    recovery = Recovery(context, "protect")
    next_run = world.began + world.rng.uniform(0, RUNS_EVERY)
    while world.clock.now() < world.began + LASTS:
        world.clock.sleep(PROBES_EVERY)
        if world.clock.now() >= next_run:
            next_run += RUNS_EVERY
            made = recovery.protect(world.clock.now() + 800.0)
            if made is not None:
                _judge(world, made, outcome)
        _probe(context, world, outcome)
    return outcome


def _judge(world: History, made: RecoveryPoint, outcome: Outcome) -> None:
    """No newer than the truth where the part is proven."""
    (part,) = made.parts
    outcome.points += 1
    outcome.reached["proven" if part.proven else "not proven"] += 1
    if not part.as_of:
        outcome.reached["nothing known yet"] += 1
        return
    as_of, true = parse_stamp(part.as_of), world.true()
    now = world.clock.now()
    if part.proven and not world.holds(as_of):
        outcome.wrong.append(Wrong(now - world.began, f"a point says {as_of}, the truth is {true}"))
    outcome.reached["exact" if as_of >= true else "held back"] += 1
    oldest = min((each.at for each in world.pending.values()), default=now)
    outcome.metric_optimistic += now - oldest < now - true - 1


def _probe(context: RecoveryContext, world: History, outcome: Outcome) -> None:
    """What S3 has told to have failed, and is missing, is told by the first look after it lay in the queue: the probe
    looks every minute."""
    before = world.clock.now()
    heard = probing.failed(context).get(METRIC_FAILED_REPLICATION, -1.0) > 0
    told = {key for key, at in world.told_at.items() if at <= before}
    missing = {key for key in told if world.lacks(key)}
    if missing and heard:
        outcome.reached["failure told"] += 1
        looks = max(world.looks[key] + 1 for key in missing)
        outcome.worst_alarm_seconds = max(outcome.worst_alarm_seconds, looks * PROBES_EVERY)
    elif missing:
        outcome.wrong.append(Wrong(before - world.began, f"S3 said that {sorted(missing)} failed, and nobody heard"))
    for key in told:
        if heard or key not in missing:
            del world.told_at[key]
            world.looks.pop(key, None)
        else:
            world.looks[key] += 1
