"""Somebody's service with six volumes, from its infrastructure to the way home, by the commands a person types."""

from __future__ import annotations

from typing import Any

import infrastructure
import pytest
from person import PRIMARY, STANDBY, Person, complete, home, lost_and_regained, protected

from pilotlight.local.handle import LocalCloud

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    ("person", "second"),
    [("c.yaml", infrastructure.ATTACHED), ("c.yaml", infrastructure.LATER)],
    indirect=["person"],
    ids=["equal-devices", "different-devices"],
)
def test_six_volumes_of_two_instances_come_up_with_their_bytes(person: Person, second: tuple[str, ...]) -> None:
    infrastructure.serving(person.cloud, second)
    written = write_contents(person.cloud)
    protected(person)
    lost_and_regained(person)
    assert contents(person.cloud, STANDBY, group(person)) == written
    launched = infrastructure.members(person.cloud, STANDBY, group(person), 2)
    assert infrastructure.settings(person.cloud, STANDBY, launched) == infrastructure.AS_AT_HOME
    home(person)
    assert sorted(kept_at_home(person.cloud)) == sorted(written.values())
    assert infrastructure.front(person.cloud) == ["pl-bigserve-primary", "pl-bigserve-standby"]
    person.types("destroy", "--yes")
    assert infrastructure.front(person.cloud) == [""]


@pytest.mark.parametrize("person", ["c.yaml"], indirect=True)
def test_a_snapshot_copy_deleted_by_hand_is_named_and_never_comes_up_blank(person: Person) -> None:
    infrastructure.serving(person.cloud)
    written = write_contents(person.cloud)
    protected(person)
    schedule = person.cloud.client("scheduler", STANDBY)
    for each in schedule.list_schedules()["Schedules"]:
        found = schedule.get_schedule(Name=each["Name"], GroupName=each["GroupName"])
        keep = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
        schedule.update_schedule(**{name: found[name] for name in keep}, State="DISABLED")
    point = next(each for each in person.points() if complete(each))
    deleted = delete_one_copy(person.cloud, point)
    person.cloud.dark(PRIMARY)
    done = person.tries("failover")
    if done.returncode == 0:
        assert contents(person.cloud, STANDBY, group(person)) == written
    else:
        assert deleted in done.stdout + done.stderr


def group(person: Person) -> str:
    return "pilotlight-bigserve-workers"


def delete_one_copy(cloud: LocalCloud, point: dict[str, Any]) -> str:
    """Delete one snapshot copy that this point names; its id."""
    part = next(each for each in point["parts"] if each["kind"] == "volumes")
    copies = sorted(copy for each in part["reference"]["sets"] for copy in each["snapshots"].values())
    cloud.client("ec2", STANDBY).delete_snapshot(SnapshotId=copies[0])
    return str(copies[0])


def write_contents(cloud: LocalCloud) -> dict[str, str]:
    """Bytes on every volume of the workers that say which it is; what was written, by place of instance and device."""
    written = {}
    for place, volume in _places(cloud, PRIMARY, "acme-workers").items():
        folder = cloud.directory / "volumes" / volume
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.bin").write_text(f"bytes of {place}")
        written[place] = f"bytes of {place}"
    assert len(written) == 6
    return written


def contents(cloud: LocalCloud, region: str, name: str) -> dict[str, str]:
    """What the volumes of a group's instances hold, by place of instance (launch order) and device."""
    found = {}
    for place, volume in _places(cloud, region, name).items():
        file = cloud.directory / "volumes" / volume / "index.bin"
        found[place] = file.read_text() if file.exists() else "blank"
    return found


def _places(cloud: LocalCloud, region: str, name: str) -> dict[str, str]:
    """`<place in launch order> <device>` -> volume id."""
    ec2, found = cloud.client("ec2", region), {}
    for place, instance in enumerate(infrastructure.members(cloud, region, name, 2)):
        described = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        for each in described["BlockDeviceMappings"]:
            if each["DeviceName"] != described["RootDeviceName"]:
                found[f"{place} {each['DeviceName']}"] = each["Ebs"]["VolumeId"]
    return found


def kept_at_home(cloud: LocalCloud) -> list[str]:
    """What the volumes hold that somebody had before, whatever instances they are attached to now."""
    chosen = [{"Name": "tag:tier", "Values": ["vectors"]}]
    volumes = cloud.client("ec2", PRIMARY).describe_volumes(Filters=chosen)["Volumes"]
    return [(cloud.directory / "volumes" / each["VolumeId"] / "index.bin").read_text() for each in volumes]
