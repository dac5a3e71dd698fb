"""Runbook, journal and run: what is intended, what was done, and what is shown of it.

A Runbook is an ordered graph of steps and pure data; a dry run prints it. The journal holds, per step, *intended*
before the act and *proven* after it was asked again, with evidence; an interrupted run goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from pilotlight.runtime.errors import RecordUnreadable
from pilotlight.runtime.records.codec import Tagged, decode

INTENDED = "intended"
PROVEN = "proven"
FAILED = "failed"
WITHDRAWN = "withdrawn"
"""What was proven or intended before counts no more: what it stood on is gone, and the step begins anew."""

RUNNING = "running"
SUCCEEDED = "succeeded"
SUPERSEDED = "superseded"
"""A newer run began; whoever was at this one can change nothing any more."""
WAITING = "waiting-for-approval"

CHOSEN = "choose-point"
"""The step that decides with what a failover goes on; its evidence is what later steps and people are told by."""

PASSED = "passed_over"
"""The key of its evidence with newer points that could not be recovered from, and why."""
LOOKED_AGAIN = "look-again"
"""The step before a run says that a region serves (runtime/runs/again.py)."""
LATE = "late_acts"
"""The key of its evidence with what older runs did after they had lost their lease."""


@dataclass(frozen=True)
class Arguments(Tagged):
    """What a step is told besides its asset; an action that takes more has a record of its own beside it."""

    region: str = "standby"
    """Where it acts: `primary` or `standby`."""
    kind: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Where(Arguments):
    """Nothing but the region."""

    TAGS: ClassVar[tuple[str, ...]] = ("where",)

    kind: str = field(default="where", kw_only=True)


@dataclass(frozen=True)
class Saying(Arguments):
    """What the active record is to say. `raises`: a fence, which raises the epoch; `settle`: its readers are waited
    for."""

    TAGS: ClassVar[tuple[str, ...]] = ("saying",)

    state: str = ""
    raises: bool = False
    settle: bool = False
    kind: str = field(default="saying", kw_only=True)


@dataclass(frozen=True)
class LookingAgain(Arguments):
    """Names of the steps that are looked at, in the order in which they are done."""

    TAGS: ClassVar[tuple[str, ...]] = ("looking-again",)

    steps: tuple[str, ...] = ()
    kind: str = field(default="looking-again", kw_only=True)


AnyArguments = TypeVar("AnyArguments", bound=Arguments)


@dataclass(frozen=True)
class Step:
    """One act of a runbook: the name of its implementation, the asset it is about, what must be proven before."""

    name: str
    action: str
    asset: str = ""
    needs: tuple[str, ...] = ()
    arguments: Arguments = Where()
    phase: str = ""
    """The part of the run that it belongs to (kinds/phases.py)."""
    lasts: bool = True
    """Whether it is to be so still when the run says that a region serves."""


@dataclass(frozen=True)
class Runbook:
    """`kind` is failover, failback, drill or restore."""

    SCHEMA: ClassVar[str] = "pilotlight/runbook/1"

    kind: str
    workload: str
    steps: tuple[Step, ...]
    schema: str = "pilotlight/runbook/1"


AnyEvidence = TypeVar("AnyEvidence")


def read_evidence(record: type[AnyEvidence], evidence: dict[str, Any], step: str) -> AnyEvidence:
    """What a step has proven, as a record; RecordUnreadable where it is none."""
    try:
        found: AnyEvidence = decode(record, evidence)
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise RecordUnreadable(record=f"the evidence of {step}", reason=str(problem)) from problem
    return found


@dataclass(frozen=True)
class Entry:
    """One line of the journal."""

    step: str
    state: str
    at: str
    epoch: int
    evidence: dict[str, Any] = field(default_factory=dict)
    phase: str = ""
    """Of the step; empty in lines of the lease, and in what editions wrote that had no phases."""

    def read(self, record: type[AnyEvidence]) -> AnyEvidence:
        """Its evidence as a record (records/evidence.py); RecordUnreadable where it is none."""
        return read_evidence(record, self.evidence, self.step)


@dataclass(frozen=True)
class Journal:
    """One execution of a runbook: `state` is running, succeeded, failed, superseded or waiting-for-approval."""

    SCHEMA: ClassVar[str] = "pilotlight/journal/2"
    EARLIER: ClassVar[dict[str, Any]] = {"pilotlight/journal/1": lambda raw: raw}
    """Edition 1 had no phases."""

    run: str
    kind: str
    workload: str
    epoch: int
    state: str
    started_at: str
    finished_at: str = ""
    reason: str = ""
    entries: tuple[Entry, ...] = ()
    schema: str = "pilotlight/journal/2"

    def proven(self, step: str) -> Entry | None:
        """The newest entry that proves this step, if there is one and it was not withdrawn."""
        return proofs(self.entries).get(step)


def proofs(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Step -> the entry that proves it, of those that were written since it was last withdrawn (pure)."""
    found: dict[str, Entry] = {}
    for each in entries:
        if each.state == PROVEN:
            found[each.step] = each
        elif each.state == WITHDRAWN:
            found.pop(each.step, None)
    return found
