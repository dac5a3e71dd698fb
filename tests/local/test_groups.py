"""A group keeps as many servers running as it was asked for, in what capacity there is, and no more.

Amazon EC2 Auto Scaling User Guide, "Health checks for instances", "Suspend and resume processes", "Verify a scaling
activity" and "Attach a load balancer"; EC2 User Guide, "Troubleshoot instance launch issues".
"""

from __future__ import annotations

import base64
import time
import urllib.request
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from pilotlight.local.behaviours import all_behaviours
from pilotlight.local.ec2.capacity import Capacity
from pilotlight.local.kernel.cloud import Cloud
from support.data_cloud import EAST, WEST, client, eventually, refusal, running

LADDER = ("g5.xlarge", "g4dn.xlarge")
PORT = 8080
SERVER = b'#!/bin/bash\nexec python3 -m http.server 8080 --bind "$PRIVATE_IP"\n'
LOOKS_SECONDS = 1.1
"""Several looks of the groups: what should not happen had time to."""
NUMBERS = count()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), all_behaviours()) as cloud:
        ec2 = client(cloud, "ec2", EAST)
        image = ec2.describe_images()["Images"][0]["ImageId"]
        data = {"ImageId": image, "InstanceType": "t3.small", "UserData": base64.b64encode(SERVER).decode()}
        ec2.create_launch_template(LaunchTemplateName="fleet", LaunchTemplateData=data)
        yield cloud


class Group:
    """A group of the tests' template and ladder with one target group."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.name = cloud, f"fleet-{next(NUMBERS)}"
        self.ec2, self.balancing = client(cloud, "ec2", EAST), client(cloud, "elbv2", EAST)
        self.scaling = client(cloud, "autoscaling", EAST)
        subnet = self.ec2.describe_subnets()["Subnets"][0]
        made = self.balancing.create_target_group(Name=self.name, Protocol="HTTP", Port=PORT, VpcId=subnet["VpcId"])
        self.target_group = made["TargetGroups"][0]["TargetGroupArn"]
        specification = {"LaunchTemplateName": "fleet", "Version": "$Latest"}
        overrides = [{"InstanceType": each} for each in LADDER]
        self.scaling.create_auto_scaling_group(
            AutoScalingGroupName=self.name,
            MinSize=0,
            MaxSize=2,
            DesiredCapacity=0,
            VPCZoneIdentifier=subnet["SubnetId"],
            TargetGroupARNs=[self.target_group],
            MixedInstancesPolicy={
                "LaunchTemplate": {"LaunchTemplateSpecification": specification, "Overrides": overrides}
            },
        )

    def wish(self, capacity: int) -> None:
        self.scaling.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=capacity)

    def members(self) -> list[dict[str, Any]]:
        found = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])
        return list(found["AutoScalingGroups"][0]["Instances"])

    def ids(self) -> list[str]:
        return [str(each["InstanceId"]) for each in self.members()]

    def targets(self) -> list[str]:
        found = self.balancing.describe_target_health(TargetGroupArn=self.target_group)
        return [str(each["Target"]["Id"]) for each in found["TargetHealthDescriptions"]]

    def activities(self) -> list[dict[str, Any]]:
        return list(self.scaling.describe_scaling_activities(AutoScalingGroupName=self.name)["Activities"])

    def address(self, instance: str) -> str:
        found = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return str(found["PrivateIpAddress"])


@pytest.fixture
def group(cloud: Cloud) -> Iterator[Group]:
    made = Group(cloud)
    yield made
    cloud.lighten(EAST)
    for kind in LADDER:
        cloud.behaviour(Capacity).clear(EAST, kind)
    made.wish(0)


def serves(address: str) -> bool:
    """Whether a server answers there; asked directly, whatever proxy the person has."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://{address}:{PORT}/", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def processes_of(cloud: Cloud, instance: str) -> list[Any]:
    return [each for each in cloud.processes.of(EAST) if instance in str(each.args)]


def test_a_group_scaled_to_one_has_a_member_in_service_that_answers_and_is_a_target(group: Group) -> None:
    group.wish(1)
    (member,) = group.members()
    assert (member["LifecycleState"], member["HealthStatus"]) == ("InService", "Healthy")
    assert group.targets() == [member["InstanceId"]]
    assert eventually(lambda: serves(group.address(member["InstanceId"])))


def test_a_member_ended_by_hand_is_replaced(group: Group) -> None:
    group.wish(1)
    (first,) = group.ids()
    group.ec2.terminate_instances(InstanceIds=[first])
    assert eventually(lambda: group.ids() not in ([], [first]))


