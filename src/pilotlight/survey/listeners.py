"""The survey of the balancer's listeners: what clients use there, and what the standby's balancer will not have.

The standby's balancer listens by HTTP on the declared port and nowhere else. A client that speaks TLS to it after a
failover fails at the first byte, so a port that is HTTPS at home is refused, and others are told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pilotlight.survey.findings import Findings
from pilotlight.workload.model import Traffic

HTTP = "HTTP"
SECURE = ("HTTPS", "TLS")

Properties = dict[str, Any]


def check(findings: Findings, asset: str, front: Traffic, balancer: str) -> None:
    """The listeners of the primary's balancer, whose ARN this is."""
    wanted = {"LoadBalancerArn": balancer}
    before = len(findings.problems)
    listeners = findings.all(asset, "listeners", "Listeners", "elbv2", "describe_listeners", **wanted)
    if len(findings.problems) == before:
        for problem in problems(front.port, listeners):
            findings.add(asset, problem)
        for remark in remarks(front.port, listeners):
            findings.remark(asset, remark)


def problems(port: int, listeners: Iterable[Properties]) -> Iterable[str]:
    """Why clients of this port would not be served by the standby (pure)."""
    by_port = {int(each["Port"]): str(each.get("Protocol", "")) for each in listeners}
    if port not in by_port:
        others = ", ".join(f"{each} ({by_port[each]})" for each in sorted(by_port)) or "nowhere"
        yield f"the balancer does not listen on port {port}, but on {others}; declare `port` as clients use it"
    elif by_port[port] in SECURE:
        yield (
            f"the balancer listens on port {port} by {by_port[port]}, and the standby's by HTTP alone, without a "
            "certificate, so clients would fail after a failover; declare the `port` of a listener by HTTP, or let "
            "what is in front of the balancer speak TLS"
        )


def remarks(port: int, listeners: Iterable[Properties]) -> Iterable[str]:
    """What clients of other ports, or other protocols, lose (pure)."""
    for each in sorted(listeners, key=lambda one: int(one["Port"])):
        found, protocol = int(each["Port"]), str(each.get("Protocol", ""))
        if found != port:
            yield f"port {found} ({protocol}) of the balancer is not in the standby: whoever uses it finds nobody there"
        elif protocol not in (HTTP, *SECURE):
            yield f"port {port} is {protocol} at home, and HTTP on the standby's balancer"
