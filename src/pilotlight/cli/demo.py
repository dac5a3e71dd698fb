"""`pilotlight demo`: the whole main job on this machine, measured, in under two minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pilotlight.cli.talk import say
from pilotlight.cli.telling import writable
from pilotlight.report.record import Report
from pilotlight.runtime.errors import BadOption, CheckFailed, DeclarationUnreadable, one_a_line
from pilotlight.runtime.records.codec import dumps

KEPT_VERBS = ("status", "drift", "points list", "up --yes", "failover --yes", "failback --yes", "destroy --yes")
"""What can be typed on a cloud that is kept, in an order in which all of it works."""
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "inference-service"


def demo(
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Write the report to this HTML file.")] = None,
    keep: Annotated[bool, typer.Option(help="Leave the cloud running and tell how to reach it.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of all random choices.")] = 0,
    take_away: Annotated[
        str | None, typer.Option("--break", help="Take away one thing first: permission, code, replication or alarm.")
    ] = None,
    profile: Annotated[
        bool,
        typer.Option("--profile", help="Print where the time went: by chapter, what was waited for, who was busy."),
    ] = False,
    example: Annotated[Path, typer.Option(help="Folder of the user's program and declaration.")] = EXAMPLE,
) -> int:
    """Lose a region and come home again: deploy, protect, backfill, serve, go dark, recover, measure, fail back."""
    from pilotlight.demo.breakage import BREAKAGES
    from pilotlight.demo.profile import Profile
    from pilotlight.demo.rehearsal import rehearse
    from pilotlight.demo.scene import Options, Scene

    if take_away is not None and take_away not in BREAKAGES:
        raise BadOption(option="--break", value=take_away, reason="is not known", expected=", ".join(BREAKAGES))
    for path in (json, report):
        writable(path)
    if not (example / "workload.yaml").is_file():
        raise DeclarationUnreadable(path=example / "workload.yaml", reason="there is no such file")

    def finish(scene: Scene, figures: Report) -> None:
        _show(figures, json, report)
        if keep:
            _tell_access(scene)

    watching = Profile() if profile else None
    figures = rehearse(Options(example, seed, keep, take_away, watching), say, finish)
    if watching:
        watching.end()
        for line in watching.lines():
            print(line)
    broken = [check for check in figures.checks if not check.held]
    if broken:
        lines = one_a_line(f"{check.name} ({check.seen})" for check in broken)
        raise CheckFailed(count=len(broken), lines=lines)
    return 0


def _show(figures: Report, json: Path | None, report: Path | None) -> None:
    from pilotlight.report import page, terminal

    terminal.show(figures, Console())
    if json:
        json.write_text(dumps(figures))
        say(f"Figures: {json}")
    if report:
        report.write_text(page.render(figures))
        say(f"Report: {report}")


def _tell_access(scene: object) -> None:
    from pilotlight.cli.local import show_access
    from pilotlight.demo.scene import Scene

    assert isinstance(scene, Scene)
    show_access(scene.stage.cloud)
    for region, witness in scene.witnesses.items():
        print(f"# {region}: psql {witness.url(scene.cluster(region))}")
    print("# aws s3 ls   aws rds describe-global-clusters   (with the exports above)")
    where = f"--directory '{scene.stage.cloud.directory}'"
    for verb in KEPT_VERBS:
        print(f"# pilotlight {verb} '{scene.options.example / 'workload.yaml'}' {where}")
    print(f"# stop it:  pilotlight local down {where}")
