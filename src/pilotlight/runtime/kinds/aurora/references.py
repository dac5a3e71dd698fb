"""The rows that name checkpoints, read from the primary before anything that they name is looked at.

What refers is read first and what is referred to afterwards, so a row of the look cannot name a checkpoint that was
still to be written when it was read. Through the RDS Data API, because a function needs no network of the
database's for it; on a secondary cluster it does not answer (Aurora User Guide, "Limitations with Data API").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import Clock, stamp
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.records.inventory import Database, Datasets, Inventory

ROWS_PER_CALL = 500
"""RDS Data API: an answer holds at most 1 MiB; S3 URIs are at most about 1.1 KB."""
WITH_PATH = ("s3", "https", "http", "gs", "file")
"""Schemes whose path names an object; of others (databases, queues) the host is told."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
ROWS_MAX = 20_000
"""Distinct names that are looked at, the last ones in the order of their bytes; a registry beyond it is told."""


@dataclass(frozen=True)
class Rows:
    """The distinct values of the declared column at `read_at`; `reason` says why there are none to judge by."""

    read_at: str
    uris: tuple[str, ...] = ()
    more: bool = False
    reason: str = ""


def read(client: AwsClient, inventory: Inventory, asset: Database, clock: Clock) -> Rows:
    """Read them in the primary region; a refusal becomes the reason."""
    read_at = stamp(clock.now())
    try:
        uris = _read(client, inventory, asset)
    except CallRefused as refusal:
        return Rows(read_at, reason=f"the rows of {asset.table} cannot be read: {refusal.message}")
    return Rows(read_at, tuple(uris[:ROWS_MAX]), len(uris) > ROWS_MAX)


def _read(client: AwsClient, inventory: Inventory, asset: Database) -> list[str]:
    uris: list[str] = []
    while len(uris) <= ROWS_MAX:
        answer = client.call(
            "rds-data",
            "execute_statement",
            inventory.primary,
            resourceArn=asset.primary_arn,
            secretArn=asset.secret,
            database=asset.database,
            sql=statement(asset, bool(uris)),
            parameters=[{"name": "before", "value": {"stringValue": uris[-1]}}] if uris else [],
        )
        page = [_text(record[0]) for record in answer.get("records", [])]
        uris += page
        if len(page) < ROWS_PER_CALL:
            break
    return uris


def statement(asset: Database, goes_on: bool) -> str:
    """One page, the last names first; `COLLATE "C"` makes order and comparison those of bytes (pure)."""
    column = f'CAST({quoted(asset.column)} AS text) COLLATE "C"'
    table = ".".join(quoted(part) for part in asset.table.split("."))
    where = f"{quoted(asset.column)} IS NOT NULL" + (f" AND {column} < :before" if goes_on else "")
    return f"SELECT DISTINCT {column} AS uri FROM {table} WHERE {where} ORDER BY uri DESC LIMIT {ROWS_PER_CALL}"


def quoted(name: str) -> str:
    """A name as an SQL identifier (PostgreSQL, "Identifiers and Key Words")."""
    return '"' + name.replace('"', '""') + '"'


def _text(field: dict[str, Any]) -> str:
    return str(field.get("stringValue", ""))


def shown(uri: str) -> str:
    """What a record may keep of a value that is somebody's: bucket and key, or host and path; never a signature, a
    token or a password. What names no place is told by its length alone (pure)."""
    scheme, found, rest = uri.partition("://")
    if not found or not _SCHEME.fullmatch(scheme):
        return f"a value of {len(uri)} characters that is no URI"
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    kept = f"{slash}{path}" if scheme in WITH_PATH else ""
    return f"{scheme}://{host.rpartition('@')[2]}{kept}"


def place(uri: str, assets: tuple[Datasets, ...]) -> tuple[Datasets, str] | None:
    """(the checkpoints asset, the path below its prefix) that a row names, in either region's bucket (pure).

    None for what lies in no bucket of theirs.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    for asset in assets:
        if bucket in (asset.primary_bucket, asset.standby_bucket) and key.startswith(asset.prefix):
            return asset, key.removeprefix(asset.prefix).rstrip("/")
    return None
