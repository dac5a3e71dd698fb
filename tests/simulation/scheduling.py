"""Virtual time for many processes in one thread: each is a greenlet that gives up control wherever it waits, and the
one whose moment comes first goes on. Nothing here is left to the machine, so the same plan is the same schedule.

Recovery's code runs as it is: its pools of threads, locks and lease keepers are greenlets while `cooperative` holds.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from greenlet import getcurrent, greenlet

from pilotlight.runtime.aws import batching
from pilotlight.runtime.checkpoints import format
from pilotlight.runtime.kinds.buckets import backfill, proofs
from pilotlight.runtime.runs import engine
from pilotlight.runtime.store import lease

LOOKS_SECONDS = 2.0
"""How often a keeper of a lease looks at the clock: in virtual time every look is a turn, and RENEW_SECONDS is
five of these."""


class Killed(BaseException):
    """The process is gone, in the middle of whatever it did."""


class Endless(Exception):
    """Virtual time, or the number of turns, is over, and something goes on still."""


@dataclass(eq=False)
class Process:
    """What is killed as one, and has a clock of its own: `skew` seconds ahead of AWS's."""

    name: str
    scheduler: Scheduler
    skew: float = 0.0
    dead: bool = False
    frozen_until: float = 0.0
    tasks: dict[Task, None] = field(default_factory=dict)
    main: Task | None = None
    interrupted: bool = False
    flows: bool = True

    def now(self) -> float:
        """Seconds since 1970, as this machine has it."""
        return self.scheduler.now + self.skew

    def sleep(self, seconds: float) -> None:
        """Let the others go on."""
        self.scheduler.sleep(seconds)

    def interrupt(self) -> None:
        """A person presses Ctrl-C: KeyboardInterrupt in the main thread."""
        self.interrupted = True
        if self.main is not None:
            self.scheduler.wake(self.main)

    def kill(self) -> None:
        """From now on nothing of it is carried out; what it was at is unwound without a word to anybody."""
        self.dead = True
        self.scheduler.doomed.append(self)


class Task:
    """One thread of a process."""

    def __init__(self, scheduler: Scheduler, process: Process | None, run: Callable[[], Any]) -> None:
        self.process, self.done, self.value, self.error = process, False, None, None
        self.error: BaseException | None
        self.value: Any
        self.waiters: list[Task] = []
        self.ticket = 0
        """Rises whenever it goes on, so that a second waking for the same wait is none."""
        self._scheduler, self._run = scheduler, run
        self.greenlet = greenlet(self._go, scheduler.hub)
        if process is not None:
            process.tasks[self] = None
            process.main = process.main or self

    def _go(self) -> None:
        try:
            self.value = self._run()
        except Killed as killed:
            self.error = killed
        except BaseException as problem:
            self.error = problem
        self.done = True
        if self.process is not None:
            self.process.tasks.pop(self, None)
        for each in self.waiters:
            self._scheduler.wake(each)
        self.waiters = []

    def wait(self) -> Any:
        """Its result, once it has ended."""
        wait([self], FIRST_COMPLETED)
        return self.result()

    def result(self) -> Any:
        """What it came to; its error is raised."""
        if not self.done:
            return self.wait()
        if self.error is not None:
            raise self.error
        return self.value


class Scheduler:
    """Who goes on when. `now` is AWS's time."""

    def __init__(self, start: float, turns_max: int) -> None:
        self.now, self.turns, self.turns_max = start, 0, turns_max
        self.heap: list[tuple[float, int, Task | Callable[[], None], int]] = []
        self.numbers = itertools.count()
        self.hub: greenlet = getcurrent()
        self.current: Task | None = None
        self.doomed: list[Process] = []
        self.processes: list[Process] = []
        self.ending = False

    def at(self, moment: float, what: Task | Callable[[], None]) -> None:
        """Go on with a task, or do something of the world's own, then."""
        ticket = what.ticket if isinstance(what, Task) else 0
        now = self.now
        heapq.heappush(self.heap, (moment if moment > now else now, next(self.numbers), what, ticket))

    def spawn(self, process: Process | None, run: Callable[[], Any], moment: float | None = None) -> Task:
        """Another task of a process."""
        task = Task(self, process, run)
        self.at(self.now if moment is None else moment, task)
        return task

    def wake(self, task: Task) -> None:
        """It waits no longer."""
        self.at(self.now, task)

    def sleep(self, seconds: float) -> None:
        """The current task goes on later; at once where nobody else comes before."""
        task = self._alive()
        until = self.now + seconds
        process = task.process
        if (self.heap and self.heap[0][0] <= until) or (process and process.frozen_until > until) or self.doomed:
            heapq.heappush(self.heap, (until, next(self.numbers), task, task.ticket))
            self._give_way(task)
        else:
            self.turns += 1
            if self.turns > self.turns_max:
                raise Endless
            self.now = until

    def park(self) -> None:
        """Until somebody wakes the current task."""
        self._give_way(self._alive())

    def _give_way(self, task: Task) -> None:
        self.hub.switch()
        process = task.process
        if process is not None and process.dead:
            raise Killed
        if process is not None and process.interrupted and task is process.main:
            process.interrupted = False
            raise KeyboardInterrupt

    def _alive(self) -> Task:
        task = self.current
        assert task is not None, "only tasks wait"
        if task.process is not None and task.process.dead:
            raise Killed
        return task

    def run(self, until: float, over: Callable[[], bool] = lambda: False) -> None:
        """All that happens until a moment, or until it is over."""
        heap = self.heap
        while heap and not over():
            moment, _, what, ticket = heap[0]
            if moment > until:
                break
            heapq.heappop(heap)
            self.turns += 1
            if self.turns > self.turns_max:
                raise Endless
            self.now = moment
            if isinstance(what, Task):
                self._go_on(what, ticket)
            else:
                what()
            while self.doomed:
                self._bury(self.doomed.pop())
        self.now = max(self.now, until) if not over() else self.now

    def _go_on(self, task: Task, ticket: int) -> None:
        if task.done or ticket != task.ticket:
            return
        process = task.process
        if process is not None and process.frozen_until > self.now and not process.dead:
            self.at(process.frozen_until, task)
            return
        task.ticket += 1
        self.current = task
        task.greenlet.switch()
        self.current = None

    def _bury(self, process: Process) -> None:
        for task in list(process.tasks):
            if not task.done and not task.greenlet.dead:
                if task.greenlet:
                    self.current = task
                    task.greenlet.throw(Killed)
                    self.current = None
                else:
                    task.done = True
        process.tasks.clear()

    def end(self) -> None:
        """Unwind whatever is left."""
        self.ending = True
        left = {each.process for _, _, each, _ in self.heap if isinstance(each, Task) and each.process is not None}
        for process in left | set(self.processes):
            process.dead = True
            self._bury(process)
        self.heap.clear()


