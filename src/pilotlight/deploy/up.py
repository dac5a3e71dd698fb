"""`up`: a declaration becomes three deployed stacks and an Inventory in the vault.

The primary region is surveyed only while it serves; after a failover, or while it does not answer, the Inventory kept
in the vault is used as it is, so that deploying again changes nothing and needs no dead region.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pilotlight.clock import Clock
from pilotlight.cloud.door import Door
from pilotlight.deploy import archive
from pilotlight.deploy.engine import Engine
from pilotlight.deploy.survey import survey
from pilotlight.errors import CallRefused, PaperUnreadable, RegionUnreachable
from pilotlight.naming import Names
from pilotlight.records.inventory import Inventory
from pilotlight.recovery.papers import NOTHING_THERE, Papers
from pilotlight.stacks import program
from pilotlight.workload.model import Workload

STACKS = ("vault", "primary", "standby")


@dataclass(frozen=True)
class StackChanges:
    """What one stack's deployment did: number of resources by operation."""

    stack: str
    counts: dict[str, int]

    @property
    def changes(self) -> int:
        """Everything that was not left the same."""
        return sum(number for operation, number in self.counts.items() if operation != "same")


@dataclass(frozen=True)
class Deployment:
    """What `up` built."""

    inventory: Inventory
    stacks: tuple[StackChanges, ...]

    @property
    def changes(self) -> int:
        """Over all stacks; 0 says that everything was as declared."""
        return sum(each.changes for each in self.stacks)


def up(
    workload: Workload,
    account: str,
    door: Door,
    engine: Engine,
    folder: Path,
    clock: Clock,
    tell: Callable[[str], None] = lambda text: None,
) -> Deployment:
    """Survey, deploy vault, primary and standby in this order, keep the Inventory; `folder` takes the archive."""
    inventory = current_inventory(workload, account, door, clock)
    built = archive.build(folder)
    programs: dict[str, Callable[[], None]] = {
        "vault": lambda: program.vault(inventory),
        "primary": lambda: program.primary(inventory),
        "standby": lambda: program.standby(inventory, built),
    }
    stacks = []
    for stack in STACKS:
        region = inventory.primary if stack == "primary" else inventory.standby
        result = engine.update(stack, programs[stack], region=region)
        stacks.append(StackChanges(stack, dict(result.counts)))
        tell(f"  {stack}: {_counts(stacks[-1])}")
    Papers(door, inventory.standby, inventory.names.vault_bucket).write_inventory(inventory)
    return Deployment(inventory, tuple(stacks))


def current_inventory(workload: Workload, account: str, door: Door, clock: Clock) -> Inventory:
    """A fresh survey while the primary serves and answers; else what the vault keeps."""
    names = Names(workload.workload, account, workload.regions.primary, workload.regions.standby)
    kept = kept_inventory(names, door)
    if kept is not None and active_region(names, door) != names.primary:
        return kept
    try:
        return survey(door, workload, account, clock)
    except RegionUnreachable:
        if kept is None:
            raise
        return kept


def kept_inventory(names: Names, door: Door) -> Inventory | None:
    """The Inventory in the vault, or None when there is no vault or nothing in it yet."""
    try:
        return Papers(door, names.standby, names.vault_bucket).inventory()
    except PaperUnreadable as problem:
        if problem.facts["reason"] == NOTHING_THERE:
            return None
        raise


def active_region(names: Names, door: Door) -> str:
    """Which region serves now, by the journal's active record; the primary before there is one."""
    key = {"pk": {"S": "active"}, "sk": {"S": "active"}}
    try:
        found = door.call("dynamodb", "get_item", names.standby, TableName=names.journal_table, Key=key)
    except CallRefused:
        return names.primary
    item = found.get("Item")
    return str(item["region"]["S"]) if item else names.primary


def _counts(stack: StackChanges) -> str:
    return ", ".join(f"{number} {operation}" for operation, number in sorted(stack.counts.items()) if number) or "empty"
