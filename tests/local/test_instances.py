"""An instance is a process: it runs its user data with its role, on its own address, and ends when it is ended."""

import json
import time
import urllib.error
import urllib.request

import pytest

from support.data_cloud import TRIES

REGION = "us-east-1"
SECONDS_MAX = 60

SERVER = """#!/bin/bash
exec python3 - <<'PROGRAM'
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer
import boto3

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"role": boto3.client("sts").get_caller_identity()["Arn"], "keys": sorted(
            name for name in os.environ if name.startswith("AWS_SECRET"))}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

HTTPServer((os.environ["PRIVATE_IP"], 8080), Handler).serve_forever()
PROGRAM
"""

WRITER = """#!/bin/bash
exec python3 - <<'PROGRAM'
import os, time
first, second = (os.path.join(os.environ[name], "log") for name in ("DEVICE_SDF", "DEVICE_SDG"))
number = 0
while True:
    number += 1
    for path in (first, second):
        with open(path, "a") as file:
            file.write(f"{number}\\n")
    time.sleep(0.002)
PROGRAM
"""


def wait_for(ask):
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        found = ask()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def get(address):
    try:
        with urllib.request.urlopen(f"http://{address}:8080/", timeout=2) as response:
            return json.load(response)
    except (urllib.error.URLError, OSError):
        return None


@pytest.fixture(scope="module")
def profile(local_cloud):
    iam = local_cloud.client("iam", REGION)
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="server", AssumeRolePolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName="server")
    iam.add_role_to_instance_profile(InstanceProfileName="server", RoleName="server")
    return "server"


@pytest.fixture
def ec2(local_cloud):
    return local_cloud.client("ec2", REGION)


def image(ec2):
    return ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]


def launch(ec2, script, **more):
    made = ec2.run_instances(
        ImageId=image(ec2), MinCount=1, MaxCount=1, InstanceType="t3.small", UserData=script, **more
    )
    return made["Instances"][0]


def test_an_instance_serves_on_its_own_address_with_its_roles_credentials_and_no_others(local_cloud, ec2, profile):
    instance = launch(ec2, SERVER, IamInstanceProfile={"Name": profile})
    answer = wait_for(lambda: get(instance["PrivateIpAddress"]))
    assert f"assumed-role/server/{instance['InstanceId']}" in answer["role"]
    assert answer["keys"] == []
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    wait_for(lambda: get(instance["PrivateIpAddress"]) is None)


def test_an_instance_of_a_dark_region_does_not_answer_until_the_region_is_back(local_cloud, ec2, profile):
    instance = launch(ec2, SERVER, IamInstanceProfile={"Name": profile})
    wait_for(lambda: get(instance["PrivateIpAddress"]))
    local_cloud.dark(REGION)
    try:
        assert get(instance["PrivateIpAddress"]) is None
    finally:
        local_cloud.light(REGION)
    wait_for(lambda: get(instance["PrivateIpAddress"]))
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])


def test_two_volumes_of_an_instance_are_cut_at_one_instant_and_their_bytes_cross_to_the_other_region(local_cloud, ec2):
    devices = [{"DeviceName": f"/dev/{name}", "Ebs": {"VolumeSize": 1}} for name in ("sdf", "sdg")]
    instance = launch(ec2, WRITER, BlockDeviceMappings=devices)
    time.sleep(1.0)
    cut = ec2.create_snapshots(
        InstanceSpecification={"InstanceId": instance["InstanceId"], "ExcludeBootVolume": True},
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "set", "Value": "one"}]}],
    )["Snapshots"]
    assert len(cut) == 2
    assert {each["State"] for each in cut} <= {"pending"}
    ec2.get_waiter("snapshot_completed").wait(
        SnapshotIds=[each["SnapshotId"] for each in cut], WaiterConfig={"Delay": 1, "MaxAttempts": 15}
    )
    time.sleep(0.5)
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    copies = [copy_across(local_cloud, each["SnapshotId"]) for each in cut]
    counts = [lines(local_cloud, copy) for copy in copies]
    assert counts[0] > 10
    assert 0 <= counts[0] - counts[1] <= 1


def copy_across(local_cloud, snapshot):
    there = local_cloud.client("ec2", "us-west-2")
    key = local_cloud.client("kms", "us-west-2").create_key()["KeyMetadata"]["Arn"]
    copy = there.copy_snapshot(
        SourceRegion=REGION, SourceSnapshotId=snapshot, Encrypted=True, KmsKeyId=key, Description="copy"
    )["SnapshotId"]
    there.get_waiter("snapshot_completed").wait(SnapshotIds=[copy], WaiterConfig={"Delay": 1, "MaxAttempts": 15})
    found = there.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]
    assert found["Encrypted"] and found["KmsKeyId"] == key
    return copy