# -- threads, as greenlets -------------------------------------------------------------------------------------


class _Turn:
    """The scheduler of the task that is running: recovery's modules make their locks and pools without asking whose."""

    scheduler: Scheduler


class Lock:
    """threading.Lock between greenlets."""

    def __init__(self) -> None:
        self._held, self._waiting = False, list[Task]()

    def __enter__(self) -> None:
        while self._held:
            self._waiting.append(_Turn.scheduler._alive())
            _Turn.scheduler.park()
        self._held = True

    def __exit__(self, *_: object) -> None:
        self._held = False
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                _Turn.scheduler.wake(each)

    acquire, release = __enter__, __exit__


class Event:
    """threading.Event for the keeper of a lease: it looks at the clock in virtual seconds."""

    def __init__(self) -> None:
        self._set, self._waiting = False, list[Task]()

    def set(self) -> None:
        """Whoever waits goes on."""
        self._set = True
        for each in self._waiting:
            _Turn.scheduler.wake(each)

    def wait(self, timeout: float) -> bool:
        """At most LOOKS_SECONDS, however seldom that is for the machine's own time."""
        scheduler = _Turn.scheduler
        if not self._set:
            me = scheduler._alive()
            self._waiting = [me]
            scheduler.at(scheduler.now + max(timeout, LOOKS_SECONDS), me)
            scheduler.park()
            self._waiting = []
        return self._set


class Thread:
    """threading.Thread; what it ends with is nobody's answer, as with a daemon."""

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...], name: str, daemon: bool) -> None:
        self._run = lambda: target(*args)

    def start(self) -> None:
        """Begin it."""
        scheduler = _Turn.scheduler
        self._task = scheduler.spawn(scheduler._alive().process, self._run)

    def join(self) -> None:
        """Wait until it has ended."""
        wait([self._task], FIRST_COMPLETED)


class Pool:
    """ThreadPoolExecutor: every submitted act is a task of the same process."""

    def __init__(self, size: int, thread_name_prefix: str) -> None:
        self._scheduler = _Turn.scheduler
        self._tasks = list[Task]()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        while left := [each for each in self._tasks if not each.done]:
            wait(left, FIRST_COMPLETED)

    def submit(self, act: Callable[..., Any], *given: Any) -> Task:
        task = self._scheduler.spawn(self._scheduler._alive().process, lambda: act(*given))
        self._tasks.append(task)
        return task

    def map(self, act: Callable[..., Any], *given: Iterable[Any]) -> Iterator[Any]:
        """The results, in the order of what was given."""
        tasks = [self.submit(act, *each) for each in zip(*given, strict=False)]
        for each in tasks:
            yield each.wait()


FIRST_COMPLETED = "FIRST_COMPLETED"


def wait(tasks: Collection[Task], return_when: str) -> tuple[list[Task], list[Task]]:
    """concurrent.futures.wait, in the order in which they were submitted."""
    scheduler = _Turn.scheduler
    tasks = list(tasks)
    while not (done := [each for each in tasks if each.done]):
        me = scheduler._alive()
        for each in tasks:
            each.waiters.append(me)
        scheduler.park()
        for each in tasks:
            if me in each.waiters:
                each.waiters.remove(me)
    return done, [each for each in tasks if not each.done]


@contextmanager
def cooperative(scheduler: Scheduler) -> Iterator[None]:
    """Recovery's threads are greenlets of this scheduler."""
    _Turn.scheduler = scheduler
    primitives = SimpleNamespace(Lock=Lock, Event=Event, Thread=Thread)
    changes: list[tuple[Any, str, Any]] = [
        (batching, "threading", primitives),
        (engine, "threading", primitives),
        (lease, "threading", primitives),
        (engine, "ThreadPoolExecutor", Pool),
        (engine, "wait", wait),
        (backfill, "ThreadPoolExecutor", Pool),
        (format, "ThreadPoolExecutor", Pool),
        (proofs, "ThreadPoolExecutor", Pool),
        (backfill, "wait", wait),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in changes if hasattr(module, name)]
    for module, name, instead in changes:
        if hasattr(module, name):
            setattr(module, name, instead)
    try:
        yield
    finally:
        for module, name, was in before:
            setattr(module, name, was)
