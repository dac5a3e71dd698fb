"""The engine: steps whose needs are proven run side by side; each is asked for, done once, and proven.

For each step: proven in the journal -> skip. Ask -> already so: record the evidence. Else write *intended*, act, ask
again with a bounded wait, write *proven*. What a killed process leaves is therefore one of: nothing, an intention whose
act may have been done (asked for again by the next process), or a proof. Before its deadline the engine stops between
two asks, so that the process which goes on finds nothing half done.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.aws.batching import Batched
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.wrappers import Fenced, Made, with_innermost
from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import (
    EpochStale,
    PilotlightError,
    RegionUnreachable,
    StepFailed,
    StepTimedOut,
    Throttled,
)
from pilotlight.runtime.kinds.action import Absent, Action, Answer, Proven, StepContext, Told, Underway, one_by_one
from pilotlight.runtime.records.evidence import LateAct
from pilotlight.runtime.records.runs import (
    FAILED,
    INTENDED,
    LOOKED_AGAIN,
    PROVEN,
    WITHDRAWN,
    Entry,
    LookingAgain,
    Runbook,
    Step,
)
from pilotlight.runtime.runs.watching import UNWATCHED, Observer, waiting
from pilotlight.runtime.store.lease import RENEW_SECONDS, Held
from pilotlight.runtime.store.ledger import CUT

SIDE_BY_SIDE_MAX = 400
"""Steps at once, where a runbook has so many; each is a thread. Lambda allows 1,024 threads and open files (Lambda
Developer Guide, "Lambda quotas"), and a step has a thread and a connection or two."""
LOOKS_MAX = 32
"""Looks at once within one step, which has the run for itself."""
LOOK_EARLY = 0.01
"""The share of the time between two looks that may be lacking: a look is not repeated at once."""
ACTS_MAX = 3
"""How often an act is tried whose outcome is unknown; before each try it was asked for and found absent."""


class Paused(Exception):
    """The deadline is near; nothing is half done."""


def at_once(runbook: Runbook) -> int:
    """How many steps of a runbook may be under way at once (pure)."""
    return max(1, min(SIDE_BY_SIDE_MAX, len(runbook.steps)))


def to_next_look(now: float, every: float) -> float:
    """Seconds until the next multiple of `every`: all steps that wait look at the same moments, so that they can be
    answered together (aws/batching.py) (pure)."""
    left = every - now % every
    return left if left > every * LOOK_EARLY else left + every


@dataclass(eq=False)
class _Line:
    """A line of the journal on its way."""

    entry: Entry
    written: bool = False
    problem: BaseException | None = None


@dataclass
class _Standing:
    """What the journal's lines come to, as far as they were read."""

    lines: int = 0
    """So many were."""
    proven: dict[str, Entry] = field(default_factory=dict)
    """Step -> the line that proves it, as `proofs` tells."""
    intended: dict[str, Entry] = field(default_factory=dict)
    """Step -> the first line that intends it, of those since it was last withdrawn."""

    def read(self, entries: list[Entry]) -> None:
        """The lines that have come since."""
        for each in entries[self.lines :]:
            if each.state == PROVEN:
                self.proven[each.step] = each
            elif each.state == INTENDED:
                self.intended.setdefault(each.step, each)
            elif each.state == WITHDRAWN:
                self.proven.pop(each.step, None)
                self.intended.pop(each.step, None)
        self.lines = len(entries)


