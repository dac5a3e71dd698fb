"""Papers in the vault bucket: inventory, recovery points, journals of runs. Each is one object, written whole."""

from __future__ import annotations

from typing import TypeVar

from pilotlight.cloud.door import Door, aws_code
from pilotlight.errors import CallRefused, PaperUnreadable
from pilotlight.naming import PAPER_INVENTORY, PAPER_POINTS, PAPER_RUNS
from pilotlight.records import codec
from pilotlight.records.inventory import Inventory
from pilotlight.records.point import RecoveryPoint
from pilotlight.records.runs import Journal

Paper = TypeVar("Paper")

NOTHING_THERE = "there is none"
"""The reason of a PaperUnreadable where nothing was written."""


class Papers:
    """The vault bucket of one workload."""

    def __init__(self, door: Door, region: str, bucket: str) -> None:
        self._door, self._region, self._bucket = door, region, bucket

    def inventory(self) -> Inventory:
        """What was built; PaperUnreadable where nothing was."""
        return self._read(Inventory, PAPER_INVENTORY)

    def write_inventory(self, inventory: Inventory) -> None:
        self._write(PAPER_INVENTORY, inventory)

    def point(self, point: str) -> RecoveryPoint:
        """One recovery point."""
        return self._read(RecoveryPoint, f"{PAPER_POINTS}{point}.json")

    def write_point(self, point: RecoveryPoint) -> None:
        """Points are never changed: their ids come from the moment, and a written one is not written again."""
        self._write(f"{PAPER_POINTS}{point.id}.json", point)

    def delete_point(self, point: str) -> None:
        self._door.call("s3", "delete_object", self._region, Bucket=self._bucket, Key=f"{PAPER_POINTS}{point}.json")

    def write_journal(self, journal: Journal) -> None:
        """The journal of a run as a paper, beside the table it was kept in."""
        self._write(f"{PAPER_RUNS}{journal.run}.json", journal)

    def _read(self, kind: type[Paper], key: str) -> Paper:
        source = f"s3://{self._bucket}/{key}"
        try:
            body = self._door.call("s3", "get_object", self._region, Bucket=self._bucket, Key=key)["Body"]
        except CallRefused as refusal:
            if aws_code(refusal) in ("NoSuchKey", "NoSuchBucket", "404"):
                raise PaperUnreadable(paper=source, reason=NOTHING_THERE) from refusal
            raise
        return codec.loads(kind, body, source)

    def _write(self, key: str, paper: object) -> None:
        body = codec.dumps(paper).encode()
        self._door.call(
            "s3",
            "put_object",
            self._region,
            Bucket=self._bucket,
            Key=key,
            Body=body,
            ContentType="application/json",
        )
