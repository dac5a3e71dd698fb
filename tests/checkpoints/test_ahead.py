"""Shards of a bucket are read at once; what that costs and proves is what reading them one by one does."""

from __future__ import annotations

import json
import struct
import threading
from collections import Counter
from collections.abc import Iterator

from pilotlight.runtime.checkpoints import verify
from pilotlight.runtime.checkpoints.format import UNDECIDED, File, Undecided

SHARDS = 24


def files() -> dict[str, bytes]:
    """A sharded safetensors checkpoint."""
    found, mapping = {}, {}
    for number in range(1, SHARDS + 1):
        name = f"model-{number:05d}-of-{SHARDS:05d}.safetensors"
        header = json.dumps({f"w{number}": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}}).encode()
        found[f"step-7/{name}"] = struct.pack("<Q", len(header)) + header + bytes(32)
        mapping[f"w{number}"] = name
    return found | {"step-7/model.safetensors.index.json": json.dumps({"weight_map": mapping}).encode()}


class Bucket:
    """Answers once two are waiting, or a moment has passed; may lose its first answer for a file."""

    def __init__(self, there: dict[str, bytes], waits: bool = True, loses: str = "") -> None:
        self.there, self.waits, self.loses = there, waits, loses
        self.read: Counter[tuple[str, int, int]] = Counter()
        self.under_way = self.most = 0
        self.lock = threading.Condition()

    def files(self) -> Iterator[File]:
        for key, body in sorted(self.there.items()):
            yield File(key, len(body))

    def read_range(self, file: File, start: int, length: int) -> bytes:
        with self.lock:
            self.read[file.key, start, length] += 1
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            self.lock.notify_all()
            if self.waits:
                self.lock.wait_for(lambda: self.most > 1, timeout=0.2)
            self.under_way -= 1
            if self.loses and file.key.endswith(self.loses):
                self.loses = ""
                raise Undecided(f"{UNDECIDED}: the answer was lost")
        return self.there[file.key][start : start + length]


def judged(bucket: Bucket) -> verify.Verdict:
    (found,) = verify.find(bucket, "auto")
    return verify.verify(found, bucket)


def test_shards_of_a_bucket_are_read_at_once_and_each_once() -> None:
    bucket = Bucket(files())
    assert judged(bucket).complete
    assert bucket.most > 1
    assert max(bucket.read.values()) == 1


def test_reading_ahead_costs_and_proves_what_reading_in_order_does() -> None:
    ahead, in_order = judged(Bucket(files())), judged(Bucket(files(), waits=False))
    assert ahead == in_order and ahead.bytes_read == in_order.bytes_read


def test_an_answer_that_was_lost_on_the_way_is_asked_for_again() -> None:
    """One lost answer must not make a whole checkpoint an undecided one, and an older one be taken."""
    bucket = Bucket(files(), loses=f"model-00003-of-{SHARDS:05d}.safetensors")
    assert judged(bucket).complete
    assert sorted(bucket.read.values())[-2:] == [1, 2]


def test_a_torn_shard_among_those_read_ahead_is_found() -> None:
    there = files()
    torn = f"step-7/model-00005-of-{SHARDS:05d}.safetensors"
    there[torn] = there[torn][:-1]
    verdict = judged(Bucket(there))
    assert not verdict.complete and [each.file for each in verdict.problems] == [torn.removeprefix("step-7/")]


def test_shares_of_ranks_that_no_index_names_are_read_at_once_too() -> None:
    """Round trips one after the other, for as many ranks as there were."""
    shares = [body for name, body in files().items() if not name.endswith(".json")]
    bucket = Bucket(
        {f"step-7/shard-{rank:05d}-model-00001-of-00001.safetensors": body for rank, body in enumerate(shares, 1)}
    )
    assert judged(bucket).complete
    assert bucket.most > 1 and max(bucket.read.values()) == 1
