"""What is being carried out in each region: nothing begins in a dark one, and what had begun is waited for.

So the moment a region goes dark is one moment: whatever was carried out before it counts, and nothing after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pilotlight.local.wire.listeners import Observation

DRAIN_SECONDS_MAX = 0.5
"""Calls take milliseconds; one that takes longer waits for a function of the lost region, and is not waited for."""


class Commits:
    """Counts calls between the last look at darkness and their effect."""

    def __init__(self, is_dark: Callable[[str], bool]) -> None:
        self._is_dark = is_dark
        self._busy: dict[str, int] = {}
        self._changed = threading.Condition()

    @contextmanager
    def of(self, region: str) -> Iterator[None]:
        """One call; raises Cut in a dark region."""
        with self._changed:
            if self._is_dark(region):
                raise Observation(region)
            self._busy[region] = self._busy.get(region, 0) + 1
        try:
            yield
        finally:
            with self._changed:
                self._busy[region] -= 1
                self._changed.notify_all()

    def drain(self, region: str) -> None:
        """Wait for what had begun before the region went dark."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy.get(region), DRAIN_SECONDS_MAX)