def test_a_group_whose_launching_is_suspended_replaces_nothing_until_it_is_resumed(group: Group) -> None:
    group.wish(1)
    group.scaling.suspend_processes(AutoScalingGroupName=group.name, ScalingProcesses=["Launch"])
    group.ec2.terminate_instances(InstanceIds=group.ids())
    time.sleep(LOOKS_SECONDS)
    assert group.ids() == []
    group.scaling.resume_processes(AutoScalingGroupName=group.name, ScalingProcesses=["Launch"])
    assert eventually(lambda: len(group.ids()) == 1)


def test_a_shortage_of_the_first_type_takes_the_second_and_leaves_ec2s_words(cloud: Cloud, group: Group) -> None:
    cloud.behaviour(Capacity).shortage(EAST, LADDER[0])
    group.wish(1)
    assert [each["InstanceType"] for each in group.members()] == [LADDER[1]]
    succeeded, failed = group.activities()
    assert (succeeded["StatusCode"], failed["StatusCode"]) == ("Successful", "Failed")
    zone = group.members()[0]["AvailabilityZone"]
    assert failed["StatusMessage"].startswith(
        f"We currently do not have sufficient {LADDER[0]} capacity in the Availability Zone you requested ({zone}). "
    )


def test_a_group_without_any_capacity_launches_as_soon_as_there_is_some(cloud: Cloud, group: Group) -> None:
    for kind in LADDER:
        cloud.behaviour(Capacity).shortage(EAST, kind)
    group.wish(1)
    assert group.ids() == []
    cloud.behaviour(Capacity).clear(EAST, LADDER[1])
    assert eventually(lambda: [each["InstanceType"] for each in group.members()] == [LADDER[1]])


def test_a_group_of_a_dark_region_launches_nothing_until_the_region_is_back(cloud: Cloud, group: Group) -> None:
    for kind in LADDER:
        cloud.behaviour(Capacity).shortage(EAST, kind)
    group.wish(1)
    cloud.darken(EAST)
    for kind in LADDER:
        cloud.behaviour(Capacity).clear(EAST, kind)
    time.sleep(LOOKS_SECONDS)
    record = cloud.backend("autoscaling", EAST).autoscaling_groups[group.name]
    assert record.instance_states == []
    cloud.lighten(EAST)
    assert eventually(lambda: len(group.ids()) == 1)


def test_a_member_scaled_in_has_no_process_any_more(cloud: Cloud, group: Group) -> None:
    group.wish(1)
    (member,) = group.ids()
    assert processes_of(cloud, member) != []
    group.wish(0)
    assert processes_of(cloud, member) == []


def test_a_member_scaled_in_is_no_target_any_more(group: Group) -> None:
    group.wish(1)
    group.wish(0)
    assert eventually(lambda: group.targets() == [])


def test_a_replacement_is_a_target_so_that_traffic_comes_back(group: Group) -> None:
    group.wish(1)
    (first,) = group.ids()
    group.ec2.terminate_instances(InstanceIds=[first])
    assert eventually(lambda: group.ids() not in ([], [first]))
    assert eventually(lambda: group.targets() == group.ids())


def test_scaling_in_is_an_activity(group: Group) -> None:
    group.wish(1)
    (member,) = group.ids()
    group.wish(0)
    assert f"Terminating EC2 instance: {member}" in [each["Description"] for each in group.activities()]


def test_a_group_whose_terminating_is_suspended_keeps_its_members(group: Group) -> None:
    group.wish(1)
    group.scaling.suspend_processes(AutoScalingGroupName=group.name, ScalingProcesses=["Terminate"])
    group.wish(0)
    assert len(group.ids()) == 1


def test_a_region_lists_only_its_own_activities(cloud: Cloud, group: Group) -> None:
    group.wish(1)
    assert client(cloud, "autoscaling", WEST).describe_scaling_activities()["Activities"] == []


def test_an_instance_of_a_type_that_is_short_is_refused(cloud: Cloud, group: Group) -> None:
    cloud.behaviour(Capacity).shortage(EAST, LADDER[0])
    image = group.ec2.describe_images()["Images"][0]["ImageId"]
    asked = {"ImageId": image, "InstanceType": LADDER[0], "MinCount": 1, "MaxCount": 1}
    assert refusal(lambda: group.ec2.run_instances(**asked)) == "InsufficientInstanceCapacity"
