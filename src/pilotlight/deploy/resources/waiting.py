"""Waiting for AWS to finish what it began, bounded."""

from __future__ import annotations

from collections.abc import Callable

from pilotlight.clock import SystemClock
from pilotlight.errors import DeploymentTimedOut

ASK_AGAIN_SECONDS = 0.2
ASK_AGAIN_SECONDS_MAX = 5.0


def until(what: str, ask: Callable[[], bool], seconds: float) -> None:
    """Return once `ask` says yes; DeploymentTimedOut after this many seconds."""
    clock, pause = SystemClock(), ASK_AGAIN_SECONDS
    deadline = clock.now() + seconds
    while not ask():
        if clock.now() >= deadline:
            raise DeploymentTimedOut(what=what, seconds=seconds)
        clock.sleep(pause)
        pause = min(pause * 1.3, ASK_AGAIN_SECONDS_MAX)
