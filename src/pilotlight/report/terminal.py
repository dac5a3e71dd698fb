"""The summary on screen: timeline, RPO and RTO against the objectives, what held and what did not."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from pilotlight.report.paper import AssetFigures, Report


def show(report: Report, console: Console) -> None:
    """Print the whole summary."""
    console.print()
    console.print(_timeline(report))
    console.print(_assets(report))
    console.print(_answers(report))
    _figures(report, console)
    _checks(report, console)


def _timeline(report: Report) -> Table:
    table = Table(
        title=f"{report.workload}: the loss of {report.primary}",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("seconds", justify="right")
    table.add_column("", style="dim")
    table.add_column("what happened")
    for moment in sorted(report.timeline, key=lambda each: each.seconds):
        table.add_row(f"{moment.seconds:+.1f}", moment.lane, moment.what)
    return table


def _assets(report: Report) -> Table:
    table = Table(
        title="\nRPO by asset, measured from the numbered data",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for name, justify in (("asset", "left"), ("mechanism", "left"), ("RPO", "right"), ("objective", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("lost", justify="right")
    table.add_column("kept", justify="right")
    for asset in report.assets:
        table.add_row(
            asset.name,
            asset.mechanism,
            _coloured(f"{asset.rpo_seconds:.2f} s", _within(asset)),
            f"{asset.objective_seconds:g} s",
            str(asset.lost_items),
            str(asset.kept_items),
        )
    return table


def _within(asset: AssetFigures) -> bool:
    return asset.rpo_seconds <= asset.objective_seconds


def _answers(report: Report) -> Table:
    table = Table(title="\nThe same URL, three times", title_justify="left", box=None, pad_edge=False)
    for name in ("when", "region", "step", "sha256 of the weights"):
        table.add_column(name)
    moments = (
        ("before", report.answers.before),
        ("after failover", report.answers.after_failover),
        ("after failback", report.answers.after_failback),
    )
    for name, answer in moments:
        table.add_row(name, answer.region, str(answer.step), answer.sha256[:16])
    return table


def _figures(report: Report, console: Console) -> None:
    within = report.rto_seconds <= report.objectives.rto_seconds
    calls, step = report.calls_during_failover, report.checkpoint
    console.print()
    console.print(
        "RTO "
        + _coloured(f"{report.rto_seconds:.1f} s", within)
        + f" (objective {report.objectives.rto_seconds:g} s), "
        f"from dark to the first correct answer"
    )
    console.print(
        f"Checkpoint: step {step.newest_started_step} was being written, {step.newest_complete_step} was the newest "
        f"complete in {report.standby}, {step.recovered_step} serves"
    )
    console.print(
        f"Calls of the failover: {calls.primary} to {report.primary}, {calls.global_control_plane} to global control "
        f"planes, {calls.standby} in {report.standby}"
    )
    console.print(f"Failback: {report.failback.lost_items} items lost in {report.failback.seconds:.1f} s")


def _checks(report: Report, console: Console) -> None:
    broken = [check for check in report.checks if not check.held]
    held = len(report.checks) - len(broken)
    console.print(_coloured(f"{held} of {len(report.checks)} checks held", not broken))
    for check in broken:
        console.print(f"  [red]FAILED[/red] {check.name}: {check.seen}")


def _coloured(text: str, good: bool) -> str:
    return f"[green]{text}[/green]" if good else f"[red]{text}[/red]"
