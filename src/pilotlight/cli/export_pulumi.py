"""`pilotlight export-pulumi`: the stacks as a Pulumi project of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pilotlight.cli.deploying import tell_left_out
from pilotlight.cli.talk import Directory, Json, print_json
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place


def export_pulumi(
    folder: Annotated[Path, typer.Argument(help="Where to; a new folder, or one written before.")],
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    json: Json = False,
) -> None:
    """Survey the primary region and write a plain Pulumi project with the names of `up`: moving changes nothing."""
    from pilotlight.deploy.current import current_inventory
    from pilotlight.deploy.export import export

    here = place(declaration, target, directory)
    inventory = current_inventory(here.workload, here.account, here.client, here.clock)
    tell_left_out(inventory, json)
    names = export(inventory, folder)
    if json:
        print_json({"schema": "pilotlight/export/1", "folder": str(folder), "files": names})
    else:
        print(f"{folder}: {', '.join(names)}")
