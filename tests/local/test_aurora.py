"""Aurora clusters and global databases on real PostgreSQL: what survives the loss of a region, and that nothing forks.

What a user would lose: rows that a switchover promised to keep, or, worse, the certainty that only one history exists.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.rds.aurora import Aurora
from support.data_cloud import (
    EAST,
    PASSWORD,
    WEST,
    add_instance,
    client,
    cluster,
    connect,
    databases,
    eventually,
    global_cluster,
    insert,
    make_global,
    make_writer,
    numbers,
    rds,
    refusal,
    refuses_connections,
    running,
    synchronized,
    writer,
)

AURORA = "aurora-postgresql"
Pair = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), databases()) as started:
        yield started


@pytest.fixture(scope="module")
def pair(cloud: Cloud) -> Pair:
    """A global database `pair` for tests that leave its roles as they are."""
    return make_global(cloud, "pair")


@pytest.fixture(autouse=True)
def light_again(cloud: Cloud) -> Iterator[None]:
    yield
    cloud.behaviour(Aurora).set_lag(0.05)
    for region in (EAST, WEST):
        cloud.lighten(region)


def fail_over(cloud: Cloud, name: str, target: dict[str, Any], **given: Any) -> None:
    """Ask for a failover in the target's region, and wait until it says that it is done."""
    asked = {"AllowDataLoss": True} | given
    region = target["DBClusterArn"].split(":")[3]
    rds(cloud, region).failover_global_cluster(
        GlobalClusterIdentifier=name, TargetDbClusterIdentifier=target["DBClusterArn"], **asked
    )
    assert eventually(lambda: global_cluster(cloud, name)["Status"] == "available")


def switch_over(cloud: Cloud, name: str, target: dict[str, Any]) -> None:
    rds(cloud, WEST).switchover_global_cluster(
        GlobalClusterIdentifier=name, TargetDbClusterIdentifier=target["DBClusterArn"]
    )
    assert eventually(lambda: synchronized(cloud, name))


def test_a_cluster_can_be_connected_to_with_the_master_user_at_its_endpoint(cloud: Cloud) -> None:
    made = make_writer(cloud, "plain")
    insert(made, 1, 2)
    assert numbers(made) == [1, 2]
    assert (made["Endpoint"], made["ReaderEndpoint"], made["Engine"]) == ("127.0.0.1", "127.0.0.1", AURORA)
    assert made["EngineVersion"].startswith("16.")
    assert [member["IsClusterWriter"] for member in made["DBClusterMembers"]] == [True]
    instance = rds(cloud, EAST).describe_db_instances(DBInstanceIdentifier="plain-1")["DBInstances"][0]
    assert instance["DBInstanceStatus"] == "available"
    assert instance["Endpoint"]["Port"] == made["Port"]
    with pytest.raises(psycopg.OperationalError, match="password"):
        connect(made, password="not-the-password")
    rds(cloud, EAST).modify_db_cluster(DBClusterIdentifier="plain", MasterUserPassword="another-horse")
    connect(made, password="another-horse").close()


def test_a_cluster_without_an_instance_cannot_be_connected_to(cloud: Cloud) -> None:
    asked = {"MasterUsername": "owner", "MasterUserPassword": PASSWORD, "DatabaseName": "app"}
    rds(cloud, EAST).create_db_cluster(DBClusterIdentifier="headless", Engine=AURORA, **asked)
    assert eventually(lambda: cluster(cloud, EAST, "headless")["Status"] == "available")
    assert refuses_connections(cluster(cloud, EAST, "headless"))
    made = add_instance(cloud, EAST, "headless")
    connect(made).close()
    rds(cloud, EAST).delete_db_instance(DBInstanceIdentifier="headless-1", SkipFinalSnapshot=True)
    assert refuses_connections(made)


def test_a_deleted_cluster_leaves_no_server(cloud: Cloud) -> None:
    made = make_writer(cloud, "gone", DeletionProtection=True)
    database = cloud.behaviour(Aurora).by_arn(made["DBClusterArn"])
    folder = database.running().folder
    delete = rds(cloud, EAST).delete_db_cluster
    assert refusal(lambda: delete(DBClusterIdentifier="gone", SkipFinalSnapshot=True)) == "InvalidParameterCombination"
    rds(cloud, EAST).modify_db_cluster(DBClusterIdentifier="gone", DeletionProtection=False)
    rds(cloud, EAST).delete_db_instance(DBInstanceIdentifier="gone-1", SkipFinalSnapshot=True)
    delete(DBClusterIdentifier="gone", SkipFinalSnapshot=True)
    assert eventually(lambda: not folder.exists())
    assert not database.running().is_running


