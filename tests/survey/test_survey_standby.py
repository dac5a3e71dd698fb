"""What the standby region does not offer is found out before anything is made, and not on the worst day."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from surveyed_account import ACCOUNT, Account, an_image, problems, surveyed

from pilotlight.kinds.autoscaling.standby import choose
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.errors import SurveyProblems
from pilotlight.runtime.naming import STACKS
from pilotlight.survey.survey import survey
from pilotlight.workload.model import Workload

LADDER = ("g5.xlarge", "g4dn.xlarge")


def _offers(account: Account, *pairs: tuple[str, str]) -> None:
    offers = [{"InstanceType": kind, "Location": f"us-west-2{zone}"} for kind, zone in pairs]
    account.answers["describe_instance_type_offerings"] = {"InstanceTypeOfferings": offers}


def test_a_type_that_the_standby_region_does_not_offer_is_refused(account: Account, workload: Workload) -> None:
    _offers(account, ("g4dn.xlarge", "a"))
    said = problems(account, workload)
    assert "fleet (us-west-2): g5.xlarge is not offered in us-west-2" in said and "g4dn.xlarge is" not in said


def test_the_network_is_made_where_the_instance_types_are_offered(account: Account, workload: Workload) -> None:
    _offers(account, *((kind, zone) for kind in LADDER for zone in "bc"))
    assert surveyed(account, workload).zones == ("us-west-2b", "us-west-2c")


def test_a_region_without_a_zone_a_can_be_a_standby(account: Account, workload: Workload) -> None:
    zones = [{"ZoneName": f"us-west-2{each}"} for each in "cd"]
    account.answers["describe_availability_zones"] = {"AvailabilityZones": zones}
    _offers(account, *((kind, "c") for kind in LADDER))
    assert surveyed(account, workload).zones == ("us-west-2c", "us-west-2d")


def test_a_network_that_stands_stays_where_it_is(account: Account, workload: Workload) -> None:
    built = replace(surveyed(account, workload), stacks=STACKS)
    assert built.zones == ("us-west-2a", "us-west-2b")
    _offers(account, *((kind, zone) for kind in LADDER for zone in "bc"))
    assert survey(account, workload, ACCOUNT, FakeClock(), built).zones == built.zones
    assert survey(account, workload, ACCOUNT, FakeClock(), replace(built, zones=())).zones == built.zones
    assert survey(account, workload, ACCOUNT, FakeClock(), replace(built, stacks=("vault",))).zones != built.zones


def test_a_type_that_is_offered_in_zones_without_our_network_is_refused_with_those(
    account: Account, workload: Workload
) -> None:
    built = replace(surveyed(account, workload), stacks=STACKS)
    _offers(account, ("g4dn.xlarge", "a"), ("g5.xlarge", "c"))
    with pytest.raises(SurveyProblems, match=r"g5\.xlarge is offered in us-west-2c alone"):
        survey(account, workload, ACCOUNT, FakeClock(), built)


def test_two_zones_are_needed(account: Account, workload: Workload) -> None:
    account.answers["describe_availability_zones"] = {"AvailabilityZones": [{"ZoneName": "us-west-2a"}]}
    assert "network (us-west-2): 1 zone(s) can be used in us-west-2" in problems(account, workload)


def test_zones_with_most_types_of_the_ladder_come_first() -> None:
    offered = {"p5.48xlarge": {"z-d"}, "g5.xlarge": {"z-b", "z-c"}}
    assert choose({"z-a", "z-b", "z-c", "z-d"}, offered) == ("z-b", "z-c")
    assert choose({"z-a", "z-b", "z-c"}, {}) == ("z-a", "z-b")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (None, "there is no image ami-1"),
        ({"State": "pending"}, "image ami-1 is pending"),
        ({"ProductCodes": [{"ProductCodeType": "marketplace"}]}, "is of AWS Marketplace and cannot be copied"),
        ({"RootDeviceType": "instance-store"}, "is kept in an instance store"),
        ({"Architecture": "arm64"}, "image ami-1 is for arm64, and g5.xlarge is x86_64"),
        ({"OwnerId": "999999999999", "BlockDeviceMappings": [{"Ebs": {"SnapshotId": "snap-1"}}]}, "does not share the"),
    ],
)
def test_an_image_that_cannot_be_copied_or_started_there_is_refused(
    account: Account, workload: Workload, image: dict[str, Any] | None, said: str
) -> None:
    account.answers["describe_images"] = {"Images": [an_image() | image] if image is not None else []}
    account.taken["describe_snapshots", "snap-1"] = "InvalidSnapshot.NotFound"
    told = [line for line in problems(account, workload).splitlines() if line.startswith("fleet (us-east-1): ")]
    assert any(said in line for line in told), told


def test_somebodys_image_whose_snapshots_are_shared_is_taken(account: Account, workload: Workload) -> None:
    shared = {"OwnerId": "999999999999", "BlockDeviceMappings": [{"Ebs": {"SnapshotId": "snap-1"}}]}
    account.answers["describe_images"] = {"Images": [an_image() | shared]}
    account.answers["describe_snapshots"] = {"Snapshots": [{"SnapshotId": "snap-1"}]}
    assert surveyed(account, workload).computes


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "is not offered in us-west-2"),
        ([{"SupportsGlobalDatabases": False}], "is not offered for global databases"),
    ],
)
def test_an_aurora_version_that_the_standby_region_lacks_is_refused(
    account: Account, workload: Workload, options: list[dict[str, Any]], said: str
) -> None:
    account.answers["describe_orderable_db_instance_options"] = {"OrderableDBInstanceOptions": options}
    told = problems(account, workload)
    assert "registry (us-west-2): aurora-postgresql 16.6 on db.r6g.large" in told and said in told


@pytest.mark.parametrize(
    "operation",
    ["describe_availability_zones", "describe_instance_type_offerings", "describe_orderable_db_instance_options"],
)
def test_what_may_not_be_asked_is_not_taken_for_offered(account: Account, workload: Workload, operation: str) -> None:
    del account.answers[operation]
    assert "cannot be read" in problems(account, workload)


def test_each_thing_is_asked_once(account: Account, workload: Workload) -> None:
    surveyed(account, workload)
    asked = [each[1] for each in account.asked if each[2] == "us-west-2"]
    for operation in ("describe_availability_zones", "describe_instance_type_offerings", "describe_instance_types"):
        assert asked.count(operation) == 1
