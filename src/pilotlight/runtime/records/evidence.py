"""What the journal keeps of a step's proof, where something later is decided by it: each a record, read back from its
JSON. Evidence that only people read stays as it was seen.

A field that older editions did not write has a default here, and what follows from it stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PassedOver:
    """A newer point that could not be recovered from."""

    point: str
    why: str


@dataclass(frozen=True)
class ChosenCheckpoint:
    """Of one asset: the newest complete checkpoint when the run chose."""

    bucket: str
    prefix: str
    step: int | None = None
    written_at: str = ""
    newest_started_step: int | None = None
    newest_complete_step: int | None = None
    caution: str = ""
    """What going on with it may cost; empty where nothing is known against it."""


@dataclass(frozen=True)
class Chosen:
    """What a failover goes on with (`choose-point`); by asset."""

    point: str = ""
    created_at: str = ""
    checkpoints: dict[str, ChosenCheckpoint] = field(default_factory=dict)
    volumes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """References, of the edition that wrote them (records/point.py, read_reference)."""
    images: dict[str, str] = field(default_factory=dict)
    """Empty in journals of the first edition: the template's own image is launched."""
    newest_started_step: int | None = None
    newest_complete_step: int | None = None
    passed_over: tuple[PassedOver, ...] = ()


@dataclass(frozen=True)
class Restored:
    """The run's own launch template (`restore-<asset>`), and its version by index."""

    template: str
    versions: tuple[int, ...] = ()


@dataclass(frozen=True)
class Synced:
    """Objects that came home (`sync-<asset>`)."""

    never_served: str = ""
    """Why nothing had to, in words; empty where something had."""


@dataclass(frozen=True)
class LateAct:
    """An act of a run that had lost its lease by the time the act was done: `epoch` was the run's, `current` the newest
    by then. Times as stamps."""

    at: str
    run: str
    epoch: int
    current: int
    call: str
    region: str


@dataclass(frozen=True)
class LookedAgain:
    """The last look before a commit (`look-again`)."""

    late_acts: tuple[LateAct, ...] = ()
    """What older runs are known to have done late, and this look has seen."""