def test_a_stopped_cluster_starts_again_with_its_rows(cloud: Cloud) -> None:
    made = make_writer(cloud, "nap")
    insert(made, 1)
    rds(cloud, EAST).stop_db_cluster(DBClusterIdentifier="nap")
    assert cluster(cloud, EAST, "nap")["Status"] == "stopped"
    assert refuses_connections(made)
    rds(cloud, EAST).start_db_cluster(DBClusterIdentifier="nap")
    assert numbers(made) == [1]


@pytest.mark.parametrize(
    "given",
    [
        {"ManageMasterUserPassword": True, "MasterUserPassword": None},
        {"ReplicationSourceIdentifier": "arn:aws:rds:us-west-2:123456789012:cluster:x"},
        {"MasterUserPassword": "short"},
        {"KmsKeyId": "alias/there-is-none", "StorageEncrypted": True},
    ],
)
def test_what_is_not_supported_or_wrong_is_refused_and_nothing_is_made(cloud: Cloud, given: dict[str, Any]) -> None:
    asked = {"MasterUsername": "owner", "MasterUserPassword": PASSWORD} | given
    told = {name: value for name, value in asked.items() if value is not None}
    create = rds(cloud, EAST).create_db_cluster
    assert refusal(lambda: create(DBClusterIdentifier="refused", Engine=AURORA, **told))
    assert refusal(lambda: cluster(cloud, EAST, "refused")) == "DBClusterNotFoundFault"


def test_a_lost_region_cuts_connections_and_comes_back_at_the_same_port(cloud: Cloud) -> None:
    made = make_writer(cloud, "lost")
    with connect(made) as connection:
        connection.execute("INSERT INTO rows VALUES (1)")
        cloud.darken(EAST)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("INSERT INTO rows VALUES (2)")
    assert refuses_connections(made)
    cloud.lighten(EAST)
    assert numbers(made) == [1]


# -- global databases ------------------------------------------------------------------------------------------


def test_a_secondary_follows_takes_no_writes_and_is_described(cloud: Cloud, pair: Pair) -> None:
    east, west = pair
    insert(east, 1, 2, 3)
    assert eventually(lambda: numbers(west) == [1, 2, 3])
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        insert(west, 4)
    for region in (EAST, WEST):
        told = global_cluster(cloud, "pair", region)
        roles = {member["DBClusterArn"]: member["IsWriter"] for member in told["GlobalClusterMembers"]}
        assert roles == {east["DBClusterArn"]: True, west["DBClusterArn"]: False}
    assert told["GlobalClusterMembers"][0]["Readers"] == [west["DBClusterArn"]]
    assert "FailoverState" not in told
    assert west["GlobalClusterIdentifier"] == "pair"
    assert west["ReplicationSourceIdentifier"] == east["DBClusterArn"]


def test_the_lag_of_a_secondary_is_told_in_its_region(cloud: Cloud, pair: Pair) -> None:
    east, _ = pair
    aurora = cloud.behaviour(Aurora)
    aurora.set_lag(0.2)
    with connect(east) as writing:
        writing.execute("CREATE TABLE beats (at timestamptz)")

        def lag_while_written() -> float:
            """PostgreSQL forgets the lag of a server on which nothing happens."""
            writing.execute("INSERT INTO beats VALUES (now())")
            return max(_lags(cloud, "pair-west"), default=0)

        assert eventually(lambda: lag_while_written() > 100), "milliseconds of a 0.2 s line"
    assert not _lags(cloud, "pair-east")


def _lags(cloud: Cloud, name: str) -> list[float]:
    cloud.behaviour(Aurora)._watch.look()
    return [
        datum.value
        for datum in cloud.backend("cloudwatch", WEST).metric_data
        if datum.name == "AuroraGlobalDBReplicationLag" and any(each.value == name for each in datum.dimensions)
    ]


