"""What a comparison found, and what it cannot know: the record of `pilotlight compare`."""

from __future__ import annotations

from dataclasses import dataclass, field

from pilotlight.runtime.clock import stamp

SCHEMA = "pilotlight/compare/1"


@dataclass(frozen=True)
class Side:
    """One bucket, and as of when it is known; `inventory` is empty where it was listed."""

    region: str
    bucket: str
    prefix: str
    as_of: str
    inventory: str = ""
    files: int = 0
    rows: int = 0
    """Of versions and delete markers, all prefixes of the inventory."""
    passed_over: tuple[str, ...] = ()
    """Newer inventories, or other configurations, that could not be used, with the reason."""


@dataclass(frozen=True)
class Compared:
    """Two sides; counts are of keys. `strengths` is of those that are settled, deletions that arrived as `version`."""

    asset: str
    engine: str
    source: Side
    copy: Side
    settled: int
    strengths: dict[str, int]
    waiting: int
    """Written too late to be expected in both, or after one of the inventories had begun."""
    unsettled: dict[str, int] = field(default_factory=dict)
    """`missing` and `different`; of a listing both together, `overdue`."""
    extra: int = 0
    """In the copy, and never in the source."""
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The first keys of each state that needs a look."""
    prefixes: tuple[str, ...] = ()
    """Prefixes that were compared key by key; the first of them."""
    prefixes_all: bool = True
    """Whether `prefixes` has all of them."""
    cannot_prove: tuple[str, ...] = ()
    schema: str = SCHEMA

    @property
    def unproven(self) -> int:
        """Keys of which both sides have the same size, and nothing more is known."""
        return self.strengths.get("size", 0)

    @property
    def equal(self) -> bool:
        """Whether every key of the source that could be expected in the copy is proven there."""
        return not any(self.unsettled.values()) and not self.unproven


def limits(source_at: float, copy_at: float, waiting_since: float, now: float, unproven: int) -> tuple[str, ...]:
    """What two inventories cannot prove (pure); times in seconds since 1970.

    S3 User Guide, "Amazon S3 Inventory consistency": a rolling snapshot, eventually consistent.
    """
    sides = (("the source's", source_at), ("the copy's", copy_at))
    ages = " and ".join(f"{name} is {_age(now - at)} old ({stamp(at)})" for name, at in sides)
    told = [
        f"{ages}: what was written or deleted since is in neither",
        f"what was written at {stamp(waiting_since)} or later counts as waiting, not as missing",
        "an inventory is a rolling snapshot: writes and deletions of the hours in which it was made may lack",
        "an inventory has no checksum values: bytes are not compared, `version` and `etag` are what S3 says of them",
    ]
    if unproven:
        told.append(f"{unproven:,} objects have equal sizes, other ETags and other version ids: not proven")
    return tuple(told)


def _age(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
