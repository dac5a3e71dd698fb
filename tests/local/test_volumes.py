"""A volume is its bytes: what a snapshot holds, when it may be used, and what an instance finds on its devices.

EBS User Guide, "Create Amazon EBS snapshots", "Copy an Amazon EBS snapshot" and "Create an Amazon EBS volume".
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pilotlight.local.handle import LocalCloud
from support.data_cloud import TRIES, eventually, refusal

EAST, WEST = "us-east-1", "us-west-2"
READER = b'#!/bin/bash\ncat "$DEVICE_SDF/word" || exit 1\nexec sleep 600\n'


@pytest.fixture
def ec2(healthy_cloud: LocalCloud) -> Any:
    return healthy_cloud.client("ec2", EAST)


@pytest.fixture
def west(healthy_cloud: LocalCloud) -> Any:
    return healthy_cloud.client("ec2", WEST)


def word(cloud: LocalCloud, volume: str) -> Path:
    """The one file on a volume of these tests."""
    return cloud.directory / "volumes" / volume / "word"


def written(cloud: LocalCloud, ec2: Any, text: str) -> str:
    """A volume that holds a word."""
    volume = str(ec2.create_volume(AvailabilityZone=f"{EAST}a", Size=1)["VolumeId"])
    word(cloud, volume).parent.mkdir(exist_ok=True)
    word(cloud, volume).write_text(text)
    return volume


def state(ec2: Any, snapshot: str) -> str:
    return str(ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"])


def complete(ec2: Any, snapshot: str) -> str:
    assert eventually(lambda: state(ec2, snapshot) == "completed"), f"{snapshot} stays {state(ec2, snapshot)}"
    return snapshot


def snapshot_of(ec2: Any, volume: str) -> str:
    return complete(ec2, ec2.create_snapshot(VolumeId=volume)["SnapshotId"])


def image(ec2: Any) -> str:
    return str(ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"])


def launch(ec2: Any, script: bytes, **more: Any) -> str:
    made = ec2.run_instances(
        ImageId=image(ec2), MinCount=1, MaxCount=1, InstanceType="t3.small", UserData=script.decode(), **more
    )
    return str(made["Instances"][0]["InstanceId"])


def printed(ec2: Any, instance: str) -> Callable[[], str]:
    return lambda: str(ec2.get_console_output(InstanceId=instance)["Output"])


def test_a_volume_of_a_copied_snapshot_holds_the_bytes_of_the_cut_not_later_ones(
    healthy_cloud: LocalCloud, ec2: Any, west: Any
) -> None:
    volume = written(healthy_cloud, ec2, "at the cut")
    cut = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    word(healthy_cloud, volume).write_text("after the cut")
    complete(ec2, cut)
    copy = complete(west, west.copy_snapshot(SourceRegion=EAST, SourceSnapshotId=cut)["SnapshotId"])
    restored = west.create_volume(AvailabilityZone=f"{WEST}a", SnapshotId=copy)["VolumeId"]
    west.get_waiter("volume_available").wait(VolumeIds=[restored], WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    assert word(healthy_cloud, restored).read_text() == "at the cut"


def test_a_copy_carries_its_own_tags_and_key(healthy_cloud: LocalCloud, ec2: Any, west: Any) -> None:
    cut = snapshot_of(ec2, written(healthy_cloud, ec2, "x"))
    key = healthy_cloud.client("kms", WEST).create_key()["KeyMetadata"]["Arn"]
    tags = [{"Key": "point", "Value": "7"}]
    copy = west.copy_snapshot(
        SourceRegion=EAST,
        SourceSnapshotId=cut,
        Encrypted=True,
        KmsKeyId=key,
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": tags}],
    )["SnapshotId"]
    found = west.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]
    assert (found["Tags"], found["Encrypted"], found["KmsKeyId"]) == (tags, True, key)


def test_a_copy_stands_still_while_its_source_region_is_dark_and_goes_on_afterwards(
    healthy_cloud: LocalCloud, ec2: Any, west: Any
) -> None:
    cut = snapshot_of(ec2, written(healthy_cloud, ec2, "x"))
    for _ in range(TRIES):
        copy = west.copy_snapshot(SourceRegion=EAST, SourceSnapshotId=cut)["SnapshotId"]
        healthy_cloud.dark(EAST)
        if state(west, copy) == "pending":
            break
        healthy_cloud.light(EAST)
    time.sleep(1.0)
    assert state(west, copy) == "pending"
    healthy_cloud.light(EAST)
    complete(west, copy)


def test_a_deleted_snapshot_takes_its_bytes_along_and_leaves_its_copies(
    healthy_cloud: LocalCloud, ec2: Any, west: Any
) -> None:
    cut = snapshot_of(ec2, written(healthy_cloud, ec2, "kept"))
    copy = complete(west, west.copy_snapshot(SourceRegion=EAST, SourceSnapshotId=cut)["SnapshotId"])
    ec2.delete_snapshot(SnapshotId=cut)
    snapshots = healthy_cloud.directory / "snapshots"
    assert not (snapshots / cut).exists()
    assert (snapshots / copy / "word").read_text() == "kept"


def test_a_set_of_snapshots_leaves_out_the_volumes_it_was_told_to_leave_out(ec2: Any) -> None:
    devices = [{"DeviceName": f"/dev/{name}", "Ebs": {"VolumeSize": 1}} for name in ("sdf", "sdg")]
    instance = launch(ec2, b"", BlockDeviceMappings=devices)
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
    volumes = {each["DeviceName"]: each["Ebs"]["VolumeId"] for each in found}
    cut = ec2.create_snapshots(
        InstanceSpecification={
            "InstanceId": instance,
            "ExcludeBootVolume": True,
            "ExcludeDataVolumeIds": [volumes["/dev/sdf"]],
        }
    )["Snapshots"]
    assert [each["VolumeId"] for each in cut] == [volumes["/dev/sdg"]]


@pytest.mark.parametrize("version", ["$Latest", "$Default", "1"])
def test_an_instance_of_a_template_finds_the_bytes_of_the_templates_snapshot(
    healthy_cloud: LocalCloud, ec2: Any, version: str
) -> None:
    cut = snapshot_of(ec2, written(healthy_cloud, ec2, "restored"))
    name = f"reader-{version.strip('$')}"
    data = {
        "ImageId": image(ec2),
        "InstanceType": "t3.small",
        "UserData": base64.b64encode(READER).decode(),
        "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": cut, "VolumeSize": 1}}],
    }
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    template = {"LaunchTemplateName": name, "Version": version}
    made = ec2.run_instances(MinCount=1, MaxCount=1, LaunchTemplate=template)["Instances"][0]
    assert eventually(lambda: printed(ec2, made["InstanceId"])() == "restored")


def test_a_volume_attached_later_is_seen_by_the_user_data(healthy_cloud: LocalCloud, ec2: Any) -> None:
    instance = launch(ec2, READER)
    assert eventually(lambda: "No such file" in printed(ec2, instance)())
    volume = written(healthy_cloud, ec2, "attached")
    ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    assert eventually(lambda: printed(ec2, instance)().endswith("attached"))


def test_a_volume_of_a_copy_that_never_arrived_is_refused(healthy_cloud: LocalCloud, ec2: Any, west: Any) -> None:
    cut = snapshot_of(ec2, written(healthy_cloud, ec2, "not yet here"))
    copy = west.copy_snapshot(SourceRegion=EAST, SourceSnapshotId=cut)["SnapshotId"]
    healthy_cloud.dark(EAST)
    make = {"AvailabilityZone": f"{WEST}a", "SnapshotId": copy}
    assert refusal(lambda: west.create_volume(**make)) == "IncorrectState"


def test_a_snapshot_that_is_not_completed_cannot_be_copied(healthy_cloud: LocalCloud, ec2: Any, west: Any) -> None:
    cut = ec2.create_snapshot(VolumeId=written(healthy_cloud, ec2, "x"))["SnapshotId"]
    assert refusal(lambda: west.copy_snapshot(SourceRegion=EAST, SourceSnapshotId=cut)) != ""


@pytest.mark.xfail(strict=True, reason="CopyTagsFromSource is not read")
def test_a_set_of_snapshots_can_take_over_the_tags_of_its_volumes(ec2: Any) -> None:
    instance = launch(ec2, b"", BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}])
    attached = [{"Name": "attachment.instance-id", "Values": [instance]}]
    volumes = [each["VolumeId"] for each in ec2.describe_volumes(Filters=attached)["Volumes"]]
    ec2.create_tags(Resources=volumes, Tags=[{"Key": "backup", "Value": "index"}])
    asked = {"InstanceId": instance, "ExcludeBootVolume": True}
    cut = ec2.create_snapshots(InstanceSpecification=asked, CopyTagsFromSource="volume")["Snapshots"]
    assert [each.get("Tags") for each in cut] == [[{"Key": "backup", "Value": "index"}]]


def test_volumes_of_a_template_carry_its_tags_so_that_selection_by_tag_finds_them(ec2: Any) -> None:
    data = {
        "ImageId": image(ec2),
        "InstanceType": "t3.small",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}],
        "TagSpecifications": [{"ResourceType": "volume", "Tags": [{"Key": "backup", "Value": "template"}]}],
    }
    ec2.create_launch_template(LaunchTemplateName="tagged", LaunchTemplateData=data)
    ec2.run_instances(MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateName": "tagged"})
    tagged = [{"Name": "tag:backup", "Values": ["template"]}]
    assert ec2.describe_volumes(Filters=tagged)["Volumes"] != []
