"""Before the data is handed over to the primary: what a person would do without the journal is kept there; and taken
away once the primary serves (runtime/runs/by_hand.py)."""

from __future__ import annotations

from collections.abc import Iterator

from pilotlight.runtime.arns import GLOBAL_REGION
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Wait
from pilotlight.runtime.kinds.command import Command
from pilotlight.runtime.kinds.phases import RESTORE, START
from pilotlight.runtime.kinds.registry import in_order
from pilotlight.runtime.records.inventory import Traffic
from pilotlight.runtime.runs import by_hand
from pilotlight.runtime.runs.by_hand import Left


class KeepByHand:
    """The rest of the way home lies in the primary region, as commands."""

    wait = Wait(60, 1, "a few writes; SSM answers reads of them at once")

    def ask(self, work: StepContext) -> Answer:
        """Whether what is kept is of this run, and how many commands it has."""
        kept = by_hand.read(work.client, work.inventory.names)
        if kept is None or kept.run != work.run:
            return Absent(f"what is left to do is not kept in {work.inventory.primary} yet")
        return Proven({"parameter": work.inventory.names.by_hand(1), "commands": len(kept.commands)})

    def act(self, work: StepContext) -> None:
        """Write it."""
        inventory = work.inventory
        left = Left(work.run, work.epoch, inventory.primary, inventory.standby, tuple(_commands(work)))
        by_hand.write(work.client, inventory.names, left)


class ForgetByHand:
    """Nothing is left to do by hand."""

    wait = Wait(60, 1, "a few writes")

    def ask(self, work: StepContext) -> Answer:
        """Whether anything is kept."""
        kept = by_hand.read(work.client, work.inventory.names)
        return Absent(f"what was left of run {kept.run} is kept") if kept else Proven({"parameter": "removed"})

    def act(self, work: StepContext) -> None:
        """Remove it."""
        by_hand.forget(work.client, work.inventory.names)


def _commands(work: StepContext) -> Iterator[Command]:
    for phase in (RESTORE, START):
        for kind, asset in in_order(work.inventory):
            yield from kind.by_hand(work, phase, asset)
    if work.inventory.traffic is not None:
        yield _moved(work, work.inventory.traffic)


def _moved(work: StepContext, traffic: Traffic) -> Command:
    """The health check follows an alarm of the lost region and keeps its last status; one that is disabled counts as
    healthy (Route 53 API Reference, "UpdateHealthCheck"), so the record answers with the primary."""
    of_primary = f"ResourceRecordSets[?SetIdentifier=='{work.inventory.names.record('primary')}'].HealthCheckId"
    where = f"--hosted-zone-id {traffic.zone_id} --output text"
    query = f'aws route53 list-resource-record-sets {where} --query "{of_primary}"'
    what = f"{traffic.record}: answers from {work.inventory.primary}"
    return Command(what, "route53", "update_health_check", GLOBAL_REGION, {"Disabled": True}, {"HealthCheckId": query})
