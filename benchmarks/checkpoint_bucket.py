"""Calls and seconds to choose a checkpoint in a large bucket: 2,000 of them, 200 files each.

The door makes the listing up page by page and answers ranges from one shard's bytes. Limit: a call for every thousand
names of folders, one for each of the newest checkpoints that are looked into, and no more reads than one checkpoint's
files need. Peers: a listing page for every thousand files; judging all of them, counted on a few.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from bisect import bisect
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
LOOKED_INTO = 3
"""The newest, and two neighbours."""
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
        self._files, self.calls = _files(), Counter[str]()
        self._keys = sorted(f"runs/model-step-{step}/{name}" for step in range(checkpoints) for name in self._files)

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        begins, delimiter = parameters["Prefix"], parameters.get("Delimiter", "")
        keys = itertools.takewhile(lambda key: key.startswith(begins), self._keys[bisect(self._keys, begins) :])
        if delimiter:
            keys = iter(dict.fromkeys(begins + key.removeprefix(begins).partition("/")[0] + "/" for key in keys))
        page = list(itertools.islice(keys, PAGE))
        while page:
            following = list(itertools.islice(keys, PAGE))
            self.calls["names" if delimiter else "pages"] += 1
            told = {"CommonPrefixes": [{"Prefix": key} for key in page]} if delimiter else self._contents(page)
            yield told | {"IsTruncated": bool(following)}
            page = following

    def _contents(self, keys: list[str]) -> dict[str, Any]:
        sizes = ((key, len(self._files[key.rpartition("/")[2]])) for key in keys)
        return {"Contents": [{"Key": key, "Size": size, "ETag": '"e"', "LastModified": WRITTEN} for key, size in sizes]}

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
    listed = client.calls["pages"] + client.calls["names"]
    print(
        f"listing       {listed} calls, {listed / (CHECKPOINTS * files / PAGE):.3f} of a page for each thousand files"
    )
    print(f"reads         {reads}, {reads / files:.2f} for each file of the one that is taken (at most {READS_MAX})")
    print(f"to judging all {reads / all_reads:.5f}")
    few_calls = listed <= 1 + LOOKED_INTO + CHECKPOINTS / PAGE and reads <= READS_MAX * files
    return 0 if choice.taken and choice.taken.step == CHECKPOINTS - 1 and few_calls else 1


if __name__ == "__main__":
    sys.exit(main())
