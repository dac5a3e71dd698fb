"""Site: what every act of this room stands on, handed in whole: door, inventory, clock, outside view."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pilotlight.runtime.aws.client import Door
from pilotlight.runtime.aws.fetch import Fetch, fetch
from pilotlight.runtime.clock import Clock
from pilotlight.runtime.errors import RegionUnreachable
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.store.ledger import Ledger
from pilotlight.runtime.store.record_bucket import Papers
from pilotlight.runtime.store.table import Table


@dataclass(frozen=True)
class Site:
    """One workload as a recovery sees it."""

    door: Door
    inventory: Inventory
    clock: Clock
    fetch: Fetch = field(default=fetch)
    eyes: Door | None = None
    """A door that gives up soon, for looks at what may be silent; else the one above."""

    @property
    def looking(self) -> Door:
        """The door to look through."""
        return self.eyes or self.door

    @property
    def ledger(self) -> Ledger:
        """The journal table, in the standby region."""
        names = self.inventory.names
        return Ledger(Table(self.door, names.standby, names.journal_table), names.workload, self.clock)

    @property
    def papers(self) -> Papers:
        """The vault bucket, in the standby region."""
        names = self.inventory.names
        return Papers(self.door, names.standby, names.vault_bucket)

    def through(self, door: Door) -> Site:
        """The same site behind another door."""
        return replace(self, door=door)

    def answers(self, region: str) -> bool:
        """Whether a region answers at all: the one call that needs no permission (STS, GetCallerIdentity)."""
        try:
            self.door.call("sts", "get_caller_identity", region)
        except RegionUnreachable:
            return False
        return True
