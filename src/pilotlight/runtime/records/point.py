"""The RecoveryPoint: one consistent cut over all assets, with proof that each part is in the standby region.

A part that is not proven there makes the point partial, and a partial point is never chosen, unless all that it lacks
is the newest software of its compute groups. Points are written once and never changed (naming.PAPER_POINTS + id +
".json" in the vault bucket, an index item in the journal table).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

COMPLETE = "complete"
PARTIAL = "partial"
REFUSED = "refused"


@dataclass(frozen=True)
class Loss:
    """What would be lost of an asset if its primary ended at the moment of the point: its RPO, at that moment."""

    seconds: float
    steps: int | None = None
    """Training steps begun in the primary beyond the point's checkpoint; only where checkpoints tell their step."""
    gpu_hours: float | None = None
    """The same steps in hours of all declared GPUs; only where the declaration says how many train."""


@dataclass(frozen=True)
class Part:
    """One asset's state in a point: when it was true in the primary region, and what proves it in the standby."""

    asset: str
    kind: str
    mechanism: str
    proven: bool
    true_at: str
    """ISO 8601; the newest moment of the primary that this part is known to hold. Empty when nothing is proven."""
    reference: dict[str, Any] = field(default_factory=dict)
    """What a run needs to use the part: checkpoint prefix and step, snapshot ids by device, cluster ARN, image id."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """What was looked at: counts, sizes, checksums, call results."""
    missing: tuple[str, ...] = ()
    """Why it is not proven, by name."""
    loss: Loss | None = None
    """None where nothing is proven, and for compute groups, which hold no state."""
    outdated: tuple[str, ...] = ()
    """Why it is not proven where that alone stands in the way: the standby region would launch older software than the
    primary does. Newer data with older software is worth more than the reverse, so a run may use the part."""


@dataclass(frozen=True)
class RecoveryPoint:
    """One cut. `status` is complete, partial or refused."""

    SCHEMA: ClassVar[str] = "pilotlight/recovery-point/1"

    id: str
    workload: str
    created_at: str
    status: str
    parts: tuple[Part, ...]
    problems: tuple[str, ...] = ()
    """Edges that do not hold, and parts that are missing, in sentences."""
    outdated: bool = False
    """Partial only because the standby region would launch older software; a run uses it where it is the newest."""
    schema: str = "pilotlight/recovery-point/1"

    def part(self, asset: str) -> Part | None:
        return next((part for part in self.parts if part.asset == asset), None)