def test_after_an_unplanned_failover_nothing_forks_and_the_old_writer_comes_back_as_a_secondary(cloud: Cloud) -> None:
    east, west = make_global(cloud, "unplanned")
    insert(east, 1, 2)
    assert eventually(lambda: numbers(west) == [1, 2])
    cloud.behaviour(Aurora).set_lag(5.0)
    insert(east, 666)
    cloud.darken(EAST)
    fail_over(cloud, "unplanned", west)
    assert writer(cloud, "unplanned") == WEST
    assert numbers(west) == [1, 2], "a row was committed, but under way to the other region when the first was lost"
    insert(west, 3)
    cloud.behaviour(Aurora).set_lag(0.05)

    stale = StaleWriter(east)
    cloud.lighten(EAST)
    assert eventually(lambda: synchronized(cloud, "unplanned"))
    assert eventually(lambda: numbers(east) == [1, 2, 3])
    insert(west, 4)
    assert eventually(lambda: numbers(east) == [1, 2, 3, 4])
    assert stale.end() == 0, "a row that the old writer took after its region came back is in no history"
    names = [each["DBClusterSnapshotIdentifier"] for each in _snapshots(cloud, "unplanned-east")]
    assert [name.startswith("rds:unplanned-global-failover-unplanned-east-") for name in names] == [True]


