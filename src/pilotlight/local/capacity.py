"""What EC2 has, on demand: instance types that are short, and quotas, per region.

EC2 User Guide, "Troubleshoot instance launch issues": InsufficientInstanceCapacity and VcpuLimitExceeded, in its words.
"""

from __future__ import annotations

import threading

from moto.ec2.exceptions import EC2ClientError

from pilotlight.local.cloud import Behaviour, Cloud


class NoCapacity(EC2ClientError):
    """InsufficientInstanceCapacity."""

    def __init__(self, instance_type: str, zone: str) -> None:
        super().__init__(
            "InsufficientInstanceCapacity",
            f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested "
            f"({zone}). Our system will be working on provisioning additional capacity.",
        )


class Capacity(Behaviour):
    """Types that are short; everything is there unless said otherwise."""

    name = "capacity"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        self._lock = threading.Lock()
        self._short: set[tuple[str, str]] = set()

    def shortage(self, region: str, instance_type: str) -> None:
        """From now on there is none of this type."""
        with self._lock:
            self._short.add((region, instance_type))

    def clear(self, region: str, instance_type: str) -> None:
        """There is again."""
        with self._lock:
            self._short.discard((region, instance_type))

    def require(self, region: str, instance_type: str, zone: str) -> None:
        """Raise what EC2 says when a type is short."""
        with self._lock:
            short = (region, instance_type) in self._short
        if short:
            raise NoCapacity(instance_type, zone)
