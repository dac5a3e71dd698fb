"""Inventories as S3 writes them: Parquet files, manifest.json and manifest.checksum, symlink.txt.

Folders, names and fields are those of the S3 User Guide, "Locating your inventory list"
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html) and "Amazon S3 Inventory list".
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

FIELDS = {
    "bucket": ("varchar", "required binary bucket (UTF8)"),
    "key": ("varchar", "required binary key (UTF8)"),
    "version_id": ("varchar", "optional binary version_id (UTF8)"),
    "is_latest": ("boolean", "optional boolean is_latest"),
    "is_delete_marker": ("boolean", "optional boolean is_delete_marker"),
    "size": ("bigint", "optional int64 size"),
    "last_modified_date": ("timestamptz", "optional int64 last_modified_date (TIMESTAMP_MILLIS)"),
    "e_tag": ("varchar", "optional binary e_tag (UTF8)"),
    "replication_status": ("varchar", "optional binary replication_status (UTF8)"),
    "encryption_status": ("varchar", "optional binary encryption_status (UTF8)"),
    "checksum_algorithm": ("varchar", "optional binary checksum_algorithm (UTF8)"),
}
OPTIONAL = ["Size", "LastModifiedDate", "ETag", "ReplicationStatus", "EncryptionStatus", "ChecksumAlgorithm"]

Put = Callable[[str, bytes], Any]
"""(key, body) into the destination."""


@dataclass(frozen=True)
class Row:
    """A version or a delete marker; `modified` in seconds since 1970."""

    key: str
    version: str | None
    modified: float
    size: int | None = 1
    etag: str | None = "e"
    latest: bool = True
    deleted: bool = False

    def values(self, bucket: str) -> tuple[Any, ...]:
        moment = datetime.fromtimestamp(self.modified, UTC)
        of_bytes = (None, None) if self.deleted else (self.size, self.etag)
        size, etag = of_bytes
        return (bucket, self.key, self.version, self.latest, self.deleted, size, moment, etag, "COMPLETED", "SSE-KMS",
                "CRC64NVME")  # fmt: skip


def parquet(path: Path, bucket: str, rows: Iterable[Row], fields: Sequence[str] = tuple(FIELDS)) -> Path:
    """One file of an inventory."""
    with duckdb.connect() as connection:
        columns = ", ".join(f"{name} {kind}" for name, (kind, _) in FIELDS.items())
        connection.execute(f"create table inventory ({columns})")
        values = [row.values(bucket) for row in rows]
        if values:
            marks = ", ".join(f"unnest(?::{kind}[])" for kind, _ in FIELDS.values())
            connection.execute(
                f"insert into inventory select {marks}", [list(each) for each in zip(*values, strict=True)]
            )
        kept = ", ".join(fields)
        connection.execute(f"copy (select {kept} from inventory) to '{path}' (format parquet, compression snappy)")
    return path


def configuration(
    id: str, destination: str, above: str = "inventories", prefix: str = "", **changes: Any
) -> dict[str, Any]:
    """What PutBucketInventoryConfiguration takes."""
    place = {"Bucket": f"arn:aws:s3:::{destination}", "Format": changes.pop("Format", "Parquet"), "Prefix": above}
    found: dict[str, Any] = {
        "Id": id,
        "IsEnabled": True,
        "IncludedObjectVersions": "All",
        "Schedule": {"Frequency": "Daily"},
        "OptionalFields": OPTIONAL,
        "Destination": {"S3BucketDestination": place},
    }
    return found | ({"Filter": {"Prefix": prefix}} if prefix else {}) | changes


def write(
    put: Put,
    bucket: str,
    id: str,
    destination: str,
    created_at: float,
    files: Sequence[Iterable[Row]],
    above: str = "inventories",
    fields: Sequence[str] = tuple(FIELDS),
    **changes: Any,
) -> dict[str, Any]:
    """An inventory begun at this time, one Parquet file for each list of rows; returns its manifest."""
    moment = datetime.fromtimestamp(created_at, UTC)
    folder, listed = f"{above}/{bucket}/{id}", []
    for number, rows in enumerate(files):
        with tempfile.TemporaryDirectory() as place:
            body = parquet(Path(place) / "file.parquet", bucket, rows, fields).read_bytes()
        key = f"{folder}/data/{hashlib.md5(f'{created_at} {number}'.encode()).hexdigest()}.parquet"
        put(key, body)
        listed.append({"key": key, "size": len(body), "MD5checksum": hashlib.md5(body).hexdigest()})
    manifest = {
        "sourceBucket": bucket,
        "destinationBucket": f"arn:aws:s3:::{destination}",
        "version": "2016-11-30",
        "creationTimestamp": str(int(created_at * 1000)),
        "fileFormat": "Parquet",
        "fileSchema": "message s3.inventory { " + " ".join(f"{FIELDS[name][1]};" for name in fields) + " }",
        "files": listed,
    } | changes
    text = json.dumps(manifest).encode()
    put(f"{folder}/{moment:%Y-%m-%dT%H-%MZ}/manifest.json", text)
    put(f"{folder}/{moment:%Y-%m-%dT%H-%MZ}/manifest.checksum", hashlib.md5(text).hexdigest().encode())
    lines = "\n".join(f"s3://{destination}/{each['key']}" for each in listed)
    put(f"{folder}/hive/dt={moment:%Y-%m-%d-%H-%M}/symlink.txt", lines.encode())
    return manifest
