"""What a point names of a volume group."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from pilotlight.runtime.records.point import Reference


@dataclass(frozen=True)
class VolumeSet:
    """What one instance gets."""

    index: int
    snapshots: dict[str, str]
    """Device -> snapshot copy."""
    instance: str = ""
    label: str = ""
    set: str = ""
    as_of: str = ""


@dataclass(frozen=True)
class Unassigned:
    """A copy of a volume whose place is not known."""

    volume: str
    snapshot: str
    device: str = ""
    as_of: str = ""


@dataclass(frozen=True)
class VolumeReference(Reference):
    """The copies of one scheduled run, instance by instance in the order of the index."""

    TAGS: ClassVar[tuple[str, ...]] = ("volumes",)

    assign: str = ""
    """Which rule gave the places: `launch-order`, `shared` or `tag`."""
    run: str = ""
    sets: tuple[VolumeSet, ...] = ()
    unassigned: tuple[Unassigned, ...] = ()
    kind: str = field(default="volumes", kw_only=True)

    @property
    def copies(self) -> dict[str, str]:
        """Snapshot copy -> what it is of, for every copy that is named."""
        found = {
            snapshot: " of ".join(each for each in (device, one.instance) if each)
            for one in self.sets
            for device, snapshot in one.snapshots.items()
        }
        return found | {each.snapshot: each.volume for each in self.unassigned}

    @property
    def stands_on(self) -> tuple[str, ...]:
        names = [*(each.set for each in self.sets), self.run]
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def shown(self) -> str:
        return f"scheduled run {self.run}, {len(self.copies)} snapshot copies of {len(self.sets)} instance(s)"

    @classmethod
    def of_first_edition(cls, raw: dict[str, Any]) -> dict[str, Any]:
        """The first ones named one set alone; and `as_of` had another name."""
        if "sets" in raw or not raw.get("snapshots"):
            named = {key: [_with_as_of(each) for each in raw.get(key, [])] for key in ("sets", "unassigned")}
            return raw | named
        return {"sets": [{"index": 0, "set": raw.get("set", ""), "snapshots": raw["snapshots"]}]}


def _with_as_of(raw: dict[str, Any]) -> dict[str, Any]:
    return raw | {"as_of": raw.get("true_at", "")}
