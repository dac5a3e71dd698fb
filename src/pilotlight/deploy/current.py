"""The Inventory that a deployment stands on: surveyed while the primary serves and answers, else as the vault has it.

After a failover, or while the primary does not answer, the Inventory kept in the vault is used as it is, so that
deploying again changes nothing and needs no dead region.
"""

from __future__ import annotations

from pilotlight.clock import Clock
from pilotlight.cloud.door import Door
from pilotlight.deploy.survey import survey
from pilotlight.errors import CallRefused, PaperUnreadable, RegionUnreachable
from pilotlight.naming import Names
from pilotlight.records.inventory import Inventory
from pilotlight.recovery.papers import NOTHING_THERE, Papers
from pilotlight.workload.model import Workload


def current_inventory(workload: Workload, account: str, door: Door, clock: Clock) -> Inventory:
    """A fresh survey while the primary serves and answers; else what the vault keeps."""
    names = workload.names(account)
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
