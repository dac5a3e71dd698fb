"""What goes wrong on demand: a region dark, slow, throttled, with one service dead, or with events that go astray.

Dark is the loss of a region: requests get no answer at all. The others are the bad days in between: AWS documents
throttling as token buckets per account, region and service (EC2 API Reference, "Request throttling"), and a service
that fails in one region as 503 ServiceUnavailable ("Common errors"), S3 that event notifications come at least once and
in no order (S3 User Guide, "Event notification types and destinations"); what is lost is worse than it says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

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


@dataclass(frozen=True)
class Deliveries:
    """How events of S3 arrive: shares from 0 to 1 of those that are lost and that come twice; each comes up to so many
    real seconds late, so that their order is lost."""

    dropped: float = 0.0
    doubled: float = 0.0
    delay_seconds: float = 0.0


class Faults:
    """The faults in force."""

    def __init__(self, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._dark: dict[str, int] = {}
        self._losses = 0
        self._slow: dict[str, float] = {}
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._dead: set[tuple[str, str]] = set()
        self._deliveries: dict[str, Deliveries] = {}
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

    def deliver(self, region: str, deliveries: Deliveries) -> None:
        """From now on events of the region's buckets arrive so; Deliveries() ends it."""
        with self._lock:
            self._deliveries.pop(region, None)
            if deliveries != Deliveries():
                self._deliveries[region] = deliveries

    def deliveries(self, region: str) -> Deliveries:
        """How events of the region's buckets arrive."""
        return self._deliveries.get(region, Deliveries())

    def status(self) -> dict[str, object]:
        """All of it, for people."""
        with self._lock:
            return {
                "dark": sorted(self._dark),
                "slow": dict(self._slow),
                "throttled": {f"{region}/{service}": b.per_second for (region, service), b in self._buckets.items()},
                "partial": sorted(f"{region}/{service}" for region, service in self._dead),
                "deliveries": {region: asdict(each) for region, each in self._deliveries.items()},
            }
