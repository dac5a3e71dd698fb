"""Whether this process may still act: the workload's active record names one region and an epoch that only rises.

The record is one DynamoDB item in the standby region. Where it cannot be read, or does not exist yet, the last verdict
stands; before the first one the process goes on, so that losing the standby region does not stop a healthy primary.
"""

import os
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

FENCE_READ_SECONDS = 1.0


def client(service, region):
    """A boto3 client that gives up quickly: a lost region must not hold anybody for minutes."""
    config = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1})
    return boto3.client(service, region_name=region, config=config)


class Fence:
    """`refusal` says why this process may not act, or is empty; `superseded` that it should start anew."""

    def __init__(self, region, table, journal_region):
        self.region = region
        self.table = table
        self.journal = client("dynamodb", journal_region) if journal_region else None
        self.epoch = 0
        self.refusal = ""
        self.superseded = False
        self.read_at = 0.0

    def read(self):
        """Ask the record once."""
        self.read_at = time.monotonic()
        key = {"pk": {"S": "active"}, "sk": {"S": "active"}}
        try:
            answer = self.journal.get_item(TableName=self.table, Key=key, ConsistentRead=True) if self.journal else {}
        except (BotoCoreError, ClientError):
            return
        if "Item" in answer:
            self.judge(answer["Item"]["region"]["S"], int(answer["Item"]["epoch"]["N"]))

    def judge(self, region, epoch):
        """The first record of this region gives the epoch to hold; a newer one, or another region, ends it."""
        if region != self.region:
            self.refusal = f"{region} is active at epoch {epoch}"
        elif self.refusal or 0 < self.epoch < epoch:
            self.refusal = f"epoch {self.epoch} is held here, {epoch} is active"
            self.superseded = True
        else:
            self.epoch = epoch

    def before_writing(self):
        """The refusal, by a reading that is not old: a process that was frozen asks before it writes anything."""
        if time.monotonic() - self.read_at > FENCE_READ_SECONDS:
            self.read()
        return self.refusal

    def watch(self):
        """Read again and again in a thread; the first reading is done when this returns."""
        self.read()
        if self.journal:
            threading.Thread(target=self._run, name="fence", daemon=True).start()

    def _run(self):
        pause = threading.Event()
        while not pause.wait(FENCE_READ_SECONDS):
            self.read()


def fence_from_environment():
    """The fence of this process: REGION, JOURNAL_TABLE, JOURNAL_REGION (empty where nothing is protected)."""
    return Fence(os.environ["REGION"], os.environ.get("JOURNAL_TABLE", ""), os.environ.get("JOURNAL_REGION", ""))