@dataclass
class Engine:
    """Executes one runbook for the holder of a lease. `entries` is what the journal already says."""

    context: RecoveryContext
    runbook: Runbook
    run: str
    held: Held
    actions: Mapping[str, Action]
    deadline: float | None = None
    side_by_side: int = 0
    """Steps at once; 0: as many as the runbook has, up to SIDE_BY_SIDE_MAX."""
    entries: list[Entry] = field(default_factory=list)
    written: int = 0
    """The place of the journal's last line."""
    observer: Observer = UNWATCHED

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._renewed_at = self.context.clock.now()
        self._stop = False
        self._writing = threading.Lock()
        self._coming = list[_Line]()
        self._known = _Standing()
        self.side_by_side = self.side_by_side or at_once(self.runbook)
        self._fenced = self.context.through(Batched(with_innermost(self.context.client, self._fence)))

    def _fence(self, inner: AwsClient) -> AwsClient:
        leases = self.context.ledger.leases
        return Fenced(inner, lambda: leases.confirm(self.held), self._late)

    def _late(self, made: Made) -> None:
        ledger, call = self.context.ledger, f"{made.service}:{made.operation}"
        now, current = stamp(self.context.clock.now()), ledger.leases.epoch()
        ledger.note_late(LateAct(now, self.run, self.held.epoch, current, call, made.region))

    def execute(self) -> None:
        """Prove every step. Paused at the deadline; the first error of a step ends it once running steps are done."""
        self._stop = False
        if self.side_by_side == 1:
            self._in_order()
        else:
            self._side_by_side()
        self._require_all_proven()

    def has_begun(self, actions: Collection[str], choice: str) -> bool:
        """Whether a step of these actions was intended or proven since this choice was withdrawn, if ever."""
        names = {step.name for step in self.runbook.steps if step.action in actions}
        for each in reversed(self._seen()):
            if each.step == choice and each.state == WITHDRAWN:
                return False
            if each.step in names and each.state in (INTENDED, PROVEN):
                return True
        return False

    def look_back(self) -> None:
        """What an earlier process has proven, and a late act has undone since, is proven again before more stands on
        it: traffic would wait for instances that nobody wishes for any more. What gives no answer now is asked for by
        the look before the commit (runs/again.py); after that look nothing is withdrawn."""
        proven = self._proofs()
        looks = (step.arguments for step in self.runbook.steps)
        lasting = next((each.steps for each in looks if isinstance(each, LookingAgain)), ())
        if LOOKED_AGAIN in proven:
            return
        steps = [
            each
            for each in self.runbook.steps
            if each.name in lasting and each.name in proven and proven[each.name].epoch != self.held.epoch
        ]
        answers = self._looks([functools.partial(self._look_back_at, each) for each in steps])
        for step, answer in zip(steps, answers, strict=True):
            if isinstance(answer, Absent) and step.name in self._proven():
                self.withdraw(step.name, f"it was proven at {proven[step.name].at}; now: {answer.observed}")

    def _look_back_at(self, step: Step) -> Answer:
        self._keep_going()
        return self._ask(self._work(step), self.actions[step.action])

    def withdraw(self, name: str, reason: str) -> None:
        """A step, and all that stand on it, begin anew; called while none is under way."""
        gone = {name}
        for step in self.runbook.steps:
            if step.name == name or gone.intersection(step.needs):
                gone.add(step.name)
                if self._intended_at(step) is not None or step.name in self._proven():
                    self._write(step, WITHDRAWN, {"reason": reason})

    def _side_by_side(self) -> None:
        with ThreadPoolExecutor(self.side_by_side, thread_name_prefix="step") as pool:
            running: dict[Future[None], Step] = {}
            try:
                while ready := self._start(pool, running):
                    done, _ = wait(ready, return_when=FIRST_COMPLETED)
                    for each in done:
                        running.pop(each)
                        each.result()
            finally:
                self._stop = True

    def _in_order(self) -> None:
        while step := next(iter(self._ready(set())), None):
            self._prove(step)

    def _require_all_proven(self) -> None:
        """A run that cannot go on is not one that has succeeded: a step whose needs never come is named."""
        proven = self._proven()
        for step in self.runbook.steps:
            if step.name not in proven:
                raise self._work(step).failed(f"it needs {', '.join(set(step.needs) - proven)}, which never came")

    def _start(self, pool: ThreadPoolExecutor, running: dict[Future[None], Step]) -> list[Future[None]]:
        for step in self._ready({each.name for each in running.values()}):
            running[pool.submit(self._prove, step)] = step
        return list(running)

    def _ready(self, running: set[str]) -> list[Step]:
        """Steps that are not proven and not running, and whose needs are proven."""
        proven = self._proven()
        waiting = [step for step in self.runbook.steps if step.name not in proven | running]
        return [step for step in waiting if proven.issuperset(step.needs)]

    # -- one step ----------------------------------------------------------------------------------------------

    def _prove(self, step: Step) -> None:
        """From nothing, or from wherever an earlier process left it, to proven."""
        action = self.actions[step.action]
        try:
            self._keep_going()
            answer = action.ask(self._work(step))
            if not isinstance(answer, Proven):
                if self._intended_at(step) is None:
                    self._write(step, INTENDED, waiting(answer.observed, action.wait.reason, action.wait.seconds))
                answer = self._act_and_wait(self._work(step), action, answer)
            self._write(step, PROVEN, answer.evidence)
        except EpochStale:
            raise
        except PilotlightError as problem:
            self._write(step, FAILED, {"reason": problem.message})
            raise

    def _act_and_wait(self, work: StepContext, action: Action, answer: Answer) -> Proven:
        """Act while it is absent and nobody said that it was taken, then ask until it is proven or the wait is over."""
        started, acts, taken = self.context.clock.now(), 0, False
        while not isinstance(answer, Proven):
            if isinstance(answer, Absent) and not taken and acts < ACTS_MAX:
                acts += 1
                taken = self._act(work, action)
                started, answer = self.context.clock.now(), self._ask(work, action)
                continue
            if self.context.clock.now() - started >= action.wait.seconds:
                raise self._timed_out(work, action, answer.observed)
            self._keep_going(action.wait.every)
            self.context.clock.sleep(to_next_look(self.context.clock.now(), action.wait.every))
            answer = self._ask(work, action)
        return answer

    def _ask(self, work: StepContext, action: Action) -> Answer:
        """Ask while waiting, where one answer that does not come is no reason to give up."""
        try:
            return action.ask(work)
        except (RegionUnreachable, Throttled) as problem:
            return Underway(problem.message)

    def _act(self, work: StepContext, action: Action) -> bool:
        """Act once; whether it was taken. No answer is no error yet: it is asked for before it is tried again."""
        try:
            action.act(work)
        except RegionUnreachable:
            return False
        return True

    def _timed_out(self, work: StepContext, action: Action, observed: str) -> StepTimedOut:
        return StepTimedOut(
            step=work.step.name,
            asset=work.step.asset or self.context.inventory.workload,
            region=work.region,
            seconds=f"{action.wait.seconds:g}",
            observed=observed,
            runbook=self.runbook.kind,
        )

    def _work(self, step: Step) -> StepContext:
        return StepContext(
            step=step,
            kind=self.runbook.kind,
            run=self.run,
            epoch=self.held.epoch,
            context=self._fenced,
            evidence_of=self._evidence_of,
            begun_at=self._intended_at(step),
            keep_lease=self._keep_going,
            work_of=self._work_named,
            side_by_side=self._looks,
        )

    def _looks(self, looks: Sequence[Callable[[], Told]]) -> list[Told]:
        """See SideBySide."""
        if min(self.side_by_side, len(looks)) < 2:
            return one_by_one(looks)
        with ThreadPoolExecutor(min(LOOKS_MAX, len(looks)), thread_name_prefix="look") as pool:
            under_way = [pool.submit(look) for look in looks]
        return [each.result() for each in under_way]

    def _work_named(self, name: str) -> StepContext | None:
        step = next((each for each in self.runbook.steps if each.name == name), None)
        return self._work(step) if step else None

    # -- journal, lease, deadline ------------------------------------------------------------------------------

    def _keep_going(self, seconds: float = 0.0) -> None:
        """Before anything that may take `seconds`: the lease is renewed when it is time, the deadline looked at."""
        now = self.context.clock.now()
        if self._stop or (self.deadline is not None and now + seconds >= self.deadline):
            raise Paused
        with self._lock:
            due = now - self._renewed_at >= RENEW_SECONDS
            if due:
                self._renewed_at = now
        if due:
            self.context.ledger.leases.renew(self.held)

    def _write(self, step: Step, state: str, evidence: dict[str, Any]) -> None:
        """One transaction after the other: those that look at the same lease at once would only refuse one another.
        What comes while one is on its way goes into the next, all together."""
        with self._lock:
            at = stamp(self.context.clock.now())
            line = _Line(Entry(step.name, state, at, self.held.epoch, evidence, step.phase))
            self._coming.append(line)
        while not line.written:
            with self._writing:
                if line.problem is not None:
                    raise line.problem
                if not line.written:
                    self._write_coming()
        self.observer.wrote(self.run, line.entry)

    def _write_coming(self) -> None:
        """The first of them. Where it is not known whether they were written, nobody writes them again."""
        with self._lock:
            lines, first = list(self._coming), self.written + 1
        entries, problem = [each.entry for each in lines], None
        try:
            count = self.context.ledger.append_first(self.run, entries, first, self.held)
        except BaseException as raised:
            count, problem = len(lines), raised
        self.written += count
        with self._lock:
            del self._coming[:count]
            self.entries += entries[:count] if problem is None else []
        for each in lines[:count]:
            each.problem, each.written = problem, problem is None
        if problem is not None:
            raise problem

    def _proven(self) -> set[str]:
        return set(self._proofs())

    def _proofs(self) -> dict[str, Entry]:
        with self._lock:
            self._known.read(self.entries)
            return dict(self._known.proven)

    def _seen(self) -> list[Entry]:
        with self._lock:
            return list(self.entries)

    def _evidence_of(self, step: str) -> dict[str, Any]:
        proven = self._proofs().get(step)
        found = proven.evidence if proven else {}
        if CUT in found:
            raise StepFailed(
                step=step,
                asset=self.context.inventory.workload,
                region=self.context.inventory.standby,
                reason=f"what it found is too long for one entry of the journal ({found[CUT]})",
                runbook=self.runbook.kind,
            )
        return found

    def _intended_at(self, step: Step) -> float | None:
        with self._lock:
            self._known.read(self.entries)
            begun = self._known.intended.get(step.name)
        return parse_stamp(begun.at) if begun else None
