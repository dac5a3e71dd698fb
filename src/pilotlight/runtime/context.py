"""RecoveryContext: what every act of the runtime stands on: AWS client, inventory, clock, outside view."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.fetch import Fetch, fetch
from pilotlight.runtime.clock import Clock
from pilotlight.runtime.errors import RegionUnreachable
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.store.ledger import Ledger
from pilotlight.runtime.store.record_bucket import RecordBucket
from pilotlight.runtime.store.table import Table


@dataclass(frozen=True)
class RecoveryContext:
    """One workload as a recovery sees it."""

    client: AwsClient
    inventory: Inventory
    clock: Clock
    fetch: Fetch = field(default=fetch)
    eyes: AwsClient | None = None
    """An AWS client that gives up soon, for looks at what may be silent; else the one above."""
    deadline: float | None = None
    """When this process is to be done (seconds since 1970); None where it may take as long as it takes."""

    @property
    def looking(self) -> AwsClient:
        """The client to look through."""
        return self.eyes or self.client

    @cached_property
    def ledger(self) -> Ledger:
        """The journal table, in the standby region."""
        names = self.inventory.names
        return Ledger(Table(self.client, names.standby, names.journal_table), names.workload, self.clock)

    @cached_property
    def records(self) -> RecordBucket:
        """The vault bucket, in the standby region."""
        names = self.inventory.names
        return RecordBucket(self.client, names.standby, names.vault_bucket)

    def through(self, client: AwsClient) -> RecoveryContext:
        """The same context behind another AWS client."""
        return replace(self, client=client)

    def answers(self, region: str) -> bool:
        """Whether a region answers at all: the one call that needs no permission (STS, GetCallerIdentity)."""
        try:
            self.client.call("sts", "get_caller_identity", region)
        except RegionUnreachable:
            return False
        return True
