"""The Inventory that a deployment stands on: surveyed while the primary serves and answers, else as the vault has it.

After a failover, or while the primary does not answer, the Inventory kept in the vault is used as it is, so that
deploying again changes nothing and needs no dead region. What cannot be read is not taken for "nothing is there".
"""

from __future__ import annotations

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import Clock
from pilotlight.runtime.errors import CallRefused, RegionUnreachable
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.store.lease import FIRST_EPOCH
from pilotlight.runtime.store.ledger import SERVING, Active, read_active
from pilotlight.runtime.store.record_bucket import kept_inventory
from pilotlight.runtime.store.table import Table
from pilotlight.survey.survey import survey
from pilotlight.workload.model import Workload


def current_inventory(
    workload: Workload, account: str, client: AwsClient, clock: Clock, vault: AwsClient | None = None
) -> Inventory:
    """A fresh survey while the primary serves and answers; else what the vault keeps. `vault`: the client of the
    account of the vault, where names there are looked for, too."""
    names = workload.names(account)
    kept = kept_inventory(names, client)
    if kept is not None and not is_home(names, serving(names, client)):
        return kept
    try:
        return survey(client, workload, account, clock, kept, vault)
    except RegionUnreachable:
        if kept is None:
            raise
        return kept


def deployed_stacks(names: Names, client: AwsClient) -> tuple[str, ...]:
    """The stacks that are deployed, by what is kept outside of any state; a vault alone where no more is told."""
    kept = kept_inventory(names, client)
    if kept is not None:
        return kept.stacks or ("vault",)
    return ("vault",) if _active(names, client) else ()


def is_home(names: Names, active: Active) -> bool:
    """Whether the primary serves and no run is on the way between the regions (pure)."""
    return active.region == names.primary and active.state == SERVING


def serving(names: Names, client: AwsClient) -> Active:
    """Who serves, as the journal says; the primary where there is no journal table.

    Only AWS's word that the table does not exist says that there is none. A read that is refused, throttled or not
    answered is raised: whoever deletes or deploys must not take it for "the primary serves".
    """
    return _active(names, client) or Active(names.primary, FIRST_EPOCH, "", "")


def _active(names: Names, client: AwsClient) -> Active | None:
    """The active record; None where there is no journal table."""
    try:
        return read_active(Table(client, names.standby, names.journal_table), names.primary)
    except CallRefused as refusal:
        if says_absent(refusal):
            return None
        raise
