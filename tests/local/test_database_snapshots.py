"""Snapshots of Aurora clusters: the data is in them, it reaches the other region, and it comes back.

A snapshot that cannot be restored is found out on the day it is needed; here it is restored every time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.rds.postgres import Postgres
from support.data_cloud import (
    EAST,
    WEST,
    add_instance,
    client,
    connect,
    databases,
    eventually,
    insert,
    make_writer,
    numbers,
    rds,
    refusal,
    running,
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), databases()) as started:
        yield started


@pytest.fixture(scope="module")
def source(cloud: Cloud) -> dict[str, Any]:
    made = make_writer(cloud, "source")
    insert(made, 1, 2, 3)
    return made


def take(cloud: Cloud, name: str, of: str = "source", region: str = EAST) -> str:
    """The ARN of a snapshot that has begun."""
    create = rds(cloud, region).create_db_cluster_snapshot
    told = create(DBClusterIdentifier=of, DBClusterSnapshotIdentifier=name)["DBClusterSnapshot"]
    assert told["Status"] == "creating"
    return str(told["DBClusterSnapshotArn"])


def status(cloud: Cloud, region: str, name: str) -> str:
    describe = rds(cloud, region).describe_db_cluster_snapshots
    return str(describe(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"][0]["Status"])


def is_available(cloud: Cloud, region: str, name: str) -> bool:
    return bool(eventually(lambda: status(cloud, region, name) == "available"))


def copy(cloud: Cloud, source: str, name: str, **given: Any) -> None:
    rds(cloud, WEST).copy_db_cluster_snapshot(
        SourceDBClusterSnapshotIdentifier=source, TargetDBClusterSnapshotIdentifier=name, **given
    )


def restore(cloud: Cloud, region: str, snapshot: str, name: str, **given: Any) -> dict[str, Any]:
    """The restored cluster, with an instance."""
    rds(cloud, region).restore_db_cluster_from_snapshot(
        DBClusterIdentifier=name, SnapshotIdentifier=snapshot, Engine="aurora-postgresql", **given
    )
    return add_instance(cloud, region, name)


def test_a_snapshot_holds_the_rows_of_its_moment_and_no_later_ones(cloud: Cloud, source: dict[str, Any]) -> None:
    take(cloud, "moment")
    assert is_available(cloud, EAST, "moment")
    insert(source, 4)
    restored = restore(cloud, EAST, "moment", "back")
    assert numbers(restored) == [1, 2, 3]
    insert(restored, 5)
    assert numbers(restored) == [1, 2, 3, 5]
    assert 5 not in numbers(source), "a restored cluster must not be the one that it came from"
    assert restored["MasterUsername"] == "owner"


@contextmanager
def held_up(cloud: Cloud, work: str) -> Iterator[None]:
    """Snapshots of the cloud get no further than this work of its servers while the block lasts."""
    goes_on, real = threading.Event(), getattr(cloud.behaviour(Postgres), work)

    def waiting(*arguments: Any) -> None:
        assert goes_on.wait(60.0)
        real(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cloud.behaviour(Postgres), work, waiting)
        try:
            yield
        finally:
            goes_on.set()


def test_a_snapshot_is_copied_only_once_it_is_there(cloud: Cloud, source: dict[str, Any]) -> None:
    with held_up(cloud, "back_up"):
        arn = take(cloud, "slow")
        assert refusal(lambda: copy(cloud, arn, "too-early")) == "InvalidDBClusterSnapshotStateFault"
    assert is_available(cloud, EAST, "slow")
    copy(cloud, arn, "in-time")


def test_a_copy_takes_time_stands_still_with_a_lost_region_and_is_restored_after_the_source_is_gone(
    cloud: Cloud, source: dict[str, Any]
) -> None:
    arn = take(cloud, "travels")
    assert is_available(cloud, EAST, "travels")
    with held_up(cloud, "copy_folder"):
        copy(cloud, arn, "arrived")
        assert status(cloud, WEST, "arrived") == "creating"
        cloud.darken(EAST)
    time.sleep(1.5)
    assert status(cloud, WEST, "arrived") == "creating", "nothing can come from a lost region"
    assert refusal(lambda: copy(cloud, arn, "never")) == "InvalidDBClusterSnapshotStateFault"
    cloud.lighten(EAST)
    assert is_available(cloud, WEST, "arrived")
    cloud.darken(EAST)
    restored = restore(cloud, WEST, "arrived", "in-the-west")
    assert numbers(restored)[:3] == [1, 2, 3]
    cloud.lighten(EAST)


def test_an_encrypted_snapshot_needs_a_key_of_the_region_it_is_copied_to(cloud: Cloud) -> None:
    keys = {region: client(cloud, "kms", region).create_key()["KeyMetadata"]["Arn"] for region in (EAST, WEST)}
    make_writer(cloud, "sealed", StorageEncrypted=True, KmsKeyId=keys[EAST])
    arn = take(cloud, "sealed-snapshot", "sealed")
    assert is_available(cloud, EAST, "sealed-snapshot")
    assert refusal(lambda: copy(cloud, arn, "no-key"))
    assert refusal(lambda: copy(cloud, arn, "wrong-key", KmsKeyId=keys[EAST])) == "KMSKeyNotAccessibleFault"
    copy(cloud, arn, "re-encrypted", KmsKeyId=keys[WEST])
    assert is_available(cloud, WEST, "re-encrypted")
    told = rds(cloud, WEST).describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="re-encrypted")
    snapshot = told["DBClusterSnapshots"][0]
    assert (snapshot["StorageEncrypted"], snapshot["KmsKeyId"]) == (True, keys[WEST])
    assert restore(cloud, WEST, "re-encrypted", "sealed-west")["KmsKeyId"] == keys[WEST]


def test_the_final_snapshot_of_a_deleted_cluster_holds_its_rows(cloud: Cloud) -> None:
    made = make_writer(cloud, "last")
    insert(made, 7)
    rds(cloud, EAST).delete_db_instance(DBInstanceIdentifier="last-1", SkipFinalSnapshot=True)
    rds(cloud, EAST).delete_db_cluster(DBClusterIdentifier="last", FinalDBSnapshotIdentifier="last-words")
    assert is_available(cloud, EAST, "last-words")
    assert numbers(restore(cloud, EAST, "last-words", "risen")) == [7]


def test_a_deleted_snapshot_is_gone_from_the_disk(cloud: Cloud, source: dict[str, Any]) -> None:
    take(cloud, "short-lived")
    assert is_available(cloud, EAST, "short-lived")
    folder = cloud.behaviour(Postgres).home / "snapshots"
    before = len(list(folder.iterdir()))
    rds(cloud, EAST).delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="short-lived")
    assert len(list(folder.iterdir())) == before - 1
    assert refusal(lambda: restore(cloud, EAST, "short-lived", "nothing")) == "DBClusterSnapshotNotFoundFault"


def test_a_snapshot_taken_under_load_is_one_moment(cloud: Cloud, source: dict[str, Any]) -> None:
    with connect(source) as writing:
        writing.execute("CREATE TABLE twins (a int, b int)")
        take(cloud, "busy")
        number = 0
        while status(cloud, EAST, "busy") == "creating":
            number += 1
            with writing.transaction():
                writing.execute("INSERT INTO twins (a) VALUES (%s)", (number,))
                writing.execute("UPDATE twins SET b = a WHERE a = %s", (number,))
    restored = restore(cloud, EAST, "busy", "busy-back")
    with connect(restored) as reading:
        halves = reading.execute("SELECT count(*) FROM twins WHERE b IS DISTINCT FROM a").fetchone()
    assert halves == (0,)
    assert number > 10
