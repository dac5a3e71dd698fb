"""`pilotlight preview`: what `up` would do."""

from __future__ import annotations

from pilotlight.cli.deploying import (
    BackendOption,
    Only,
    Parallel,
    SecretsOption,
    build_archive,
    chosen,
    engine,
    operations,
    show,
    tell_left_out,
)
from pilotlight.cli.talk import Directory, Json
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.engine.results import PARALLEL


def preview(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    only: Only = None,
    parallel: Parallel = PARALLEL,
    backend: BackendOption = None,
    secrets: SecretsOption = None,
    json: Json = False,
) -> None:
    """Survey the primary region and tell what would be created, updated, replaced and deleted; changes nothing."""
    from pilotlight.deploy.current import current_inventory

    stacks = chosen(only)
    here = place(declaration, target, directory)
    vault = here.vault_client() if "vault" in stacks else None
    deployer = engine(here, backend, secrets, parallel)
    inventory = current_inventory(here.workload, here.account, here.client, here.clock, vault)
    tell_left_out(inventory, json)
    acts = operations(here, inventory, deployer, json)
    show("preview", acts.preview(build_archive(here), stacks), json)
