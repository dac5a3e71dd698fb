"""Where a command acts: the embedded cloud of this machine, or the AWS account of the environment.

For the embedded cloud the standard AWS variables are set for this process alone, from the cloud's own folder; every
room below sees nothing but AWS.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pilotlight.cli.talk import home, who
from pilotlight.local.handle import LocalCloud
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.fetch import Fetch, fetch, fetch_through
from pilotlight.runtime.clock import Clock, SystemClock
from pilotlight.runtime.errors import CallRefused, DeclarationErrors, NotDeployed, VaultClosed
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import Inventory, VaultAccount
from pilotlight.runtime.recovery import Recovery, open_recovery
from pilotlight.runtime.store.record_bucket import RecordBucket, kept_inventory
from pilotlight.workload.load import load
from pilotlight.workload.model import Workload


class Target(StrEnum):
    """The embedded cloud, or AWS."""

    LOCAL = "local"
    AWS = "aws"


TargetOption = Annotated[
    Target, typer.Option(help="Where to act: the embedded cloud, or the AWS account of the environment.")
]
Declaration = Annotated[Path, typer.Argument(help="The declaration.", show_default=True)]
DEFAULT_DECLARATION = Path("workload.yaml")
AWS_STATE = home() / "aws"
"""Settings of the stacks that are deployed to AWS, and the Lambda archive; all of it can be made anew."""


@dataclass(frozen=True)
class Place:
    """A checked declaration, an AWS client, and the account behind it."""

    workload: Workload
    account: str
    client: AwsClient
    clock: Clock
    target: Target
    state: Path
    look: Fetch = fetch

    @property
    def names(self) -> Names:
        return self.workload.names(self.account)

    def vault_client(self) -> AwsClient:
        """The client of the account that keeps the copies, tried; VaultClosed where the role there lets nobody in."""
        vault = self.workload.vault
        if vault is None:
            return self.client
        role = VaultAccount(vault.account, vault.role).role_arn
        client = BotoClient.assuming(role, self.names.standby)
        try:
            client.call("sts", "get_caller_identity", self.names.standby)
        except CallRefused as problem:
            raise VaultClosed(account=vault.account, role=role, reason=problem.facts["reason"]) from problem
        return client

    def recovery(self) -> Recovery:
        """What keeps and brings back this workload."""
        holder = f"{who()}@{socket.gethostname()}:{os.getpid()}"
        return open_recovery(self.inventory(), holder, self.clock, self.look)

    def records(self) -> RecordBucket:
        """What the vault keeps."""
        return RecordBucket(self.client, self.names.standby, self.names.vault_bucket)

    def inventory(self) -> Inventory:
        """What was built; an error when nothing was."""
        found = kept_inventory(self.names, self.client)
        if found is None:
            raise NotDeployed(
                workload=self.workload.workload, bucket=self.names.vault_bucket, region=self.names.standby
            )
        return found


def place(declaration: Path, target: Target, directory: Path) -> Place:
    """Check the declaration whole, then reach the target; nothing is changed by this."""
    workload = load(declaration)
    look: Fetch = fetch
    if target is Target.LOCAL:
        cloud = LocalCloud.attach(directory)
        cloud.enter()
        look = fetch_through(str(cloud.status()["front_door_url"]))
    client = BotoClient()
    account = str(client.call("sts", "get_caller_identity", workload.regions.standby)["Account"])
    if workload.vault is not None and workload.vault.account == account:
        problem = (
            f"{declaration}: vault.account: {account} is the workload's own account; take `vault` away, or name another"
        )
        raise DeclarationErrors(str(declaration), (problem,))
    state = directory / "state" if target is Target.LOCAL else AWS_STATE
    return Place(workload, account, client, SystemClock(), target, state, look)
