"""`pilotlight up`: deploy protection for a workload; doing it again changes nothing."""

from __future__ import annotations

from pilotlight.cli.deploying import (
    BackendOption,
    Only,
    Parallel,
    SecretsOption,
    Yes,
    build_archive,
    chosen,
    confirm,
    engine,
    operations,
    show,
    tell_left_out,
)
from pilotlight.cli.talk import Directory, Json, say
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.engine.results import PARALLEL


def up(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    only: Only = None,
    yes: Yes = False,
    parallel: Parallel = PARALLEL,
    backend: BackendOption = None,
    secrets: SecretsOption = None,
    json: Json = False,
) -> None:
    """Survey the primary region and deploy the stacks vault, primary and standby."""
    from pilotlight.deploy.current import current_inventory

    stacks = chosen(only)
    here = place(declaration, target, directory)
    vault = here.vault_client() if "vault" in stacks else None
    deployer = engine(here, backend, secrets, parallel)
    inventory = current_inventory(here.workload, here.account, here.client, here.clock, vault)
    tell_left_out(inventory, json)
    acts = operations(here, inventory, deployer, json)
    archive = build_archive(here)
    if target is Target.AWS and not yes:
        planned = acts.preview(archive, stacks)
        confirm(here, yes, f"Make these {planned.changes} changes in account {here.account}")
    show("up", acts.up(here.client, archive, stacks), json)
    say("Compared with the state alone; `pilotlight drift` looks whether somebody has changed something by hand.")
