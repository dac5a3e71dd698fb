"""`pilotlight plan`: check a declaration and print what it promises; calls nothing, unless told where to look.

With `--target` the primary region is surveyed as `up` does it, by reads alone: only there stands which settings of
groups, templates and volumes the standby will not have.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pilotlight.cli.talk import Directory, Json, print_json, say
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, place
from pilotlight.planning.plan import Plan
from pilotlight.planning.plan import plan as promise
from pilotlight.runtime.aws.pacing import Bound
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.workload.load import load

LOOKED_AT = ("compute", "volumes", "database")
LOOK = "which settings of the primary are not carried over: `pilotlight plan --target aws` looks, `up` tells it first"

Look = Annotated[
    Target | None, typer.Option("--target", help="Look in the primary region, too; without it nothing is called.")
]


def plan(
    directory: Directory, declaration: Declaration = DEFAULT_DECLARATION, target: Look = None, json: Json = False
) -> None:
    """Mechanism, forecast and warnings by asset; with --target also the settings that are not carried over."""
    seen = None if target is None else _surveyed(declaration, target, directory)
    record = promise(load(declaration)) if seen is None else promise(load(declaration), seen.left_out, _bound(seen))
    if json:
        print_json(record)
    else:
        _show(record, Console())


def _surveyed(declaration: Path, target: Target, directory: Path) -> Inventory:
    from pilotlight.deploy.current import current_inventory

    here = place(declaration, target, directory)
    inventory = current_inventory(here.workload, here.account, here.client, here.clock)
    for remark in inventory.remarks:
        say(f"to know: {remark}")
    return inventory


def _bound(inventory: Inventory) -> Bound | None:
    from pilotlight.runtime.runs import forecast, runbooks

    return forecast.lower_bound(runbooks.failover(inventory), inventory)


def _show(record: Plan, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("asset", "kind", "mechanism", "RPO asked", "forecast", "because"):
        table.add_column(name)
    for each in record.assets:
        asked, forecast = f"{each.wanted_rpo_seconds:g} s", f"{each.forecast_rpo_seconds:g} s"
        table.add_row(each.name, each.kind, each.mechanism, asked, forecast, each.because)
    console.print(table)
    console.print(f"RTO asked {record.wanted_rto_seconds:g} s, forecast {record.forecast_rto_seconds:g} s on AWS")
    if record.lower_bound is not None:
        console.print(record.lower_bound.told, highlight=False, soft_wrap=True)
    for sentence in record.watched:
        console.print(f"watched {sentence}", highlight=False)
    console.print(f"told {', '.join(record.told) or 'nobody'}", highlight=False)
    for warning in record.warnings:
        console.print(f"[yellow]warning[/yellow] {warning}")
    for sentence in record.left_out or ():
        console.print(f"[yellow]not carried over[/yellow] {escape(sentence)}", highlight=False, soft_wrap=True)
    if record.left_out is None and any(each.kind in LOOKED_AT for each in record.assets):
        console.print(LOOK, highlight=False, soft_wrap=True)
