"""Compute is a group at zero whose image, network and roles are in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pilotlight.planning.forecast import Forecast, KindForecast
from pilotlight.workload.model import Workload

INSTANCE_BOOT_SECONDS = 300.0
"""AWS Elastic Disaster Recovery, "FAQ": Linux machines boot in about 5 minutes; used for images of that size."""


class WarmCapacity(KindForecast):
    """Of compute groups."""

    SERVICES: ClassVar[tuple[str, ...]] = ("Auto Scaling",)
    WARNING: ClassVar[str] = (
        "capacity in the standby region is not reserved: the list of instance types is all there is"
    )

    def forecast(self, workload: Workload, asset: Any) -> Forecast:
        """The same for every group."""
        return Forecast(
            "warm-capacity",
            0.0,
            INSTANCE_BOOT_SECONDS,
            f"instances boot from a copied image in about {INSTANCE_BOOT_SECONDS:g} s; capacity is not reserved",
            None,
        )

    def watched(self, workload: Workload, name: str, asset: Any) -> Iterator[str]:
        """Its instances."""
        yield f"{name}: instances of {asset.group} in service (told)"


KIND = WarmCapacity()