class StaleWriter:
    """An application that goes on writing to the old endpoint whenever it is let."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        self._written = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> int:
        """How many rows it got in."""
        self._end.set()
        self._thread.join()
        return self._written

    def _run(self) -> None:
        number = 10_000
        while not self._end.wait(0.005):
            number += 1
            try:
                insert(self._told, number)
                self._written += 1
            except psycopg.Error:
                continue


def _snapshots(cloud: Cloud, name: str) -> list[dict[str, Any]]:
    told = rds(cloud, EAST).describe_db_cluster_snapshots(DBClusterIdentifier=name)
    return list(told["DBClusterSnapshots"])


def test_an_unplanned_failover_fences_a_writer_that_is_still_there(cloud: Cloud) -> None:
    east, west = make_global(cloud, "forced")
    with connect(east) as held:
        fail_over(cloud, "forced", west)
        with pytest.raises(psycopg.OperationalError):
            held.execute("INSERT INTO rows VALUES (1)")
    insert(west, 2)
    assert eventually(lambda: synchronized(cloud, "forced"))
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        insert(east, 3)
    assert numbers(west) == [2]


def test_a_switchover_under_load_loses_nothing_and_can_be_switched_back(cloud: Cloud) -> None:
    east, west = make_global(cloud, "planned")
    load = Load(east, west)
    eventually(lambda: len(load.acknowledged) > 20)
    switch_over(cloud, "planned", west)
    assert writer(cloud, "planned") == WEST
    there = len(load.acknowledged)
    assert eventually(lambda: len(load.acknowledged) > there + 20), "the new writer does not take writes"
    switch_over(cloud, "planned", east)
    acknowledged = load.end()
    assert writer(cloud, "planned") == EAST
    assert set(acknowledged) <= set(numbers(east))
    assert eventually(lambda: numbers(west) == numbers(east))


class Load:
    """Numbered rows, one after the other, to whichever cluster takes them; what was acknowledged is kept."""

    def __init__(self, *clusters: dict[str, Any]) -> None:
        self._clusters = clusters
        self.acknowledged: list[int] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> list[int]:
        self._end.set()
        self._thread.join()
        return self.acknowledged

    def _run(self) -> None:
        number, place = 0, 0
        while not self._end.is_set():
            try:
                with connect(self._clusters[place % len(self._clusters)]) as connection:
                    while not self._end.wait(0.002):
                        number += 1
                        connection.execute(sql.SQL("INSERT INTO rows VALUES ({})").format(sql.Literal(number)))
                        self.acknowledged.append(number)
            except psycopg.Error:
                place += 1
                time.sleep(0.02)


def test_a_detached_secondary_stands_for_itself(cloud: Cloud) -> None:
    east, west = make_global(cloud, "detach")
    insert(east, 1)
    assert eventually(lambda: numbers(west) == [1])
    remove = rds(cloud, WEST).remove_from_global_cluster
    first = {"GlobalClusterIdentifier": "detach", "DbClusterIdentifier": east["DBClusterArn"]}
    assert refusal(lambda: remove(**first)) == "InvalidGlobalClusterStateFault"
    cloud.darken(EAST)
    remove(GlobalClusterIdentifier="detach", DbClusterIdentifier=west["DBClusterArn"])
    assert eventually(lambda: cluster(cloud, WEST, "detach-west")["Status"] == "available")
    insert(west, 2)
    cloud.lighten(EAST)
    assert numbers(east) == [1]
    delete = rds(cloud, WEST).delete_global_cluster
    assert refusal(lambda: delete(GlobalClusterIdentifier="detach")) == "InvalidGlobalClusterStateFault"
    remove(**first)
    delete(GlobalClusterIdentifier="detach")
    assert refusal(lambda: global_cluster(cloud, "detach")) == "GlobalClusterNotFoundFault"


def test_what_cannot_become_the_writer_is_refused_and_the_writer_stays(cloud: Cloud, pair: Pair) -> None:
    east, west = pair
    fail = rds(cloud, WEST).failover_global_cluster
    to_west = {"GlobalClusterIdentifier": "pair", "TargetDbClusterIdentifier": west["DBClusterArn"]}
    to_east = to_west | {"TargetDbClusterIdentifier": east["DBClusterArn"]}
    both = {"AllowDataLoss": True, "Switchover": True}
    assert refusal(lambda: fail(**to_west, **both)) == "InvalidParameterCombination"
    assert refusal(lambda: fail(**to_east, AllowDataLoss=True)) == "InvalidDBClusterStateFault"
    absent = to_west | {"TargetDbClusterIdentifier": "arn:aws:rds:us-west-2:123456789012:cluster:none"}
    assert refusal(lambda: fail(**absent, AllowDataLoss=True)) == "DBClusterNotFoundFault"
    assert refusal(lambda: rds(cloud, EAST).delete_db_cluster(DBClusterIdentifier="pair-east"))
    rds(cloud, WEST).delete_db_instance(DBInstanceIdentifier="pair-west-1", SkipFinalSnapshot=True)
    assert refusal(lambda: fail(**to_west, AllowDataLoss=True)) == "InvalidDBClusterStateFault"
    add_instance(cloud, WEST, "pair-west")
    cloud.darken(EAST)
    assert refusal(lambda: fail(**to_west)) == "InvalidGlobalClusterStateFault", "a switchover needs the writer"
    cloud.lighten(EAST)
    assert writer(cloud, "pair") == EAST
    insert(east, 30)


def test_an_encrypted_database_needs_a_key_of_the_other_region(cloud: Cloud) -> None:
    keys = {region: client(cloud, "kms", region).create_key()["KeyMetadata"] for region in (EAST, WEST)}
    east = make_writer(cloud, "sealed-east", StorageEncrypted=True, KmsKeyId=keys[EAST]["KeyId"])
    assert east["KmsKeyId"] == keys[EAST]["Arn"]
    rds(cloud, EAST).create_global_cluster(
        GlobalClusterIdentifier="sealed", SourceDBClusterIdentifier=east["DBClusterArn"]
    )
    create = rds(cloud, WEST).create_db_cluster
    asked = {"DBClusterIdentifier": "sealed-west", "Engine": AURORA, "GlobalClusterIdentifier": "sealed"}
    assert refusal(lambda: create(**asked, StorageEncrypted=True)) == "InvalidParameterCombination"
    signed = {"SourceRegion": EAST}
    assert refusal(lambda: create(**asked, **signed, KmsKeyId=keys[EAST]["Arn"])) == "KMSKeyNotAccessibleFault"
    sealed = {**asked, "StorageEncrypted": True, "KmsKeyId": keys[WEST]["Arn"]}
    assert refusal(lambda: create(**sealed)) == "InvalidParameterCombination", "nothing was signed for the source"
    assert refusal(lambda: create(**sealed, SourceRegion=WEST)) == "InvalidParameterValue", "signed for another region"
    create(**sealed, **signed)
    assert eventually(lambda: synchronized(cloud, "sealed"))
    assert cluster(cloud, WEST, "sealed-west")["KmsKeyId"] == keys[WEST]["Arn"]


def test_a_secondary_that_was_lost_itself_catches_up(cloud: Cloud, pair: Pair) -> None:
    east, west = pair
    cloud.darken(WEST)
    insert(east, 40, 41)
    time.sleep(0.3)
    behind = cloud.behaviour(Aurora).by_arn(west["DBClusterArn"]).running()
    taken = behind.query(sql.SQL("SELECT n FROM rows WHERE n >= 40"), "app")
    assert taken == [], "a lost region took in changes"
    cloud.lighten(WEST)
    assert eventually(lambda: numbers(west)[-2:] == [40, 41])
