"""The engine: steps whose needs are proven run side by side; each is asked for, done once, and proven.

For each step: proven in the journal -> skip. Ask -> already so: record the evidence. Else write *intended*, act, ask
again with a bounded wait, write *proven*. What a killed process leaves is therefore one of: nothing, an intention whose
act may have been done (asked for again by the next process), or a proof. Before its deadline the engine stops between
two asks, so that the process which goes on finds nothing half done.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

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
from pilotlight.runtime.kinds.action import Absent, Action, Answer, Proven, StepContext, Underway
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
    proofs,
)
from pilotlight.runtime.runs.watching import UNWATCHED, Observer, waiting
from pilotlight.runtime.store.lease import RENEW_SECONDS, Held
from pilotlight.runtime.store.ledger import CUT

SIDE_BY_SIDE_MAX = 8
"""Steps at once: more than any runbook here has, and few enough for one Lambda function's memory."""
ACTS_MAX = 3
"""How often an act is tried whose outcome is unknown; before each try it was asked for and found absent."""


class Paused(Exception):
    """The deadline is near; nothing is half done."""


@dataclass
class Engine:
    """Executes one runbook for the holder of a lease. `entries` is what the journal already says."""

    context: RecoveryContext
    runbook: Runbook
    run: str
    held: Held
    actions: Mapping[str, Action]
    deadline: float | None = None
    side_by_side: int = SIDE_BY_SIDE_MAX
    entries: list[Entry] = field(default_factory=list)
    written: int = 0
    """The place of the journal's last line."""
    observer: Observer = UNWATCHED

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._renewed_at = self.context.clock.now()
        self._stop = False
        self._writing = threading.Lock()
        self._fenced = self.context.through(with_innermost(self.context.client, self._fence))

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
        proven = proofs(self._seen())
        looks = (step.arguments for step in self.runbook.steps)
        lasting = next((each.steps for each in looks if isinstance(each, LookingAgain)), ())
        if LOOKED_AGAIN in proven:
            return
        for step in self.runbook.steps:
            if step.name in lasting and step.name in self._proven() and proven[step.name].epoch != self.held.epoch:
                self._keep_going()
                answer = self._ask(step, self.actions[step.action])
                if isinstance(answer, Absent):
                    self.withdraw(step.name, f"it was proven at {proven[step.name].at}; now: {answer.observed}")

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
                answer = self._act_and_wait(step, action, answer)
            self._write(step, PROVEN, answer.evidence)
        except EpochStale:
            raise
        except PilotlightError as problem:
            self._write(step, FAILED, {"reason": problem.message})
            raise

    def _act_and_wait(self, step: Step, action: Action, answer: Answer) -> Proven:
        """Act while it is absent and nobody said that it was taken, then ask until it is proven or the wait is over."""
        started, acts, taken = self.context.clock.now(), 0, False
        while not isinstance(answer, Proven):
            if isinstance(answer, Absent) and not taken and acts < ACTS_MAX:
                acts += 1
                taken = self._act(step, action)
                started, answer = self.context.clock.now(), self._ask(step, action)
                continue
            if self.context.clock.now() - started >= action.wait.seconds:
                raise self._timed_out(step, action, answer.observed)
            self._keep_going(action.wait.every)
            self.context.clock.sleep(action.wait.every)
            answer = self._ask(step, action)
        return answer

    def _ask(self, step: Step, action: Action) -> Answer:
        """Ask while waiting, where one answer that does not come is no reason to give up."""
        try:
            return action.ask(self._work(step))
        except (RegionUnreachable, Throttled) as problem:
            return Underway(problem.message)

    def _act(self, step: Step, action: Action) -> bool:
        """Act once; whether it was taken. No answer is no error yet: it is asked for before it is tried again."""
        try:
            action.act(self._work(step))
        except RegionUnreachable:
            return False
        return True

    def _timed_out(self, step: Step, action: Action, observed: str) -> StepTimedOut:
        work = self._work(step)
        return StepTimedOut(
            step=step.name,
            asset=step.asset or self.context.inventory.workload,
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
        )

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
        """One line after the other: transactions that look at the same lease at once would only refuse one another."""
        with self._writing:
            at = stamp(self.context.clock.now())
            entry = Entry(step.name, state, at, self.held.epoch, evidence, step.phase)
            self.written += 1
            self.context.ledger.append(self.run, entry, self.written, self.held)
            with self._lock:
                self.entries.append(entry)
        self.observer.wrote(self.run, entry)

    def _proven(self) -> set[str]:
        return set(proofs(self._seen()))

    def _seen(self) -> list[Entry]:
        with self._lock:
            return list(self.entries)

    def _evidence_of(self, step: str) -> dict[str, Any]:
        proven = proofs(self._seen()).get(step)
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
        begun: str | None = None
        for each in self._seen():
            if each.step == step.name and each.state == WITHDRAWN:
                begun = None
            elif each.step == step.name and each.state == INTENDED:
                begun = begun or each.at
        return parse_stamp(begun) if begun else None
