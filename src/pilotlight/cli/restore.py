"""`pilotlight restore`: one asset as it was at a moment; a plan first, then exactly that."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pilotlight.cli.asking import ask
from pilotlight.cli.backfill import now_and_then
from pilotlight.cli.talk import Directory, Json, print_json, say
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Place, Target, TargetOption, place
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.errors import BadOption, RestoredInPart
from pilotlight.runtime.kinds import restore as restoring
from pilotlight.runtime.kinds.restore import EXPECTED_TO, PlanFile, Restored
from pilotlight.runtime.records.inventory import Asset, Inventory
from pilotlight.runtime.recovery import Recovery
from pilotlight.workload.words import nearest

ITEMS_SHOWN = 50
"""Of a plan, to a person; `--json` has all."""
TOLD_EVERY = 1000
"""Items between two words of progress."""
PLANS = "restores"
"""Folder of the plans that were carried out, beside the state of the stacks."""


def restore(
    directory: Directory,
    asset: Annotated[
        str, typer.Argument(metavar="ASSET", help="An asset of the declaration.", show_default="the plan's")
    ] = "",
    declaration: Declaration = DEFAULT_DECLARATION,
    to: Annotated[str, typer.Option(metavar="TIME|POINT", help=f"{EXPECTED_TO}, or `newest`.")] = "",
    prefix: Annotated[str, typer.Option(help="Only what lies below it, within the asset.")] = "",
    beside: Annotated[
        str, typer.Option(metavar="NAME", help="Restore there: s3://bucket/prefix/ or prefix/; a name of its own.")
    ] = "",
    in_place: Annotated[bool, typer.Option("--in-place", help="On top of what is there; nothing is erased.")] = False,
    region: Annotated[str, typer.Option(help="One of the two regions.", show_default="the one that serves")] = "",
    step: Annotated[int | None, typer.Option(min=0, help="Of checkpoints: that of this step, not the newest.")] = None,
    latest: Annotated[
        bool, typer.Option("--latest", help="Of checkpoints, in place: pointers to the newest name it, too.")
    ] = False,
    zone: Annotated[str, typer.Option(help="Of volumes: the Availability Zone.", show_default="the first")] = "",
    plan: Annotated[Path | None, typer.Option(metavar="FILE", help="Carry out this plan, or go on with it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; with --json it is the file.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before what is in place changes.")] = False,
    target: TargetOption = Target.LOCAL,
    json: Json = False,
) -> None:
    """Restore one asset to a moment or a recovery point, in place or beside; the plan is made first.

    Nothing is erased: in place means new versions on top. What was interrupted goes on with --plan FILE.
    """
    _checked(asset, to, beside, in_place, plan, dry_run)
    here = place(declaration, target, directory)
    recovery = here.recovery()
    if plan is None:
        found = _named(here.inventory(), asset)
        wanted = recovery.wanted(to, region, prefix=prefix, beside=beside, step=step, latest=latest, zone=zone)
        plan = _plan_path(here, found)
        with plan.open("w", encoding="utf-8") as into:
            totals = recovery.plan_restore(found, wanted, into)
        if dry_run:
            _show(restoring.read(plan), json)
            plan.unlink()
            return
        if not totals["items"]:
            say(f"{asset} is in {wanted.region} what it was at {wanted.to}; nothing is to be done")
        elif not yes:
            _ask(restoring.read(plan))
    _carry_out(recovery, restoring.read(plan), json)


def _checked(asset: str, to: str, beside: str, in_place: bool, plan: Path | None, dry_run: bool) -> None:
    """Everything that can be said of the options alone, before any call."""
    given = {"--to": to, "--beside": beside, "--in-place": in_place, "--dry-run": dry_run, "ASSET": asset}
    if plan is not None:
        also = next((name for name, value in given.items() if value), "")
        if also:
            reason = "stands beside --plan, which says it all"
            raise BadOption(option=also, value=str(given[also]), reason=reason, expected="--plan FILE alone")
        return
    if not asset:
        raise BadOption(option="ASSET", value="", reason="is missing", expected="an asset of the declaration")
    if not to:
        raise BadOption(option="--to", value="", reason="is missing", expected=EXPECTED_TO)
    if in_place == bool(beside):
        reason = "say one of both: nothing is replaced unless it is asked for"
        raise BadOption(option="--beside NAME, --in-place", value="", reason=reason, expected="one of them")


def _named(inventory: Inventory, name: str) -> Asset:
    known = {each.name: each for each in inventory.assets}
    if name not in known:
        reason = f"there is no such asset in this workload; {nearest(name, list(known))}"
        raise BadOption(option="ASSET", value=name, reason=reason, expected=f"one of {', '.join(known)}")
    return known[name]


def _plan_path(here: Place, asset: Asset) -> Path:
    """A file of its own for each plan, kept: it is what an interrupted restore goes on with."""
    folder = here.state / here.workload.workload / PLANS
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{asset.name}-{stamp(here.clock.now()).replace(':', '')}.json"


def _show(plan: PlanFile, json: bool) -> None:
    if json:
        with plan.path.open(encoding="utf-8") as opened:
            for line in opened:
                sys.stdout.write(line)
        return
    print(f"{plan.asset} ({plan.kind}) in {plan.where['region']} as of {plan.to}{_chosen(plan.where)}")
    for each in plan.where.get("passed_over", ()):
        print(f"  passed over: {each['path']}: {each['why']}")
    for number, item in enumerate(plan.items(), 1):
        if number > ITEMS_SHOWN:
            say(f"and {plan.totals['items'] - ITEMS_SHOWN:,} more; --json has all of them")
            break
        print(f"  {item.action:<9} {item.item}{_of(item.source)}{_hides(item.shadows)}{_why(item.why)}")
    print(_totals(plan.totals))


def _chosen(where: dict[str, Any]) -> str:
    return f": checkpoint {where['checkpoint'] or '(all)'}, step {where['step']}" if "checkpoint" in where else ""


SHOWN = ("version", "snapshot", "cluster", "modified", "time")
"""What of a source, or of what is hidden, a person is shown."""


def _of(source: dict[str, Any] | None) -> str:
    told = [str(source[name]) for name in SHOWN if source.get(name)] if source else []
    return f"  <- {' '.join(told)}" if told else ""


def _hides(shadows: dict[str, Any] | None) -> str:
    told = [str(shadows[name]) for name in SHOWN if shadows.get(name)] if shadows else []
    return f"  hides {' '.join(told)}" if told else ""


def _why(why: str) -> str:
    return f"\n            {why}" if why else ""


def _totals(totals: dict[str, Any]) -> str:
    """Counts by name, bytes, dollars; what is zero is left out."""
    told = [f"{value:,} {name}" for name, value in totals.items() if value and isinstance(value, int)]
    dollars = [f"${totals[name]:,.4f} {words}" for name, words in DOLLARS.items() if name in totals]
    return ", ".join([*(told or ["nothing to do"]), *dollars])


DOLLARS = {"dollars": "for requests", "dollars_a_month": "a month for storage"}


def _ask(plan: PlanFile) -> None:
    """In place something that serves changes: what it is, and the asset's name typed."""
    if not plan.where.get("in_place"):
        return
    what = f"Restoring {plan.asset} in {plan.where['region']} in place"
    ask(what, f"{what} to {plan.to}:", [_totals(plan.totals), f"the plan is {plan.path}"], plan.asset)


