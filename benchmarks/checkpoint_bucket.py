"""Calls and seconds to choose a checkpoint in a large bucket: 2,000 of them, 200 files each.

The door makes the listing up page by page and answers ranges from one shard's bytes. Limit: a listing page for every
thousand files, and no more reads than one checkpoint's files need. Peer: judging all of them, counted on a few.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.checkpoints.readers import BucketReader
from pilotlight.runtime.checkpoints.verify import find, verify
from pilotlight.runtime.kinds.checkpoints.listing import choose, list_checkpoints
from pilotlight.runtime.records.inventory import Datasets

CHECKPOINTS, SHARDS = 2_000, 196
PAGE = 1_000
READS_MAX = 2.0
"""Requests for each file of the checkpoint that is taken: its header's length with the header, and once more."""
JUDGED = 5
WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)


def _shard(number: int) -> bytes:
    header = json.dumps({f"w{number}": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(16)


def _files() -> dict[str, bytes]:
    names = {number: f"model-{number + 1:05d}-of-{SHARDS:05d}.safetensors" for number in range(SHARDS)}
    index = {"metadata": {}, "weight_map": {f"w{number}": name for number, name in names.items()}}
    files = {name: _shard(number) for number, name in names.items()}
    files |= {"model.safetensors.index.json": json.dumps(index).encode(), "config.json": b'{"a": 1}'}
    return files | {"tokenizer.json": b"{}", "tokenizer_config.json": b"{}"}


class Listed:
    """A bucket of so many checkpoints of the same bytes."""

    def __init__(self, checkpoints: int) -> None:
        self._checkpoints, self._files, self.calls = checkpoints, _files(), Counter[str]()

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        names = (f"runs/model-step-{step}/{name}" for step in range(self._checkpoints) for name in sorted(self._files))
        page: list[dict[str, Any]] = []
        for key in names:
            size = len(self._files[key.rpartition("/")[2]])
            page.append({"Key": key, "Size": size, "ETag": '"e"', "LastModified": WRITTEN})
            if len(page) == PAGE:
                self.calls["pages"] += 1
                yield {"Contents": page}
                page = []
        self.calls["pages"] += 1
        yield {"Contents": page}

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        self.calls["reads"] += 1
        start, end = parameters["Range"].removeprefix("bytes=").split("-")
        return {"Body": self._files[parameters["Key"].rpartition("/")[2]][int(start) : int(end) + 1]}


def main() -> int:
    """Print calls as ratios to what the limit allows, and to judging everything."""
    client = Listed(CHECKPOINTS)
    asset = Datasets(
        kind="checkpoints",
        name="models",
        prefix="runs/",
        primary_bucket="source",
        standby_bucket="copy",
        rpo_seconds=900,
        needs="load",
    )
    began = time.perf_counter()
    choice = choose(list_checkpoints(cast(AwsClient, client), "us-west-2", "copy", asset), asset, {})
    seconds = time.perf_counter() - began
    few = Listed(JUDGED)
    for each in find(reader := BucketReader(cast(AwsClient, few), "us-west-2", "copy", "runs/")):
        verify(each, reader)
    files, reads, all_reads = len(_files()), client.calls["reads"], few.calls["reads"] / JUDGED * CHECKPOINTS
    print(f"bucket        {CHECKPOINTS:,} checkpoints of {files} files")
    print(f"chosen        {choice.taken.path if choice.taken else 'none'} in {seconds:.1f} s")
    pages = client.calls["pages"]
    print(f"listing       {pages} pages, {pages / (CHECKPOINTS * files / PAGE):.2f} for each thousand files")
    print(f"reads         {reads}, {reads / files:.2f} for each file of the one that is taken (at most {READS_MAX})")
    print(f"to judging all {reads / all_reads:.5f}")
    return 0 if choice.taken and choice.taken.step == CHECKPOINTS - 1 and reads <= READS_MAX * files else 1


if __name__ == "__main__":
    sys.exit(main())
