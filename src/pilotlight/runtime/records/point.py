"""The RecoveryPoint: one consistent set of copies of all assets, each proven to be in the standby region.

A part that is not proven there makes the point partial, and a partial point is never chosen, unless all that it lacks
is the newest software of its compute groups. Points are written once and never changed (naming.PAPER_POINTS + id +
".json" in the vault bucket, an index item in the journal table).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from pilotlight.runtime.records.codec import REGISTRY, Tagged, decode

COMPLETE = "complete"
PARTIAL = "partial"
REFUSED = "refused"
ONE_REGION = "one-region"
"""What the standby region keeps while it serves alone: for restores, and for no failover."""


@dataclass(frozen=True)
class Loss:
    """What would be lost of an asset if its primary ended at the moment of the point: its RPO, at that moment."""

    seconds: float
    steps: int | None = None
    """Training steps begun in the primary beyond the point's checkpoint; only where checkpoints tell their step."""
    gpu_hours: float | None = None
    """The same steps in hours of all declared GPUs; only where the declaration says how many train."""


@dataclass(frozen=True)
class Reference(Tagged):
    """What a run needs to use a part; each kind of asset has a record of its own, in its folder."""

    kind: str = field(default="", kw_only=True)

    @property
    def stands_on(self) -> tuple[str, ...]:
        """Names of copies that stay as long as a point that has it: sets of snapshots, scheduled runs, images."""
        return ()

    @property
    def listed_in(self) -> str:
        """Key of the list of its objects; empty where there is none."""
        return ""

    @property
    def rejectable(self) -> str | None:
        """What of it a person can reject in all points that name it: the folder of a checkpoint, which may be the
        whole bucket; None where there is no such thing."""
        return None

    @property
    def shown(self) -> str:
        """As a person is shown it."""
        return ""

    @classmethod
    def of_first_edition(cls, raw: dict[str, Any]) -> dict[str, Any]:
        """Points of edition 1 had no tag; here a kind says what else was otherwise."""
        return raw


AnyReference = TypeVar("AnyReference", bound=Reference)


@dataclass(frozen=True)
class Part:
    """One asset's state in a point: when it was true in the primary region, and what proves it in the standby."""

    asset: str
    kind: str
    mechanism: str
    proven: bool
    as_of: str
    """ISO 8601; the newest moment of the primary that this part is known to hold. Empty when nothing is proven."""
    reference: Reference | None = None
    """What a run needs to use the part: checkpoint prefix and step, snapshot ids by device, cluster ARN, image id; None
    where nothing was found."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """What was looked at: counts, sizes, checksums, call results."""
    missing: tuple[str, ...] = ()
    """Why it is not proven, by name."""
    loss: Loss | None = None
    """None where nothing is proven, and for compute groups, which hold no state."""
    outdated: tuple[str, ...] = ()
    """Why it is not proven where that alone stands in the way: the standby region would launch older software than the
    primary does. Newer data with older software is worth more than the reverse, so a run may use the part."""


def first_edition(kind: str, raw: dict[str, Any]) -> dict[str, Any] | None:
    """A reference of edition 1, which had no tag, as this one writes it; None for an empty one."""
    import_module(REGISTRY)
    classes = (each for each in Reference.__subclasses__() if kind in each.TAGS)
    return {**next(classes, Reference).of_first_edition(raw), "kind": kind} if raw else None


def read_reference(record: type[AnyReference], raw: dict[str, Any]) -> AnyReference | None:
    """A reference as a journal keeps it, of either edition; None for an empty one."""
    told = raw if raw.get("kind") else first_edition(record.TAGS[0], raw)
    return decode(record, told) if told else None


def _with_tags(raw: dict[str, Any]) -> dict[str, Any]:
    """Edition 1 of points: references without tags, and another name for `as_of`."""
    parts = [
        each | {"reference": first_edition(each["kind"], each.get("reference") or {}), "as_of": each.get("true_at", "")}
        for each in raw["parts"]
    ]
    return raw | {"parts": parts}


@dataclass(frozen=True)
class RecoveryPoint:
    """`status` is complete, partial, refused or one-region."""

    SCHEMA: ClassVar[str] = "pilotlight/recovery-point/2"
    EARLIER: ClassVar[dict[str, Any]] = {"pilotlight/recovery-point/1": _with_tags}

    id: str
    workload: str
    created_at: str
    status: str
    parts: tuple[Part, ...]
    problems: tuple[str, ...] = ()
    """Edges that do not hold, and parts that are missing, in sentences."""
    outdated: bool = False
    """Partial only because the standby region would launch older software; a run uses it where it is the newest."""
    schema: str = "pilotlight/recovery-point/2"

    def part(self, asset: str) -> Part | None:
        return next((part for part in self.parts if part.asset == asset), None)

    def reference(self, asset: str, record: type[AnyReference]) -> AnyReference | None:
        """What it names of an asset, where that is of this class."""
        part = self.part(asset)
        return part.reference if part and isinstance(part.reference, record) else None