def _carry_out(recovery: Recovery, plan: PlanFile, json: bool) -> None:
    say(f"{plan.asset}: {plan.path} is carried out; interrupted, `pilotlight restore --plan {plan.path}` goes on")
    line = now_and_then(json)

    def tell(what: str, done: int, total: int) -> None:
        if done % TOLD_EVERY == 0:
            line(f"  {plan.asset}: {done:,} of {total:,} {what}")

    done: Restored = recovery.restore(plan, tell)
    if json:
        print_json(done)
    else:
        _tell(done)
    if done.left:
        first = done.failures[0]
        raise RestoredInPart(
            asset=plan.asset,
            left=done.left,
            items=plan.totals["items"],
            to=plan.to,
            region=plan.where["region"],
            first=f"{first.item}: {first.why}",
            done=done.done,
            path=plan.path,
        )


def _tell(done: Restored) -> None:
    print(f"{done.asset}: {done.done:,} restored and seen, {done.left:,} not")
    for name, value in done.evidence.items():
        told = ", ".join(_evidence(each, one) for each, one in value.items()) if isinstance(value, dict) else value
        if told:
            print(f"  {name}: {told}")
    for each in done.failures:
        say(f"  {each.item}: {each.why}")


def _evidence(name: str, value: object) -> str:
    """A count by how strongly it is known, or what became of one item."""
    return f"{value:,} by {name}" if isinstance(value, int) else f"{name} is {value}"
