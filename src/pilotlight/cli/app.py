"""The verbs, assembled. Each verb is one file; rooms are imported when a verb runs, so that --help is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from pilotlight import __version__
from pilotlight.cli import (
    backfill,
    checkpoints,
    demo,
    destroy,
    export_pulumi,
    failback,
    failover,
    iam,
    local,
    outputs,
    plan,
    points,
    preview,
    refresh,
    state,
    status,
    up,
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Disaster recovery as code for AI workloads on AWS.",
)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Disaster recovery as code for AI workloads on AWS."""
    if version:
        print(__version__)
        raise typer.Exit


app.add_typer(local.app, name="local")
app.command()(demo.demo)
app.command()(plan.plan)
app.add_typer(state.app, name="state")
app.command()(iam.iam)
app.command()(preview.preview)
app.command()(up.up)
app.command()(refresh.refresh)
app.command()(refresh.drift)
app.command()(destroy.destroy)
app.command()(outputs.outputs)
app.command(name="export-pulumi")(export_pulumi.export_pulumi)
app.command()(backfill.backfill)
app.add_typer(points.app, name="points")
app.add_typer(checkpoints.app, name="checkpoints")
app.command()(status.status)
app.command()(failover.failover)
app.command()(failback.failback)
