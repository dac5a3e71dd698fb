"""`pilotlight points`: what was kept, what each point promises, whether it still holds, and refusing one."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pilotlight.cli.talk import Directory, Json, print_json, say, who
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.runtime.errors import BadOption, PointDamaged, PointUndecided
from pilotlight.runtime.points.verify import Verification
from pilotlight.runtime.records.point import Loss, RecoveryPoint
from pilotlight.runtime.recovery import POINTS_SHOWN

app = typer.Typer(no_args_is_help=True, help="Recovery points: list, show, verify, refuse.")

Named = Annotated[str, typer.Argument(metavar="POINT", help="Its name, the beginning of it, or `newest`.")]
TOLD_EVERY = 1000
"""Objects between two words of progress."""


@app.command(name="list")
def list_points(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = POINTS_SHOWN,
    json: Json = False,
) -> None:
    """List recovery points, the newest first, and what the partial ones lack."""
    recovery = place(declaration, target, directory).recovery()
    found = recovery.points(limit)
    older = recovery.points_count() - len(found)
    if json:
        print_json({"schema": "pilotlight/points/1", "points": found, "older": older})
        return
    table = Table(box=None, pad_edge=False)
    for name in ("point", "status", "proven", "would lose", "what is missing"):
        table.add_column(name, overflow="fold")
    for point in found:
        proven = f"{sum(part.proven for part in point.parts)} of {len(point.parts)}"
        table.add_row(point.id, point.status, proven, worst(point), "; ".join(point.problems))
    Console().print(table)
    if older > 0:
        say(f"and {older} older; --limit {len(found) + older} lists them")


@app.command()
def show(
    point: Named,
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    json: Json = False,
) -> None:
    """What one point promises, asset by asset."""
    found = place(declaration, target, directory).recovery().point(point)
    if json:
        print_json(found)
        return
    print(f"{found.id}  {found.status}  of {found.workload}, made {found.created_at}")
    table = Table(box=None, pad_edge=False)
    for name in ("asset", "mechanism", "proven", "as of", "would lose", "reference"):
        table.add_column(name, overflow="fold")
    for part in found.parts:
        names = part.reference.shown if part.reference else ""
        table.add_row(part.asset, part.mechanism, "yes" if part.proven else "no", part.as_of, told(part.loss), names)
    Console().print(table)
    for problem in found.problems:
        print(f"- {problem}")


@app.command()
def verify(
    point: Named,
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    deep: Annotated[bool, typer.Option("--deep", help="Read every byte and compare it with its checksum.")] = False,
    json: Json = False,
) -> None:
    """Read a point's parts again in the standby region; exit code 7 where one is not known to hold any more."""
    here = place(declaration, target, directory)

    def progress(asset: str, objects: int) -> None:
        if objects % TOLD_EVERY == 0 and sys.stderr.isatty():
            say(f"{asset}: {objects} objects")

    found = here.recovery().verify(point, deep, progress)
    if json:
        print_json(found)
    else:
        _show(found)
    if not found.holds:
        problems = [f"{part.asset}: {problem}" for part in found.parts for problem in part.problems]
        undecided = [f"{part.asset}: {reason}" for part in found.parts for reason in part.undecided]
        error = PointDamaged if problems else PointUndecided
        raise error(
            workload=here.workload.workload,
            point=found.point,
            region=here.workload.regions.standby,
            problems=len(problems or undecided),
            first=(problems or undecided)[0],
        )


@app.command()
def refuse(
    point: Named,
    directory: Directory,
    why: Annotated[str, typer.Option(help="The reason; it is kept and shown.")],
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    alone: Annotated[
        bool, typer.Option("--alone", help="The point alone, as where its copies were deleted: its checkpoints stay.")
    ] = False,
    json: Json = False,
) -> None:
    """Never use this point, nor the checkpoints that it names; points that name the same checkpoints fall with it."""
    if not why.strip():
        raise BadOption(option="--why", value=why, reason="says nothing", expected="the reason; it is kept and shown")
    fallen = place(declaration, target, directory).recovery().refuse(point, why, who(), alone)
    if json:
        print_json({"schema": "pilotlight/refused/1", "refused": fallen, "why": why})
        return
    for each in fallen:
        print(f"{each} refused")


def _show(found: Verification) -> None:
    print(f"{found.point}: " + ("holds" if found.holds else "does not hold") + (", read whole" if found.deep else ""))
    for part in found.parts:
        state = "holds" if part.holds else "damaged" if part.problems else "unknown"
        print(f"  {part.asset:<20} {state:<8} {part.looked_at} looked at, {part.bytes_read} bytes read")
        for checksum, objects in part.compared.items():
            print(f"    every byte of {objects} objects agrees with {checksum}")
        for problem in (*part.problems, *part.undecided, *part.remarks):
            print(f"    {problem}")


def told(loss: Loss | None) -> str:
    """A loss in words."""
    if loss is None:
        return ""
    words = [f"{loss.seconds:.1f} s"]
    words += [f"{loss.steps} steps"] if loss.steps is not None else []
    words += [f"{loss.gpu_hours:g} GPU-hours"] if loss.gpu_hours is not None else []
    return ", ".join(words)


def worst(point: RecoveryPoint) -> str:
    """The asset of a point that would lose most time, in words."""
    losing = [part for part in point.parts if part.loss is not None]
    if not losing:
        return ""
    most = max(losing, key=lambda part: part.loss.seconds if part.loss else 0.0)
    return f"{most.asset}: {told(most.loss)}"
