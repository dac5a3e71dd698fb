"""Many ranges of keys at once tell what one page after the other tells: of random buckets, key by key.

The other implementation is botocore's own client over moto, its answers joined key by key. `RANGES=10000` plays as many
buckets; a seed that fails is named.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import string
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.session import Session
from moto.s3.models import FakeDeleteMarker, FakeKey

from pilotlight.local.kernel.cloud import ROOT_ACCESS_KEY, ROOT_SECRET_KEY, Cloud
from pilotlight.local.s3.listed_versions import ListedVersions
from pilotlight.local.wire.buckets import find_bucket
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.errors import ListingCut, RegionUnreachable
from pilotlight.runtime.kinds.buckets import ranges
from pilotlight.runtime.kinds.buckets.listing import Bucket, Current, current, joined
from pilotlight.runtime.kinds.buckets.manifests import Manifest, lines
from pilotlight.runtime.kinds.buckets.observe import Comparison, Rules, compare
from pilotlight.runtime.kinds.buckets.ranges import Places, Reader
from support.data_cloud import EAST, WEST, buckets, running
from support.fake_aws import CORPUS, CORPUS_COPY, FakeAws

QUICK, ACCOUNT = 40, "123456789012"
SOURCE, COPY = "ranges", "ranges-copy"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), [*buckets(), ListedVersions()]) as started:
        patch = pytest.MonkeyPatch()
        told = {"ACCESS_KEY_ID": ROOT_ACCESS_KEY, "SECRET_ACCESS_KEY": ROOT_SECRET_KEY}
        for name, value in (told | {"ENDPOINT_URL": started.router_url}).items():
            patch.setenv(f"AWS_{name}", value)
        for name, region in ((SOURCE, EAST), (COPY, WEST)):
            client = BotoClient()
            where = {} if region == EAST else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            client.call("s3", "create_bucket", region, Bucket=name, **where)
            versioning = {"Status": "Enabled"}
            client.call("s3", "put_bucket_versioning", region, Bucket=name, VersioningConfiguration=versioning)
        yield started
        patch.undo()


class OnePageAfterTheOther(AwsClient):
    """botocore's own client and its parser, its own pages."""

    def __init__(self) -> None:
        self._clients = {region: Session().create_client("s3", region_name=region) for region in (EAST, WEST)}

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self._clients[region], operation)(**parameters)
        return answer

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        yield from self._clients[region].get_paginator(operation).paginate(**parameters)


class Short(Wrapper):
    """Pages of a few entries, so that a small bucket is a long one."""

    def __init__(self, inner: AwsClient, entries: int) -> None:
        super().__init__(inner)
        self._entries, self.asked, self.lock = entries, list[dict[str, Any]](), threading.Lock()

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        with self.lock:
            self.asked.append(parameters)
        return super().call(service, operation, region, **{"MaxKeys": self._entries} | parameters)


# -- random buckets --------------------------------------------------------------------------------------------


def numbered(rng: random.Random) -> str:
    return f"shard-{rng.randrange(400):06}.tar"


def hashed(rng: random.Random) -> str:
    return f"{rng.getrandbits(64):016x}"


def in_folders(rng: random.Random) -> str:
    return f"runs/{rng.choice('abc')}/step-{rng.randrange(30)}/{rng.randrange(4)}"


def odd(rng: random.Random) -> str:
    return "".join(rng.choice(string.ascii_letters + " +%&<>/ä日-_.") for _ in range(rng.randrange(1, 9)))


def alike(rng: random.Random) -> str:
    return f"run{rng.choice(['', '-1', '-20', '.old', ' copy', '0', 's'])}/{rng.randrange(20):02}"


NAMES: tuple[Callable[[random.Random], str], ...] = (numbered, hashed, in_folders, odd, alike)


