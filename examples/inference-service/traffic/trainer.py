"""A trainer: saves a sharded safetensors checkpoint every few seconds and registers each in the database.

The index goes up first and the shards after it, as an unordered parallel upload does at its worst: only the registered
row says that a checkpoint was finished. Environment as writer.py, with MODEL_BUCKET and SEED.
"""

import hashlib
import json
import os
import random
import struct
import sys
import time
import tomllib
from pathlib import Path

import psycopg
from acknowledgements import Log, end_with_parent
from botocore.exceptions import BotoCoreError, ClientError
from fence import client, fence_from_environment

FACTS = tomllib.loads(Path(__file__).with_name("traffic.toml").read_text())["checkpoints"]
FOLDER, SHARDS, STEP = FACTS["folder"], FACTS["shards"], FACTS["step"]
FLOATS_PER_SHARD = 16_384
BETWEEN_SHARDS_SECONDS = 0.3
BETWEEN_CHECKPOINTS_SECONDS = 1.0
RETRY_SECONDS = 0.5

TABLE = (
    "CREATE TABLE IF NOT EXISTS models (step integer PRIMARY KEY, uri text NOT NULL, sha256 text NOT NULL, "
    "created_at timestamptz NOT NULL DEFAULT now())"
)


def shard(step: int, number: int, rng: random.Random) -> bytes:
    """One safetensors file with one F32 tensor (format: 8-byte little-endian header length, JSON header, data)."""
    data = struct.pack(f"<{FLOATS_PER_SHARD}f", *(rng.uniform(-1, 1) for _ in range(FLOATS_PER_SHARD)))
    tensor = {"dtype": "F32", "shape": [FLOATS_PER_SHARD], "data_offsets": [0, len(data)]}
    header = json.dumps({"__metadata__": {"step": str(step)}, f"layers.{number}.weight": tensor}).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data


def checkpoint(step: int, seed: int) -> dict[str, bytes]:
    """File name -> bytes, in the order in which they are uploaded: the index first."""
    rng = random.Random(seed * 1_000_003 + step)
    names = [f"model-{number:05d}-of-{SHARDS:05d}.safetensors" for number in range(1, SHARDS + 1)]
    weight_map = {f"layers.{number}.weight": name for number, name in enumerate(names)}
    index = {"metadata": {"total_size": SHARDS * FLOATS_PER_SHARD * 4}, "weight_map": weight_map}
    shards = {name: shard(step, number, rng) for number, name in enumerate(names)}
    return {"model.safetensors.index.json": json.dumps(index).encode()} | shards


def digest(files: dict[str, bytes]) -> str:
    """sha256 over the weight files in the order of their names; the model server computes the same."""
    return hashlib.sha256(b"".join(files[name] for name in sorted(files) if name.endswith(".safetensors"))).hexdigest()


class Trainer:
    """Saves and registers."""

    def __init__(self) -> None:
        self.fence = fence_from_environment()
        self.log = Log()
        self.seed = int(os.environ.get("SEED", "0"))
        self.bucket = os.environ["MODEL_BUCKET"]
        self.objects = client("s3", os.environ["REGION"])

    def run(self) -> int:
        step = int(os.environ.get("FIRST", str(STEP)))
        while True:
            try:
                if not self.save(step):
                    return 3
            except (psycopg.Error, BotoCoreError, ClientError, OSError) as problem:
                self.log.write("error", why=f"{type(problem).__name__}: {problem}".splitlines()[0])
                time.sleep(RETRY_SECONDS)
                continue
            step += STEP
            time.sleep(BETWEEN_CHECKPOINTS_SECONDS)

    def save(self, step: int) -> bool:
        """Upload and register one checkpoint; False when the fence refuses."""
        files = checkpoint(step, self.seed)
        folder = f"{FOLDER}{step:06d}/"
        sha256 = digest(files)
        self.log.write("started", step=step, sha256=sha256)
        for name, body in files.items():
            if self.refused():
                return False
            self.objects.put_object(Bucket=self.bucket, Key=folder + name, Body=body)
            self.log.write("uploaded", step=step, key=folder + name)
            time.sleep(BETWEEN_SHARDS_SECONDS)
        if self.refused():
            return False
        self.register(step, f"s3://{self.bucket}/{folder}", sha256)
        self.log.write("registered", step=step, sha256=sha256)
        return True

    def refused(self) -> bool:
        refusal = self.fence.before_writing()
        if refusal:
            self.log.write("refused", why=refusal)
        return bool(refusal)

    def register(self, step: int, uri: str, sha256: str) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, connect_timeout=2) as database:
            database.execute(TABLE)
            database.execute(
                "INSERT INTO models (step, uri, sha256) VALUES (%s, %s, %s) ON CONFLICT (step) DO NOTHING",
                (step, uri, sha256),
            )


if __name__ == "__main__":
    end_with_parent()
    sys.exit(Trainer().run())
