"""The health of load balancer targets, really asked for at each target's own address.

Source: Elastic Load Balancing User Guide for Application Load Balancers, "Health checks for target groups" (settings,
states, reason codes). A new target is healthy after one good check; afterwards the thresholds count. Intervals pass at
the cloud's pace, but never so fast that two cores cannot follow.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

INTERVAL_REAL_SECONDS_MIN = 0.5
TIMEOUT_REAL_SECONDS_MIN = 1.0
"""A real process on a busy machine needs this long to answer, whatever the pace."""
CHECKS_AT_ONCE_MAX = 4
DESCRIPTIONS = {
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.Timeout": "Request timed out",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.InvalidState": "Target is in the stopped state",
}


@dataclass
class Health:
    """What is known about one target of one group."""

    state: str = "initial"
    reason: str | None = "Elb.RegistrationInProgress"
    description: str | None = DESCRIPTIONS["Elb.RegistrationInProgress"]
    streak: int = 0
    due: float = 0.0
    checking: bool = False


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    good: bool
    reason: str | None = None
    description: str | None = None


@dataclass
class HealthBook:
    """The health of every target, and the threads that ask."""

    real_seconds: Callable[[float], float]
    entries: dict[tuple[str, str], Health] = field(default_factory=dict)
    workers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(CHECKS_AT_ONCE_MAX, thread_name_prefix="target health")
    )

    def of(self, group: Any, target_id: str) -> Health:
        return self.entries.setdefault((group.arn, target_id), Health())

    def forget_others(self, known: set[tuple[str, str]]) -> None:
        """Drop what is no longer registered, so that it begins anew when it comes back."""
        for key in set(self.entries) - known:
            del self.entries[key]

    def check_if_due(self, group: Any, target: Mapping[str, Any], address: str | None) -> None:
        """Ask the target in the background, unless it was asked less than an interval ago."""
        health = self.of(group, target["Id"])
        now = time.monotonic()
        if health.checking or now < health.due:
            return
        interval = self.real_seconds(float(group.health_check_interval_seconds))
        health.due = now + max(interval, INTERVAL_REAL_SECONDS_MIN)
        health.checking = True
        self.workers.submit(self._check, group, dict(target), address, health)

    def close(self) -> None:
        self.workers.shutdown(wait=False, cancel_futures=True)

    def _check(self, group: Any, target: Mapping[str, Any], address: str | None, health: Health) -> None:
        try:
            timeout = self.real_seconds(float(group.health_check_timeout_seconds))
            finding = ask(group, target, address, max(timeout, TIMEOUT_REAL_SECONDS_MIN))
            learn(health, finding, int(group.healthy_threshold_count), int(group.unhealthy_threshold_count))
        finally:
            health.checking = False


def ask(group: Any, target: Mapping[str, Any], address: str | None, timeout: float) -> Finding:
    """One health check: a TCP connection, or an HTTP request judged by the group's matcher."""
    if address is None:
        return Finding(False, "Target.FailedHealthChecks", DESCRIPTIONS["Target.FailedHealthChecks"])
    port = int(target["Port"] if group.health_check_port in (None, "traffic-port") else group.health_check_port)
    try:
        if group.health_check_protocol == "TCP":
            socket.create_connection((address, port), timeout).close()
            return Finding(True)
        return _judge(status_of(address, port, group.health_check_path or "/", timeout), group)
    except TimeoutError:
        return Finding(False, "Target.Timeout", DESCRIPTIONS["Target.Timeout"])
    except (OSError, http.client.HTTPException):
        return Finding(False, "Target.FailedHealthChecks", DESCRIPTIONS["Target.FailedHealthChecks"])


def status_of(address: str, port: int, path: str, timeout: float) -> int:
    """The HTTP status of one GET."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()


def _judge(status: int, group: Any) -> Finding:
    matcher = (getattr(group, "matcher", None) or {}).get("HttpCode", "200")
    if matches(status, matcher):
        return Finding(True)
    return Finding(False, "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]")


def matches(status: int, matcher: str) -> bool:
    """Whether a status is in a matcher such as "200-299,302"."""
    for part in matcher.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


def learn(health: Health, finding: Finding, healthy_threshold: int, unhealthy_threshold: int) -> None:
    """Count findings against the present state and change it when their threshold is reached."""
    if finding.good == (health.state == "healthy") and health.state != "initial":
        health.streak = 0
        return
    health.streak += 1
    if finding.good and (health.state == "initial" or health.streak >= healthy_threshold):
        _become(health, "healthy", None, None)
    elif not finding.good and health.streak >= unhealthy_threshold:
        _become(health, "unhealthy", finding.reason, finding.description)
    elif health.state == "initial":
        health.reason = "Elb.InitialHealthChecking"
        health.description = DESCRIPTIONS["Elb.InitialHealthChecking"]


def _become(health: Health, state: str, reason: str | None, description: str | None) -> None:
    health.state, health.reason, health.description, health.streak = state, reason, description, 0
