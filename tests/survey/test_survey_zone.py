"""What a user loses when one of these fails: clients, because the failover records went into another zone."""

from __future__ import annotations

from typing import Any

import pytest
from surveyed_account import (
    Account,
    problems,
    surveyed,
)

from pilotlight.runtime.aws.client import refused
from pilotlight.workload.model import Workload

PRIVATE, PUBLIC, OTHER = ("ZPRIVATE", True), ("ZPUBLIC", False), ("ZOTHER", False)
ALIAS = {"AliasTarget": {"DNSName": "dualstack.LB.us-east-1.elb.amazonaws.com."}}
CNAME = {"ResourceRecords": [{"Value": "lb.us-east-1.elb.amazonaws.com"}]}
ELSEWHERE = {"ResourceRecords": [{"Value": "lb.eu-west-1.elb.amazonaws.com"}]}


class Zones(Account):
    """An account with these hosted zones, a page for each, and the records that each zone has of the front door."""

    def __init__(self, *zones: tuple[str, bool], **records: dict[str, Any]) -> None:
        super().__init__()
        self.zones, self.records = zones, records

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if operation == "list_hosted_zones_by_name":
            return self._page(parameters.get("HostedZoneId", ""))
        if operation == "list_resource_record_sets":
            zone = parameters["HostedZoneId"]
            if self.records.get(zone) == {"refused": True}:
                raise refused(service, operation, region, "AccessDenied", "AccessDenied: not for you")
            named = {"Name": f"{parameters['StartRecordName']}.", "Type": "A"}
            return {"ResourceRecordSets": [named | self.records[zone]] if zone in self.records else []}
        return super().call(service, operation, region, **parameters)

    def _page(self, start: str) -> dict[str, Any]:
        ids = [zone for zone, _ in self.zones]
        at = ids.index(start) if start else 0
        zone, private = self.zones[at]
        shown = {"Id": f"/hostedzone/{zone}", "Name": "example.internal.", "Config": {"PrivateZone": private}}
        more = {"NextDNSName": "example.internal.", "NextHostedZoneId": ids[at + 1]} if ids[at + 1 :] else {}
        return {"HostedZones": [shown], "IsTruncated": bool(more)} | more


def _zone(account: Account, workload: Workload, **traffic: Any) -> str:
    taken = surveyed(account, _front(workload, **traffic))
    assert taken.traffic is not None
    return taken.traffic.zone_id


def _front(workload: Workload, **traffic: Any) -> Workload:
    assert workload.traffic is not None
    return workload.model_copy(update={"traffic": workload.traffic.model_copy(update=traffic)})


def test_failover_records_do_not_go_into_the_private_zone_of_that_name(workload: Workload) -> None:
    assert _zone(Zones(PRIVATE, PUBLIC), workload) == "ZPUBLIC"
    assert _zone(Zones(PRIVATE, PUBLIC, ZPRIVATE=ELSEWHERE), workload) == "ZPUBLIC"


@pytest.mark.parametrize("record", [ALIAS, CNAME])
def test_the_zone_whose_record_points_at_the_balancer_gets_the_failover_records(
    workload: Workload, record: dict[str, Any]
) -> None:
    assert _zone(Zones(OTHER, PRIVATE, PUBLIC, ZPUBLIC=record, ZOTHER=ELSEWHERE), workload) == "ZPUBLIC"


def test_of_several_zones_that_could_be_meant_the_id_is_asked_for(workload: Workload) -> None:
    account = Zones(OTHER, PUBLIC)
    told = problems(account, workload)
    assert "2 hosted zones are named example.internal (ZOTHER public, ZPUBLIC public); declare the id" in told
    assert _zone(account, workload, zone_id="ZPUBLIC") == "ZPUBLIC"


def test_a_declared_zone_that_is_not_of_that_name_is_refused(workload: Workload) -> None:
    told = problems(Zones(OTHER, PUBLIC), _front(workload, zone_id="ZGONE"))
    assert "zone ZGONE is none of those named example.internal (ZOTHER public, ZPUBLIC public)" in told


@pytest.mark.parametrize(
    ("account", "traffic", "said"),
    [
        (Zones(PRIVATE), {}, "hosted zone example.internal (ZPRIVATE private) is private"),
        (Zones(PRIVATE, PUBLIC), {"zone_id": "ZPRIVATE"}, "zone ZPRIVATE is private"),
        (Zones(PRIVATE, PUBLIC, ZPRIVATE=ALIAS), {}, "points at the balancer in zone ZPRIVATE, which is private"),
    ],
)
def test_a_private_front_door_is_refused_by_name_before_its_records_move_nobody(
    workload: Workload, account: Zones, traffic: dict[str, Any], said: str
) -> None:
    assert said in problems(account, _front(workload, **traffic))


def test_records_that_may_not_be_read_choose_no_zone_and_the_declared_id_needs_none(workload: Workload) -> None:
    account = Zones(PRIVATE, PUBLIC, ZPRIVATE={"refused": True})
    assert "which has models.example.internal cannot be read" in problems(account, workload)
    assert _zone(account, workload, zone_id="ZPUBLIC") == "ZPUBLIC"


def test_more_zones_than_are_looked_at_are_an_error_and_not_the_first_of_them(workload: Workload) -> None:
    many = Zones(*((f"Z{at}", False) for at in range(60)), Z59=ALIAS)
    assert "more than 50 pages of hosted zones" in problems(many, workload)


def test_traffic_knows_the_balancer_and_the_zone(account: Account, workload: Workload) -> None:
    taken = surveyed(account, workload)
    assert taken.traffic is not None
    assert (taken.traffic.zone_id, taken.traffic.primary_balancer_zone) == ("Z1", "ZLB")
    assert taken.traffic.primary_balancer_dns == "lb.us-east-1.elb.amazonaws.com"
    assert taken.computes[0].port == 8080
