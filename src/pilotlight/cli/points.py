"""`pilotlight points`: the recovery points, the newest first, and what the partial ones lack."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from pilotlight.cli.talk import Directory, Json, print_json
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place


def points(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    json: Json = False,
) -> None:
    """List recovery points."""
    found = place(declaration, target, directory).desk().points()
    if json:
        print_json({"schema": "pilotlight/points/1", "points": found})
        return
    table = Table(box=None, pad_edge=False)
    for name in ("point", "status", "proven", "what is missing"):
        table.add_column(name)
    for point in found:
        proven = f"{sum(part.proven for part in point.parts)} of {len(point.parts)}"
        table.add_row(point.id, point.status, proven, "; ".join(point.problems))
    Console().print(table)
