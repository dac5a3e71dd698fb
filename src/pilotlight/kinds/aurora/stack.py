"""What is built for a database: the global database around the cluster, and the secondary."""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.database import (
    Database,
    DatabaseArgs,
    GlobalDatabase,
    GlobalDatabaseArgs,
    database_spec,
    global_database_spec,
)
from pilotlight.stacks.keys import RegionKey
from pilotlight.stacks.kind import KindStack, Standby, Under


class AuroraStack(KindStack):
    """Of databases."""

    def primary(
        self, inventory: Inventory, assets: tuple[Any, ...], key: RegionKey | None, under: Under
    ) -> dict[str, dict[str, Any]]:
        """The global database."""
        for each in assets:
            GlobalDatabase(each.name, GlobalDatabaseArgs(global_database_spec(inventory, each)), under)
        return {}

    def standby(self, stack: Standby, assets: tuple[Any, ...]) -> None:
        """The secondary; its endpoints are what user data says there."""
        network = stack.network
        for each in assets:
            args = DatabaseArgs(database_spec(stack.inventory, each), network.subnet_ids, network.database_group)
            stack.marks |= Database(each.name, args, stack.under).marks()


KIND = AuroraStack()
