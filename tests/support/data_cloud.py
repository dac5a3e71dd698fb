"""A cloud in the test process with the behaviours that hold data, and short ways to ask it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from botocore.exceptions import ClientError
from moto.moto_api._internal.models import moto_api_backend

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.rds.aurora import Aurora
from pilotlight.local.rds.database_snapshots import DatabaseSnapshots
from pilotlight.local.rds.postgres import Postgres
from pilotlight.local.s3.event_notifications import EventNotifications
from pilotlight.local.s3.replication import Replication
from pilotlight.local.s3.replication_events import ReplicationEvents
from pilotlight.local.sqs.queues import Queues
from pilotlight.local.station import Station

EAST, WEST = "us-east-1", "us-west-2"
PASSWORD = "correct-horse"
TRIES = 10
"""A copy takes less than half a second here, and a busy machine may come too late to see it under way."""
Row = tuple[Any, ...]
T = TypeVar("T")


@contextmanager
def running(directory: Path, behaviours: list[Behaviour]) -> Iterator[Cloud]:
    """Listeners, gateway and these behaviours; AWS runs 60 times faster."""
    moto_api_backend.reset()
    cloud = Cloud(directory, (EAST, WEST), pace=60.0, seed=7)
    station = Station(cloud, shutdown=lambda: None)
    try:
        station.open(behaviours)
        yield cloud
    finally:
        station.close()
        moto_api_backend.reset()


def databases() -> list[Behaviour]:
    """The behaviours around PostgreSQL, in order."""
    return [Postgres(), Aurora(), DatabaseSnapshots()]


def buckets() -> list[Behaviour]:
    """The behaviours around S3."""
    return [Queues(), Replication(), EventNotifications(), ReplicationEvents()]


def eventually(look: Callable[[], T], seconds: float = 60.0) -> T:
    """What `look` returns once it is true; the last thing it returned when the time is up."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def client(cloud: Cloud, service: str, region: str) -> Any:
    """A client made once; boto3 reads megabytes of models for each."""
    kept: dict[tuple[str, str], Any] = cloud.__dict__.setdefault("clients_of_tests", {})
    if (service, region) not in kept:
        kept[service, region] = cloud.client(service, region)
    return kept[service, region]


def refusal(act: Callable[[], Any]) -> str:
    """The code of the refusal that the act meets; empty if it meets none."""
    try:
        act()
    except ClientError as problem:
        return str(problem.response["Error"]["Code"])
    return ""


# -- Aurora ---------------------------------------------------------------------------------------------------


def rds(cloud: Cloud, region: str) -> Any:
    return client(cloud, "rds", region)


def cluster(cloud: Cloud, region: str, name: str) -> dict[str, Any]:
    return dict(rds(cloud, region).describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0])


def make_writer(cloud: Cloud, name: str, region: str = EAST, **given: Any) -> dict[str, Any]:
    """A cluster with one instance and a database `app` with one table."""
    asked = {"Engine": "aurora-postgresql", "MasterUsername": "owner", "MasterUserPassword": PASSWORD}
    rds(cloud, region).create_db_cluster(DBClusterIdentifier=name, DatabaseName="app", **(asked | given))
    made = add_instance(cloud, region, name)
    with connect(made) as connection:
        connection.execute("CREATE TABLE rows (n bigint PRIMARY KEY)")
    return made


def add_instance(cloud: Cloud, region: str, name: str) -> dict[str, Any]:
    """One instance in the cluster, once both are available."""
    rds(cloud, region).create_db_instance(
        DBInstanceIdentifier=f"{name}-1",
        DBClusterIdentifier=name,
        Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large",
    )
    assert eventually(lambda: cluster(cloud, region, name)["Status"] == "available")
    return cluster(cloud, region, name)


def make_global(cloud: Cloud, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A writer in the east and a secondary in the west that follows it."""
    east = make_writer(cloud, f"{name}-east")
    rds(cloud, EAST).create_global_cluster(GlobalClusterIdentifier=name, SourceDBClusterIdentifier=east["DBClusterArn"])
    rds(cloud, WEST).create_db_cluster(
        DBClusterIdentifier=f"{name}-west", Engine="aurora-postgresql", GlobalClusterIdentifier=name
    )
    west = add_instance(cloud, WEST, f"{name}-west")
    assert eventually(lambda: synchronized(cloud, name))
    return cluster(cloud, EAST, f"{name}-east"), west


def global_cluster(cloud: Cloud, name: str, region: str = WEST) -> dict[str, Any]:
    answer = rds(cloud, region).describe_global_clusters(GlobalClusterIdentifier=name)
    return dict(answer["GlobalClusters"][0])


def writer(cloud: Cloud, name: str) -> str:
    """The region that takes writes."""
    members = global_cluster(cloud, name)["GlobalClusterMembers"]
    return next(str(each["DBClusterArn"]).split(":")[3] for each in members if each["IsWriter"])


def synchronized(cloud: Cloud, name: str) -> bool:
    told = global_cluster(cloud, name)
    members = told["GlobalClusterMembers"]
    return told["Status"] == "available" and all(each["SynchronizationStatus"] == "connected" for each in members)


def connect(told: dict[str, Any], **given: Any) -> psycopg.Connection[Row]:
    where = {"host": told["Endpoint"], "port": told["Port"], "dbname": "app", "connect_timeout": 5}
    return psycopg.connect(**(where | {"user": "owner", "password": PASSWORD, "autocommit": True} | given))


def insert(told: dict[str, Any], *numbers: int) -> None:
    with connect(told) as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO rows VALUES (%s)", [(number,) for number in numbers])


def numbers(told: dict[str, Any]) -> list[int]:
    with connect(told) as connection:
        return [int(row[0]) for row in connection.execute("SELECT n FROM rows ORDER BY n")]


def refuses_connections(told: dict[str, Any]) -> bool:
    try:
        connect(told).close()
    except psycopg.OperationalError:
        return True
    return False
