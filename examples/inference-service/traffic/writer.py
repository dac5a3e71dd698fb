"""Live traffic: commits numbered rows and numbered objects many times a second, and logs each acknowledgement.

Environment: REGION, JOURNAL_TABLE, JOURNAL_REGION (see programs/fence.py), DATABASE_URL, CORPUS_BUCKET, FIRST (the
first number), LOG. Ends by itself, with exit code 3, when the fence refuses it.
"""

import json
import os
import sys
import time
import tomllib
from pathlib import Path

import psycopg
from acknowledgements import Log, end_with_parent
from botocore.exceptions import BotoCoreError, ClientError
from fence import client, fence_from_environment

PAUSE_SECONDS = 0.06
RETRY_SECONDS = 0.3
ROWS_PER_OBJECT = 2

FACTS = tomllib.loads(Path(__file__).with_name("traffic.toml").read_text())
PREFIX, ROWS = FACTS["objects"]["prefix"], FACTS["rows"]["table"]

TABLE = f"CREATE TABLE IF NOT EXISTS {ROWS} (n integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"


class Writer:
    """Writes the next number to the database, and every second one to the bucket."""

    def __init__(self) -> None:
        self.fence = fence_from_environment()
        self.log = Log()
        self.bucket = os.environ["CORPUS_BUCKET"]
        self.objects = client("s3", os.environ["REGION"])
        self.database: psycopg.Connection | None = None

    def run(self) -> int:
        number = int(os.environ.get("FIRST", "1"))
        while True:
            refusal = self.fence.before_writing()
            if refusal:
                self.log.write("refused", why=refusal)
                return 3
            try:
                self.write(number)
            except (psycopg.Error, BotoCoreError, ClientError, OSError) as problem:
                self.lost(problem)
                continue
            number += 1
            time.sleep(PAUSE_SECONDS)

    def write(self, number: int) -> None:
        self.row(number)
        self.log.write("row", n=number)
        if number % ROWS_PER_OBJECT == 0:
            body = json.dumps({"n": number, "at": time.time()}).encode()
            self.objects.put_object(Bucket=self.bucket, Key=f"{PREFIX}{number:08d}.json", Body=body)
            self.log.write("object", n=number)

    def row(self, number: int) -> None:
        if self.database is None:
            self.database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, connect_timeout=2)
            self.database.execute(TABLE)
        self.database.execute(f"INSERT INTO {ROWS} (n) VALUES (%s) ON CONFLICT DO NOTHING", (number,))

    def lost(self, problem: Exception) -> None:
        self.log.write("error", why=f"{type(problem).__name__}: {problem}".splitlines()[0])
        if self.database is not None:
            self.database.close()
            self.database = None
        time.sleep(RETRY_SECONDS)


if __name__ == "__main__":
    end_with_parent()
    sys.exit(Writer().run())
