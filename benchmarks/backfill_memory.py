"""Memory of a backfill: ten times the objects, and the peak that they cost. Peer: itself with a tenth of them.

The listings are made up page by page, as S3 gives them; nothing of them is kept by the benchmark. Every tenth object is
missing in the copy and is copied.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from pilotlight.runtime.clock import SystemClock
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.buckets.backfill import bring
from pilotlight.runtime.kinds.buckets.listing import Bucket

OBJECTS = 30_000
TIMES = 10
RATIO_MAX = 1.5
"""Beyond it memory grows with the bucket."""
PAGE = 1000
WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)


class Listings:
    """A door with two buckets of so many objects, the second of which lacks every tenth."""

    def __init__(self, objects: int) -> None:
        self._objects, self.copies = objects, 0

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        for start in range(0, self._objects, PAGE):
            numbers = range(start, min(start + PAGE, self._objects))
            kept = (number for number in numbers if parameters["Bucket"] == "source" or number % 10)
            yield {"Versions": [_item(number) for number in kept]}

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        self.copies += 1
        return {}


def _item(number: int) -> dict[str, Any]:
    key = f"shards/{number:012d}.tar"
    return {
        "Key": key,
        "VersionId": f"v{number}",
        "IsLatest": True,
        "LastModified": WRITTEN,
        "Size": 10,
        "ETag": f'"{number}"',
    }


def peak(objects: int) -> tuple[int, int]:
    """(bytes at the highest, copies)."""
    client = Listings(objects)
    context = cast(RecoveryContext, SimpleNamespace(client=client, clock=SystemClock()))
    tracemalloc.start()
    bring(context, Bucket("east", "source"), Bucket("west", "copy"))
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return highest, client.copies


def main() -> int:
    """Print both peaks and their ratio."""
    few, _ = peak(OBJECTS)
    many, copies = peak(OBJECTS * TIMES)
    print(f"{OBJECTS:>9,} objects  peak {few / 1024:>8,.0f} KiB")
    print(f"{OBJECTS * TIMES:>9,} objects  peak {many / 1024:>8,.0f} KiB, {copies:,} copied")
    print(f"ratio {many / few:.2f} (a list of all would be {TIMES}; limit {RATIO_MAX})")
    return 0 if many / few <= RATIO_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
