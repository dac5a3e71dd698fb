"""One comparison as somebody asks for it: which engine, between which buckets, with what; and carried out.

`listing` asks S3 for both sides now, and is what scheduled runs do; the others read what S3 Inventory wrote.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pilotlight.inventories import athena_engine, duckdb_engine, spark_engine
from pilotlight.inventories.athena_engine import Workgroup
from pilotlight.inventories.compared import Compared, Side
from pilotlight.inventories.comparing import Engine, compare
from pilotlight.inventories.fetching import fetch
from pilotlight.inventories.locating import newest
from pilotlight.inventories.manifest import BucketInventory
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import Clock, stamp
from pilotlight.runtime.kinds.buckets import observe
from pilotlight.runtime.kinds.buckets.listing import Bucket

LISTED = (
    "entity tags of multipart, SSE-KMS and SSE-C objects are no hashes of their bytes: bytes are not compared",
    "what was written while the listings were made may be in one of them alone",
)


class EngineName(StrEnum):
    """By what two sides are compared."""

    LISTING = "listing"
    DUCKDB = "duckdb"
    SPARK = "spark"
    ATHENA = "athena"


@dataclass(frozen=True)
class Request:
    """Two sides of an asset, the one that serves first."""

    asset: str
    source: Bucket
    copy: Bucket
    patience_seconds: float
    """How long an object may be on its way."""
    rule_since: float
    """Since when a rule replicates; what is older nothing brings. Only listings are read so closely."""
    folder: Path | None = None
    """Where files of inventories are kept; None keeps none."""
    memory_mib: int = duckdb_engine.MEMORY_MIB
    workgroup: Workgroup | None = None
    """Of Athena."""


def carried_out(
    request: Request, engine: EngineName, client: AwsClient, clock: Clock, tell: Callable[[str], None]
) -> Compared:
    """The comparison; InventoryUnusable, PackageMissing, QueryFailed where there is none."""
    if engine is EngineName.LISTING:
        return _listed(request, client, clock)
    with contextlib.ExitStack() as left:
        spark = left.enter_context(spark_engine.opened()) if engine is EngineName.SPARK else None
        if engine is EngineName.DUCKDB:
            duckdb_engine.package()
        source, copy = (newest(client, each.region, each.name, each.prefix) for each in (request.source, request.copy))
        for side in (source, copy):
            tell(f"  {side.bucket}: {side.manifest}, begun {stamp(side.created_at)}, {len(side.files)} files")
        asked = left.enter_context(_opened(request, spark, engine, client, clock, (source, copy), tell))
        return compare(asked, request.asset, request.source.prefix, source, copy, request.patience_seconds, clock.now())


@contextlib.contextmanager
def _opened(
    request: Request,
    spark: spark_engine.Spark | None,
    engine: EngineName,
    client: AwsClient,
    clock: Clock,
    sides: tuple[BucketInventory, BucketInventory],
    tell: Callable[[str], None],
) -> Iterator[Engine]:
    if engine is EngineName.ATHENA:
        workgroup = request.workgroup or Workgroup(request.copy.region)
        with athena_engine.opened(client, clock, workgroup, secrets.token_hex(6), *sides) as athena:
            yield athena
    elif spark and not spark.is_local:
        yield spark.read(*([f"s3://{side.destination}/{each.key}" for each in side.files] for side in sides))
    else:
        with _folder(request.folder) as folder:
            source, copy = (fetch(client, side, folder, tell) for side in sides)
            if spark:
                yield spark.read(*([str(path) for path in paths] for paths in (source, copy)))
            else:
                with duckdb_engine.opened(source, copy, folder, request.memory_mib) as duckdb:
                    yield duckdb


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="pilotlight-") as folder:
        yield Path(folder)


def _listed(request: Request, client: AwsClient, clock: Clock) -> Compared:
    looked_at = clock.now()
    before = looked_at - request.patience_seconds
    rules = observe.Rules(before, rule_since=request.rule_since)
    found = observe.compare(client, request.source, request.copy, rules)
    source, copy = (Side(e.region, e.name, e.prefix, stamp(looked_at)) for e in (request.source, request.copy))
    keys = {"overdue": tuple(found.overdue_keys), "extra": tuple(found.extra_keys)}
    return Compared(
        asset=request.asset,
        engine=EngineName.LISTING.value,
        source=source,
        copy=copy,
        settled=found.settled,
        strengths=found.strengths,
        waiting=found.waiting - found.overdue,
        unsettled={"overdue": found.overdue},
        extra=found.extra,
        keys={state: named for state, named in keys.items() if named},
        cannot_prove=LISTED,
    )
