"""What a kind of asset promises: its forecast, and what will be watched of it (pure). Each kind's own is in its folder:
kinds/<kind>/forecast.py.

A forecast is what is typical; where AWS promises less than that, a warning says so. Evidence comes from runs only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from pilotlight.runtime.readiness import bounds
from pilotlight.workload.model import Workload

DETECTION_SECONDS = float(bounds.UNHEALTHY_LOOKS * bounds.LOOK_EVERY_SECONDS)
"""Before the alarm acts."""
HEALTH_CHECK_SECONDS = 90.0
"""Route 53 Developer Guide: 3 checks of 10 s and a TTL of up to 60 s before clients have moved."""


@dataclass(frozen=True)
class Forecast:
    """What a mechanism is expected to reach, and why: the arithmetic in a sentence. Seconds."""

    mechanism: str
    rpo_seconds: float
    rto_seconds: float
    because: str
    promised_rpo_seconds: float | None
    """What AWS stands in for; None where it promises nothing."""


class KindForecast(ABC):
    """Of one kind; `asset` is its model of the declaration."""

    SERVICES: ClassVar[tuple[str, ...]] = ()
    """Services of a region that are asked whether they answer, because of it."""
    WARNING: ClassVar[str] = ""
    """What whoever declares one has to know, whatever they declare of it."""

    @abstractmethod
    def forecast(self, workload: Workload, asset: Any) -> Forecast:
        """What its mechanism reaches."""

    def watched(self, workload: Workload, name: str, asset: Any) -> Iterator[str]:
        """What the probe will look at, every minute, in words."""
        return iter(())
