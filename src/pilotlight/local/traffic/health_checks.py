"""Route 53 health checks: endpoints really asked, alarms read from their region, calculated ones counted.

Source: Route 53 Developer Guide, "How Amazon Route 53 determines whether a health check is healthy", "Monitoring a
CloudWatch alarm", "Monitoring other health checks"; API reference "HealthCheckConfig". The checkers are the data plane:
they go on while us-east-1, where Route 53's control plane lives, is dark. moto drops the alarm of a health check, so
it is kept here.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

INTERVAL_REAL_SECONDS_MIN = 0.5
ENDPOINT_SECONDS_MAX = 2.0
"""Route 53 waits four seconds for a connection and two for an answer; both are on this machine."""
CHECKS_AT_ONCE_MAX = 2
SEARCHED_BYTES_MAX = 5120
"""The search string must appear within the first 5,120 bytes of the body."""
ENDPOINT_TYPES = frozenset({"HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP"})

Fetch = Callable[[Any], tuple[int, bytes]]
AlarmState = Callable[[str, str], str]


@dataclass
class Observation:
    """What is known about one health check; a new one counts as healthy."""

    healthy: bool = True
    report: str = "Not checked yet"
    streak: int = 0
    due: float = 0.0
    checking: bool = False
    checked_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    last_failure: str | None = None


@dataclass
class HealthChecks:
    """The observations of every health check."""

    backend: Callable[[], Any]
    real_seconds: Callable[[float], float]
    alarm_state: AlarmState
    fetch: Fetch
    entries: dict[str, Observation] = field(default_factory=dict)
    workers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(CHECKS_AT_ONCE_MAX, thread_name_prefix="route 53 checker")
    )

    def healthy(self, check_id: str) -> bool:
        """The status that DNS answers follow: disabled counts as healthy, inverted as the opposite."""
        check = self.backend().health_checks.get(check_id)
        if check is None or check.disabled:
            return True
        found = self._calculated(check) if check.type_ == "CALCULATED" else self.of(check_id).healthy
        return found != bool(check.inverted)

    def of(self, check_id: str) -> Observation:
        return self.entries.setdefault(check_id, Observation())

    def look(self) -> None:
        """Read alarms, and ask endpoints whose interval is over, in the background."""
        checks = list(self.backend().health_checks.values())
        for check in checks:
            if check.type_ == "CLOUDWATCH_METRIC":
                self._read_alarm(check)
            elif check.type_ in ENDPOINT_TYPES:
                self._ask_if_due(check)
        for gone in set(self.entries) - {check.id for check in checks}:
            del self.entries[gone]

    def close(self) -> None:
        self.workers.shutdown(wait=False, cancel_futures=True)

    def _calculated(self, check: Any) -> bool:
        children = [self.healthy(each) for each in check.children or []]
        return sum(children) >= int(check.health_threshold or 0)

    def _read_alarm(self, check: Any) -> None:
        observation = self.of(check.id)
        alarm = getattr(check, "alarm_identifier", None) or {}
        state = self.alarm_state(alarm.get("Region", ""), alarm.get("Name", ""))
        policy = getattr(check, "insufficient_data_health_status", None) or "LastKnownStatus"
        unknown = {"Healthy": True, "Unhealthy": False, "LastKnownStatus": observation.healthy}[policy]
        healthy = {"OK": True, "ALARM": False}.get(state, unknown)
        _note(observation, healthy, f"{'Success' if healthy else 'Failure'}: alarm {alarm.get('Name')} is {state}")

    def _ask_if_due(self, check: Any) -> None:
        observation = self.of(check.id)
        now = time.monotonic()
        if observation.checking or now < observation.due:
            return
        observation.due = now + max(self.real_seconds(float(check.request_interval)), INTERVAL_REAL_SECONDS_MIN)
        observation.checking = True
        self.workers.submit(self._ask, check, observation)

    def _ask(self, check: Any, observation: Observation) -> None:
        try:
            good, report = examine(check, self.fetch)
        finally:
            observation.checking = False
        observation.streak = 0 if good == observation.healthy else observation.streak + 1
        changed = observation.streak >= int(check.failure_threshold)
        _note(observation, good if changed else observation.healthy, report)


def examine(check: Any, fetch: Fetch) -> tuple[bool, str]:
    """One look at an endpoint: whether it was good, and the status report of it."""
    try:
        if check.type_ == "TCP":
            socket.create_connection((check.ip_address, int(check.port)), ENDPOINT_SECONDS_MAX).close()
            return True, "Success: TCP connection established."
        status, body = fetch(check)
    except (OSError, http.client.HTTPException) as error:
        return False, f"Failure: {error or type(error).__name__}"
    if not 200 <= status < 400:
        return False, f"Failure: HTTP Status Code {status}."
    if check.search_string and check.search_string.encode() not in body[:SEARCHED_BYTES_MAX]:
        return False, f"Failure: HTTP Status Code {status}, the search string was not found."
    return True, f"Success: HTTP Status Code {status}, OK"


def direct(check: Any) -> tuple[int, bytes]:
    """Ask the endpoint of a health check at its IP address."""
    connection = http.client.HTTPConnection(check.ip_address, int(check.port), timeout=ENDPOINT_SECONDS_MAX)
    try:
        connection.request("GET", check.resource_path or "/", headers={"Host": check.fqdn or check.ip_address})
        answer = connection.getresponse()
        return answer.status, answer.read(SEARCHED_BYTES_MAX)
    finally:
        connection.close()


def _note(observation: Observation, healthy: bool, report: str) -> None:
    observation.streak = 0 if healthy != observation.healthy else observation.streak
    observation.healthy, observation.report = healthy, report
    observation.checked_at = datetime.now(UTC)
    if report.startswith("Failure"):
        observation.last_failure = report
