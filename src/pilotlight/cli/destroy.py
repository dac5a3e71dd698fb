"""`pilotlight destroy`: take protection down; the vault stays unless it is named."""

from __future__ import annotations

from typing import Annotated

import typer

from pilotlight.cli.deploying import (
    BackendOption,
    Only,
    Parallel,
    SecretsOption,
    Yes,
    chosen,
    confirm,
    engine,
    operations,
    show,
)
from pilotlight.cli.talk import Directory, Json, say
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Place, Target, TargetOption, place
from pilotlight.engine.results import PARALLEL, Deployer
from pilotlight.runtime.errors import BadOption, SurveyProblems
from pilotlight.runtime.records.inventory import Inventory


def destroy(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    only: Only = None,
    vault: Annotated[
        str | None, typer.Option(help="The workload's name: delete the vault too, with every copy in it.")
    ] = None,
    yes: Yes = False,
    parallel: Parallel = PARALLEL,
    backend: BackendOption = None,
    secrets: SecretsOption = None,
    json: Json = False,
) -> None:
    """Delete the stacks standby and primary, once every original was seen to be in the primary region."""
    from pilotlight.deploy.destroy import Destroy

    stacks = [stack for stack in chosen(only) if stack != "vault" or vault is not None or only == "vault"]
    here = place(declaration, target, directory)
    name = here.workload.workload
    if "vault" in stacks and vault != name:
        raise BadOption(option="--vault", value=vault or "", reason="is not the workload's name", expected=name)
    into_vault = here.vault_client() if "vault" in stacks else here.client
    deployer = engine(here, backend, secrets, parallel)
    acts = operations(here, _inventory(here), deployer, json)
    what = f"Delete {', '.join(reversed(stacks))} of {name} in account {here.account}"
    confirm(here, yes, what + (", with every copy and recovery point" if "vault" in stacks else ""))
    made = Destroy(acts.inventory, here.client, into_vault, acts, say).run(stacks)
    left = _left(deployer, stacks)
    for each in left:
        say(f"  kept: {each}")
    show("destroy", made, json, kept=left)


def _inventory(here: Place) -> Inventory:
    """As surveyed; as it was built, where what is there now could not be deployed: taking down needs no more."""
    from pilotlight.deploy.current import current_inventory
    from pilotlight.runtime.store.record_bucket import kept_inventory

    try:
        return current_inventory(here.workload, here.account, here.client, here.clock)
    except SurveyProblems:
        kept = kept_inventory(here.names, here.client)
        if kept is None:
            raise
        return kept


def _left(deployer: Deployer, stacks: list[str]) -> list[str]:
    """What is protected still, and so was left: keys that objects in the primary region may be encrypted with."""
    return [f"{stack} {each.type.rpartition(':')[2]} {each.id}" for stack in stacks for each in deployer.held(stack)]
