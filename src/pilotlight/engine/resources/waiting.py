"""Waiting for AWS to finish what it began, bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pilotlight.runtime.clock import SystemClock
from pilotlight.runtime.errors import DeploymentTimedOut

CANCELLED = threading.Event()
"""Set when the deployment under way has failed or was interrupted: whoever still waits for AWS stops waiting. The
engine runs one program at a time, so one is enough."""

ASK_AGAIN_SECONDS = 0.2
ASK_AGAIN_SECONDS_MAX = 1.0
"""A cloud on this machine answers in milliseconds, and what is waited for takes seconds."""


def until(what: str, ask: Callable[[], bool], seconds: float) -> None:
    """Return once `ask` says yes; DeploymentTimedOut after this many seconds, or when the deployment has ended."""
    clock, pause = SystemClock(), ASK_AGAIN_SECONDS
    deadline = clock.now() + seconds
    while not ask():
        if clock.now() >= deadline or CANCELLED.wait(pause):
            raise DeploymentTimedOut(what=what, seconds=seconds)
        pause = min(pause * 1.3, ASK_AGAIN_SECONDS_MAX)
