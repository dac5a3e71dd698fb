"""Recorded calls against the leases that they themselves record: whoever acts has one, and nobody took it meanwhile.

Takes Calls of the embedded cloud; gives a sentence for each that changes something and was made by somebody who had
once taken a lease of the workload and had none at that moment (pure). Two processes of one principal are one here;
the simulation, which knows its processes, tells those apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pilotlight.local.wire.calls import OK, Call

ACTING = ("rds", "autoscaling", "ec2", "s3", "ssm")
"""Services whose acts a lease is for. People are told, and metrics are published, by whoever has none, too."""
READING = ("Describe", "Get", "Head", "List")


@dataclass
class Holding:
    """One lease of one workload, as the calls up to now have left it."""

    principal: str = ""
    expires_at: float = 0.0
    epoch: int = 0


@dataclass
class Leases:
    """Every lease that was seen, by (table, purpose), and everybody who ever took one."""

    held: dict[tuple[str, str], Holding] = field(default_factory=dict)
    takers: set[str] = field(default_factory=set)

    def hear(self, call: Call) -> None:
        """An update of a lease that DynamoDB let through."""
        values, key = call.params["ExpressionAttributeValues"], call.params["Key"]
        lease = self.held.setdefault((call.params["TableName"], key["sk"]["S"]), Holding())
        if ":one" in values:
            lease.epoch += 1
            self.takers.add(call.principal)
        lease.principal, lease.expires_at = call.principal, float(values[":expires_at"]["N"])

    def has_one(self, principal: str, at: float) -> bool:
        """Whether somebody holds any lease at that moment."""
        return any(each.principal == principal and each.expires_at > at for each in self.held.values())


def without_lease(calls: Iterable[Call]) -> list[str]:
    """What was done by those who had lost or given back their lease, in the order in which the calls began."""
    return list(_found(sorted(calls, key=lambda each: each.id)))


def _found(calls: list[Call]) -> Iterator[str]:
    leases = Leases()
    for call in calls:
        if call.outcome != OK:
            continue
        if call.service == "dynamodb" and call.operation == "UpdateItem" and _is_of_lease(call):
            leases.hear(call)
        elif _acts(call) and call.principal in leases.takers and not leases.has_one(call.principal, call.at):
            yield f"{call.id}: {call.principal} sent {call.service}:{call.operation} to {call.region} without a lease"


def _is_of_lease(call: Call) -> bool:
    return call.params.get("Key", {}).get("pk", {}).get("S") == "lease"


def _acts(call: Call) -> bool:
    return call.service in ACTING and not call.operation.startswith(READING)
