"""`pilotlight backfill`: copy what replication does not, and prove both sides equal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pilotlight.cli.talk import Directory, Json, print_json, progress, say
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.cli.telling import STILL_SECONDS
from pilotlight.runtime.errors import BadOption, BatchJobFailed, NotCopied, NotProtected
from pilotlight.runtime.kinds.buckets import batch
from pilotlight.runtime.kinds.buckets.backfill import Backfilled, Brought
from pilotlight.runtime.records.inventory import Datasets, Inventory
from pilotlight.runtime.recovery import Recovery
from pilotlight.workload.words import nearest

Problem = NotCopied | NotProtected | BatchJobFailed


class Engine(StrEnum):
    """Who copies."""

    COPY = "copy"
    BATCH = "batch"


SHOWN_EVERY = 100
"""Objects between two words of progress."""


def backfill(
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    asset: Annotated[list[str] | None, typer.Option(help="Only this asset; may be given more than once.")] = None,
    engine: Annotated[
        Engine, typer.Option(help="Copy from here, or hand the work to S3 Batch Replication.")
    ] = Engine.COPY,
    read: Annotated[
        bool, typer.Option("--read", help="Compare byte by byte what has no checksum: reads both sides whole.")
    ] = False,
    json: Json = False,
) -> None:
    """Objects from before the rules, and failed ones; a bucket counts as protected once this has proven it.

    Goes on where a run that was cut off had come to. What cannot be copied is told at the end; the rest is copied.
    """
    here = place(declaration, target, directory)
    recovery, wanted = here.recovery(), _named(here.inventory(), asset or [])
    done, problems = list[Backfilled](), list[Problem]()
    for each in wanted:
        say(f"{each.name}: s3://{each.primary_bucket} -> s3://{each.standby_bucket}")
        try:
            copied = engine is Engine.COPY
            done.append(_copied(recovery, each, read, json) if copied else _handed_over(recovery, each, json))
        except (NotCopied, NotProtected, BatchJobFailed) as problem:
            problems.append(problem)
            _told(problem)
    if json:
        print_json({"schema": "pilotlight/backfill/1", "assets": done, "protection": recovery.protections()})
    else:
        for one in done:
            print(f"{one.asset}: {one.copied} copied, {one.removed} removed, {one.proven} proven")
    if problems:
        raise problems[0]


def now_and_then(json: bool, every: float = STILL_SECONDS) -> Callable[[str], None]:
    """Lines where no bar can move: the first at once, then one every so many seconds."""
    told_at = float("-inf")
    tell = progress(json)

    def line(text: str) -> None:
        nonlocal told_at
        if not sys.stderr.isatty() and time.monotonic() - told_at >= every:
            told_at = time.monotonic()
            tell(text)

    return line


def _named(inventory: Inventory, names: list[str]) -> list[Datasets]:
    known = {asset.name: asset for asset in inventory.datasets}
    for name in names:
        if name not in known:
            reason = f"there is no such bucket in this workload; {nearest(name, list(known))}"
            raise BadOption(option="--asset", value=name, reason=reason, expected=f"one of {', '.join(known)}")
    return [known[name] for name in names] if names else list(known.values())


def _copied(recovery: Recovery, asset: Datasets, read: bool, json: bool) -> Backfilled:
    """One bucket, under a bar that moves where somebody looks at it; how long it is, the last comparison knows."""
    objects = recovery.protections()[asset.name].objects
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as shown:
        task, line = shown.add_task("comparing", total=objects or None), now_and_then(json)

        def tell(brought: Brought) -> None:
            if brought.compared % SHOWN_EVERY == 0:
                words = f"{brought.copied:,} copied ({brought.bytes / 1000**3:,.1f} GB), {brought.failed:,} failed"
                shown.update(task, completed=brought.compared, description=words)
                line(f"  {asset.name}: {brought.compared:,} compared, {words}")

        return recovery.backfill(asset, tell, read)


def _handed_over(recovery: Recovery, asset: Datasets, json: bool) -> Backfilled:
    """One bucket by a job of S3's, under a bar of what the job tells."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as shown:
        task, line = shown.add_task("asking S3", total=None), now_and_then(json)

        def tell(job: batch.Progress) -> None:
            words = f"job {job.status}, {job.failed:,} failed"
            shown.update(task, completed=job.succeeded + job.failed, total=job.total or None, description=words)
            line(f"  {asset.name}: {words}, {job.succeeded:,} of {job.total:,} replicated")

        return recovery.hand_over(asset, tell)


def _told(problem: Problem) -> None:
    """Every object that is named; the error itself names the first."""
    for failure in problem.facts.get("failures", ()):
        say(f"  {failure.key}: {failure.why}")
