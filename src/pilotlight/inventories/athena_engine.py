"""Athena: the same SQL where the files are, with nothing fetched.

Two external tables over the lists of files that S3 writes for Hive (S3 User Guide, "Querying Amazon S3 Inventory with
Amazon Athena"), in a region that may be another than the files' (Athena User Guide, "Query across regions"); dropped at
the end. Athena Reference, "StartQueryExecution", "GetQueryExecution", "GetQueryResults".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pilotlight.inventories.comparing import Rows
from pilotlight.inventories.dialects import TRINO
from pilotlight.inventories.manifest import BucketInventory
from pilotlight.runtime.aws.client import AwsClient, aws_code
from pilotlight.runtime.clock import Clock
from pilotlight.runtime.errors import CallRefused, InventoryUnusable, QueryFailed

COLUMNS = """bucket string, key string, version_id string, is_latest boolean, is_delete_marker boolean, size bigint,
last_modified_date bigint, e_tag string"""
"""Of the fields only those that are needed; Parquet's are found by name."""
TABLE = """create external table {table} ({columns})
row format serde 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'
stored as inputformat 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat'
outputformat 'org.apache.hadoop.hive.ql.io.IgnoreKeyTextOutputFormat'
location 's3://{bucket}/{folder}/'"""
DATABASE = "default"
LOOK_SECONDS = 1.0
"""Between two questions whether a query has ended."""
QUERY_SECONDS_MAX = 1_800
"""Athena User Guide, "Service Quotas": a DML query is ended after 30 minutes."""
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
ABSENT = ("NoSuchKey", "404", "NotFound")


@dataclass(frozen=True)
class Workgroup:
    """Where queries run, who pays for them, and where their answers are written."""

    region: str
    name: str = "primary"
    output: str = ""
    """s3://bucket/prefix/; empty where the workgroup has one of its own."""


class Athena:
    """Two external tables; `run` is a word that no other comparison has, for their names."""

    name, dialect = "athena", TRINO

    def __init__(self, client: AwsClient, clock: Clock, workgroup: Workgroup, run: str) -> None:
        self._client, self._clock, self._workgroup = client, clock, workgroup
        self.source, self.copy = f"pilotlight_source_{run}", f"pilotlight_copy_{run}"

    def rows(self, statement: str) -> Rows:
        """See Engine.rows; every value is text."""
        query = self._run(statement)
        region, found = self._workgroup.region, list[tuple[str | None, ...]]()
        for page in self._client.pages("athena", "get_query_results", region, QueryExecutionId=query):
            for row in page["ResultSet"]["Rows"]:
                found.append(tuple(value.get("VarCharValue") for value in row["Data"]))
        return found[1:]

    def make(self, table: str, inventory: BucketInventory) -> None:
        """The table of one side, once its list of files is seen to be that of the manifest."""
        self._same_files(inventory)
        folder = inventory.symlink.rpartition("/")[0]
        self._run(TABLE.format(table=table, columns=COLUMNS, bucket=inventory.destination, folder=folder))

    def drop(self, table: str) -> None:
        """The table alone; no file belongs to it."""
        self._run(f"drop table if exists {table}")

    def _same_files(self, inventory: BucketInventory) -> None:
        where = {"Bucket": inventory.destination, "Key": inventory.symlink}
        reason = f"s3://{inventory.destination}/{inventory.symlink}, which Athena reads, "
        try:
            text: bytes = self._client.call("s3", "get_object", inventory.region, **where)["Body"]
        except CallRefused as refusal:
            if aws_code(refusal) not in ABSENT:
                raise
            text, reason = b"", f"{reason}is not there"
        listed = {line.strip() for line in text.decode(errors="replace").splitlines() if line.strip()}
        if listed != {f"s3://{inventory.destination}/{each.key}" for each in inventory.files}:
            reason = reason if reason.endswith("there") else f"{reason}names other files than the manifest"
            raise InventoryUnusable(bucket=inventory.bucket, region=inventory.region, reason=reason)

    def _run(self, statement: str) -> str:
        """The id of a query that has succeeded."""
        region, group = self._workgroup.region, self._workgroup
        output = {"ResultConfiguration": {"OutputLocation": group.output}} if group.output else {}
        asked: dict[str, Any] = {"QueryString": statement, "WorkGroup": group.name} | output
        context = {"Database": DATABASE}
        begun = self._client.call("athena", "start_query_execution", region, QueryExecutionContext=context, **asked)
        query, until = str(begun["QueryExecutionId"]), self._clock.now() + QUERY_SECONDS_MAX
        while True:
            found = self._client.call("athena", "get_query_execution", region, QueryExecutionId=query)
            status = found["QueryExecution"]["Status"]
            if status["State"] in ENDED:
                break
            if self._clock.now() >= until:
                raise QueryFailed(engine=self.name, reason=f"query {query} has not ended in {QUERY_SECONDS_MAX} s")
            self._clock.sleep(LOOK_SECONDS)
        if status["State"] != "SUCCEEDED":
            reason = f"query {query} {status['State']}: {status.get('StateChangeReason', 'no reason was given')}"
            raise QueryFailed(engine=self.name, reason=reason)
        return query


@contextlib.contextmanager
def opened(
    client: AwsClient, clock: Clock, workgroup: Workgroup, run: str, source: BucketInventory, copy: BucketInventory
) -> Iterator[Athena]:
    """Both tables, for as long as they are needed."""
    engine = Athena(client, clock, workgroup, run)
    made = list[str]()
    try:
        for table, inventory in ((engine.source, source), (engine.copy, copy)):
            made.append(table)
            engine.make(table, inventory)
        yield engine
    finally:
        for table in made:
            engine.drop(table)
