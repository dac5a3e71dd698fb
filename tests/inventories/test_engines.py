"""One question, four engines, one answer: whoever changes the engine must not change what is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inventories.inventory_worlds import BEGUN, PATIENCE, expected, world
from pilotlight.inventories.athena_engine import Workgroup
from pilotlight.inventories.compared import Compared
from pilotlight.inventories.request import EngineName, Request, carried_out
from pilotlight.local.athena.queries import Queries
from pilotlight.local.kernel.cloud import ROOT_ACCESS_KEY, ROOT_SECRET_KEY, Cloud
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.errors import CallRefused, InventoryUnusable, QueryFailed
from pilotlight.runtime.kinds.buckets.listing import Bucket
from support.data_cloud import EAST, WEST, buckets, client, running
from support.inventory_files import Row, configuration, write

SOURCE, COPY, LISTS, LISTS_WEST = "corpus", "corpus-copy", "lists-east", "lists-west"
OUTPUT = f"s3://{LISTS_WEST}/answers/"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), [*buckets(), Queries()]) as started:
        for region, name in ((EAST, SOURCE), (EAST, LISTS), (WEST, COPY), (WEST, LISTS_WEST)):
            where = {} if region == EAST else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            client(started, "s3", region).create_bucket(Bucket=name, **where)
        for region, bucket, lists in ((EAST, SOURCE, LISTS), (WEST, COPY, LISTS_WEST)):
            client(started, "s3", region).put_bucket_inventory_configuration(
                Bucket=bucket, Id="daily", InventoryConfiguration=configuration("daily", lists)
            )
        yield started


@pytest.fixture
def aws(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> BotoClient:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.router_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ROOT_ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ROOT_SECRET_KEY)
    return BotoClient()


def put(cloud: Cloud, region: str, bucket: str) -> Any:
    return lambda key, body: client(cloud, "s3", region).put_object(Bucket=bucket, Key=key, Body=body)


def written(cloud: Cloud, source: list[Row], copy: list[Row], at: float = BEGUN) -> None:
    """Both inventories, in three files and in two."""
    thirds = [source[start::3] for start in range(3)]
    write(put(cloud, EAST, LISTS), SOURCE, "daily", LISTS, at, thirds)
    write(put(cloud, WEST, LISTS_WEST), COPY, "daily", LISTS_WEST, at, [copy[::2], copy[1::2]])


def asked(prefix: str = "", **changes: Any) -> Request:
    source, copy = Bucket(EAST, SOURCE, prefix), Bucket(WEST, COPY, prefix)
    request = Request("corpus", source, copy, PATIENCE, float("-inf"), workgroup=Workgroup(WEST, "primary", OUTPUT))
    return dataclasses.replace(request, **changes)


def by(engine: EngineName, aws: BotoClient, request: Request | None = None) -> Compared:
    return carried_out(request or asked(), engine, aws, FakeClock(BEGUN + 3600), lambda text: None)


def counts(found: Compared) -> dict[str, int]:
    told = {**found.strengths, **found.unsettled, "waiting": found.waiting, "extra": found.extra}
    return {state: count for state, count in told.items() if count}


def agreed(cloud: Cloud, aws: BotoClient, engine: EngineName) -> None:
    """The engine says what DuckDB says, and that is what one key after the other says."""
    for seed, (planted, prefix) in enumerate([(30, ""), (2_000, ""), (0, ""), (200, "corpus/it's"), (200, "corpus/")]):
        source, copy = world(seed, 2_000, planted)
        written(cloud, source, copy, BEGUN)
        request = asked(prefix)
        found = by(engine, aws, request)
        assert counts(found) == dict(expected(source, copy, prefix)), (seed, prefix)
        duckdb = by(EngineName.DUCKDB, aws, request)
        assert dataclasses.replace(found, engine="duckdb") == duckdb


def test_athena_answers_as_duckdb_does(cloud: Cloud, aws: BotoClient) -> None:
    agreed(cloud, aws, EngineName.ATHENA)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_spark_answers_as_duckdb_does(cloud: Cloud, aws: BotoClient) -> None:
    pytest.importorskip("pyspark", reason="pip install 'pilotlight[spark]'")
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    try:
        agreed(cloud, aws, EngineName.SPARK)
        swapped(cloud, aws, EngineName.SPARK)
        assert SparkSession.getActiveSession() is session, "a session of somebody's own is left running"
    finally:
        session.stop()


def swapped(cloud: Cloud, aws: BotoClient, engine: EngineName) -> None:
    """Two objects of one prefix that changed their contents with each other: a sum or xor of columns is the same."""
    source = [Row(f"corpus/{n}", f"v{n}", BEGUN - 9_999, 7, f"e{n}") for n in range(100)]
    other = {3: 4, 4: 3}
    copy = [Row(f"corpus/{n}", f"v{other.get(n, n)}", BEGUN - 9_999, 7, f"e{other.get(n, n)}") for n in range(100)]
    written(cloud, source, copy)
    found = by(engine, aws)
    assert found.strengths == {"version": 98, "size": 2} and not found.equal


@pytest.mark.parametrize("engine", [EngineName.DUCKDB, EngineName.ATHENA])
def test_contents_that_two_objects_changed_with_each_other_are_seen(
    cloud: Cloud, aws: BotoClient, engine: EngineName
) -> None:
    swapped(cloud, aws, engine)


def test_athena_leaves_no_table_behind(cloud: Cloud, aws: BotoClient) -> None:
    written(cloud, *world(1, 100, 10))
    by(EngineName.ATHENA, aws)
    assert cloud.behaviour(Queries)._tables == {}


def test_athena_that_nobody_told_where_to_write_says_so(cloud: Cloud, aws: BotoClient) -> None:
    written(cloud, *world(1, 100, 10))
    with pytest.raises(CallRefused, match="output location"):
        by(EngineName.ATHENA, aws, asked(workgroup=Workgroup(WEST)))


def test_a_list_of_files_that_is_not_the_manifests_is_not_read_by_athena(cloud: Cloud, aws: BotoClient) -> None:
    """Hive's list lies apart from the manifest, and names fewer files where S3 was cut off."""
    written(cloud, *world(1, 100, 10), at=BEGUN + 60)
    lists = client(cloud, "s3", WEST)
    keys = [each["Key"] for each in lists.list_objects_v2(Bucket=LISTS_WEST, Prefix="inventories/")["Contents"]]
    newest = max(key for key in keys if key.endswith("symlink.txt"))
    whole = lists.get_object(Bucket=LISTS_WEST, Key=newest)["Body"].read()
    lists.put_object(Bucket=LISTS_WEST, Key=newest, Body=whole.splitlines()[0])
    with pytest.raises(InventoryUnusable, match="names other files than the manifest"):
        by(EngineName.ATHENA, aws)
    lists.delete_object(Bucket=LISTS_WEST, Key=newest)
    with pytest.raises(InventoryUnusable, match="is not there"):
        by(EngineName.ATHENA, aws)
    lists.put_object(Bucket=LISTS_WEST, Key=newest, Body=whole)


