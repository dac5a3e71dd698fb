"""What a user loses when one of these fails: the rows of before a bad migration, which replicates in a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pilotlight.local.kernel.cloud import ROOT_ACCESS_KEY, ROOT_SECRET_KEY, Cloud
from pilotlight.local.rds.point_in_time import PointInTime
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.clock import SystemClock
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import BadOption, NotRestorable
from pilotlight.runtime.kinds import restore as restoring
from pilotlight.runtime.kinds.restore import PlanFile, Wanted
from pilotlight.runtime.records.inventory import Database
from pilotlight.runtime.recovery import Recovery
from support.data_cloud import (
    EAST,
    WEST,
    client,
    cluster,
    connect,
    databases,
    eventually,
    insert,
    make_writer,
    numbers,
    rds,
    running,
)
from support.fake_aws import NAMES, inventory
from support.inventories import changed

OWN = NAMES.project


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), [*databases(), PointInTime()]) as started:
        client(started, "dynamodb", WEST).create_table(
            TableName=NAMES.journal_table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        make_writer(started, "inference-registry")
        assert eventually(lambda: cluster(started, EAST, "inference-registry").get("EarliestRestorableTime"))
        yield started


def asset() -> Database:
    return inventory().databases[0]


@pytest.fixture
def recovery(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Recovery:
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.router_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ROOT_ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ROOT_SECRET_KEY)
    monkeypatch.setattr("pilotlight.runtime.kinds.aurora.restoring.EVERY_SECONDS", 0.1)
    built = changed(inventory(), databases=[asset()])
    return Recovery(RecoveryContext(BotoClient(), built, SystemClock()), "test")


def plan_of(recovery: Recovery, folder: Path, moment: float, beside: str = "before", **more: Any) -> PlanFile:
    path = folder / "plan.json"
    with path.open("w") as into:
        recovery.plan_restore(asset(), Wanted(EAST, moment, beside=beside, **more), into)
    return restoring.read(path)


def endpoint(done: restoring.Restored) -> dict[str, Any]:
    host, _, port = done.evidence["endpoint"].rpartition(":")
    return {"Endpoint": host, "Port": int(port)}


def test_a_database_as_it_was_in_the_second_before_a_delete_without_where(
    cloud: Cloud, recovery: Recovery, tmp_path: Path
) -> None:
    told = cluster(cloud, EAST, "inference-registry")
    insert(told, 1, 2, 3)
    time.sleep(1.5)
    before = int(time.time())
    time.sleep(1.1)
    with connect(told) as connection:
        connection.execute("DELETE FROM rows")
    plan = plan_of(recovery, tmp_path, before)
    assert [(each.item, each.action) for each in plan.items()] == [
        (f"{OWN}-before", "restore-to-time"),
        (f"{OWN}-before-1", "create-instance"),
    ]
    done = recovery.restore(plan)
    assert (done.done, done.left) == (2, 0) and done.evidence["serves_on"] == "inference-registry"
    assert numbers(endpoint(done)) == [1, 2, 3] and numbers(told) == []
    (made,) = rds(cloud, EAST).describe_db_instances(DBInstanceIdentifier=f"{OWN}-before-1")["DBInstances"]
    assert made["DBInstanceClass"] == "db.r6g.large"
    again = recovery.restore(plan)
    assert again.evidence["endpoint"] == done.evidence["endpoint"] and again.done == 2, "carried out once"


def test_a_name_that_somebody_has_is_left_as_it_is(cloud: Cloud, recovery: Recovery, tmp_path: Path) -> None:
    insert(cluster(cloud, EAST, "inference-registry"), 7)
    plan = plan_of(recovery, tmp_path, time.time() - 1, beside="taken")
    make_writer(cloud, f"{OWN}-taken")
    done = recovery.restore(plan)
    assert (done.done, done.left) == (0, 1) and "this plan did not make" in done.failures[0].why
    assert numbers(cluster(cloud, EAST, f"{OWN}-taken")) == []


def test_where_backups_reach_no_further_the_newest_snapshot_of_before_is_taken(
    cloud: Cloud, recovery: Recovery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = cluster(cloud, EAST, "inference-registry")
    with connect(told) as connection:
        connection.execute("DELETE FROM rows")
    insert(told, 20)
    rds(cloud, EAST).create_db_cluster_snapshot(
        DBClusterSnapshotIdentifier="kept", DBClusterIdentifier="inference-registry"
    )

    def status() -> bool:
        answer = rds(cloud, EAST).describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="kept")
        return bool(answer["DBClusterSnapshots"][0]["Status"] == "available")

    assert eventually(status)
    insert(told, 21)
    monkeypatch.setattr("pilotlight.runtime.kinds.aurora.restoring._within", lambda found, moment: False)
    plan = plan_of(recovery, tmp_path, time.time() + 5, beside="from-snapshot")
    made = next(iter(plan.items()))
    assert made.action == "restore-snapshot" and made.source and made.source["snapshot"] == "kept"
    done = recovery.restore(plan)
    assert done.left == 0 and numbers(endpoint(done)) == [20]


def test_a_moment_that_nothing_reaches_says_what_does(recovery: Recovery, tmp_path: Path) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    with pytest.raises(NotRestorable, match=r"outside of what its backups reach .* no snapshot is that old"):
        plan_of(recovery, tmp_path, long_ago)


def test_what_serves_is_never_replaced(recovery: Recovery, tmp_path: Path) -> None:
    with pytest.raises(NotRestorable, match="not replaced in place") as told:
        plan_of(recovery, tmp_path, time.time(), beside="")
    assert "--beside registry-restored" in told.value.advice


@pytest.mark.parametrize("name", ["-first", "a--b", "ends-", "s3://bucket/", "x" * 62])
def test_a_name_that_no_cluster_can_have_is_refused(recovery: Recovery, tmp_path: Path, name: str) -> None:
    with pytest.raises(BadOption, match="no name of a cluster"):
        plan_of(recovery, tmp_path, time.time(), beside=name)
