"""A name that is handed over between two calls, or is not given back, is a service that nobody finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.naming import RECORD_OF_FRONT, Names
from pilotlight.runtime.records.inventory import Traffic
from pilotlight.runtime.store.record_bucket import RecordBucket
from pilotlight.survey.front_record import give_back, hand_over

NAMES = Names("inference", "123456789012", "us-east-1", "us-west-2")
FRONT = Traffic("example.com", "Z1", "api.example.com", "/", 80, "new.elb.example", "ZLB")
ALIAS = {"HostedZoneId": "ZLB", "DNSName": "old.elb.example.", "EvaluateTargetHealth": True}
SIMPLE = {"Name": "api.example.com.", "Type": "A", "AliasTarget": ALIAS}
CNAME = {"Name": "api.example.com.", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "old.elb.example"}]}
PAIR = [
    {"Name": "api.example.com.", "Type": "A", "SetIdentifier": f"pl-inference-{side}", "AliasTarget": ALIAS}
    for side in ("primary", "standby")
]


@dataclass
class World:
    """A zone, and the bucket of records; `changed` has each batch, and whether the record was there by then."""

    records: list[dict[str, Any]]
    objects: dict[str, bytes] = field(default_factory=dict)
    changed: list[tuple[list[tuple[str, dict[str, Any]]], bool]] = field(default_factory=list)

    def call(self, service: str, operation: str, region: str, **asked: Any) -> dict[str, Any]:
        if operation == "list_resource_record_sets":
            return {"ResourceRecordSets": [*self.records, {"Name": "other.example.com.", "Type": "A"}]}
        if operation == "change_resource_record_sets":
            batch = [(each["Action"], each["ResourceRecordSet"]) for each in asked["ChangeBatch"]["Changes"]]
            self.changed.append((batch, RECORD_OF_FRONT in self.objects))
            return {}
        if operation == "put_object":
            self.objects[asked["Key"]] = asked["Body"]
            return {}
        if asked["Key"] not in self.objects:
            raise refused(service, operation, region, "NoSuchKey", "NoSuchKey")
        return {"Body": self.objects[asked["Key"]]}

    def pages(self, service: str, operation: str, region: str, **asked: Any) -> Any:
        yield self.call(service, operation, region, **asked)


def _acts(world: World, *acts: Any) -> list[str]:
    said: list[str] = []
    for act in acts:
        act(world, NAMES, FRONT, RecordBucket(world, "us-west-2", "records"), said.append)
    return said


def test_a_record_is_handed_over_in_one_batch_once_it_is_written_down_what_it_was() -> None:
    world = World([SIMPLE])
    assert _acts(world, hand_over)
    ((batch, was_written),) = world.changed
    assert [action for action, _ in batch] == ["DELETE", "UPSERT"] and was_written
    assert batch[0][1] == SIMPLE
    half = batch[1][1]
    assert (half["SetIdentifier"], half["Failover"]) == ("pl-inference-primary", "PRIMARY")
    assert half["AliasTarget"]["DNSName"] == FRONT.primary_balancer_dns


def test_nothing_is_changed_where_the_pair_stands_or_the_name_is_new() -> None:
    for records in (PAIR, []):
        world = World(records)
        assert not _acts(world, hand_over) and not world.changed


def test_a_record_comes_back_in_one_batch_and_points_at_the_balancer_of_today() -> None:
    for before in (SIMPLE, CNAME):
        world = World([before])
        _acts(world, hand_over)
        world.records = PAIR
        assert _acts(world, give_back)
        batch, _ = world.changed[-1]
        assert [action for action, _ in batch] == ["DELETE", "DELETE", "UPSERT"]
        given = batch[-1][1]
        assert given["Type"] == before["Type"] and "SetIdentifier" not in given
        assert "new.elb.example" in str(given) and "old.elb.example" not in str(given)


def test_a_pair_that_took_no_records_place_leaves_none() -> None:
    world = World(PAIR)
    assert not _acts(world, give_back) and not world.changed


def test_giving_back_twice_does_it_once() -> None:
    world = World([SIMPLE])
    _acts(world, hand_over)
    before = len(world.changed)
    assert not _acts(world, give_back) and len(world.changed) == before
