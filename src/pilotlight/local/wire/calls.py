"""The call record: who asked which service in which region for what, when, and what came of it.

It stands for CloudTrail ("CloudTrail record contents"), but also holds what a lost region never answered (outcome
"dark"). Kept in memory up to a limit and written whole, as JSON lines, into the cloud's folder.
Values that AWS's own models call sensitive never reach it.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

CALLS_KEPT_MAX = 200_000
"""Calls held in memory, about 200 MB at most; a demo makes some ten thousand. Older ones are in the file only."""

OK = "ok"
DARK = "dark"


@dataclass(frozen=True)
class Call:
    """One request to AWS: `outcome` is "ok", an AWS error code, or "dark" where nothing answered."""

    id: int
    at: float
    region: str
    service: str
    operation: str
    principal: str
    params: dict[str, Any]
    outcome: str
    status: int


class CallRecord:
    """Every call, in the order in which they ended."""

    def __init__(self, path: Path) -> None:
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT_MAX)
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def next_id(self) -> int:
        """The number of a call that begins now."""
        return next(self._numbers)

    def add(self, call: Call) -> None:
        """Keep a call."""
        line = json.dumps(asdict(call), default=str) + "\n"
        with self._lock:
            self._calls.append(call)
            if not self._file.closed:
                self._file.write(line)

    def query(
        self,
        since: float | None = None,
        principal: str | None = None,
        region: str | None = None,
        service: str | None = None,
    ) -> list[Call]:
        """Calls from a moment on; a principal is matched by any part of its ARN, the rest exactly."""
        with self._lock:
            calls = list(self._calls)
        return [call for call in calls if _matches(call, since, principal, region, service)]

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._file.close()


def decode_calls(items: Iterable[dict[str, Any]]) -> list[Call]:
    """Calls from their JSON form."""
    return [Call(**item) for item in items]


def _matches(call: Call, since: float | None, principal: str | None, region: str | None, service: str | None) -> bool:
    return (
        (since is None or call.at >= since)
        and (principal is None or principal in call.principal)
        and (region is None or call.region == region)
        and (service is None or call.service == service)
    )
