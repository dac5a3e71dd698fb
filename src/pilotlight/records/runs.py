"""Runbook, journal and run: what is intended, what was done, and what is shown of it.

A Runbook is an ordered graph of steps and pure data; a dry run prints it. The journal holds, per step, *intended*
before the act and *proven* after it was asked again, with evidence; an interrupted run goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

INTENDED = "intended"
PROVEN = "proven"
FAILED = "failed"

RUNNING = "running"
SUCCEEDED = "succeeded"
WAITING = "waiting-for-approval"

CHOSEN = "choose-point"
"""The step that decides with what a failover goes on; its evidence is what later steps and people are told by."""


@dataclass(frozen=True)
class Step:
    """One act of a runbook: the name of its implementation, the asset it is about, what must be proven before."""

    name: str
    action: str
    asset: str = ""
    needs: tuple[str, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Runbook:
    """`kind` is failover, failback, drill or restore."""

    SCHEMA: ClassVar[str] = "pilotlight/runbook/1"

    kind: str
    workload: str
    steps: tuple[Step, ...]
    schema: str = "pilotlight/runbook/1"


@dataclass(frozen=True)
class Entry:
    """One line of the journal."""

    step: str
    state: str
    at: str
    epoch: int
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Journal:
    """One execution of a runbook: `state` is running, succeeded, failed or waiting-for-approval."""

    SCHEMA: ClassVar[str] = "pilotlight/journal/1"

    run: str
    kind: str
    workload: str
    epoch: int
    state: str
    started_at: str
    finished_at: str = ""
    reason: str = ""
    entries: tuple[Entry, ...] = ()
    schema: str = "pilotlight/journal/1"

    def proven(self, step: str) -> Entry | None:
        """The entry that proves this step, if there is one."""
        return next((each for each in self.entries if each.step == step and each.state == PROVEN), None)
