"""`pilotlight up`: deploy protection for a workload; doing it again changes nothing."""

from __future__ import annotations

from pathlib import Path

from pilotlight.cli.talk import Directory, Json, print_json, say
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, only_local, place


def up(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    json: Json = False,
) -> None:
    """Survey the primary region and deploy the stacks vault, primary and standby."""
    only_local(target, "Deploying")
    from pilotlight.deploy.engine import Engine
    from pilotlight.deploy.up import up as deploy

    here = place(declaration, target, directory)
    folder = Path(here.state)
    engine = Engine(folder / here.workload.workload, "pilotlight")
    deployment = deploy(here.workload, here.account, here.door, engine, folder, here.clock, say)
    if json:
        stacks = {each.stack: each.counts for each in deployment.stacks}
        print_json({"schema": "pilotlight/up/1", "changes": deployment.changes, "stacks": stacks})
    else:
        print(f"{deployment.changes} changes")
