"""A note is as old as the schedule."""

from __future__ import annotations

from typing import Any

from pilotlight.planning.forecast import Forecast, KindForecast
from pilotlight.workload.model import Workload


class CopiedNote(KindForecast):
    def forecast(self, workload: Workload, asset: Any) -> Forecast:
        every = workload.points.every_seconds
        return Forecast("copied", every, 0.0, f"copied every {every:g} s", None)


KIND = CopiedNote()
