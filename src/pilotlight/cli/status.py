"""`pilotlight status`: who serves, what waits for a person, what is protected and how old that knowledge is.

Reads the standby region only. Exit code 0 only when all is known and good; 7 otherwise, also with --json.
"""

from __future__ import annotations

from pilotlight.cli.talk import Directory, Json, print_json
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.runtime.errors import NotGood
from pilotlight.runtime.readiness.standing import AssetStanding
from pilotlight.runtime.readiness.status import Status
from pilotlight.runtime.recovery import Recovery

SCHEMA = "pilotlight/status/1"
APPROVE = "`pilotlight failover {declaration} --approve{target}` says yes"


def status(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    json: Json = False,
) -> None:
    """Where the workload stands, and how old that knowledge is."""
    recovery = place(declaration, target, directory).recovery()
    found = recovery.status()
    if json:
        _print_json(recovery, found)
    else:
        on_aws = " --target aws" if target is Target.AWS else ""
        _show(recovery, found, APPROVE.format(declaration=declaration, target=on_aws))
    if not found.is_good:
        raise NotGood(workload=found.workload, count=len(found.problems), first=found.problems[0])


def _print_json(recovery: Recovery, found: Status) -> None:
    """What earlier editions told stays: `protection`, `point` and `run`."""
    points, runs = recovery.points(1), recovery.runs(limit=1)
    newest = {"point": points[0] if points else None, "run": runs[0] if runs else None}
    print_json(
        {"schema": SCHEMA, "protection": recovery.protections()} | newest | vars(found) | {"good": found.is_good}
    )


def _show(recovery: Recovery, found: Status, approve: str) -> None:
    """What waits for a person first, then who serves, then everything with its age."""
    if found.request:
        print(f"WAITS FOR YOU: {found.problems[0]}")
        print(f"  {approve}" if not found.request.approved_by else "  the word is given; a run carries it out")
    active = found.active
    print(f"{found.workload} is {active.state} in {active.region}, epoch {active.epoch}")
    _show_watchers(found)
    for each in found.assets:
        print(_line(each))
    runs = recovery.runs(limit=1)
    print(f"newest run: {runs[0].run} ({runs[0].state})" if runs else "no run yet")
    for problem in found.problems:
        print(f"not good: {problem}")
    for remark in found.remarks:
        print(f"to know: {remark}")


def _show_watchers(found: Status) -> None:
    look, heartbeat, newest = found.probe, found.scheduled_run, found.points.newest_complete
    told = (
        f"{look.region} {look.verdict} since {look.since}, looked {_old(found.probe_age_seconds)}"
        if look
        else "none yet"
    )
    print(f"probe: {told}")
    print(f"scheduled run: began {_old(found.scheduled_run_age_seconds)}" if heartbeat else "scheduled run: none yet")
    complete = f"{newest.id}, {_old(newest.age_seconds)}" if newest else "none yet"
    print(f"newest complete recovery point: {complete} (at most {found.points.bound_seconds:.0f} s count)")
    usable = found.points.newest_usable
    if usable and usable != newest:
        age = _old(usable.age_seconds)
        print(f"a failover would use {usable.id}, {age}: only its software is older than the primary's")
    quiet = sum(each.is_quiet for each in found.alarms)
    print(f"alarms: {quiet} of {len(found.alarms)} quiet")


def _line(asset: AssetStanding) -> str:
    seen = f", seen {_old(asset.age_seconds)}" if asset.age_seconds is not None else ""
    since = f" since {asset.since}" if asset.since else ""
    told = ": ".join(each for each in (asset.why, asset.by) if each)
    return f"{asset.name} ({asset.kind}): {asset.state}{since}{seen}" + (f": {told}" if told else "")


def _old(seconds: float | None) -> str:
    return "at a moment that is not known" if seconds is None else f"{seconds:.0f} s ago"
