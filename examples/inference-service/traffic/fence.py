"""Whether this process may still write: it holds an epoch, the workload's active record holds the newest one.

The record is one DynamoDB item in the standby region. When it cannot be read the process goes on, so that the loss of
the standby region does not stop a healthy primary; whoever comes back from a dark region reads it before writing.
"""

import os
import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

READ_AGAIN_SECONDS = 1.0


def client(service: str, region: str) -> Any:
    """A boto3 client that gives up quickly: a lost region must not hold its writers for minutes."""
    config = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 1})
    return boto3.client(service, region_name=region, config=config)


class Fence:
    """Compares the epoch this process was started with to the workload's active record."""

    def __init__(self) -> None:
        self.region = os.environ["REGION"]
        self.epoch = int(os.environ["EPOCH"])
        self.table = os.environ["JOURNAL_TABLE"]
        self.journal = client("dynamodb", os.environ["JOURNAL_REGION"])
        self.read_at = 0.0
        self.refusal: str | None = None

    def refused(self) -> str | None:
        """Why this process may not write any more, or None."""
        if self.refusal is None and time.monotonic() - self.read_at >= READ_AGAIN_SECONDS:
            self.refusal = self._read()
            self.read_at = time.monotonic()
        return self.refusal

    def ask_again(self) -> None:
        """Forget what was read: the next write asks the record first. Called after every lost connection."""
        self.read_at = 0.0

    def _read(self) -> str | None:
        key = {"pk": {"S": "active"}, "sk": {"S": "active"}}
        try:
            item = self.journal.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        except (BotoCoreError, ClientError):
            return None
        if item is None:
            return None
        epoch, region = int(item["epoch"]["N"]), item["region"]["S"]
        if epoch > self.epoch or region != self.region:
            return (
                f"this process holds epoch {self.epoch} in {self.region}; the workload is at epoch {epoch} in {region}"
            )
        return None
