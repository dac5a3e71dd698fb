"""`pilotlight status`: who serves, what is protected, the newest point and run; reads the standby region only."""

from __future__ import annotations

from pilotlight.cli.talk import Directory, Json, print_json
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place


def status(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    json: Json = False,
) -> None:
    """Where the workload stands."""
    here = place(declaration, target, directory)
    desk = here.desk()
    active, points, runs, buckets = desk.active(), desk.points(1), desk.runs(), desk.protections()
    if json:
        newest = {"point": points[0] if points else None, "run": runs[0] if runs else None}
        print_json({"schema": "pilotlight/status/1", "active": active, "protection": buckets} | newest)
        return
    print(f"{here.workload.workload} is {active.state} in {active.region}, epoch {active.epoch}")
    print(f"newest recovery point: {points[0].id} ({points[0].status})" if points else "no recovery point yet")
    for name, bucket in buckets.items():
        since = f" since {bucket.since}" if bucket.since else ""
        print(f"{name}: {bucket.state}{since}" + (f": {bucket.why}" if bucket.why else ""))
    print(f"newest run: {runs[0].run} ({runs[0].state})" if runs else "no run yet")
