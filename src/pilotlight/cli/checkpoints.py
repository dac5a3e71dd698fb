"""`pilotlight checkpoints`: which checkpoints below a prefix or a folder are complete, and making a folder one."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from pilotlight.cli.talk import Directory, Json, print_json, say
from pilotlight.cli.target import Target, TargetOption
from pilotlight.local.handle import LocalCloud
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.checkpoints import verify as verifying
from pilotlight.runtime.checkpoints.deep import verify_deeply
from pilotlight.runtime.checkpoints.format import BYTES_READ_MIN, LOAD, RESUME, Reader, Verdict
from pilotlight.runtime.checkpoints.formats.generic import MANIFEST, write_manifest
from pilotlight.runtime.checkpoints.readers import BucketReader, FolderReader
from pilotlight.runtime.checkpoints.siblings import suspects
from pilotlight.runtime.checkpoints.verify import AUTO, Listing, TooManyFiles
from pilotlight.runtime.clock import SystemClock
from pilotlight.runtime.errors import BadOption, CheckpointsIncomplete, NoCheckpoints, TooManyToList
from pilotlight.runtime.records.inventory import as_folder
from pilotlight.runtime.recovery import wrapped
from pilotlight.workload.words import nearest

app = typer.Typer(no_args_is_help=True, help="Checkpoints: verify any, and write the manifest of a generic one.")

SCHEME = "s3://"


class Needs(StrEnum):
    """What somebody needs of a checkpoint."""

    RESUME = RESUME
    LOAD = LOAD


PROBLEMS_SHOWN = 5
ROLES_SHOWN = 10

Place = Annotated[str, typer.Argument(metavar="PLACE", help="s3://bucket/prefix, a folder, or one file.")]


@app.command()
def verify(
    place: Place,
    directory: Directory,
    target: TargetOption = Target.LOCAL,
    format: Annotated[str, typer.Option(help="One format only; `auto` lets every format look.")] = AUTO,
    region: Annotated[str, typer.Option(help="Region of the bucket.", show_default="asked of S3")] = "",
    deep: Annotated[bool, typer.Option("--deep", help="Read and hash every byte.")] = False,
    needs: Annotated[Needs, typer.Option(help="What makes one complete: going on training, or loading the model.")] = (
        Needs.RESUME
    ),
    read_mib: Annotated[int, typer.Option(min=1, help="MiB that may be read of each, where its files need more.")] = 1,
    json: Json = False,
) -> None:
    """Say of each checkpoint whether it is complete; exit code 0 only if there is one and all are."""
    _known(format)
    reader = _bucket(place, target, directory, region) if place.startswith(SCHEME) else _folder(place)
    try:
        found = verifying.listing(reader, format)
    except TooManyFiles as problem:
        raise TooManyToList(place=place, most=str(problem)) from problem
    verdicts = [_for(needs, each) for each in _judge(found, reader, deep, read_mib * BYTES_READ_MIN)]
    if json:
        print_json(
            {"schema": "pilotlight/checkpoints/1", "place": place, "checkpoints": [_record(v) for v in verdicts]}
        )
    else:
        _tell(verdicts, found)
    torn = [each for each in verdicts if not each.complete]
    if not verdicts:
        raise NoCheckpoints(place=place, files=found.strays_count, format=format)
    if torn:
        first = f"{torn[0].path or place}: {torn[0].problems[0].file} {torn[0].problems[0].what}"
        raise CheckpointsIncomplete(place=place, torn=len(torn), count=len(verdicts), first=first)


@app.command()
def manifest(
    folder: Annotated[Path, typer.Argument(help="The folder of one checkpoint, all of it written.")],
    step: Annotated[int | None, typer.Option(min=0, help="The step at which it was written.")] = None,
) -> None:
    """Hash what lies in a folder and write its manifest last: a checkpoint of the format `generic`."""
    if not folder.is_dir():
        reason = "is a file" if folder.exists() else "is not there"
        raise BadOption(option="FOLDER", value=folder, reason=reason, expected="the folder of one checkpoint")
    try:
        count = write_manifest(folder, step)
    except OSError as problem:
        reason = f"{problem.filename or folder}: {problem.strerror}; no manifest was written"
        raise BadOption(
            option="FOLDER", value=folder, reason=reason, expected="a folder that can be read whole"
        ) from problem
    print(f"{folder / MANIFEST}: {count} files")


def _known(format: str) -> None:
    if not verifying.formats(format):
        names = [AUTO, *(each.name for each in verifying.formats(AUTO))]
        reason = f"there is no such format; {nearest(format, names)}"
        raise BadOption(option="--format", value=format, reason=reason, expected=f"one of {', '.join(names)}")


def _folder(place: str) -> FolderReader:
    path = Path(place)
    if not path.exists():
        expected = "a folder, a file, or s3://bucket/prefix"
        raise BadOption(option="PLACE", value=place, reason="is not there", expected=expected)
    return FolderReader(path)


def _bucket(place: str, target: Target, directory: Path, region: str) -> BucketReader:
    bucket, _, prefix = place.removeprefix(SCHEME).partition("/")
    if not bucket:
        raise BadOption(option="PLACE", value=place, reason="names no bucket", expected="s3://bucket/prefix")
    if target is Target.LOCAL:
        LocalCloud.attach(directory).enter()
    client = wrapped(BotoClient(), SystemClock(), random.Random())
    if not region:
        asked = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        region = client.call("s3", "get_bucket_location", asked, Bucket=bucket).get("LocationConstraint") or "us-east-1"
    return BucketReader(client, region, bucket, as_folder(prefix))


def _for(needs: Needs, verdict: Verdict) -> Verdict:
    """With `complete` as it is asked for."""
    return replace(verdict, complete=verdict.serves(needs.value))


def _judge(found: Listing, reader: Reader, deep: bool, least: int) -> list[Verdict]:
    if not deep:
        return [verifying.verify(each, reader, least) for each in found.found]
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task("", total=sum(each.candidate.bytes_total for each in found.found))
        return [verify_deeply(each, reader, lambda read: progress.advance(task, read)) for each in found.found]


def _record(verdict: Verdict) -> dict[str, Any]:
    return asdict(verdict)


def _tell(verdicts: list[Verdict], found: Listing) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("checkpoint", "format", "step", "complete", "bytes", "read", "what is wrong"):
        numbers = name in ("step", "bytes", "read")
        table.add_column(name, overflow="fold", no_wrap=name == "format", justify="right" if numbers else "left")
    for each in verdicts:
        wrong = [f"{problem.file}: {problem.what}" for problem in each.problems[:PROBLEMS_SHOWN]]
        if len(each.problems) > PROBLEMS_SHOWN:
            wrong.append(f"and {len(each.problems) - PROBLEMS_SHOWN} more")
        step = "" if each.step is None else str(each.step)
        words = (escape(each.path or "."), each.format, step, "yes" if each.complete else "NO")
        table.add_row(*words, f"{each.bytes_total:,}", f"{each.bytes_read:,}", escape("\n".join(wrong)))
    if verdicts:
        Console().print(table)
    shown = verdicts if len(verdicts) <= ROLES_SHOWN else [each for each in verdicts if not each.complete]
    for each in shown[:ROLES_SHOWN]:
        _tell_roles(each)
    if len(shown) > ROLES_SHOWN:
        say(f"and {len(shown) - ROLES_SHOWN} more; --json has the roles of all")
    for path, lacking in suspects(found.found).items():
        say(f"{path}: suspect, {'; '.join(lacking)}; a run takes another one while there is one")
    if found.strays_count:
        say(f"{found.strays_count} file(s) belong to no checkpoint: {_some(found.strays)}")


def _tell_roles(verdict: Verdict) -> None:
    """Role by role: what was found, what is missing, and who says that it must be there."""
    able = "may be resumed from" if verdict.resumable else "may be loaded" if verdict.loadable else "is of no use"
    say(f"{verdict.path or '.'} ({verdict.layout}) {able}")
    for role in verdict.roles:
        missing = f"missing: {_some(role.missing)} ({role.why})" if role.missing else ""
        say(f"  {role.name}: {'; '.join(each for each in (_some(role.files), missing) if each)}")
    if verdict.unjudged:
        say(f"  unjudged: {_some(tuple(f'{each.file} ({each.bytes:,} bytes)' for each in verdict.unjudged))}")


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:PROBLEMS_SHOWN])
    return shown if len(names) <= PROBLEMS_SHOWN else f"{shown}, ..."
