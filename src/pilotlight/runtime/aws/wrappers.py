"""Wrappers around the AWS client: each does one thing, has the client's two methods, and can be put around any other.

Worn from the outside in: Retrying(Paced(Fenced(BotoClient))) for a run, Recording or ReadOnly or Faulty for proofs. All
`pages` go through the wrapper's own `call`, so no page escapes a fence, a retry or a record.
"""

from __future__ import annotations

import contextlib
import copy
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.aws import paging
from pilotlight.runtime.aws.client import AwsClient, is_reading, refused
from pilotlight.runtime.clock import Clock
from pilotlight.runtime.errors import ActedLate, EpochStale, PilotlightError, RegionUnreachable, Throttled, TimeIsUp

THROTTLED_ATTEMPTS_MAX = 10
"""With the waits below about a minute in the mean: EC2's slowest bucket used here refills well within it."""
UNREACHABLE_ATTEMPTS_MAX = 3
"""Few: a lost region must not hold a run for minutes."""
WAIT_SECONDS_FIRST = 0.2
WAIT_SECONDS_MAX = 20.0


class Wrapper:
    """What all wrappers share: `pages` over their own `call`. One that `waits` may hold a call back."""

    waits = False

    def __init__(self, inner: AwsClient) -> None:
        self.inner = inner

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See AwsClient.call."""
        return self.inner.call(service, operation, region, **parameters)

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """See AwsClient.pages."""
        return paging.pages(self.call, service, operation, region, parameters)


def with_innermost(client: AwsClient, innermost: Callable[[AwsClient], AwsClient]) -> AwsClient:
    """The same client with one more inside all the wrappers that wait: what it checks is so when the call is made, at
    each attempt, and not when somebody began to wait for their turn."""
    if isinstance(client, Wrapper) and client.waits:
        again = copy.copy(client)
        again.inner = with_innermost(client.inner, innermost)
        return again
    return innermost(client)


class Retrying(Wrapper):
    """Throttling is met with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"); a connection that
    fails is tried again only for reading calls, because an acting one may have been carried out. However many
    attempts there were, the caller hears one error."""

    waits = True

    def __init__(self, inner: AwsClient, clock: Clock, rng: random.Random) -> None:
        super().__init__(inner)
        self._clock, self._rng = clock, rng

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See AwsClient.call."""
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
            self._clock.sleep(self._rng.uniform(0, ceiling))


@dataclass(frozen=True)
class Made:
    """One call as it was asked for."""

    service: str
    operation: str
    region: str
    parameters: dict[str, Any] = field(default_factory=dict)


class Fenced(Wrapper):
    """Refuses every acting call of whoever has lost the lease since: it is confirmed before each, and again after it.

    `confirm` raises EpochStale where the lease is lost. An act that was let through and found late is told to `late`:
    whether it took effect before or after what the newer run has proven, nobody knows.
    """

    def __init__(self, inner: AwsClient, confirm: Callable[[], None], late: Callable[[Made], None]) -> None:
        super().__init__(inner)
        self._confirm, self._late = confirm, late

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See AwsClient.call; EpochStale when another has taken over since, ActedLate when that was seen only after
        it."""
        if is_reading(operation):
            return self.inner.call(service, operation, region, **parameters)
        self._confirm()
        try:
            answer = self.inner.call(service, operation, region, **parameters)
        except RegionUnreachable:
            self._look_back(Made(service, operation, region, parameters))
            raise
        self._look_back(Made(service, operation, region, parameters))
        return answer

    def _look_back(self, made: Made) -> None:
        try:
            self._confirm()
        except EpochStale as lost:
            self._late(made)
            raise ActedLate(**lost.facts, call=f"{made.service}:{made.operation}", region=made.region) from lost


class Recording(Wrapper):
    """Keeps every call that is attempted, in order, carried out or not."""

    def __init__(self, inner: AwsClient) -> None:
        super().__init__(inner)
        self.made: list[Made] = []

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See AwsClient.call."""
        self.made.append(Made(service, operation, region, parameters))
        return self.inner.call(service, operation, region, **parameters)


class Until(Wrapper):
    """Lets nothing through after a moment: whoever is ended by force at a limit ends by itself before it."""

    waits = True
    """Not itself; but what it wraps does, and gets its innermost."""

    def __init__(self, inner: AwsClient, workload: str, clock: Clock, until: float) -> None:
        super().__init__(inner)
        self._workload, self._clock, self._until = workload, clock, until

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See AwsClient.call; TimeIsUp from the moment on, before the call."""
        if self._clock.now() >= self._until:
            raise TimeIsUp(workload=self._workload, service=service, operation=operation, region=region)
        return self.inner.call(service, operation, region, **parameters)


class ReadOnly(Wrapper):
    """Lets nothing through that could change anything."""

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See AwsClient.call; CallRefused for every acting call."""
        if not is_reading(operation):
            raise refused(service, operation, region, "ReadOnly", "this client is for reading only")
        return self.inner.call(service, operation, region, **parameters)


class Faulty(Wrapper):
    """Raises at the nth call (from 1), before it or after it was carried out: for proofs that a run survives both."""

    def __init__(self, inner: AwsClient, at: int, fault: BaseException, carried_out: bool = False) -> None:
        super().__init__(inner)
        self._at, self._fault, self._carried_out = at, fault, carried_out
        self._lock = threading.Lock()
        self.calls = 0

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See AwsClient.call."""
        with self._lock:
            self.calls += 1
            now = self.calls == self._at
        if not now:
            return self.inner.call(service, operation, region, **parameters)
        if self._carried_out:
            with contextlib.suppress(PilotlightError):
                self.inner.call(service, operation, region, **parameters)
        raise self._fault
