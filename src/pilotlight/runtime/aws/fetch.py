"""The outside view: one HTTP GET as a user makes it, by DNS name, through whatever proxy the environment names.

A failure is an answer too: status 0 and the reason. Nothing raises, so that a probe always has something to report.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

BODY_BYTES_MAX = 64 * 1024
"""A health answer is short; more of it is not read."""
REGION_HEADER = "x-region"


@dataclass(frozen=True)
class Fetched:
    """What came back; `status` 0 means no answer, and `reason` says why."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def region(self) -> str:
        """The region the answer names, in the header X-Region or as `region` in its JSON; empty where it names none."""
        named = self.headers.get(REGION_HEADER, "")
        return named or _region_in(self.body)

    @property
    def told(self) -> str:
        """In words, for errors and evidence."""
        if not self.status:
            return f"no answer ({self.reason})"
        return f"status {self.status}" + (f" from {self.region}" if self.region else "")


Fetch = Callable[[str, float], Fetched]
"""(URL, seconds) -> what came back."""


def fetch(url: str, seconds: float) -> Fetched:
    """GET through the proxies of the environment (urllib, `getproxies`)."""
    return _fetch(urllib.request.build_opener(), url, seconds)


def fetch_through(proxy: str) -> Fetch:
    """A fetch that uses this HTTP proxy, e.g. http://127.0.0.1:8080, for every name."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))
    return lambda url, seconds: _fetch(opener, url, seconds)


def _fetch(opener: urllib.request.OpenerDirector, url: str, seconds: float) -> Fetched:
    try:
        with opener.open(url, timeout=seconds) as answer:
            return Fetched(answer.status, answer.read(BODY_BYTES_MAX), _lower(dict(answer.headers)))
    except urllib.error.HTTPError as problem:
        with problem:
            return Fetched(problem.code, problem.read(BODY_BYTES_MAX), _lower(dict(problem.headers)), problem.reason)
    except (OSError, ValueError, http.client.HTTPException) as problem:
        return Fetched(0, reason=str(problem) or type(problem).__name__)


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _region_in(body: bytes) -> str:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return str(parsed.get("region", "")) if isinstance(parsed, dict) else ""
