"""`pilotlight backfill`: copy what replication does not, and prove both sides equal."""

from __future__ import annotations

from pilotlight.cli.talk import Directory, Json, print_json, say
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place


def backfill(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    json: Json = False,
) -> None:
    """Objects from before the rules, and failed ones; a bucket counts as protected once this has proven it."""
    here = place(declaration, target, directory)
    desk = here.desk()
    done = []
    for asset in here.inventory().datasets:
        say(f"{asset.name}: s3://{asset.primary_bucket} -> s3://{asset.standby_bucket}")
        done.append(desk.backfill(asset))
    if json:
        print_json({"schema": "pilotlight/backfill/1", "assets": done})
        return
    for each in done:
        print(f"{each.asset}: {each.copied} copied, {each.removed} removed, {each.proven} proven")
