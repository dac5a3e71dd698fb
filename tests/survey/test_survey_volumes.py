"""What a user loses when one of these fails: volumes that the survey never saw, or that come up blank."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from surveyed_account import (
    Account,
    problems,
    surveyed,
)

from pilotlight.runtime.errors import SurveyProblems
from pilotlight.workload.load import load
from pilotlight.workload.model import Workload

TWO_DECLARED = """
version: 1
workload: two
regions: {primary: us-east-1, standby: us-west-2}
objectives: {rpo: 2h, rto: 3h}
assets:
  vectors: {kind: volumes, select: {tag: tier=vectors}, assign: ASSIGN}
  workers: {kind: compute, group: workers, count: COUNT, volumes: [vectors]}
"""


def _two(tmp_path: Path, assign: str = "launch-order", count: int = 2) -> Workload:
    file = tmp_path / "two.yaml"
    file.write_text(TWO_DECLARED.replace("ASSIGN", assign).replace("COUNT", str(count)))
    return load(file)


def _of(instance: str, volume: str, device: str, **tags: str) -> dict[str, Any]:
    attached = [{"Device": device, "InstanceId": instance}] if instance else []
    return {
        "VolumeId": volume,
        "Size": 10 + len(volume),
        "Attachments": attached,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def _two_instances(account: Account, volumes: list[dict[str, Any]]) -> None:
    """i-2 was launched before i-1."""
    account.answers["describe_volumes"] = {"Volumes": volumes}
    launched = {"i-2": datetime(2026, 1, 1, tzinfo=UTC), "i-1": datetime(2026, 1, 2, tzinfo=UTC)}
    instances = []
    for id, at in launched.items():
        mine = [(v["VolumeId"], v["Attachments"][0]) for v in volumes if v["Attachments"]]
        mounted = [
            {"DeviceName": where["Device"], "Ebs": {"VolumeId": volume}}
            for volume, where in mine
            if where["InstanceId"] == id
        ]
        instances.append({"InstanceId": id, "LaunchTime": at, "BlockDeviceMappings": mounted})
    account.answers["describe_instances"] = {"Reservations": [{"Instances": instances}]}


EQUAL = [_of("i-1", "v1", "/dev/sdf"), _of("i-2", "v2", "/dev/sdf"), _of("i-1", "v30", "/dev/sdg")]


def test_equal_device_names_on_two_instances_are_surveyed_in_the_order_of_their_launch(
    account: Account, tmp_path: Path
) -> None:
    _two_instances(account, EQUAL)
    group = surveyed(account, _two(tmp_path)).volumes[0]
    assert [(each.instance, each.devices) for each in group.instances] == [
        ("i-2", {"/dev/sdf": "v2"}),
        ("i-1", {"/dev/sdf": "v1", "/dev/sdg": "v30"}),
    ]
    assert set(group.devices) == {"/dev/sdf", "/dev/sdg"} and group.size_gib == {"/dev/sdf": 12, "/dev/sdg": 13}


def test_what_two_instances_wrote_is_not_left_to_one_of_them(account: Account, tmp_path: Path) -> None:
    _two_instances(account, EQUAL)
    with pytest.raises(SurveyProblems, match="vectors has volumes of 2 instances, and 1 would start"):
        surveyed(account, _two(tmp_path, count=1))


def test_instances_that_would_come_up_with_blank_disks_are_refused_before_the_day(
    account: Account, tmp_path: Path
) -> None:
    """A failover refuses it; whoever deploys has to know it first."""
    _two_instances(account, EQUAL)
    told = problems(account, _two(tmp_path, count=3))
    assert "3 would start after a failover, and vectors has volumes of 2" in told and "set `count: 2`" in told


def test_shared_volumes_need_the_same_devices_on_every_instance(account: Account, tmp_path: Path) -> None:
    _two_instances(account, EQUAL)
    with pytest.raises(SurveyProblems, match="is shared, but i-1 has /dev/sdf, /dev/sdg and i-2 has /dev/sdf"):
        surveyed(account, _two(tmp_path, assign="shared", count=1))
    _two_instances(account, EQUAL[:2])
    assert len(surveyed(account, _two(tmp_path, assign="shared", count=1)).volumes[0].instances) == 1


def test_a_volume_without_the_tag_that_says_who_gets_it_is_named(account: Account, tmp_path: Path) -> None:
    labelled = [_of("i-1", "v1", "/dev/sdf", shard="b"), _of("i-2", "v2", "/dev/sdf", shard="a")]
    _two_instances(account, labelled)
    group = surveyed(account, _two(tmp_path, assign="{tag: shard}")).volumes[0]
    assert [(each.label, each.instance) for each in group.instances] == [("a", "i-2"), ("b", "i-1")]
    _two_instances(account, [labelled[0], _of("i-2", "v2", "/dev/sdf")])
    with pytest.raises(SurveyProblems, match=r"volume v2 .* lacks the tag shard"):
        surveyed(account, _two(tmp_path, assign="{tag: shard}"))


def test_a_group_at_zero_is_protected_by_what_its_snapshot_copies_tell_of_its_volumes(
    account: Account, tmp_path: Path
) -> None:
    account.answers["describe_volumes"] = {"Volumes": [_of("", "v1", ""), _of("", "v2", ""), _of("", "v3", "")]}
    account.answers["describe_snapshots"] = {"Snapshots": [_copied("v1", 0, "/dev/sdf"), _copied("v2", 1, "/dev/sdf")]}
    group = surveyed(account, _two(tmp_path)).volumes[0]
    assert [each.devices for each in group.instances] == [{"/dev/sdf": "v1"}, {"/dev/sdf": "v2"}]
    assert group.unassigned == ("v3",)


def _copied(volume: str, index: int, device: str) -> dict[str, Any]:
    said = {"volume": volume, "index": str(index), "device": device, "scheduled-run": "1", "instance": f"i-{index}"}
    said["true-at"] = "2023-11-14T22:13:20.000Z"
    tags = [{"Key": f"pilotlight:{key}", "Value": value} for key, value in said.items()]
    return {"SnapshotId": f"snap-{volume}", "State": "completed", "Tags": tags}


def test_volumes_are_known_by_their_device(account: Account, workload: Workload) -> None:
    volumes = surveyed(account, workload).volumes[0]
    assert (volumes.tag_key, volumes.tag_value) == ("backup", "index")
    assert volumes.devices == {"/dev/sdf": "vol-a", "/dev/sdg": "vol-b"}
    assert volumes.size_gib == {"/dev/sdf": 8, "/dev/sdg": 9}
