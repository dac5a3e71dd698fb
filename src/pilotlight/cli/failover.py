"""`pilotlight failover`: bring the workload up in the standby region, print what would be done, or say the word."""

from __future__ import annotations

from typing import Annotated

import typer

from pilotlight.cli.asking import before_failover
from pilotlight.cli.talk import Directory, Json, Report, say, who
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.cli.telling import FOLLOW_SECONDS, show_runbook, watched


def failover(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    dry_run: Annotated[bool, typer.Option(help="Print the runbook and the least time it takes; do nothing.")] = False,
    approve: Annotated[bool, typer.Option(help="Record the word for the request that waits, then run it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, also where the primary region answers.")] = False,
    report: Report = None,
    json: Json = False,
) -> None:
    """Fail over now, or go on with a failover that was left: steps that were proven are not repeated."""
    here = place(declaration, target, directory)
    recovery = here.recovery()
    if dry_run:
        show_runbook(recovery.runbook("failover"), recovery.lower_bound("failover"), json)
        return
    if approve:
        say(f"asked for: {recovery.waiting().reason}")
    before_failover(recovery, here.workload, yes)
    if approve:
        recovery.approve(who())
    watched(
        recovery,
        lambda lines: recovery.failover(patience=FOLLOW_SECONDS, observer=lines),
        json,
        report,
        declaration,
    )
