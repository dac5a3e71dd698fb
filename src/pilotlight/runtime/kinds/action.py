"""The words of a step: StepContext, Answer, Wait, Action.

`ask` only reads, and has three answers: Proven with evidence, Underway (the act was begun, by whomever; acting again
would do harm or nothing) and Absent. `act` is called once after Absent; the engine asks again until Proven or the
wait is over. An act must be harmless when it is repeated, because a run can be killed between an act and its record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import Clock
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import ChosenPointGone, StepFailed
from pilotlight.runtime.records.evidence import Chosen
from pilotlight.runtime.records.inventory import AnyAsset, Compute, Database, Datasets, Inventory
from pilotlight.runtime.records.runs import CHOSEN, AnyArguments, AnyEvidence, Step, read_evidence
from pilotlight.runtime.store.ledger import Ledger


@dataclass(frozen=True)
class Proven:
    """It is so; the evidence says what was seen."""

    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Underway:
    """It was begun and is not done; `observed` in words."""

    observed: str


@dataclass(frozen=True)
class Absent:
    """It is not so, and nobody has begun it; `observed` in words."""

    observed: str


Answer = Proven | Underway | Absent

Told = TypeVar("Told")


class SideBySide(Protocol):
    """Looks at several things at once; what they came to, in their order. The first error is raised once all are
    done."""

    def __call__(self, looks: Sequence[Callable[[], Told]]) -> list[Told]: ...


def one_by_one(looks: Sequence[Callable[[], Told]]) -> list[Told]:
    """The same, one after the other."""
    return [look() for look in looks]


@dataclass(frozen=True)
class Wait:
    """How long an act may take to be proven, how often it is asked for, and why so long. Seconds."""

    seconds: float
    every: float
    reason: str


@dataclass(frozen=True)
class StepContext:
    """One step of one run, with all it may use. `begun_at` is when it was first intended, None before that."""

    step: Step
    kind: str
    run: str
    epoch: int
    context: RecoveryContext
    evidence_of: Callable[[str], dict[str, Any]]
    begun_at: float | None
    keep_lease: Callable[[], None]
    work_of: Callable[[str], StepContext | None] = lambda step: None
    """Of another step of the same run, by its name."""
    side_by_side: SideBySide = one_by_one
    """For looks at many assets in one step."""

    @property
    def client(self) -> AwsClient:
        return self.context.client

    @property
    def inventory(self) -> Inventory:
        return self.context.inventory

    @property
    def clock(self) -> Clock:
        return self.context.clock

    @property
    def ledger(self) -> Ledger:
        return self.context.ledger

    @property
    def region(self) -> str:
        """Where the step acts."""
        return self.inventory.primary if self.step.arguments.region == "primary" else self.inventory.standby

    def arguments(self, record: type[AnyArguments]) -> AnyArguments:
        """What the step was told, as the action's own record; StepFailed where the runbook gave it another."""
        found = self.step.arguments
        if not isinstance(found, record):
            raise self.failed(f"{self.step.action} takes {record.__name__}, and the runbook gives {found!r}")
        return found

    @property
    def chosen(self) -> Chosen:
        """What this run goes on with; nothing of anything before it has chosen."""
        return self.proof(CHOSEN, Chosen) or Chosen()

    def proof(self, step: str, record: type[AnyEvidence]) -> AnyEvidence | None:
        """What another step of the run has proven, as a record; None where it has proven nothing."""
        evidence = self.evidence_of(step)
        return read_evidence(record, evidence, step) if evidence else None

    def asset(self, record: type[AnyAsset]) -> AnyAsset:
        """The asset the step is about, whose record is of this class; StepFailed where it is declared no more."""
        found = next((each for each in self.inventory.of(record) if each.name == self.step.asset), None)
        if found is None:
            raise self.failed(
                f"{self.step.asset} is no asset of the inventory any more; declare it again, then `pilotlight up`"
            )
        return found

    def datasets(self) -> Datasets:
        """The dataset or checkpoints the step is about."""
        return self.asset(Datasets)

    def database(self) -> Database:
        """The database the step is about."""
        return self.asset(Database)

    def compute(self) -> Compute:
        """The compute group the step is about."""
        return self.asset(Compute)

    def failed(self, reason: str) -> StepFailed:
        """The error of a step that waiting will not mend."""
        return StepFailed(**self._facts(reason))

    def point_gone(self, reason: str) -> ChosenPointGone:
        """The error where copies of the chosen point are gone since it was chosen; another point may be whole."""
        return ChosenPointGone(**self._facts(reason))

    def _facts(self, reason: str) -> dict[str, str]:
        asset = self.step.asset or self.inventory.workload
        return {
            "step": self.step.name,
            "asset": asset,
            "region": self.region,
            "reason": reason,
            "runbook": self.kind,
        }


class Action(Protocol):
    """What a step's `action` names. Stateless: everything is in the Work."""

    wait: Wait

    def ask(self, work: StepContext) -> Answer:
        """Look; only reading calls."""
        ...

    def act(self, work: StepContext) -> None:
        """Begin it; returns when AWS has taken the request, not when it is done."""
        ...


class Watch:
    """An action that only waits for what others do: Aurora's rejoining, a balancer's health checks."""

    def act(self, work: StepContext) -> None:
        """Nothing is done."""
