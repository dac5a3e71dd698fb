"""`pilotlight failback`: bring the workload home, and protect it again."""

from __future__ import annotations

from typing import Annotated

import typer

from pilotlight.cli.asking import before_failback
from pilotlight.cli.talk import Directory, Json, Report
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.cli.telling import FOLLOW_SECONDS, show_runbook, watched


def failback(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    dry_run: Annotated[bool, typer.Option(help="Print the runbook; do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, also where something does not come home.")] = False,
    report: Report = None,
    json: Json = False,
) -> None:
    """Fail back now, or go on with a failback that was left: steps that were proven are not repeated."""
    here = place(declaration, target, directory)
    desk = here.desk()
    if dry_run:
        show_runbook(desk.runbook("failback"), json)
        return
    before_failback(desk, here.workload, yes)
    watched(
        desk,
        lambda lines: desk.failback(patience=FOLLOW_SECONDS, observer=lines),
        json,
        report,
        declaration,
    )
