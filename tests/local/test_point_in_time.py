"""What a user loses when one of these fails: the rehearsal of the second before a DELETE without WHERE."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.rds.point_in_time import PointInTime
from support.data_cloud import (
    EAST,
    WEST,
    add_instance,
    cluster,
    connect,
    databases,
    eventually,
    insert,
    make_global,
    make_writer,
    numbers,
    rds,
    refusal,
    running,
    writer,
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), [*databases(), PointInTime()]) as started:
        yield started


def backed_up(cloud: Cloud, region: str, name: str) -> None:
    assert eventually(lambda: cluster(cloud, region, name).get("EarliestRestorableTime"))


def restored(cloud: Cloud, region: str, source: str, name: str, **to: Any) -> dict[str, Any]:
    rds(cloud, region).restore_db_cluster_to_point_in_time(
        SourceDBClusterIdentifier=source, DBClusterIdentifier=name, **to
    )
    assert eventually(lambda: cluster(cloud, region, name)["Status"] == "available")
    return add_instance(cloud, region, name)


def test_a_cluster_is_what_it_was_in_the_second_before_a_delete_without_where(cloud: Cloud) -> None:
    told = make_writer(cloud, "ledger")
    backed_up(cloud, EAST, "ledger")
    insert(told, 1, 2, 3)
    time.sleep(1.1)
    before = datetime.now(UTC) - timedelta(seconds=0.5)
    time.sleep(0.5)
    with connect(told) as connection:
        connection.execute("DELETE FROM rows")
    insert(told, 9)
    found = restored(cloud, EAST, "ledger", "ledger-before", RestoreToTime=before)
    assert numbers(found) == [1, 2, 3]
    assert numbers(told) == [9], "what serves goes on as it was"
    insert(found, 4)
    assert numbers(found) == [1, 2, 3, 4], "it takes writes"


def test_the_latest_moment_holds_everything_that_was_committed(cloud: Cloud) -> None:
    told = make_writer(cloud, "latest")
    backed_up(cloud, EAST, "latest")
    insert(told, *range(50))
    assert numbers(restored(cloud, EAST, "latest", "latest-copy", UseLatestRestorableTime=True)) == list(range(50))


def test_what_was_promoted_is_restored_to_moments_after_its_promotion(cloud: Cloud) -> None:
    east, west = make_global(cloud, "moved")
    insert(east, 1)
    rds(cloud, WEST).switchover_global_cluster(
        GlobalClusterIdentifier="moved", TargetDbClusterIdentifier=west["DBClusterArn"]
    )
    assert eventually(lambda: writer(cloud, "moved") == WEST)
    backed_up(cloud, WEST, "moved-west")
    west = cluster(cloud, WEST, "moved-west")
    assert eventually(lambda: numbers(west) == [1])
    insert(west, 2)
    assert numbers(restored(cloud, WEST, "moved-west", "moved-copy", UseLatestRestorableTime=True)) == [1, 2]


def test_a_moment_outside_of_the_window_is_refused_as_by_aws(cloud: Cloud) -> None:
    make_writer(cloud, "window")
    backed_up(cloud, EAST, "window")
    for moment in (datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)):
        code = refusal(
            lambda at=moment: rds(cloud, EAST).restore_db_cluster_to_point_in_time(
                SourceDBClusterIdentifier="window", DBClusterIdentifier="never", RestoreToTime=at
            )
        )
        assert code == "InvalidRestoreFault"
    asked = {"SourceDBClusterIdentifier": "window", "DBClusterIdentifier": "never"}
    assert refusal(lambda: rds(cloud, EAST).restore_db_cluster_to_point_in_time(**asked)) == (
        "InvalidParameterCombination"
    )
