"""`pilotlight failover`: bring the workload up in the standby region, print what would be done, or say the word."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from pilotlight.cli.talk import Directory, Json
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.cli.telling import show_journal, show_runbook


def failover(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    dry_run: Annotated[bool, typer.Option(help="Print the runbook; do nothing.")] = False,
    approve: Annotated[bool, typer.Option(help="Record the word for the request that waits, then run it.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on with a run that was left; a failover always does.")] = False,
    json: Json = False,
) -> None:
    """Fail over now. Steps that an earlier process proved are not repeated."""
    desk = place(declaration, target, directory).desk()
    if dry_run:
        show_runbook(desk.runbook("failover"), json)
        return
    if approve:
        desk.approve(getpass.getuser())
    show_journal(desk.failover(), desk, json)
