"""Volumes are as old as the schedule plus the copy; they come up with the instances that mount them."""

from __future__ import annotations

from typing import Any

from pilotlight.planning.forecast import Forecast, KindForecast
from pilotlight.workload.model import Workload

SNAPSHOT_COPY_SECONDS = 900.0
"""EBS User Guide, "Time-based copies": the shortest completion duration is 15 minutes; without one, best effort.
What a declaration may ask for at all is another number: declare.py, FASTEST_COPY_SECONDS."""


class SnapshotCopies(KindForecast):
    """Of volume groups."""

    def forecast(self, workload: Workload, asset: Any) -> Forecast:
        """By the schedule of points."""
        every = workload.points.every_seconds
        return Forecast(
            "snapshot-copies",
            every + SNAPSHOT_COPY_SECONDS,
            0.0,
            f"a snapshot every {every:g} s plus up to {SNAPSHOT_COPY_SECONDS:g} s for its copy",
            None,
        )


KIND = SnapshotCopies()
