"""Coats around the door: each does one thing, has the door's two methods, and can be worn over any other.

Worn from the outside in: Fenced(Retrying(Paced(AwsDoor))) for a run, Recording or ReadOnly or Faulty for proofs. All
`pages` go through the coat's own `call`, so no page escapes a fence, a retry or a record.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pilotlight.clock import Clock
from pilotlight.cloud import paging
from pilotlight.cloud.door import Door, is_reading, refused
from pilotlight.errors import EpochStale, PilotlightError, RegionUnreachable, Throttled, TimeIsUp

THROTTLED_ATTEMPTS_MAX = 10
"""With the waits below about a minute in the mean: EC2's slowest bucket used here refills well within it."""
UNREACHABLE_ATTEMPTS_MAX = 3
"""Few: a lost region must not hold a run for minutes."""
WAIT_SECONDS_FIRST = 0.2
WAIT_SECONDS_MAX = 20.0


class Coat:
    """What all coats share: `pages` over their own `call`."""

    def __init__(self, inner: Door) -> None:
        self.inner = inner

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See Door.call."""
        return self.inner.call(service, operation, region, **parameters)

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """See Door.pages."""
        return paging.pages(self.call, service, operation, region, parameters)


class Retrying(Coat):
    """Throttling is met with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"); a connection that
    fails is tried again only for reading calls, because an acting one may have been carried out. However many
    attempts there were, the caller hears one error."""

    def __init__(self, inner: Door, clock: Clock, chance: random.Random) -> None:
        super().__init__(inner)
        self._clock, self._chance = clock, chance

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See Door.call."""
        attempts = 0
        while True:
            attempts += 1
            try:
                return self.inner.call(service, operation, region, **parameters)
            except Throttled as problem:
                if attempts >= THROTTLED_ATTEMPTS_MAX:
                    raise Throttled(service=service, operation=operation, region=region, attempts=attempts) from problem
            except RegionUnreachable:
                if attempts >= UNREACHABLE_ATTEMPTS_MAX or not is_reading(operation):
                    raise
            ceiling = min(WAIT_SECONDS_MAX, WAIT_SECONDS_FIRST * 2 ** (attempts - 1))
            self._clock.sleep(self._chance.uniform(0, ceiling))


class Fenced(Coat):
    """Refuses every acting call of a run that is no longer the newest: before each, the epoch is read again."""

    def __init__(self, inner: Door, workload: str, held: int, current: Callable[[], int]) -> None:
        super().__init__(inner)
        self._workload, self._held, self._current = workload, held, current

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See Door.call; EpochStale when another run has taken over since."""
        if not is_reading(operation):
            current = self._current()
            if current != self._held:
                raise EpochStale(workload=self._workload, held=self._held, current=current)
        return self.inner.call(service, operation, region, **parameters)


@dataclass(frozen=True)
class Made:
    """One call as it was asked for."""

    service: str
    operation: str
    region: str
    parameters: dict[str, Any] = field(default_factory=dict)


class Recording(Coat):
    """Keeps every call that is attempted, in order, carried out or not."""

    def __init__(self, inner: Door) -> None:
        super().__init__(inner)
        self.made: list[Made] = []

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See Door.call."""
        self.made.append(Made(service, operation, region, parameters))
        return self.inner.call(service, operation, region, **parameters)


class Until(Coat):
    """Lets nothing through after a moment: whoever is ended by force at a limit ends by itself before it."""

    def __init__(self, inner: Door, workload: str, clock: Clock, until: float) -> None:
        super().__init__(inner)
        self._workload, self._clock, self._until = workload, clock, until

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See Door.call; TimeIsUp from the moment on, before the call."""
        if self._clock.now() >= self._until:
            raise TimeIsUp(workload=self._workload, service=service, operation=operation, region=region)
        return self.inner.call(service, operation, region, **parameters)


class ReadOnly(Coat):
    """Lets nothing through that could change anything."""

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See Door.call; CallRefused for every acting call."""
        if not is_reading(operation):
            raise refused(service, operation, region, "ReadOnly", "this door is for reading only")
        return self.inner.call(service, operation, region, **parameters)


class Faulty(Coat):
    """Raises at the nth call (from 1), before it or after it was carried out: for proofs that a run survives both."""

    def __init__(self, inner: Door, at: int, fault: BaseException, carried_out: bool = False) -> None:
        super().__init__(inner)
        self._at, self._fault, self._carried_out = at, fault, carried_out
        self._lock = threading.Lock()
        self.calls = 0

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See Door.call."""
        with self._lock:
            self.calls += 1
            now = self.calls == self._at
        if not now:
            return self.inner.call(service, operation, region, **parameters)
        if self._carried_out:
            with contextlib.suppress(PilotlightError):
                self.inner.call(service, operation, region, **parameters)
        raise self._fault
