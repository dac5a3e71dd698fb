"""Time by argument: whatever decides, waits or stamps in the rooms that recover takes a Clock.

`SystemClock` is the real one; `FakeClock` moves only when told, so tests of waits and leases take no time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time by argument: seconds since the Unix epoch (UTC) and a way to wait; whether time goes on by itself."""

    flows: bool

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait this long."""
        ...


class SystemClock:
    """The machine's clock."""

    flows = True

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class FakeClock:
    """A clock for tests: `sleep` moves it, nothing else does."""

    flows = False

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.current = start

    def now(self) -> float:
        return self.current

    def sleep(self, seconds: float) -> None:
        self.current += seconds


def stamp(seconds: float) -> str:
    """ISO 8601 in UTC with milliseconds, e.g. 2026-01-02T03:04:05.678Z."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse_stamp(text: str) -> float:
    """The inverse of `stamp`; takes any ISO 8601 text with an offset or Z."""
    return datetime.fromisoformat(text).timestamp()
