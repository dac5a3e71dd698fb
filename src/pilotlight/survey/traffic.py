"""The survey of the front door: the balancer behind it, what clients use there, and the zone of its record."""

from __future__ import annotations

from pilotlight.runtime.records.inventory import Traffic
from pilotlight.survey import claims, front_record, listeners
from pilotlight.survey import zone as zones
from pilotlight.survey.kind import Look
from pilotlight.survey.zone import TRAFFIC


def survey(look: Look) -> Traffic | None:
    """The front door; the balancer is the one of the first group that has one."""
    findings, names, front = look.findings, look.names, look.workload.traffic
    if front is None:
        return None
    balancer = next(iter(look.balancers), None)
    if balancer is None:
        findings.add(TRAFFIC, "no compute group is behind a load balancer; attach the group to a target group")
    elif balancer.internal:
        findings.add(TRAFFIC, f"balancer {balancer.dns} is internal, so the probe cannot reach it; use a public one")
    if balancer:
        listeners.check(findings, TRAFFIC, front, balancer.arn)
    zone_id = zones.zone_id(findings, front, balancer.dns if balancer else "")
    if zone_id:
        records = claims.check_record(findings, names, TRAFFIC, zone_id, front.record)
        front_record.survey(findings, TRAFFIC, records, balancer.dns if balancer else "")
    if balancer is None or not zone_id:
        return None
    return Traffic(
        zone=front.zone,
        zone_id=zone_id,
        record=front.record,
        check=front.check,
        port=front.port,
        primary_balancer_dns=balancer.dns,
        primary_balancer_zone=balancer.zone,
    )
