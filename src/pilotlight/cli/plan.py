"""`pilotlight plan`: check a declaration and print what it promises; calls nothing."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from pilotlight.cli.talk import Json, print_json
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration
from pilotlight.planning.plan import Plan
from pilotlight.planning.plan import plan as promise
from pilotlight.workload.load import load


def plan(declaration: Declaration = DEFAULT_DECLARATION, json: Json = False) -> None:
    """Mechanism, forecast and warnings by asset."""
    paper = promise(load(declaration))
    if json:
        print_json(paper)
    else:
        _show(paper, Console())


def _show(paper: Plan, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("asset", "kind", "mechanism", "RPO asked", "forecast", "because"):
        table.add_column(name)
    for each in paper.assets:
        asked, forecast = f"{each.wanted_rpo_seconds:g} s", f"{each.forecast_rpo_seconds:g} s"
        table.add_row(each.name, each.kind, each.mechanism, asked, forecast, each.because)
    console.print(table)
    console.print(f"RTO asked {paper.wanted_rto_seconds:g} s, forecast {paper.forecast_rto_seconds:g} s on AWS")
    for sentence in paper.watched:
        console.print(f"watched {sentence}", highlight=False)
    console.print(f"told {', '.join(paper.told) or 'nobody'}", highlight=False)
    for warning in paper.warnings:
        console.print(f"[yellow]warning[/yellow] {warning}")
