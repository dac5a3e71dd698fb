"""A manifest of S3 Inventory, read: when it was begun, which files it has, and whether they say what is needed.

S3 User Guide, "Locating your inventory list" (manifest.json, manifest.checksum, the folders) and "Amazon S3 Inventory
list" (the fields; version id, IsLatest and the delete marker are there where all versions are included).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

PARQUET = "Parquet"
NEEDED = ("key", "version_id", "is_latest", "is_delete_marker", "size", "last_modified_date", "e_tag")
OF_VERSIONS = ("version_id", "is_latest", "is_delete_marker")
"""S3 writes them where the configuration includes all versions."""

_COLUMN = re.compile(r"(?:required|optional)\s+\w+\s+(\w+)")


class Unusable(ValueError):
    """Why an inventory proves nothing here; in words that follow its name."""


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of an inventory."""

    key: str
    size: int
    md5: str


@dataclass(frozen=True)
class BucketInventory:
    """What S3 Inventory wrote of a bucket at one time, all of it there."""

    region: str
    bucket: str
    created_at: float
    """When S3 began to look at the bucket; seconds since 1970."""
    destination: str
    """The bucket in which it lies, in the same region."""
    manifest: str
    """s3://destination/.../manifest.json"""
    files: tuple[DataFile, ...]
    symlink: str = ""
    """Key of the list of files that Athena reads."""
    passed_over: tuple[str, ...] = ()


def read(text: bytes, bucket: str, checksum: str) -> tuple[float, tuple[DataFile, ...]]:
    """(when it was begun, files) of a manifest; Unusable says why it is of no use (pure)."""
    if checksum and checksum != hashlib.md5(text, usedforsecurity=False).hexdigest():
        raise Unusable("its manifest.json is not what manifest.checksum says")
    try:
        found: dict[str, Any] = json.loads(text)
        source, format, schema = found["sourceBucket"], found["fileFormat"], found["fileSchema"]
        created_at = int(found["creationTimestamp"]) / 1000
        files = tuple(DataFile(str(e["key"]), int(e["size"]), str(e.get("MD5checksum", ""))) for e in found["files"])
    except (ValueError, KeyError, TypeError) as problem:
        raise Unusable(f"its manifest.json cannot be read ({type(problem).__name__}: {problem})") from problem
    if source != bucket:
        raise Unusable(f"it is of another bucket, {source}")
    if format != PARQUET:
        raise Unusable(f"it is written as {format}, and only Parquet is read")
    missing = [name for name in NEEDED if name not in _COLUMN.findall(schema)]
    if missing:
        why = "; include all versions" if set(missing) & set(OF_VERSIONS) else ""
        raise Unusable(f"it lacks the fields {', '.join(missing)}{why}")
    return created_at, files
