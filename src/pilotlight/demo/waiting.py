"""Bounded waiting: ask until there is an answer, or say what was waited for and what was seen last."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pilotlight.runtime.clock import Clock
from pilotlight.runtime.errors import CheckFailed

Found = TypeVar("Found")

ASK_AGAIN_SECONDS = 0.1


def wait_for(
    what: str,
    ask: Callable[[], Found | None],
    seconds: float,
    clock: Clock,
    explain: Callable[[], str] = lambda: "nothing was seen",
) -> Found:
    """The first answer that is not None; `explain` tells the cause when there is none within `seconds`."""
    deadline = clock.now() + seconds
    while True:
        found = ask()
        if found is not None:
            return found
        if clock.now() >= deadline:
            raise CheckFailed(count=1, lines=f"{what} did not happen within {seconds:g} s: {explain()}")
        clock.sleep(ASK_AGAIN_SECONDS)
