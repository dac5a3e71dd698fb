"""A rehearsal must be told what AWS would tell: what a region offers and grants, and whose objects are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from event_cloud import PRIMARY, STANDBY, client

from pilotlight.local.ec2.capacity import VCPUS, Capacity
from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.rds import aurora_offers
from pilotlight.local.rds.aurora_offers import ENGINE, offered
from pilotlight.local.s3.bucket_encryption import BucketEncryption
from pilotlight.local.station import Station


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    made = Cloud(tmp_path_factory.mktemp("cloud"), (PRIMARY, STANDBY))
    station = Station(made, shutdown=lambda: None)
    station.open([Capacity(), BucketEncryption()])
    aurora_offers.install()
    try:
        yield made
    finally:
        station.close()


@pytest.mark.parametrize(
    ("version", "size", "is_there", "is_global"),
    [
        ("16.6", "db.r6g.large", True, True),
        ("15.4", "db.t4g.medium", True, False),
        ("16", "db.r6g.large", False, False),
        ("9.6", "db.r6g.large", False, False),
        ("16.6", "db.m5.large", False, False),
        ("16.6", "db.r6g.huge", False, False),
    ],
)
def test_aurora_is_offered_by_version_and_class(version: str, size: str, is_there: bool, is_global: bool) -> None:
    found = offered(ENGINE, version, size, ["us-west-2a"])
    assert bool(found) == is_there
    assert all(each["SupportsGlobalDatabases"] == is_global for each in found)


def test_a_quota_is_what_was_granted(cloud: Cloud) -> None:
    quotas, asked = client(cloud, "service-quotas", STANDBY), {"ServiceCode": "ec2", "QuotaCode": "L-DB2E81BA"}
    assert quotas.get_service_quota(**asked)["Quota"]["Value"] == VCPUS
    cloud.behaviour(Capacity).grant(STANDBY, "L-DB2E81BA", 0.0)
    assert quotas.get_service_quota(**asked)["Quota"]["Value"] == 0.0
    assert client(cloud, "service-quotas", PRIMARY).get_service_quota(**asked)["Quota"]["Value"] == VCPUS


def test_aurora_and_owners_are_told_as_aws_tells_them(cloud: Cloud) -> None:
    rds, s3 = client(cloud, "rds", STANDBY), client(cloud, "s3", PRIMARY)
    asked = {"Engine": ENGINE, "EngineVersion": "16.6", "DBInstanceClass": "db.r6g.large"}
    (option,) = rds.describe_orderable_db_instance_options(**asked)["OrderableDBInstanceOptions"]
    assert option["SupportsGlobalDatabases"] and {each["Name"][:-1] for each in option["AvailabilityZones"]} == {
        STANDBY
    }
    s3.create_bucket(Bucket="owned-by-its-owner")
    rules = s3.get_bucket_ownership_controls(Bucket="owned-by-its-owner")["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
