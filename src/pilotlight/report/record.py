"""The Report: a rehearsal or a run as it was measured, with the evidence for every figure in it.

A rehearsal counts what was lost, because it wrote the data itself; of a real run the recovery point and the journal say
what is lost at most (`basis`), and what only a rehearsal can know is null. Times are ISO 8601 UTC, durations seconds.
Fields are only ever added: scripts read this JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

MEASURED = "measured"
BOUND = "recovery point"
REHEARSAL = "rehearsal"
FAILBACK = "failback"
HOMEWARD = {FAILBACK}
"""Kinds of runs that end in the primary region."""


@dataclass(frozen=True)
class ObjectiveFigures:
    """What the declaration asks for."""

    rpo_seconds: float
    rto_seconds: float


@dataclass(frozen=True)
class AssetFigures:
    """What one asset lost: numbered items acknowledged before the disaster and not there after the failover.

    `rpo_seconds` is the time between the disaster and the newest moment up to which everything survived; 0 when
    nothing was lost. Where the `basis` is not `measured` it is an upper bound, null where nothing is
    known of the asset, and items are not counted (null).
    """

    name: str
    kind: str
    mechanism: str
    rpo_seconds: float | None
    lost_items: int | None
    kept_items: int | None = 0
    objective_seconds: float = 0.0
    basis: str = MEASURED
    lost_steps: int | None = None
    """Training steps begun beyond what was recovered; only where checkpoints tell their step."""
    lost_gpu_hours: float | None = None

    @property
    def within(self) -> bool:
        """Whether the objective was kept; what is not known was not."""
        return self.rpo_seconds is not None and self.rpo_seconds <= self.objective_seconds

    @property
    def lost(self) -> str:
        """What was lost, as far as anybody can say."""
        if self.lost_items is not None:
            return str(self.lost_items)
        words = [] if self.lost_steps is None else [f"{self.lost_steps} steps"]
        words += [] if self.lost_gpu_hours is None else [f"{self.lost_gpu_hours:g} GPU-hours"]
        return ", ".join(words)


@dataclass(frozen=True)
class CheckpointFigures:
    """Steps: the newest whose upload had begun, the newest complete in the standby region, the one that serves."""

    newest_started_step: int
    newest_complete_step: int
    recovered_step: int


@dataclass(frozen=True)
class CallFigures:
    """Calls that the failover run attempted, from the cloud's call record, by where they went."""

    primary: int
    global_control_plane: int
    standby: int


@dataclass(frozen=True)
class Answer:
    """What the front door said: which region, which checkpoint, the sha256 of its weights."""

    region: str
    step: int
    sha256: str


@dataclass(frozen=True)
class Answers:
    """The same question at three moments."""

    before: Answer
    after_failover: Answer
    after_failback: Answer


@dataclass(frozen=True)
class FailbackFigures:
    """What going home lost, and how long it took; null where nobody counted."""

    lost_items: int | None
    seconds: float


@dataclass(frozen=True)
class Moment:
    """One event on the timeline; `seconds` counts from the disaster and is negative before it."""

    at: str
    seconds: float
    lane: str
    what: str


@dataclass(frozen=True)
class Check:
    """One thing that had to hold, and what was seen."""

    name: str
    held: bool
    seen: str


@dataclass(frozen=True)
class Report:
    """A whole rehearsal, or one run; `kind` says which: rehearsal, failover or failback.

    In a failback `disaster_at` is when writes in the standby region were stopped, so that `rto_seconds` is how long
    nothing could be written.
    """

    SCHEMA: ClassVar[str] = "pilotlight/report/1"

    workload: str
    primary: str
    standby: str
    seed: int
    objectives: ObjectiveFigures
    disaster_at: str
    detected_at: str
    recovered_at: str
    rto_seconds: float
    assets: tuple[AssetFigures, ...]
    checkpoint: CheckpointFigures | None
    calls_during_failover: CallFigures | None
    answers: Answers | None
    failback: FailbackFigures | None
    second_up_changes: int | None
    up_after_failover_changes: int | None
    phases_seconds: dict[str, float]
    timeline: tuple[Moment, ...] = ()
    checks: tuple[Check, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)
    """Step name -> what the journal holds for it."""
    kind: str = REHEARSAL
    run: str = ""
    """The run's name in the journal; empty for a rehearsal."""
    state: str = "succeeded"
    point: str = ""
    """The recovery point that a failover came up from."""
    next: tuple[str, ...] = ()
    """What to do now, in sentences with commands."""
    schema: str = "pilotlight/report/1"

    @property
    def held(self) -> bool:
        """Whether every check held."""
        return all(check.held for check in self.checks)
