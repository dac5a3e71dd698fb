"""`pilotlight state`: where Pulumi keeps what it knows, in the standby region; and the state back when it was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pilotlight.cli.deploying import BackendOption, Only, SecretsOption, chosen, engine, secrets_url, state_url
from pilotlight.cli.talk import Directory, Json, print_json, say
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Place, Target, TargetOption, place
from pilotlight.engine.results import PARALLEL
from pilotlight.runtime.errors import NoStateCopy, RecordUnreadable, StateTorn

if TYPE_CHECKING:
    from pilotlight.engine.results import Deployer

app = typer.Typer(no_args_is_help=True, help="The state of the stacks: init, restore.")


@app.command()
def init(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.AWS,
    json: Json = False,
) -> None:
    """Make a versioned, encrypted, private bucket and a key for Pulumi's state; again mends what is missing."""
    from pilotlight.deploy import state_bucket

    here = place(declaration, target, directory)
    made = state_bucket.make(here.names, here.client, say)
    backend, secrets = state_url(here.names), secrets_url(here.names)
    if json:
        print_json({"schema": "pilotlight/state/1", "made": made, "backend": backend, "secrets_provider": secrets})
    else:
        print(f"backend: {backend}\nsecrets: {secrets}")


@app.command()
def restore(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    only: Only = None,
    backend: BackendOption = None,
    secrets: SecretsOption = None,
    json: Json = False,
) -> None:
    """Bring back a state that was lost, from the copy that the last deployment left in the vault; changes no AWS."""
    from pilotlight.deploy.current import deployed_stacks

    here = place(declaration, target, directory)
    deployer = engine(here, backend, secrets, PARALLEL)
    deployed = deployed_stacks(here.names, here.client)
    restored = [stack for stack in chosen(only) if stack in deployed and _restored(here, deployer, stack)]
    if json:
        print_json({"schema": "pilotlight/state-restore/1", "restored": restored})
    else:
        print(f"restored: {', '.join(restored) or 'nothing, every state is there'}; `pilotlight drift` compares it")


def _restored(here: Place, deployer: Deployer, stack: str) -> bool:
    """A state that has anything is left as it is."""
    if _held(deployer, stack):
        say(f"  {stack}: its state is there and was left as it is")
        return False
    try:
        document = here.records().state(stack)
    except RecordUnreadable as problem:
        names = here.names
        raise NoStateCopy(
            workload=names.workload, stack=stack, bucket=names.vault_bucket, region=names.standby
        ) from problem
    deployer.restore(stack, document)
    say(f"  {stack}: restored to {deployer.location(stack)}")
    return True


def _held(deployer: Deployer, stack: str) -> bool:
    """Whether the state has anything; one that is torn has nothing."""
    try:
        return bool(deployer.held(stack))
    except StateTorn:
        return False
