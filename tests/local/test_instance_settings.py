"""What an instance and a group are given is what they have: a root volume, its speed, tags, cooldown, policies.

EC2 User Guide, "Block device mappings for volumes on Amazon EC2 instances"; Auto Scaling API Reference,
CreateAutoScalingGroup, UpdateAutoScalingGroup, PutNotificationConfiguration.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pilotlight.local.behaviours import all_behaviours
from pilotlight.local.kernel.cloud import Cloud
from support.data_cloud import EAST, WEST, client, eventually, running

TOPIC = f"arn:aws:sns:{EAST}:123456789012:people"
ROOT = {"VolumeSize": 500, "VolumeType": "gp3", "Iops": 6000, "Throughput": 500, "Encrypted": True}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), all_behaviours()) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def launched(cloud: Cloud) -> dict[str, Any]:
    """A group with one instance of a template that says how its volumes are."""
    ec2, scaling = client(cloud, "ec2", EAST), client(cloud, "autoscaling", EAST)
    data = {
        "ImageId": ec2.describe_images()["Images"][0]["ImageId"],
        "InstanceType": "t3.small",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": ROOT},
            {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 9, "VolumeType": "io2", "Iops": 200}},
            {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral0"},
        ],
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": [{"Key": "team", "Value": f"search {kind}"}]}
            for kind in ("instance", "volume")
        ],
    }
    ec2.create_launch_template(LaunchTemplateName="big", LaunchTemplateData=data)
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="big",
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=1,
        VPCZoneIdentifier=ec2.describe_subnets()["Subnets"][0]["SubnetId"],
        LaunchTemplate={"LaunchTemplateName": "big", "Version": "$Latest"},
        DefaultInstanceWarmup=120,
        DefaultCooldown=60,
        TerminationPolicies=["OldestInstance"],
    )
    eventually(lambda: bool(described(cloud)["Instances"]))
    id_ = described(cloud)["Instances"][0]["InstanceId"]
    found: dict[str, Any] = ec2.describe_instances(InstanceIds=[id_])["Reservations"][0]["Instances"][0]
    return found


def described(cloud: Cloud) -> dict[str, Any]:
    scaling = client(cloud, "autoscaling", EAST)
    found: dict[str, Any] = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["big"])["AutoScalingGroups"][0]
    return found


def test_a_root_volume_has_the_size_and_speed_that_its_template_says(cloud: Cloud, launched: dict[str, Any]) -> None:
    ids = {each["DeviceName"]: each["Ebs"]["VolumeId"] for each in launched["BlockDeviceMappings"]}
    answer = client(cloud, "ec2", EAST).describe_volumes(VolumeIds=list(ids.values()))["Volumes"]
    volumes = {each["VolumeId"]: each for each in answer}
    root, other = volumes[ids["/dev/sda1"]], volumes[ids["/dev/sdb"]]
    assert len(volumes) == 2
    assert (root["Size"], root["VolumeType"], root["Iops"], root["Throughput"]) == (500, "gp3", 6000, 500)
    kept = {each["DeviceName"]: not each["Ebs"]["DeleteOnTermination"] for each in launched["BlockDeviceMappings"]}
    assert root["Encrypted"] and kept == {"/dev/sda1": False, "/dev/sdb": True}
    assert (other["Size"], other["VolumeType"], other["Iops"]) == (9, "io2", 200)


def test_instances_and_volumes_get_the_tags_of_their_template(cloud: Cloud, launched: dict[str, Any]) -> None:
    assert {"Key": "team", "Value": "search instance"} in launched["Tags"]
    ids = [each["Ebs"]["VolumeId"] for each in launched["BlockDeviceMappings"]]
    for volume in client(cloud, "ec2", EAST).describe_volumes(VolumeIds=ids)["Volumes"]:
        assert volume["Tags"] == [{"Key": "team", "Value": "search volume"}]


def test_a_group_has_what_it_was_given_and_an_update_leaves_the_rest(cloud: Cloud, launched: dict[str, Any]) -> None:
    group = described(cloud)
    assert (group["DefaultCooldown"], group["DefaultInstanceWarmup"]) == (60, 120)
    assert (group["TerminationPolicies"], group["HealthCheckGracePeriod"]) == (["OldestInstance"], 0)
    scaling = client(cloud, "autoscaling", EAST)
    scaling.update_auto_scaling_group(
        AutoScalingGroupName="big", DefaultCooldown=90, TerminationPolicies=["NewestInstance", "Default"]
    )
    group = described(cloud)
    assert (group["DefaultCooldown"], group["DefaultInstanceWarmup"]) == (90, 120)
    assert group["TerminationPolicies"] == ["NewestInstance", "Default"]


def test_who_is_told_of_a_group_is_kept_by_region(cloud: Cloud, launched: dict[str, Any]) -> None:
    kinds = ["autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_TERMINATE"]
    client(cloud, "autoscaling", EAST).put_notification_configuration(
        AutoScalingGroupName="big", TopicARN=TOPIC, NotificationTypes=kinds
    )
    told = client(cloud, "autoscaling", EAST).describe_notification_configurations(AutoScalingGroupNames=["big"])
    assert [each["NotificationType"] for each in told["NotificationConfigurations"]] == kinds
    elsewhere = client(cloud, "autoscaling", WEST).describe_notification_configurations()
    assert elsewhere["NotificationConfigurations"] == []
