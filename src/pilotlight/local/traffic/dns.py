"""Route 53's answers, computed from moto's hosted zones: simple, failover and alias records, and their health.

Source: Route 53 Developer Guide, "Failover routing", "How Amazon Route 53 chooses records when health checking is
configured" (no healthy record: the primary is answered), "Values for alias records", EvaluateTargetHealth. Answers are
kept for their TTL, which passes at the cloud's pace. All of this is the data plane: it works while us-east-1 is dark.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.route53.models import HealthCheck
from moto.route53.responses import Route53

from pilotlight.local.cloudwatch.alarms import Alarms
from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override, override_properties
from pilotlight.local.traffic import dns_conflicts
from pilotlight.local.traffic.health_checks import ENDPOINT_TYPES, HealthChecks, Observation, direct
from pilotlight.local.traffic.load_balancers import LoadBalancers, Request

TICK_SECONDS = 0.25
ALIAS_TTL_SECONDS = 60.0
"""AWS seconds: alias answers to load balancers carry the load balancer's TTL."""
TTL_REAL_SECONDS_MAX = 2.0
"""At a slow pace a client here would still look anew this often."""
ALIAS_DEPTH_MAX = 8
ADDRESS_TYPES = ("A", "AAAA", "CNAME")
KEPT = {"AlarmIdentifier": "alarm_identifier", "InsufficientDataHealthStatus": "insufficient_data_health_status"}
"""Parts of a health check that moto would lose, and where they are kept on its object."""

OF_ENDPOINTS = frozenset({"IPAddress", "Port", "ResourcePath", "FullyQualifiedDomainName", "SearchString",
                          "RequestInterval", "FailureThreshold", "MeasureLatency", "EnableSNI"})  # fmt: skip
"""Said of checks of endpoints alone: one that follows an alarm or counts others answers without them (Route 53 API
Reference, "HealthCheckConfig"). moto gives every check a port and an interval."""

_create_health_check = original(Route53, "create_health_check")
_update_health_check = original(Route53, "update_health_check")
_health_check_config = vars(HealthCheck)["health_check_config"].fget


class Dns(Behaviour):
    """Resolves names as Route 53 would answer now."""

    name = "dns"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._answers: dict[str, tuple[float, list[str]]] = {}
        self._lock = threading.Lock()
        self.checks = HealthChecks(self._backend, cloud.real_seconds, self._alarm_state, self._fetch)
        _replace_operations(self)
        dns_conflicts.install()

    def start(self) -> None:
        self.cloud.every(TICK_SECONDS, self.checks.look, "route 53 health checks")

    def stop(self) -> None:
        self.checks.close()

    def resolve(self, name: str) -> list[str]:
        """The addresses and load balancer names behind a name, empty where there is no such name; cached by TTL."""
        wanted = name.rstrip(".").lower()
        now = time.monotonic()
        with self._lock:
            kept_until, kept = self._answers.get(wanted, (0.0, []))
        if now < kept_until:
            return kept
        targets, ttl = self._answer(wanted, ALIAS_DEPTH_MAX)
        lifetime = min(self.cloud.real_seconds(ttl), TTL_REAL_SECONDS_MAX)
        with self._lock:
            self._answers[wanted] = (now + lifetime, targets)
        return targets

    def names(self) -> list[str]:
        """Every name that hosted zones answer for."""
        zones = list(self._backend().zones.values())
        found = {record.name.rstrip(".") for zone in zones for record in zone.rrsets if record.type in ADDRESS_TYPES}
        return sorted(found)

    def _answer(self, name: str, depth: int) -> tuple[list[str], float]:
        if self.cloud.behaviour(LoadBalancers).region_of(name) is not None:
            return [name.removeprefix("dualstack.")], ALIAS_TTL_SECONDS
        chosen = self._choose(self._records(name)) if depth else []
        answers = [self._follow(record, depth) for record in chosen]
        targets = [target for found, _ in answers for target in found]
        return targets, min((ttl for _, ttl in answers), default=0.0)

    def _follow(self, record: Any, depth: int) -> tuple[list[str], float]:
        if record.alias_target:
            return self._answer(record.alias_target["DNSName"].rstrip(".").lower(), depth - 1)
        ttl = float(record.ttl or 0)
        if record.type == "CNAME":
            targets, further = self._answer(record.records[0].rstrip(".").lower(), depth - 1)
            return targets, min(ttl, further)
        return list(record.records), ttl

    def _records(self, name: str) -> list[Any]:
        """The address records of the name in the hosted zone that fits it best."""
        zones = [zone for zone in list(self._backend().zones.values()) if _covers(zone.name, name)]
        if not zones:
            return []
        zone = max(zones, key=lambda each: len(each.name))
        return [each for each in list(zone.rrsets) if _same(each.name, name) and each.type in ADDRESS_TYPES]

    def _choose(self, records: list[Any]) -> list[Any]:
        """The records to answer with; when none is healthy, Route 53 treats them as if all were."""
        healthy = [record for record in records if self._healthy(record, ALIAS_DEPTH_MAX)]
        for role in ("PRIMARY", "SECONDARY"):
            ready = [record for record in healthy if record.failover == role]
            if ready:
                return ready[:1]
        primaries = [record for record in records if record.failover == "PRIMARY"]
        return primaries[:1] or healthy or records

    def _healthy(self, record: Any, depth: int) -> bool:
        if record.health_check_id and not self.checks.healthy(record.health_check_id):
            return False
        alias = record.alias_target
        if not alias or not _true(alias.get("EvaluateTargetHealth")) or depth == 0:
            return True
        target = alias["DNSName"].rstrip(".").lower()
        balancers = self.cloud.behaviour(LoadBalancers)
        if balancers.region_of(target) is not None:
            return balancers.healthy(target)
        return any(self._healthy(each, depth - 1) for each in self._records(target))

    def _alarm_state(self, region: str, name: str) -> str:
        if region not in self.cloud.regions:
            return "INSUFFICIENT_DATA"
        return self.cloud.behaviour(Alarms).judged(region, name)

    def _fetch(self, check: Any) -> tuple[int, bytes]:
        """Ask an endpoint by address, or by name through DNS and its load balancer."""
        if check.ip_address:
            return direct(check)
        targets, _ = self._answer(check.fqdn.rstrip(".").lower(), ALIAS_DEPTH_MAX)
        balancers = self.cloud.behaviour(LoadBalancers)
        name = next((target for target in targets if balancers.region_of(target)), None)
        if name is None:
            raise OSError(f"{check.fqdn} does not resolve")
        answer = balancers.serve(name, Request("GET", check.fqdn, int(check.port), check.resource_path or "/"))
        return answer.status, answer.body

    def _backend(self) -> Any:
        return self.cloud.backend("route53", "global")


