"""What earlier points knew of an asset: when the primary region is silent, nothing newer can be known.

A point that is not complete as a whole still proved those of its parts that are proven. Records are read only when they
are asked for, the newest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.points import choose
from pilotlight.runtime.records.point import ONE_REGION, REFUSED, Part, RecoveryPoint
from pilotlight.runtime.store.ledger import POINTS_MAX


class Earlier:
    """The points before this scheduled run."""

    def __init__(self, context: RecoveryContext) -> None:
        self._context = context
        self._read: list[RecoveryPoint] = []
        self._left: Iterator[str] | None = None

    def part(self, asset: str) -> Part | None:
        """The newest part of this asset that was proven."""
        return self.such(asset, lambda part: part.proven)

    def settled(self, asset: str) -> Part | None:
        """The same, with nothing in it that refers to what had not arrived."""
        return self.such(asset, lambda part: part.proven and not any(choose.loose_ends([part])))

    def such(self, asset: str, fits: Callable[[Part], bool]) -> Part | None:
        """The newest part of this asset that fits, proven or not."""
        parts = (point.part(asset) for point in self._points())
        return next((part for part in parts if part and fits(part)), None)

    def _points(self) -> Iterator[RecoveryPoint]:
        """Those read already, then further ones."""
        yield from self._read
        if self._left is None:
            lines = [line.id for line in self._context.ledger.points() if line.status not in (REFUSED, ONE_REGION)]
            self._left = iter(lines[:POINTS_MAX])
        for id in self._left:
            self._read.append(self._context.records.point(id))
            yield self._read[-1]
