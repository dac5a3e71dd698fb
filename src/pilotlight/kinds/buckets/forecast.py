"""What replication reaches: the copy is there already, so recovery waits for nothing."""

from __future__ import annotations

from typing import Any, ClassVar

from pilotlight.planning.forecast import Forecast, KindForecast
from pilotlight.workload.model import Workload

REPLICATION_TYPICAL_SECONDS = 15.0
"""Most objects replicate in seconds (S3 User Guide, "Replicating objects with S3 Replication Time Control")."""
REPLICATION_PROMISE_SECONDS = 900.0
"""The same guide: designed for 99.99 % of objects within 15 minutes; SLA 99.9 % a month."""
REPLICATION_GBPS = 1.0
"""Default replication rate inside the SLA, in Gbit/s (S3 Service Level Agreement for Replication Time Control)."""


class Replication(KindForecast):
    """Of datasets."""

    SERVICES: ClassVar[tuple[str, ...]] = ("S3",)

    def forecast(self, workload: Workload, asset: Any) -> Forecast:
        """The same for every bucket."""
        return Forecast(
            "replication",
            REPLICATION_TYPICAL_SECONDS,
            0.0,
            f"objects replicate in seconds up to {REPLICATION_GBPS:g} Gbit/s; recovery will wait for no copy",
            REPLICATION_PROMISE_SECONDS,
        )


KIND = Replication()