def _covers(zone: str, name: str) -> bool:
    bare = zone.rstrip(".").lower()
    return name == bare or name.endswith(f".{bare}")


def _same(record: str, name: str) -> bool:
    return record.rstrip(".").lower() == name


def _true(value: Any) -> bool:
    return str(value).lower() == "true"


def observations(found: Observation, reason: bool) -> list[dict[str, Any]]:
    """One checker's report, in the form of GetHealthCheckStatus and GetHealthCheckLastFailureReason."""
    status = (found.last_failure or "No failure was observed") if reason else found.report
    report = {"Status": status, "CheckedTime": found.checked_at}
    return [{"Region": "us-west-2", "IPAddress": "127.0.0.1", "StatusReport": report}]


def _check_in(response: ActionResult) -> Any:
    result: Any = response.result
    return result["HealthCheck"]


def _replace_operations(dns: Dns) -> None:
    """Keep what moto drops from a health check, and report what was really observed."""

    def keep(response: ActionResult, config: Mapping[str, Any]) -> ActionResult:
        check = _check_in(response)
        for key, attribute in KEPT.items():
            if config.get(key) is not None:
                setattr(check, attribute, config[key])
        return response

    def create_health_check(self: Any) -> ActionResult:
        return keep(_create_health_check(self), self._get_param("HealthCheckConfig"))

    def update_health_check(self: Any) -> ActionResult:
        response = keep(_update_health_check(self), {key: self._get_param(key) for key in KEPT})
        _check_in(response).health_check_version += 1
        return response

    def get_health_check_status(self: Any) -> ActionResult:
        check = self.backend.get_health_check(self._get_param("HealthCheckId"))
        return ActionResult({"HealthCheckObservations": observations(dns.checks.of(check.id), reason=False)})

    def get_health_check_last_failure_reason(self: Any) -> ActionResult:
        check = self.backend.get_health_check(self._get_param("HealthCheckId"))
        return ActionResult({"HealthCheckObservations": observations(dns.checks.of(check.id), reason=True)})

    def health_check_config(self: Any) -> dict[str, Any]:
        config: dict[str, Any] = _health_check_config(self)
        kept = {key: getattr(self, attribute, None) for key, attribute in KEPT.items()}
        found = config | {key: value for key, value in kept.items() if value is not None}
        return found if self.type_ in ENDPOINT_TYPES else {key: found[key] for key in found.keys() - OF_ENDPOINTS}

    override_properties(HealthCheck, health_check_config=health_check_config)
    override(
        Route53,
        create_health_check=create_health_check,
        update_health_check=update_health_check,
        get_health_check_status=get_health_check_status,
        get_health_check_last_failure_reason=get_health_check_last_failure_reason,
    )
