"""Where the newest inventory of a bucket lies that proves something: by its configurations, newest folder first.

S3 writes `prefix/bucket/id/YYYY-MM-DDTHH-MMZ/manifest.json` when an inventory is whole, and its files beside that
folder (S3 User Guide, "Locating your inventory list"). What is passed over is told with its reason; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pilotlight.inventories.manifest import PARQUET, BucketInventory, DataFile, Unusable, read
from pilotlight.runtime.aws.client import AwsClient, aws_code
from pilotlight.runtime.errors import CallRefused, InventoryUnusable

FOLDERS_MAX = 8
"""Inventories of one configuration that are looked at: a week of daily ones, and one that is being written."""
CONFIGURATIONS_MAX = 1_000
"""S3 User Guide, "Amazon S3 Inventory": a bucket has at most so many."""
ABSENT = ("NoSuchKey", "404", "NotFound")
ALL = "All"

_FOLDER = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}-\d{2}Z)/$")


@dataclass(frozen=True)
class Configuration:
    """An inventory that S3 was asked for."""

    id: str
    bucket: str
    """The destination's name."""
    folder: str
    """Below it S3 writes, with its slash."""


def newest(client: AwsClient, region: str, bucket: str, prefix: str) -> BucketInventory:
    """The newest whole inventory that has all keys below `prefix`; InventoryUnusable where there is none."""
    reasons, found = list[str](), list[BucketInventory]()
    for item in _configurations(client, region, bucket):
        try:
            found.append(_newest(client, region, bucket, _configuration(item, bucket, prefix), reasons))
        except Unusable as problem:
            reasons.append(f"{item.get('Id', '?')}: {problem}")
    if not found:
        reason = "; ".join(reasons) or "no inventory of it is configured"
        raise InventoryUnusable(bucket=bucket, region=region, reason=reason)
    best = max(found, key=lambda each: each.created_at)
    return replace(best, passed_over=tuple(reasons))


def _configurations(client: AwsClient, region: str, bucket: str) -> Iterator[dict[str, Any]]:
    """botocore knows no pages of this listing (S3 API Reference, "ListBucketInventoryConfigurations")."""
    asked: dict[str, Any] = {"Bucket": bucket}
    for _ in range(CONFIGURATIONS_MAX):
        answer = client.call("s3", "list_bucket_inventory_configurations", region, **asked)
        yield from answer.get("InventoryConfigurationList", [])
        if not answer.get("IsTruncated"):
            return
        asked["ContinuationToken"] = answer["NextContinuationToken"]


def _configuration(item: dict[str, Any], bucket: str, prefix: str) -> Configuration:
    """Unusable where what it asks S3 for would prove nothing."""
    place = item["Destination"]["S3BucketDestination"]
    listed = str((item.get("Filter") or {}).get("Prefix", ""))
    if not item.get("IsEnabled", True):
        raise Unusable("it is switched off")
    if place["Format"] != PARQUET:
        raise Unusable(f"it is written as {place['Format']}, and only Parquet is read")
    if not prefix.startswith(listed):
        raise Unusable(f"it lists {listed} alone, and the asset is {prefix or 'the whole bucket'}")
    if item.get("IncludedObjectVersions") != ALL:
        raise Unusable("it has current versions alone, without their ids and without delete markers; include all")
    above = str(place.get("Prefix", "")).strip("/")
    folder = f"{above}/{bucket}/{item['Id']}/" if above else f"{bucket}/{item['Id']}/"
    return Configuration(str(item["Id"]), str(place["Bucket"]).rpartition(":")[2], folder)


def _newest(
    client: AwsClient, region: str, bucket: str, configuration: Configuration, reasons: list[str]
) -> BucketInventory:
    """The newest of one configuration; why newer ones are not taken goes to `reasons`."""
    where = {"Bucket": configuration.bucket, "Prefix": configuration.folder, "Delimiter": "/"}
    pages = client.pages("s3", "list_objects_v2", region, **where)
    listed = (_FOLDER.search(str(each["Prefix"])) for page in pages for each in page.get("CommonPrefixes", []))
    folders = sorted((found[1] for found in listed if found), reverse=True)
    present: dict[str, int] | None = None
    for folder in folders[:FOLDERS_MAX]:
        try:
            inventory = _inventory(client, region, bucket, configuration, folder)
            if present is None or not all(each.key in present for each in inventory.files):
                present = _sizes(client, region, configuration, inventory)
            _all_there(inventory, present)
            return inventory
        except Unusable as problem:
            reasons.append(f"{configuration.id}, {folder}: {problem}")
    if len(folders) > FOLDERS_MAX:
        raise Unusable(f"none of the newest {FOLDERS_MAX} of {len(folders)} can be used")
    raise Unusable("S3 has written none yet; the first takes up to 48 hours" if not folders else "none can be used")


def _inventory(
    client: AwsClient, region: str, bucket: str, configuration: Configuration, folder: str
) -> BucketInventory:
    key = f"{configuration.folder}{folder}/manifest.json"
    text = _object(client, region, configuration.bucket, key)
    if text is None:
        raise Unusable("it has no manifest.json: S3 is writing it, or was cut off")
    checksum = _object(client, region, configuration.bucket, key.replace(".json", ".checksum")) or b""
    created_at, files = read(text, bucket, checksum.decode(errors="replace").strip())
    day, _, time = folder.removesuffix("Z").partition("T")
    return BucketInventory(
        region=region,
        bucket=bucket,
        created_at=created_at,
        destination=configuration.bucket,
        manifest=f"s3://{configuration.bucket}/{key}",
        files=files,
        symlink=f"{configuration.folder}hive/dt={day}-{time}/symlink.txt",
    )


def _object(client: AwsClient, region: str, bucket: str, key: str) -> bytes | None:
    """A small object; None where it is not there."""
    try:
        body: bytes = client.call("s3", "get_object", region, Bucket=bucket, Key=key)["Body"]
    except CallRefused as refusal:
        if aws_code(refusal) in ABSENT:
            return None
        raise
    return body


def _sizes(client: AwsClient, region: str, configuration: Configuration, inventory: BucketInventory) -> dict[str, int]:
    """Key -> size, of all that lies where the files of the manifest are."""
    folders = {each.key.rpartition("/")[0] + "/" for each in inventory.files} or {f"{configuration.folder}data/"}
    found: dict[str, int] = {}
    for folder in sorted(folders):
        for page in client.pages("s3", "list_objects_v2", region, Bucket=configuration.bucket, Prefix=folder):
            found |= {str(each["Key"]): int(each["Size"]) for each in page.get("Contents", [])}
    return found


def _all_there(inventory: BucketInventory, present: dict[str, int]) -> None:
    lacking: list[DataFile] = [each for each in inventory.files if present.get(each.key) != each.size]
    if lacking:
        raise Unusable(f"{len(lacking)} of its {len(inventory.files)} files are gone or torn, first {lacking[0].key}")
    if not inventory.files:
        raise Unusable("its manifest names no file")
