"""The survey of quotas of the standby region: a group at zero is built whatever they are, and may start nothing then.

What an `up` needs (room for one more VPC) is refused where it is known to be missing. What a failover needs (vCPUs of
the family of the wanted type) is told, with the line that asks for more: it may be granted before anybody needs it. A
quota that cannot be read is told as not known. Codes: Service Quotas (AWS CLI User Guide, get-service-quota examples).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.naming import TAG_WORKLOAD, Names
from pilotlight.runtime.records.inventory import Compute
from pilotlight.survey.findings import Findings

VPCS = "L-F678F1CE"
"""VPCs per Region."""
FAMILIES = {
    "L-1216C47A": ("Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", tuple("acdhimrtz")),
    "L-DB2E81BA": ("Running On-Demand G and VT instances", ("g", "vt")),
    "L-417A185B": ("Running On-Demand P instances", ("p",)),
}
"""Quota code -> its name, and the families of instance types that count, in vCPUs."""
NETWORK = "network"


@dataclass(frozen=True)
class Need:
    """vCPUs that a group starts with on the day, of the wanted type."""

    asset: str
    kind: str
    count: int
    vcpus: int


def check(findings: Findings, names: Names, computes: list[Compute], vcpus: Mapping[str, int]) -> None:
    """`vcpus`: of each instance type."""
    needs = [
        Need(each.name, each.instance_types[0], each.count, each.count * vcpus[each.instance_types[0]])
        for each in computes
        if each.instance_types and each.instance_types[0] in vcpus
    ]
    for code in dict.fromkeys(quota_of(each.kind) for each in needs):
        among = [each for each in needs if quota_of(each.kind) == code]
        value = _value(findings, names, "ec2", code) if code else None
        for asset, remark in short(among, code, value, names.standby):
            findings.remark(asset, remark)
    _check_vpcs(findings, names)


def quota_of(kind: str) -> str:
    """The code of the quota that an instance type counts in; empty where it is none of those that are known (pure)."""
    family = re.match(r"[a-z]+", kind)
    letters = family.group(0) if family else ""
    return next((code for code, (_, families) in FAMILIES.items() if letters in families), "")


def short(needs: Iterable[Need], code: str, value: float | None, region: str) -> Iterator[tuple[str, str]]:
    """What a failover would lack, by asset (pure)."""
    wanted = list(needs)
    whole = sum(each.vcpus for each in wanted)
    for each in wanted:
        asks = f"{each.count} {each.kind} take {each.vcpus} vCPUs"
        if value is None:
            which = f"quota {code}" if code else "the quota of that family"
            yield each.asset, f"{asks}, and {which} of {region} is not known; look at it: a failover starts no more"
        elif value < whole:
            with_others = f" ({whole} with other groups)" if whole > each.vcpus else ""
            yield (
                each.asset,
                f"{asks}{with_others}, and {region} grants {value:g} ({FAMILIES[code][0]}), less what runs there, so a "
                "failover would not start them all; ask for more: aws service-quotas request-service-quota-increase "
                f"--region {region} --service-code ec2 --quota-code {code} --desired-value {whole}",
            )


def _check_vpcs(findings: Findings, names: Names) -> None:
    """One more VPC, unless ours stands."""
    try:
        pages = list(findings.client.pages("ec2", "describe_vpcs", names.standby))
    except CallRefused as refusal:
        reason = refusal.facts.get("reason", refusal.message)
        findings.add(NETWORK, f"the VPCs of {names.standby} cannot be read ({reason})", names.standby)
        return
    there = [each for page in pages for each in page["Vpcs"]]
    ours = {"Key": TAG_WORKLOAD, "Value": names.workload}
    if any(ours in each.get("Tags", []) for each in there):
        return
    value = _value(findings, names, "vpc", VPCS)
    if value is not None and len(there) >= value:
        findings.add(
            NETWORK,
            f"{names.standby} has {len(there)} VPCs and grants {value:g}, and the standby needs one more: "
            f"aws service-quotas request-service-quota-increase --region {names.standby} --service-code vpc "
            f"--quota-code {VPCS} --desired-value {len(there) + 1}",
            names.standby,
        )


def _value(findings: Findings, names: Names, service: str, code: str) -> float | None:
    """What is granted; None where that cannot be read."""
    asked = {"ServiceCode": service, "QuotaCode": code}
    try:
        answer: Any = findings.client.call("service-quotas", "get_service_quota", names.standby, **asked)
    except CallRefused:
        return None
    return float(answer["Quota"]["Value"])
