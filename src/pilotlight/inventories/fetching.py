"""The files of an inventory on this machine, each as its manifest says it is, for engines that read files.

A file that is there already, whole, is not fetched again: inventories of one bucket share none, but a comparison that
was cut off goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from pilotlight.inventories.manifest import BucketInventory, DataFile
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.errors import InventoryUnusable

PIECE_BYTES = 64 * 1024 * 1024
"""One range of a file: half of what an answer may be long (runtime/aws/boto.py, BODY_BYTES_MAX)."""

MB = 1_000_000

Progress = Callable[[str], None]


def fetch(client: AwsClient, inventory: BucketInventory, folder: Path, tell: Progress) -> list[Path]:
    """Every file of the inventory, in `folder`; InventoryUnusable where one is not what the manifest says."""
    folder.mkdir(parents=True, exist_ok=True)
    total, done, paths = sum(each.size for each in inventory.files), 0, list[Path]()
    for number, file in enumerate(inventory.files, 1):
        path = folder / _name(inventory, file)
        if not _whole(path, file):
            _fetched(client, inventory, file, path)
        done += file.size
        tell(f"  {inventory.bucket}: file {number} of {len(inventory.files)}, {done / MB:,.0f} of {total / MB:,.0f} MB")
        paths.append(path)
    return paths


def _name(inventory: BucketInventory, file: DataFile) -> str:
    place = f"{inventory.region}/{inventory.destination}/{file.key}/{file.md5}"
    return f"{hashlib.sha256(place.encode()).hexdigest()[:32]}.parquet"


def _whole(path: Path, file: DataFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size


def _fetched(client: AwsClient, inventory: BucketInventory, file: DataFile, path: Path) -> None:
    """Under another name until it is whole."""
    seen, torn = hashlib.md5(usedforsecurity=False), path.with_suffix(".part")
    with torn.open("wb") as opened:
        for start in range(0, file.size, PIECE_BYTES):
            end = min(start + PIECE_BYTES, file.size) - 1
            where = {"Bucket": inventory.destination, "Key": file.key, "Range": f"bytes={start}-{end}"}
            body: bytes = client.call("s3", "get_object", inventory.region, **where)["Body"]
            seen.update(body)
            opened.write(body)
    if file.md5 and seen.hexdigest() != file.md5:
        torn.unlink()
        reason = f"{inventory.manifest}: {file.key} is not the file that the manifest names (MD5)"
        raise InventoryUnusable(bucket=inventory.bucket, region=inventory.region, reason=reason)
    torn.replace(path)