def random_bucket(rng: random.Random) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Key -> versions, the oldest first, of both sides: most replicated, some late, other, bare, or gone."""
    name = rng.choice([*NAMES, lambda rng: rng.choice(NAMES)(rng)])
    source, copy = dict[str, list[Any]](), dict[str, list[Any]]()
    for _ in range(rng.choice([0, 1, 5, 40, 120])):
        key = name(rng)
        if key in source or key.strip("/") == "":
            continue
        times = sorted(rng.sample(range(1000), rng.choice([1, 1, 1, 2, 3])))
        source[key] = [version(key, second, rng, rng.random() < 0.15) for second in times]
        shape = rng.random()
        if shape < 0.85:
            copy[key] = [again(each) for each in source[key]]
        elif shape < 0.9:
            copy[key] = [again(each) for each in source[key][:-1]]
        elif shape < 0.95:
            copy[key] = [version(key, rng.randrange(1000), rng, False, source[key][-1])]
        if rng.random() < 0.05:
            copy[f"{key}-extra"] = [version(f"{key}-extra", 1, rng, False)]
    return source, {key: each for key, each in copy.items() if each}


def version(key: str, second: int, rng: random.Random, deleted: bool, like: Any = None) -> Any:
    if deleted:
        made: Any = FakeDeleteMarker(key=FakeKey(key, b"", ACCOUNT, region_name=EAST, bucket_name=SOURCE))
        made._version_id = f"v{rng.getrandbits(40)}"
    else:
        same = isinstance(like, FakeKey) and rng.random() < 0.5
        body = like.value if same else rng.choice([b"one", b"two", b"longer"])
        id = "null" if rng.random() < 0.05 else f"v{rng.getrandbits(40)}"
        made = FakeKey(key, body, ACCOUNT, region_name=EAST, is_versioned=True, version_id=id, bucket_name=SOURCE)
    made.last_modified = (BEGAN + timedelta(seconds=second)).replace(tzinfo=None)
    return made


def again(original: Any) -> Any:
    """As S3 replicates it: id and time are the source's."""
    if isinstance(original, FakeDeleteMarker):
        made: Any = FakeDeleteMarker(key=FakeKey(original.name, b"", ACCOUNT, region_name=WEST, bucket_name=COPY))
        made._version_id = original.version_id
    else:
        made = FakeKey(
            original.name, original.value, ACCOUNT, region_name=WEST, is_versioned=True,
            version_id=original.version_id, bucket_name=COPY,
        )  # fmt: skip
    made.last_modified = original.last_modified
    return made


def fill(name: str, keys: dict[str, list[Any]]) -> None:
    bucket: Any = find_bucket(name)
    for each in list(bucket.keys):
        del bucket.keys[each]
    for key, versions in keys.items():
        bucket.keys.setlist(key, versions)


# -- both implementations --------------------------------------------------------------------------------------


def told_one_by_one(source: Bucket, copy: Bucket, rules: Rules) -> tuple[Comparison, list[Current]]:
    plain, found, held = OnePageAfterTheOther(), Comparison(), list[Current]()
    for pair in joined(current(plain, source), current(plain, copy)):
        settled = rules.pair(found, *pair)
        held += [settled] if settled else []
    return found, held


def listed(manifest: Manifest) -> list[Current]:
    return list(lines(manifest.body()))


def plainly(held: list[Current]) -> list[Current]:
    return [replace(each, modified=0.0, older=()) for each in held]


