"""Checkpoints are replicated like any other objects; they come late where nobody saves them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pilotlight.kinds.autoscaling.declare import Compute
from pilotlight.kinds.buckets.forecast import Replication
from pilotlight.workload.model import Workload


class ReplicatedCheckpoints(Replication):
    """Of checkpoints."""

    def watched(self, workload: Workload, name: str, asset: Any) -> Iterator[str]:
        """Where something is declared that could save them."""
        if any(isinstance(each, Compute) for each in workload.assets.values()):
            yield f"{name}: the newest checkpoint against its usual cadence, while a group is up (told)"


KIND = ReplicatedCheckpoints()