def lines(local_cloud, snapshot):
    """How many records a volume made of this snapshot holds."""
    there = local_cloud.client("ec2", "us-west-2")
    volume = there.create_volume(AvailabilityZone="us-west-2a", SnapshotId=snapshot)["VolumeId"]
    return len((local_cloud.directory / "volumes" / volume / "log").read_text().splitlines())


def test_a_copy_from_a_dark_region_is_refused(local_cloud, ec2):
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    there = local_cloud.client("ec2", "us-west-2")
    local_cloud.dark(REGION)
    try:
        with pytest.raises(there.exceptions.ClientError, match="cannot be reached"):
            there.copy_snapshot(SourceRegion=REGION, SourceSnapshotId=snapshot)
    finally:
        local_cloud.light(REGION)


def test_an_image_copy_takes_its_time_and_can_then_be_used(local_cloud, ec2):
    there = local_cloud.client("ec2", "us-west-2")
    ours, seen = image(ec2), list[str]()
    while "pending" not in seen and len(seen) < TRIES:
        name = f"copy-{len(seen)}"
        copy = there.copy_image(Name=name, SourceImageId=ours, SourceRegion=REGION)["ImageId"]
        seen.append(there.describe_images(ImageIds=[copy])["Images"][0]["State"])
    assert "pending" in seen
    wait_for(lambda: there.describe_images(ImageIds=[copy])["Images"][0]["State"] == "available")


def test_an_image_copy_is_tagged_as_asked_and_its_snapshots_go_with_it_where_that_is_asked(local_cloud, ec2):
    there = local_cloud.client("ec2", "us-west-2")
    tags = [{"ResourceType": kind, "Tags": [{"Key": "of", "Value": kind}]} for kind in ("image", "snapshot")]
    given = {"SourceImageId": image(ec2), "SourceRegion": REGION, "TagSpecifications": tags}
    copies = [there.copy_image(Name=f"tagged-{number}", **given)["ImageId"] for number in range(2)]
    found = there.describe_images(Filters=[{"Name": "tag:of", "Values": ["image"]}], Owners=["self"])["Images"]
    assert {each["ImageId"] for each in found} == set(copies)
    there.deregister_image(ImageId=copies[0])
    there.deregister_image(ImageId=copies[1], DeleteAssociatedSnapshots=True)
    left = there.describe_snapshots(Filters=[{"Name": "tag:of", "Values": ["snapshot"]}], OwnerIds=["self"])
    assert len(left["Snapshots"]) == 1


@pytest.fixture
def group(local_cloud, ec2, profile):
    ec2.create_launch_template(
        LaunchTemplateName="fleet", LaunchTemplateData={"ImageId": image(ec2), "InstanceType": "t3.small"}
    )
    scaling = local_cloud.client("autoscaling", REGION)
    ladder = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateName": "fleet", "Version": "$Latest"},
            "Overrides": [{"InstanceType": "g5.xlarge"}, {"InstanceType": "g4dn.xlarge"}],
        }
    }
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="fleet",
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=0,
        MixedInstancesPolicy=ladder,
        AvailabilityZones=["us-east-1a"],
    )
    return scaling


def members(group):
    return group.describe_auto_scaling_groups(AutoScalingGroupNames=["fleet"])["AutoScalingGroups"][0]["Instances"]


def test_a_group_launches_the_newest_version_of_its_template_keeps_its_instance_types_and_its_wish(ec2, group, profile):
    import base64

    data = {"UserData": base64.b64encode(SERVER.encode()).decode(), "IamInstanceProfile": {"Name": profile}}
    ec2.create_launch_template_version(LaunchTemplateName="fleet", SourceVersion="1", LaunchTemplateData=data)
    group.update_auto_scaling_group(AutoScalingGroupName="fleet", MinSize=1, DesiredCapacity=1)
    first = members(group)[0]
    assert first["InstanceType"] == "g5.xlarge"
    described = ec2.describe_instances(InstanceIds=[first["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert described["ImageId"] == image(ec2)
    wait_for(lambda: get(described["PrivateIpAddress"]))
    ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    wait_for(lambda: [each["InstanceId"] for each in members(group)] not in ([], [first["InstanceId"]]))
    assert members(group)[0]["InstanceType"] == "g5.xlarge"
    group.update_auto_scaling_group(AutoScalingGroupName="fleet", MinSize=0, DesiredCapacity=0)
    assert members(group) == []