@pytest.mark.timeout(7200)
def test_random_buckets_are_told_as_one_page_after_the_other_tells_them(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = 0
    monkeypatch.setattr(ranges, "AGAIN_PAGES", 4)
    for seed in range(int(os.environ.get("RANGES", QUICK))):
        rng = random.Random(seed)
        keys, copies = random_bucket(rng)
        fill(SOURCE, keys)
        fill(COPY, copies)
        prefix = rng.choice(["", "", "", "runs/", "shard-0"])
        source, copy = Bucket(EAST, SOURCE, prefix), Bucket(WEST, COPY, prefix)
        rules = Rules(BEGAN.timestamp() + rng.randrange(1000), with_past=rng.random() < 0.7)
        client = Short(BotoClient(), rng.choice([1, 2, 3] if len(keys) <= 40 else [3, 7, 1000]))
        wanted, held = told_one_by_one(source, copy, rules)
        manifest = Manifest("ranges")
        found = compare(client, source, copy, rules, manifest)
        assert found == wanted, f"seed {seed}"
        assert listed(manifest) == plainly(held), f"seed {seed}"
        cut += any("Delimiter" in each or each.get("MaxKeys") == 1 for each in client.asked)
    assert cut > QUICK / 8, "buckets that are read in one range prove nothing of many"


def test_every_page_of_a_long_bucket_is_asked_for_about_once(cloud: Cloud) -> None:
    """Cutting costs a few calls, not a second reading."""
    rng = random.Random(1)
    keys = {f"runs/{run}/step-{step:03}/{part}": [] for run in "abcd" for step in range(25) for part in range(5)}
    keys = {key: [version(key, 1, rng, False)] for key in keys}
    fill(SOURCE, keys)
    fill(COPY, {key: [again(each) for each in versions] for key, versions in keys.items()})
    client = Short(BotoClient(), 10)
    found = compare(client, Bucket(EAST, SOURCE), Bucket(WEST, COPY), Rules(0.0))
    assert found.settled == 500
    pages = [each for each in client.asked if "Delimiter" not in each and each.get("MaxKeys") != 1]
    assert 100 <= len(pages) <= 260 and len(client.asked) - len(pages) <= 150


@pytest.mark.parametrize("of", [numbered, hashed, in_folders])
def test_places_to_cut_at_lie_ahead_and_are_found_in_flat_and_in_deep_buckets(
    cloud: Cloud, of: Callable[[random.Random], str]
) -> None:
    rng = random.Random(7)
    keys = sorted({of(rng) for _ in range(200)}, key=str.encode)
    fill(SOURCE, {key: [version(key, 1, rng, False)] for key in keys})
    places = Places(BotoClient(), Bucket(EAST, SOURCE))
    for position, until in ((keys[3], None), (keys[len(keys) // 8], keys[-10])):
        found = places.between(position, until)
        assert len(found) >= 3 and found == sorted(found, key=str.encode)
        assert all(position < each and (until is None or each < until) for each in found)
    assert places.between(keys[-1], None) == []


def test_folders_whose_names_begin_alike_are_told_once(cloud: Cloud) -> None:
    """`checkpoint-500/` is listed before `checkpoint/`, and `checkpoint` comes before both: ranges that were not in
    order would tell what lies between them twice."""
    rng = random.Random(9)
    names = [
        "checkpoint",
        "checkpoint-1",
        "checkpoint-500",
        "checkpoint.old",
        "checkpoint copy",
        "check",
        "checkpoints",
    ]
    keys = {key: [version(key, 1, rng, False)] for key in (f"{name}/{part:03}" for name in names for part in range(40))}
    fill(SOURCE, keys)
    fill(COPY, {key: [again(each) for each in versions] for key, versions in keys.items()})
    places = Places(BotoClient(), Bucket(EAST, SOURCE)).between("check/001", None)
    assert places == sorted(set(places), key=str.encode) and len(places) > 3
    manifest = Manifest("ranges")
    found = compare(Short(BotoClient(), 4), Bucket(EAST, SOURCE), Bucket(WEST, COPY), Rules(0.0), manifest)
    assert found.settled == len(keys)
    assert [each.key for each in listed(manifest)] == sorted(keys, key=str.encode)


# -- what goes wrong -------------------------------------------------------------------------------------------


class Fails(Wrapper):
    """One page of many is refused."""

    def __init__(self, inner: AwsClient, at: int) -> None:
        super().__init__(inner)
        self._numbers, self._at = itertools.count(1), at

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if next(self._numbers) == self._at:
            raise RegionUnreachable(region=region, service=service, operation=operation)
        return super().call(service, operation, region, **parameters)


@pytest.mark.parametrize("at", [1, 2, 5, 9, 20])
def test_a_page_that_is_not_answered_ends_the_reading_and_leaves_no_thread(cloud: Cloud, at: int) -> None:
    """Half a comparison must not pass for a whole one."""
    rng = random.Random(3)
    keys = {f"{number:04}": [version(f"{number:04}", 1, rng, False)] for number in range(120)}
    fill(SOURCE, keys)
    fill(COPY, {key: [again(each) for each in versions] for key, versions in keys.items()})
    with pytest.raises(RegionUnreachable):
        compare(Fails(Short(BotoClient(), 3), at), Bucket(EAST, SOURCE), Bucket(WEST, COPY), Rules(0.0))
    assert not [each for each in threading.enumerate() if each.name.startswith(("listing", "cutting"))]


def test_a_marker_that_does_not_move_is_no_end(monkeypatch: pytest.MonkeyPatch, aws: FakeAws) -> None:
    whole = aws.s3.list_object_versions

    def again(Bucket: str, **_: Any) -> Any:  # noqa: N803 - as AWS names it
        return whole(Bucket=Bucket) | {"IsTruncated": True, "NextKeyMarker": "shards/0", "NextVersionIdMarker": "v1"}

    monkeypatch.setattr(aws.s3, "list_object_versions", again)
    with pytest.raises(ListingCut, match="the one that was just read"):
        compare(aws, Bucket(EAST, CORPUS), Bucket(WEST, CORPUS_COPY), Rules(0.0))


def test_a_manifest_is_the_same_bytes_whatever_ranges_it_was_read_in(cloud: Cloud) -> None:
    rng = random.Random(5)
    keys = {f"a/{number:03}": [version(f"a/{number:03}", 1, rng, False)] for number in range(90)}
    fill(SOURCE, keys)
    fill(COPY, {key: [again(each) for each in versions] for key, versions in keys.items()})
    made = []
    for entries in (3, 1000):
        manifest = Manifest("corpus")
        compare(Short(BotoClient(), entries), Bucket(EAST, SOURCE), Bucket(WEST, COPY), Rules(0.0), manifest)
        made.append((manifest.key, [json.dumps([each.key, each.version]) for each in listed(manifest)]))
    assert made[0] == made[1] and len(made[0][1]) == 90


def test_few_pages_are_read_in_the_thread_that_asks(cloud: Cloud) -> None:
    """A small bucket costs two calls, and nothing is started for it."""
    fill(SOURCE, {})
    fill(COPY, {})
    client = Short(BotoClient(), 1000)
    read = Reader(client, Bucket(EAST, SOURCE), Bucket(WEST, COPY), list[Any], lambda told, into: into.extend(told))
    assert read.read() == [[]]
    assert len(client.asked) == 2
