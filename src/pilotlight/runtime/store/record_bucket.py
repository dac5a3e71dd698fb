"""Records in the vault bucket: inventory, recovery points, journals of runs. Each is one object, written whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import IO, Any, TypeVar

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.errors import CallRefused, RecordUnreadable
from pilotlight.runtime.naming import (
    RECORD_INVENTORY,
    RECORD_OF_FRONT,
    RECORD_POINTS,
    RECORD_PROOFS,
    RECORD_RUNS,
    RECORD_STATES,
    Names,
)
from pilotlight.runtime.records import codec
from pilotlight.runtime.records.inventory import Inventory, Lock
from pilotlight.runtime.records.point import RecoveryPoint
from pilotlight.runtime.records.runs import Journal

Record = TypeVar("Record")

Locked = dict[str, Any]

NOTHING_THERE = "there is none"
"""The reason of a RecordUnreadable where nothing was written."""


class RecordBucket:
    """The vault bucket of one workload."""

    def __init__(self, client: AwsClient, region: str, bucket: str) -> None:
        self._client, self._region, self._bucket = client, region, bucket

    def inventory(self) -> Inventory:
        """What was built; RecordUnreadable where nothing was."""
        return self._read(Inventory, RECORD_INVENTORY)

    def write_inventory(self, inventory: Inventory) -> None:
        self._write(RECORD_INVENTORY, inventory)

    def point(self, point: str) -> RecoveryPoint:
        """One recovery point."""
        return self._read(RecoveryPoint, f"{RECORD_POINTS}{point}.json")

    def write_point(self, point: RecoveryPoint, locked: Locked) -> None:
        """Points are never changed: a written one is not written again, and where it is locked nobody can delete it."""
        self._put(f"{RECORD_POINTS}{point.id}.json", codec.dumps(point).encode(), IfNoneMatch="*", **locked)

    def delete_point(self, point: str) -> None:
        self._client.call("s3", "delete_object", self._region, Bucket=self._bucket, Key=f"{RECORD_POINTS}{point}.json")

    def write_manifest(self, key: str, body: IO[bytes], locked: Locked) -> None:
        """A manifest that is there already says the same; where points are locked, its lock is made longer."""
        self._put(key, body, **locked)

    def has_manifest(self, key: str) -> bool:
        """Whether it is there."""
        page = self._client.call("s3", "list_objects_v2", self._region, Bucket=self._bucket, Prefix=key)
        return any(item["Key"] == key for item in page.get("Contents", []))

    def manifest(self, key: str) -> bytes:
        """The bytes of a manifest; RecordUnreadable where it is gone."""
        return self._get(key)

    def delete_manifest(self, key: str) -> None:
        self._client.call("s3", "delete_object", self._region, Bucket=self._bucket, Key=key)

    def write_proofs(self, asset: str, digests: bytes) -> None:
        """What is proven of pairs that listings do not prove; see kinds/buckets/proofs.py."""
        self._put(f"{RECORD_PROOFS}{asset}", digests)

    def proofs(self, asset: str) -> bytes:
        """The same; RecordUnreadable where nothing was proven yet."""
        return self._get(f"{RECORD_PROOFS}{asset}")

    def write_journal(self, journal: Journal) -> None:
        """The journal of a run as a record, beside the table it was kept in."""
        self._write(f"{RECORD_RUNS}{journal.run}.json", journal)

    def write_state(self, stack: str, document: dict[str, Any]) -> None:
        """A copy of what the engine knows of a stack, its secrets sealed: the original may be lost with a folder."""
        self._put(f"{RECORD_STATES}{stack}.json", json.dumps(document).encode())

    def state(self, stack: str) -> dict[str, Any]:
        """The copy of a stack's state; RecordUnreadable where there is none."""
        key = f"{RECORD_STATES}{stack}.json"
        try:
            found: dict[str, Any] = json.loads(self._get(key))
        except ValueError as problem:
            raise RecordUnreadable(record=f"s3://{self._bucket}/{key}", reason=str(problem)) from problem
        return found

    def write_record(self, record: dict[str, Any]) -> None:
        """What the DNS record of the front door was before a failover pair took its place."""
        self._put(RECORD_OF_FRONT, json.dumps(record).encode())

    def record(self) -> dict[str, Any] | None:
        """What the record was; None where there was none, or no vault."""
        try:
            found: dict[str, Any] = json.loads(self._get(RECORD_OF_FRONT))
        except RecordUnreadable:
            return None
        return found

    def _read(self, kind: type[Record], key: str) -> Record:
        return codec.loads(kind, self._get(key), f"s3://{self._bucket}/{key}")

    def _get(self, key: str) -> bytes:
        try:
            body: bytes = self._client.call("s3", "get_object", self._region, Bucket=self._bucket, Key=key)["Body"]
        except CallRefused as refusal:
            if says_absent(refusal):
                raise RecordUnreadable(record=f"s3://{self._bucket}/{key}", reason=NOTHING_THERE) from refusal
            raise
        return body

    def _write(self, key: str, record: object) -> None:
        self._put(key, codec.dumps(record).encode())

    def _put(self, key: str, body: bytes | IO[bytes], **more: Any) -> None:
        what = {"Bucket": self._bucket, "Key": key, "Body": body, "ContentType": "application/json"} | more
        self._client.call("s3", "put_object", self._region, **what)


def locked(lock: Lock | None, now: float) -> Locked:
    """Parameters of PutObject for a record that is written now (S3 User Guide, "Locking objects with Object Lock")."""
    if lock is None:
        return {}
    until = datetime.fromtimestamp(now + lock.seconds, tz=UTC)
    return {"ObjectLockMode": lock.mode.upper(), "ObjectLockRetainUntilDate": until}


def kept_inventory(names: Names, client: AwsClient) -> Inventory | None:
    """The Inventory in the vault, or None when there is no vault or nothing in it yet."""
    try:
        return RecordBucket(client, names.standby, names.vault_bucket).inventory()
    except RecordUnreadable as problem:
        if problem.facts["reason"] == NOTHING_THERE:
            return None
        raise
