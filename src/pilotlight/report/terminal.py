"""The summary on screen: timeline, RPO and RTO against the objectives, what held and what did not, what to do next."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pilotlight.report.record import MEASURED, REHEARSAL, Answers, AssetFigures, Report


def show(report: Report, console: Console) -> None:
    """Print the whole summary of a rehearsal."""
    console.print()
    console.print(_timeline(report))
    console.print(_assets(report))
    if report.answers:
        console.print(_answers(report.answers))
    _figures(report, console)
    _checks(report, console)


def show_run(report: Report, console: Console) -> None:
    """Print the end of a run whose lines were printed as they came: loss, time, what held, what to do next."""
    console.print()
    if report.assets:
        console.print(_assets(report))
    _figures(report, console)
    _checks(report, console)
    for each in report.next:
        console.print(f"next: {each}", markup=False, soft_wrap=True)


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
        table.add_row(f"{moment.seconds:+.1f}", moment.lane, escape(moment.what))
    return table


def _assets(report: Report) -> Table:
    counted = any(asset.lost_items is not None for asset in report.assets)
    how = "measured from the numbered data" if counted else f"at most, from {_basis(report)}"
    table = Table(title=f"\nRPO by asset, {how}", title_justify="left", box=None, pad_edge=False)
    for name, justify in (("asset", "left"), ("mechanism", "left"), ("RPO", "right"), ("objective", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name in ("lost", "kept") if counted else ("lost",):
        table.add_column(name, justify="right")
    for asset in report.assets:
        words = (asset.name, asset.mechanism, _coloured(_rpo(asset), asset.within), f"{asset.objective_seconds:g} s")
        table.add_row(*words, asset.lost, *([str(asset.kept_items)] if counted else []))
    return table


def _basis(report: Report) -> str:
    return next((asset.basis for asset in report.assets if asset.basis != MEASURED), "the journal")


def _rpo(asset: AssetFigures) -> str:
    return "not known" if asset.rpo_seconds is None else f"{asset.rpo_seconds:.2f} s"


def _answers(said: Answers) -> Table:
    table = Table(title="\nThe same URL, three times", title_justify="left", box=None, pad_edge=False)
    for name in ("when", "region", "step", "sha256 of the weights"):
        table.add_column(name)
    moments = (
        ("before", said.before),
        ("after failover", said.after_failover),
        ("after failback", said.after_failback),
    )
    for name, answer in moments:
        table.add_row(name, answer.region, str(answer.step), answer.sha256[:16])
    return table


def _figures(report: Report, console: Console) -> None:
    console.print()
    console.print(_rto(report))
    if report.checkpoint:
        step = report.checkpoint
        console.print(
            f"Checkpoint: step {step.newest_started_step} was being written, {step.newest_complete_step} was the "
            f"newest complete in {report.standby}, {step.recovered_step} serves"
        )
    if report.calls_during_failover:
        calls = report.calls_during_failover
        console.print(
            f"Calls of the failover: {calls.primary} to {report.primary}, {calls.global_control_plane} to global "
            f"control planes, {calls.standby} in {report.standby}"
        )
    if report.failback:
        items = report.failback.lost_items
        told = "" if items is None else f"{items} items lost in "
        console.print(f"Failback: {told}{report.failback.seconds:.1f} s")


FROM = {
    REHEARSAL: "from dark to the first correct answer",
    "failover": "from what called for it to the workload serving again",
    "failback": "in which nothing could be written",
}


def _rto(report: Report) -> str:
    within = report.rto_seconds <= report.objectives.rto_seconds
    seconds = _coloured(f"{report.rto_seconds:.1f} s", within)
    return f"RTO {seconds} (objective {report.objectives.rto_seconds:g} s), {FROM.get(report.kind, 'of the run')}"


def _checks(report: Report, console: Console) -> None:
    broken = [check for check in report.checks if not check.held]
    held = len(report.checks) - len(broken)
    console.print(_coloured(f"{held} of {len(report.checks)} checks held", not broken))
    for check in broken:
        console.print(f"  [red]FAILED[/red] {escape(check.name)}: {escape(check.seen)}")


def _coloured(text: str, good: bool) -> str:
    return f"[green]{text}[/green]" if good else f"[red]{text}[/red]"
