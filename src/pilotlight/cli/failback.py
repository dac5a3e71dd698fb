"""`pilotlight failback`: bring the workload home, and protect it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pilotlight.cli.asking import before_failback
from pilotlight.cli.talk import Directory, Json, Report
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.cli.telling import FOLLOW_SECONDS, show_runbook, watched
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.errors import JournalLost, PilotlightError, RegionUnreachable
from pilotlight.runtime.runs import by_hand
from pilotlight.workload.load import load


def failback(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    dry_run: Annotated[bool, typer.Option(help="Print the runbook and the least time it takes; do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, also where something does not come home.")] = False,
    report: Report = None,
    json: Json = False,
) -> None:
    """Fail back now, or go on with a failback that was left: steps that were proven are not repeated."""
    try:
        here = place(declaration, target, directory)
        recovery = here.recovery()
        recovery.active()
    except RegionUnreachable as silence:
        raise _by_hand(declaration, silence) from silence
    if dry_run:
        show_runbook(recovery.runbook("failback"), recovery.lower_bound("failback"), json)
        return
    before_failback(recovery, here.workload, yes)
    watched(
        recovery,
        lambda lines: recovery.failback(patience=FOLLOW_SECONDS, observer=lines),
        json,
        report,
        declaration,
    )


def _by_hand(declaration: Path, silence: RegionUnreachable) -> PilotlightError:
    """Without the standby region there is no journal. Where a run had come as far as handing the data over, what is
    left of it lies in the primary region: it is printed, and nothing is done."""
    workload, client = load(declaration), BotoClient()
    if silence.facts["region"] != workload.regions.standby:
        return silence
    account = str(client.call("sts", "get_caller_identity", workload.regions.primary)["Account"])
    left = by_hand.read(client, workload.names(account))
    if left is None:
        return silence
    for line in by_hand.lines(left):
        typer.echo(line)
    return JournalLost(
        workload=workload.workload, run=left.run, region=left.standby, primary=left.primary, count=len(left.commands)
    )