def test_a_query_that_fails_is_told_with_athenas_own_words(cloud: Cloud, aws: BotoClient) -> None:
    from pilotlight.inventories.athena_engine import Athena

    engine = Athena(aws, FakeClock(BEGUN), Workgroup(WEST, "primary", OUTPUT), "x")
    with pytest.raises(QueryFailed, match="FAILED: TABLE_NOT_FOUND"):
        engine.rows("select 1 from nowhere")


def test_files_of_an_inventory_are_kept_where_somebody_says_and_fetched_once(
    cloud: Cloud, aws: BotoClient, tmp_path: Path
) -> None:
    written(cloud, *world(1, 100, 10))
    first = by(EngineName.DUCKDB, aws, asked(folder=tmp_path))
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.parquet")}
    assert len(kept) == 5 and not list(tmp_path.glob("*.part"))
    assert by(EngineName.DUCKDB, aws, asked(folder=tmp_path)) == first
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.parquet")} == kept


def test_a_listing_says_of_real_buckets_what_is_there_now(cloud: Cloud, aws: BotoClient) -> None:
    client(cloud, "s3", EAST).put_object(Bucket=SOURCE, Key="a", Body=b"abc")
    found = carried_out(asked(), EngineName.LISTING, aws, FakeClock(BEGUN + 3600), lambda text: None)
    assert found.unsettled == {"overdue": 1} or found.waiting == 1
    client(cloud, "s3", WEST).put_object(Bucket=COPY, Key="a", Body=b"abc")
    assert carried_out(asked(), EngineName.LISTING, aws, FakeClock(BEGUN), lambda text: None).strengths == {"etag": 1}
