"""Lambda's queue of asynchronous events: run each one, try failed ones again, give up after the documented attempts.

Source: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation": a function
error is retried twice (after one and two minutes), a throttled event is put back with exponential delay for up to six
hours. Delays are AWS time and pass at the cloud's pace. Events for a dark region wait for the light.
"""

from __future__ import annotations

import heapq
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.lambda_.environment import Outcome, Task
from pilotlight.local.lambda_.errors import TooManyRequests

RETRY_DELAYS_SECONDS = (60.0, 120.0)
"""AWS seconds before the second and the third attempt."""
EVENT_AGE_SECONDS_MAX = 6 * 3600.0
"""AWS seconds an event may wait in the queue."""
THROTTLED_DELAY_SECONDS_MAX = 300.0
"""AWS seconds: the longest back-off of a throttled event."""
THROTTLED_DELAY_REAL_SECONDS_MIN = 0.25
"""However fast the pace, a throttled event is not tried more often than this."""


@dataclass
class Event:
    """One accepted event and what has happened to it so far."""

    region: str
    function: str
    task: Task
    attempts: int = 0
    throttles: int = 0
    accepted_at: float = field(default_factory=time.monotonic)


Run = Callable[[Event], Outcome]
Limits = Callable[[Event], tuple[int, float]]


class EventQueue:
    """Accepts events at once and runs each in its own thread; the concurrency limits of the functions bound them."""

    def __init__(self, cloud: Cloud, run: Run, limits: Limits, dropped: Callable[[Event], None]) -> None:
        self._cloud = cloud
        self._run = run
        self._limits = limits
        self._dropped = dropped
        self._waiting: list[tuple[float, int, Event]] = []
        self._numbers = count()
        self._lock = threading.Lock()

    def accept(self, event: Event) -> None:
        """Take the event (answered 202 by the API) and begin it unless its region is dark."""
        if self._cloud.is_dark(event.region):
            self._wait(event, 0.0)
        else:
            self._begin(event)

    def begin_due(self) -> None:
        """Begin whatever has waited long enough, in light regions; called by a timer."""
        with self._lock:
            due = []
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                due.append(heapq.heappop(self._waiting)[2])
        for event in due:
            self.accept(event)

    def _begin(self, event: Event) -> None:
        threading.Thread(target=self._attempt, args=(event,), name=f"lambda {event.function}", daemon=True).start()

    def _attempt(self, event: Event) -> None:
        try:
            if self._run(event).function_error:
                self._failed(event)
        except TooManyRequests:
            self._throttled(event)
        except Exception:
            if self._cloud.stopping.is_set():
                return
            self._cloud.log(f"lambda {event.function} in {event.region}: {traceback.format_exc()}")
            self._dropped(event)

    def _failed(self, event: Event) -> None:
        event.attempts += 1
        retries, age = self._limits(event)
        if event.attempts > retries or self._age(event) > age:
            self._dropped(event)
            return
        self._wait(event, self._cloud.real_seconds(RETRY_DELAYS_SECONDS[event.attempts - 1]))

    def _throttled(self, event: Event) -> None:
        event.throttles += 1
        if self._age(event) > self._limits(event)[1]:
            self._dropped(event)
            return
        delay = min(2.0 ** min(event.throttles, 20), THROTTLED_DELAY_SECONDS_MAX)
        self._wait(event, max(self._cloud.real_seconds(delay), THROTTLED_DELAY_REAL_SECONDS_MIN))

    def _age(self, event: Event) -> float:
        """AWS seconds since the event was accepted."""
        return (time.monotonic() - event.accepted_at) / self._cloud.real_seconds(1.0)

    def _wait(self, event: Event, real_seconds: float) -> None:
        pause = max(real_seconds, THROTTLED_DELAY_REAL_SECONDS_MIN)
        with self._lock:
            heapq.heappush(self._waiting, (time.monotonic() + pause, next(self._numbers), event))
