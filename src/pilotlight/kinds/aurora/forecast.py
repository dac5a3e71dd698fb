"""Databases are replicated continuously, and promoted once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pilotlight.planning.forecast import Forecast, KindForecast
from pilotlight.workload.model import Workload

AURORA_LAG_SECONDS = 1.0
"""Aurora User Guide, "Using Amazon Aurora Global Database": typically less than a second."""
AURORA_PROMOTION_SECONDS = 60.0
"""AWS Database Blog on managed failover of Aurora Global Database: promotion in about a minute."""


class GlobalDatabase(KindForecast):
    """Of databases."""

    def forecast(self, workload: Workload, asset: Any) -> Forecast:
        """The same for every cluster."""
        lag, promotion = f"{AURORA_LAG_SECONDS:g} s", f"{AURORA_PROMOTION_SECONDS:g} s"
        return Forecast(
            "global-database",
            AURORA_LAG_SECONDS,
            AURORA_PROMOTION_SECONDS,
            f"replication lags by less than {lag}; promotion takes about {promotion}",
            None,
        )

    def watched(self, workload: Workload, name: str, asset: Any) -> Iterator[str]:
        """Its writer."""
        yield f"{name}: whether cluster {asset.cluster} takes writes (told)"


KIND = GlobalDatabase()
