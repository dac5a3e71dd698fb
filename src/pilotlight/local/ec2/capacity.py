"""What EC2 has, on demand: instance types that are short, and quotas, per region.

EC2 User Guide, "Troubleshoot instance launch issues": InsufficientInstanceCapacity and VcpuLimitExceeded, in its words.
"""

from __future__ import annotations

import threading
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.servicequotas.models import ServiceQuotasBackend

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override

VCPUS = 10_000.0
"""Of an account that asked for enough. A new one has 5 vCPUs and no GPUs."""
VCPU_QUOTAS = {
    "L-1216C47A": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "L-DB2E81BA": "Running On-Demand G and VT instances",
    "L-417A185B": "Running On-Demand P instances",
}
"""Service Quotas of EC2, by code; moto has those of VPC alone."""


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
        self._quotas: dict[tuple[str, str], float] = {}
        granted, ours = original(ServiceQuotasBackend, "get_service_quota"), self

        def get_service_quota(backend: Any, service_code: str, quota_code: str) -> dict[str, Any]:
            value = ours.granted(backend.region_name, quota_code)
            if service_code == "ec2" and quota_code in VCPU_QUOTAS:
                told = {"ServiceCode": "ec2", "QuotaCode": quota_code, "QuotaName": VCPU_QUOTAS[quota_code]}
                return told | {"Value": VCPUS if value is None else value, "Adjustable": True, "GlobalQuota": False}
            found: dict[str, Any] = granted(backend, service_code, quota_code)
            return found if value is None else found | {"Value": value}

        override(ServiceQuotasBackend, get_service_quota=get_service_quota)

    def grant(self, region: str, quota_code: str, value: float) -> None:
        """From now on so much is granted; nothing that runs is counted against it."""
        with self._lock:
            self._quotas[region, quota_code] = value

    def granted(self, region: str, quota_code: str) -> float | None:
        """What was granted by `grant`."""
        with self._lock:
            return self._quotas.get((region, quota_code))

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
