"""The Report: a rehearsal or a run as it was measured, with the evidence for every figure in it.

Times are ISO 8601 UTC, durations seconds. Fields are only ever added: scripts read this JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class ObjectiveFigures:
    """What the declaration asks for."""

    rpo_seconds: float
    rto_seconds: float


@dataclass(frozen=True)
class AssetFigures:
    """What one asset lost: numbered items acknowledged before the disaster and not there after the failover.

    `rpo_seconds` is the time between the disaster and the newest moment up to which everything survived; 0 when
    nothing was lost.
    """

    name: str
    kind: str
    mechanism: str
    rpo_seconds: float
    lost_items: int
    kept_items: int = 0
    objective_seconds: float = 0.0


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
    """What going home lost, and how long it took."""

    lost_items: int
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
    """A whole rehearsal."""

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
    checkpoint: CheckpointFigures
    calls_during_failover: CallFigures
    answers: Answers
    failback: FailbackFigures
    second_up_changes: int
    up_after_failover_changes: int
    phases_seconds: dict[str, float]
    timeline: tuple[Moment, ...] = ()
    checks: tuple[Check, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)
    """Step name -> what the journal holds for it."""
    schema: str = "pilotlight/report/1"

    @property
    def held(self) -> bool:
        """Whether every check held."""
        return all(check.held for check in self.checks)
