"""The survey of the hosted zone that the front door's records go into: which one, where several have the name.

Route 53 keeps as many zones of one name as anybody makes (Route 53 Developer Guide, "Considerations when working with
a private hosted zone": a public and a private one is the usual pair). The declared id decides; else the zone whose
record points at the balancer; else the only public one, because the probe asks from outside of any VPC.
"""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.errors import CallRefused
from pilotlight.survey.findings import Findings
from pilotlight.survey.zone_records import records_of, same_name
from pilotlight.workload.model import Traffic

TRAFFIC = "traffic"
"""How problems of the front door name it; it is no asset."""
ZONE_PAGES_MAX = 50
"""Of 100 zones each: ten times as many as an account has by default (Route 53 Developer Guide, "Quotas": 500)."""
PRIVATE = (
    "is private: the probe and the world outside of its VPCs cannot ask it, and a private front door is not supported"
)

Properties = dict[str, Any]


def zone_id(findings: Findings, front: Traffic, balancer: str) -> str:
    """The id of the zone, or nothing and a problem. `balancer`: its DNS name, or nothing where there is none."""
    named = _named(findings, front.zone)
    if named is None:
        return ""
    found = _choice(findings, front, balancer, named)
    if isinstance(found, str):
        findings.add(TRAFFIC, found)
        return ""
    return _id(found)


def _choice(findings: Findings, front: Traffic, balancer: str, named: list[Properties]) -> Properties | str:
    """Records are read only where they decide: who deploys may read those of the zone that is chosen."""
    if front.zone_id or len(named) < 2:
        return choose(front, named, set())
    try:
        pointing = {_id(each) for each in named if _points_there(findings, _id(each), front.record, balancer)}
    except CallRefused as refusal:
        reason = refusal.facts.get("reason", refusal.message)
        return f"{_several(front, named)}, and which has {front.record} cannot be read ({reason}); {_declare()}"
    return choose(front, named, pointing)


def choose(front: Traffic, named: list[Properties], pointing: set[str]) -> Properties | str:
    """The zone, or what is wrong, in words (pure). `pointing`: ids of the zones whose record is of the balancer."""
    if not named:
        return f"there is no hosted zone {front.zone}; create it, or correct its name in the declaration"
    if front.zone_id:
        return _declared(front, front.zone_id, named)
    wanted = [each for each in named if _id(each) in pointing] or [each for each in named if not _private(each)]
    if len(wanted) > 1:
        return f"{_several(front, wanted)}; {_declare()}"
    if not wanted:
        return f"hosted zone {front.zone} ({_shown(named)}) {PRIVATE}; create a public one of that name"
    if not _private(wanted[0]):
        return wanted[0]
    return f"record {front.record} points at the balancer in zone {_id(wanted[0])}, which {PRIVATE}; {_declare()}"


def _declared(front: Traffic, wanted: str, named: list[Properties]) -> Properties | str:
    found = next((each for each in named if _id(each) == wanted), None)
    if found is None:
        return f"zone {wanted} is none of those named {front.zone} ({_shown(named)}); correct `zone_id`"
    return f"zone {wanted} {PRIVATE}; declare a public one" if _private(found) else found


def _several(front: Traffic, zones: list[Properties]) -> str:
    return f"{len(zones)} hosted zones are named {front.zone} ({_shown(zones)})"


def _declare() -> str:
    return "declare the id of a public one, which the records go into, as `zone_id`"


# -- what is read ----------------------------------------------------------------------------------------------


def _named(findings: Findings, zone: str) -> list[Properties] | None:
    """Every zone of this name; None where they cannot all be read. The listing is in the order of the names."""
    found: list[Properties] = []
    start: Properties = {"DNSName": zone}
    for _ in range(ZONE_PAGES_MAX):
        answer = findings.ask(TRAFFIC, f"hosted zone {zone}", "route53", "list_hosted_zones_by_name", **start)
        if answer is None:
            return None
        zones = answer["HostedZones"]
        found += [each for each in zones if same_name(each["Name"], zone)]
        if not answer.get("IsTruncated") or not all(same_name(each["Name"], zone) for each in zones):
            return found
        start = {"DNSName": answer["NextDNSName"], "HostedZoneId": answer["NextHostedZoneId"]}
    findings.add(TRAFFIC, f"more than {ZONE_PAGES_MAX} pages of hosted zones are named {zone}; declare another name")
    return None


def _points_there(findings: Findings, zone: str, record: str, balancer: str) -> bool:
    """Whether a record of this name is of the balancer."""
    return any(points(each, balancer) for each in records_of(findings.client, zone, record))


def points(record: Properties, balancer: str) -> bool:
    """Whether it is an alias or a CNAME of the balancer; `dualstack.` may stand before the name (pure)."""
    values = [each["Value"] for each in record.get("ResourceRecords", [])]
    targets = [record.get("AliasTarget", {}).get("DNSName", ""), *values]
    return bool(balancer) and any(same_name(each.lower().removeprefix("dualstack."), balancer) for each in targets)


def _id(zone: Properties) -> str:
    return str(zone["Id"]).rpartition("/")[2]


def _private(zone: Properties) -> bool:
    return bool(zone.get("Config", {}).get("PrivateZone"))


def _shown(zones: list[Properties]) -> str:
    return ", ".join(f"{_id(each)} {'private' if _private(each) else 'public'}" for each in zones)
