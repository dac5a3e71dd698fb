"""`pilotlight compare`: what the copy of a bucket holds, by listing both sides or by S3 Inventory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pilotlight.cli.talk import Directory, say
from pilotlight.cli.target import DEFAULT_DECLARATION, Declaration, Target, TargetOption, place
from pilotlight.cli.telling import writable
from pilotlight.inventories.athena_engine import Workgroup
from pilotlight.inventories.compared import Compared, Side
from pilotlight.inventories.duckdb_engine import MEMORY_MIB
from pilotlight.inventories.request import EngineName, Request, carried_out
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.errors import BadOption, NotEqual
from pilotlight.runtime.kinds.buckets.observe import buckets, patience_seconds
from pilotlight.runtime.records.codec import dumps
from pilotlight.runtime.records.inventory import Datasets, Inventory
from pilotlight.runtime.recovery import Recovery
from pilotlight.workload.words import nearest

MEMORY_MIB_MIN = 64
"""Below it DuckDB cannot read a row group."""
STRENGTHS = {
    "version": "proven by version id",
    "checksum": "proven by checksum",
    "etag": "proven by ETag and size",
    "size": "of equal size, not proven",
}


def compare(
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="A dataset or checkpoints of the declaration.")],
    directory: Directory,
    declaration: Declaration = DEFAULT_DECLARATION,
    target: TargetOption = Target.LOCAL,
    engine: Annotated[
        EngineName, typer.Option(help="List both sides now, or read S3 Inventory by DuckDB, Spark or Athena.")
    ] = EngineName.LISTING,
    json: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    files: Annotated[Path | None, typer.Option(help="Keep the files of inventories in this folder.")] = None,
    memory_mib: Annotated[int, typer.Option(min=MEMORY_MIB_MIN, help="MiB that DuckDB may take.")] = MEMORY_MIB,
    workgroup: Annotated[str, typer.Option(help="Athena's workgroup, in the standby region.")] = "primary",
    output: Annotated[
        str, typer.Option(help="s3://bucket/prefix/ for Athena's answers.", show_default="the workgroup's own")
    ] = "",
) -> None:
    """Compare what is current in both buckets of an asset, and say how strongly; changes nothing.

    Exit code 0 only where all that could be expected in the copy is proven there.
    """
    writable(json)
    if output and not output.startswith("s3://"):
        expected = "s3://bucket/prefix/"
        raise BadOption(option="--output", value=output, reason="is no place in S3", expected=expected)
    here = place(declaration, target, directory)
    recovery = here.recovery()
    found = _named(here.inventory(), asset)
    asked = _request(recovery, found, files, memory_mib, Workgroup(here.names.standby, workgroup, output))
    say(f"{asset}: s3://{asked.source.name} -> s3://{asked.copy.name}, by {engine.value}")
    result = carried_out(asked, engine, recovery.context.client, recovery.context.clock, say)
    if json:
        json.write_text(dumps(result))
        say(f"Result: {json}")
    _tell(result)
    if not result.equal:
        copy, source = result.copy, result.source
        raise NotEqual(asset=asset, copy=copy.bucket, region=copy.region, bucket=source.bucket, found=_found(result))


def _named(inventory: Inventory, name: str) -> Datasets:
    known = {each.name: each for each in inventory.datasets}
    if name not in known:
        reason = f"there is no such bucket in this workload; {nearest(name, list(known))}"
        raise BadOption(option="ASSET", value=name, reason=reason, expected=f"one of {', '.join(known)}")
    return known[name]


def _request(recovery: Recovery, asset: Datasets, files: Path | None, memory_mib: int, workgroup: Workgroup) -> Request:
    """The side that serves is the source."""
    inventory = recovery.context.inventory
    primary, standby = buckets(inventory, asset)
    away = recovery.active().region == inventory.standby
    since = recovery.context.ledger.sightings.rule_since(asset.name)
    return Request(
        asset=asset.name,
        source=standby if away else primary,
        copy=primary if away else standby,
        patience_seconds=patience_seconds(inventory, asset),
        rule_since=parse_stamp(since) if since and not away else float("-inf"),
        folder=files,
        memory_mib=memory_mib,
        workgroup=workgroup,
    )


def _tell(result: Compared) -> None:
    for name, side in (("source", result.source), ("copy", result.copy)):
        print(f"{name:8} {_side(side)}")
        for reason in side.passed_over:
            say(f"  passed over: {reason}")
    print(f"settled  {result.settled:,}")
    for strength, count in result.strengths.items():
        print(f"         {count:,} {STRENGTHS.get(strength, strength)}")
    print(f"waiting  {result.waiting:,}")
    for state, count in result.unsettled.items():
        print(f"{state:8} {count:,}")
    print(f"extra    {result.extra:,}")
    for state, keys in result.keys.items():
        for key in keys:
            print(f"  {state}: {key}")
    for sentence in result.cannot_prove:
        print(f"not proven by this: {sentence}")


def _side(side: Side) -> str:
    rows = f", {side.rows:,} rows in {side.files:,} files" if side.inventory else ""
    return f"s3://{side.bucket}/{side.prefix} ({side.region}) as of {side.as_of}{rows}"


def _found(result: Compared) -> str:
    counts = {state: count for state, count in result.unsettled.items() if count}
    told = [f"{count:,} {state}" for state, count in counts.items()]
    if result.unproven:
        told.append(f"{result.unproven:,} of equal size only")
    first = next((f"first {keys[0]}" for state in (*counts, "size") if (keys := result.keys.get(state))), "")
    return ", ".join([*told, first] if first else told)
