"""What goes wrong on demand: a region dark, slow, throttled, or with one service dead.

Dark is the loss of a region: requests get no answer at all. The other three are the bad days in between: AWS documents
throttling as token buckets per account, region and service (EC2 API Reference, "Request throttling"), and a service
that fails in one region as 503 ServiceUnavailable ("Common errors").
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

Monotonic = Callable[[], float]


@dataclass
class Bucket:
    """A token bucket: `per_second` calls a second, bursts of one second's worth."""

    per_second: float
    tokens: float
    filled_at: float

    def take(self, now: float) -> bool:
        """Use one token if there is one."""
        size = max(1.0, self.per_second)
        self.tokens = min(size, self.tokens + (now - self.filled_at) * self.per_second)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Faults:
    """The faults in force."""

    def __init__(self, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._dark: dict[str, int] = {}
        self._losses = 0
        self._slow: dict[str, float] = {}
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._dead: set[tuple[str, str]] = set()
        self._cuts: list[Callable[[str], None]] = []
        self._lock = threading.Lock()

    def on_dark(self, cut: Callable[[str], None]) -> None:
        """Have something cut its connections the moment a region goes dark."""
        self._cuts.append(cut)

    def is_dark(self, region: str) -> bool:
        """Whether the region is lost at this moment."""
        return region in self._dark

    def losses(self) -> int:
        """How many times a region was lost so far; a request that saw this rise may have been cut in between."""
        return self._losses

    def darken(self, region: str) -> bool:
        """Lose the region; False if it was lost already."""
        with self._lock:
            if region in self._dark:
                return False
            self._losses += 1
            self._dark[region] = self._losses
        for cut in self._cuts:
            cut(region)
        return True

    def lighten(self, region: str) -> bool:
        """Bring the region back; False if it was not lost."""
        with self._lock:
            return self._dark.pop(region, None) is not None

    def slow(self, region: str, seconds: float) -> None:
        """Every request to the region takes this much longer; 0 ends it."""
        with self._lock:
            self._slow.pop(region, None)
            if seconds > 0:
                self._slow[region] = seconds

    def delay(self, region: str) -> float:
        """How much longer a request to the region takes, in seconds."""
        return self._slow.get(region, 0.0)

    def throttle(self, region: str, service: str, per_second: float) -> None:
        """Allow this many calls a second; 0 ends it."""
        with self._lock:
            self._buckets.pop((region, service), None)
            if per_second > 0:
                self._buckets[region, service] = Bucket(per_second, max(1.0, per_second), self._monotonic())

    def throttles(self, region: str, service: str) -> bool:
        """Count one call; True if it has to be refused."""
        if (region, service) not in self._buckets:
            return False
        with self._lock:
            bucket = self._buckets.get((region, service))
            return bucket is not None and not bucket.take(self._monotonic())

    def partial(self, region: str, service: str, dead: bool = True) -> None:
        """One service of the region fails every call, until it is called with dead=False."""
        with self._lock:
            (self._dead.add if dead else self._dead.discard)((region, service))

    def is_dead(self, region: str, service: str) -> bool:
        """Whether the service fails in the region."""
        return (region, service) in self._dead

    def status(self) -> dict[str, object]:
        """All of it, for people."""
        with self._lock:
            return {
                "dark": sorted(self._dark),
                "slow": dict(self._slow),
                "throttled": {f"{region}/{service}": b.per_second for (region, service), b in self._buckets.items()},
                "partial": sorted(f"{region}/{service}" for region, service in self._dead),
            }
