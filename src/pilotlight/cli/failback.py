"""`pilotlight failback`: bring the workload home with nothing lost, and protect it again."""

from __future__ import annotations

from typing import Annotated

import typer

from pilotlight.cli.talk import Directory, Json
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.cli.telling import show_journal, show_runbook


def failback(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    dry_run: Annotated[bool, typer.Option(help="Print the runbook; do nothing.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on with a run that was left; a failback always does.")] = False,
    json: Json = False,
) -> None:
    """Fail back now. Steps that an earlier process proved are not repeated."""
    desk = place(declaration, target, directory).desk()
    if dry_run:
        show_runbook(desk.runbook("failback"), json)
        return
    show_journal(desk.failback(), desk, json)
