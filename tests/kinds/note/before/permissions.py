"""What the functions may do with a note."""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.permissions import KindPermissions
from pilotlight.stacks.policies import Statement, allow

READ, WRITE = "ssm:GetParameter", "ssm:PutParameter"


class NotePermissions(KindPermissions):
    def probe(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        arns = [*_originals(inventory, assets), *_copies(inventory, assets)]
        return [allow("LookAtNotes", [READ], arns)] if assets else []

    def protect(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        return self.probe(inventory, assets)

    def copies(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        return [allow("CopyNotes", [WRITE], _copies(inventory, assets))] if assets else []

    def recover(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        return [allow("ReadNotes", [READ], _copies(inventory, assets))] if assets else []


def _originals(inventory: Inventory, assets: tuple[Any, ...]) -> list[str]:
    return [_arn(inventory, inventory.primary, each.parameter) for each in assets]


def _copies(inventory: Inventory, assets: tuple[Any, ...]) -> list[str]:
    return [_arn(inventory, inventory.standby, inventory.names.parameter(each.name)) for each in assets]


def _arn(inventory: Inventory, region: str, name: str) -> str:
    return f"arn:{PARTITION}:ssm:{region}:{inventory.account}:parameter{name}"


KIND = NotePermissions()
