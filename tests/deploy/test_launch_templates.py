"""What a user loses when one of these fails: the recovered disks, blanked by the next `up`, or a change made by hand
that nobody is told of."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pulumi
import pulumi_aws as aws
import pytest
from moto.server import ThreadedMotoServer

from pilotlight.engine.embedded import Engine
from pilotlight.engine.results import Result
from pilotlight.stacks.compute import IGNORED_GROUP

REGION = "us-east-1"
TYPES = ("m5.large", "m5.xlarge")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An AWS of this file's own."""
    made = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    made.start()
    _, port = made.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    made.stop()


@pytest.fixture
def engine(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The embedded engine with one group and its template deployed."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST"), timeout=10).close()
    made = Engine(tmp_path, "templates")
    made.update("dev", program(), region=REGION)
    return made


def program(types: tuple[str, ...] = TYPES) -> Callable[[], None]:
    """A template with a blank device and the group that the stacks make of it."""

    def run() -> None:
        template = aws.ec2.LaunchTemplate(
            "fleet",
            name="fleet",
            image_id="ami-12345678",
            instance_type=types[0],
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
            block_device_mappings=[
                {
                    "device_name": "/dev/sdf",
                    "ebs": {
                        "volume_size": 8,
                        "encrypted": "true",
                        "volume_type": "gp3",
                        "iops": 4000,
                        "throughput": 200,
                    },
                }
            ],
            ebs_optimized="true",
            monitoring={"enabled": True},
            cpu_options={"core_count": 4, "threads_per_core": 1},
            credit_specification={"cpu_credits": "standard"},
            maintenance_options={"auto_recovery": "disabled"},
            placement={"tenancy": "dedicated"},
            instance_initiated_shutdown_behavior="terminate",
            tag_specifications=[{"resource_type": "instance", "tags": {"a": "b"}}],
            tags={"a": "b"},
        )
        named = {"launch_template_id": template.id, "version": "$Latest"}
        aws.autoscaling.Group(
            "fleet",
            name="fleet",
            min_size=0,
            max_size=1,
            desired_capacity=0,
            vpc_zone_identifiers=[ec2().describe_subnets()["Subnets"][0]["SubnetId"]],
            mixed_instances_policy={
                "launch_template": {
                    "launch_template_specification": named,
                    "overrides": [{"instance_type": each} for each in types],
                }
            },
            tags=[{"key": "k", "value": "v", "propagate_at_launch": True}],
            opts=pulumi.ResourceOptions(ignore_changes=IGNORED_GROUP),
        )

    return run


def ec2() -> Any:
    return boto3.client("ec2", region_name=REGION)


def scaling() -> Any:
    return boto3.client("autoscaling", region_name=REGION)


def changed(result: Result) -> dict[str, tuple[str, ...]]:
    """Resource -> the properties in which it differs."""
    return {
        each.type.rpartition(":")[2]: each.keys for each in result.operations if each.operation not in ("same", "read")
    }


def recovered(name: str) -> str:
    """A version with a snapshot behind the device, in the template of this name."""
    volume = ec2().create_volume(AvailabilityZone=f"{REGION}a", Size=8)["VolumeId"]
    snapshot = str(ec2().create_snapshot(VolumeId=volume)["SnapshotId"])
    data = {
        "ImageId": "ami-12345678",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": snapshot}}],
    }
    known = [each["LaunchTemplateName"] for each in ec2().describe_launch_templates()["LaunchTemplates"]]
    make = ec2().create_launch_template_version if name in known else ec2().create_launch_template
    make(LaunchTemplateName=name, VersionDescription="pilotlight a run", LaunchTemplateData=data)
    return snapshot


def snapshots(name: str) -> list[str]:
    """Behind the devices of the newest version."""
    answer = ec2().describe_launch_template_versions(LaunchTemplateName=name, Versions=["$Latest"])
    mapped = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]["BlockDeviceMappings"]
    return [each["Ebs"].get("SnapshotId", "") for each in mapped]


def point(name: str) -> None:
    """What a run does: the group names another template, and has an instance more."""
    policy = scaling().describe_auto_scaling_groups()["AutoScalingGroups"][0]["MixedInstancesPolicy"]
    policy["LaunchTemplate"]["LaunchTemplateSpecification"] = {"LaunchTemplateName": name, "Version": "1"}
    scaling().update_auto_scaling_group(AutoScalingGroupName="fleet", MixedInstancesPolicy=policy)


def named() -> tuple[str, list[str]]:
    """The template that the group names, and its types."""
    policy = scaling().describe_auto_scaling_groups()["AutoScalingGroups"][0]["MixedInstancesPolicy"]["LaunchTemplate"]
    types = [each["InstanceType"] for each in policy["Overrides"]]
    return policy["LaunchTemplateSpecification"]["LaunchTemplateName"], types


def test_what_was_deployed_is_no_drift(engine: Engine) -> None:
    assert changed(engine.refresh("dev", keep=False)) == {}
    assert changed(engine.update("dev", program(), region=REGION)) == {}


def test_a_version_written_into_the_stacks_template_is_seen_and_the_next_up_blanks_it(engine: Engine) -> None:
    """The design that was given up: this is what the provider does with it, and what a rehearsal has to show."""
    snapshot = recovered("fleet")
    assert snapshots("fleet") == [snapshot]
    assert "blockDeviceMappings" in changed(engine.refresh("dev", keep=False))["LaunchTemplate"]
    engine.refresh("dev")
    assert "LaunchTemplate" in changed(engine.update("dev", program(), region=REGION))
    assert snapshots("fleet") == [""]


def test_an_up_after_a_failover_leaves_the_recovered_disks_alone(engine: Engine) -> None:
    snapshot = recovered("fleet-run")
    point("fleet-run")
    assert changed(engine.refresh("dev", keep=False)) == {}
    assert changed(engine.update("dev", program(), region=REGION)) == {}
    assert changed(engine.refresh("dev")) == {}
    assert changed(engine.update("dev", program(), region=REGION)) == {}
    assert named() == ("fleet-run", list(TYPES)) and snapshots("fleet-run") == [snapshot]


def test_other_instance_types_deploy_while_the_standby_serves(engine: Engine) -> None:
    recovered("fleet-run")
    point("fleet-run")
    engine.refresh("dev")
    assert "Group" in changed(engine.update("dev", program(("m5.2xlarge",)), region=REGION))
    assert named() == ("fleet-run", ["m5.2xlarge"])


def test_after_the_way_home_nothing_is_left_to_deploy(engine: Engine) -> None:
    recovered("fleet-run")
    point("fleet-run")
    engine.refresh("dev")
    point("fleet")
    policy = scaling().describe_auto_scaling_groups()["AutoScalingGroups"][0]["MixedInstancesPolicy"]
    policy["LaunchTemplate"]["LaunchTemplateSpecification"] = {"LaunchTemplateName": "fleet", "Version": "$Latest"}
    scaling().update_auto_scaling_group(AutoScalingGroupName="fleet", MixedInstancesPolicy=policy)
    ec2().delete_launch_template(LaunchTemplateName="fleet-run")
    for _ in range(2):
        assert changed(engine.refresh("dev", keep=False)) == {}
        assert changed(engine.update("dev", program(), region=REGION)) == {}
    assert named() == ("fleet", list(TYPES))


@pytest.mark.parametrize(
    ("property_", "by_hand"),
    [
        ("metadataOptions", {"MetadataOptions": {"HttpTokens": "optional"}}),
        ("imageId", {"ImageId": "ami-87654321"}),
        ("instanceType", {"InstanceType": "t3.nano"}),
        (
            "tagSpecifications",
            {"TagSpecifications": [{"ResourceType": "volume", "Tags": [{"Key": "x", "Value": "y"}]}]},
        ),
        ("blockDeviceMappings", {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 9}}]}),
        (
            "blockDeviceMappings",
            {
                "BlockDeviceMappings": [
                    {
                        "DeviceName": "/dev/sdf",
                        "Ebs": {
                            "VolumeSize": 8,
                            "Encrypted": True,
                            "VolumeType": "gp3",
                            "Iops": 3000,
                            "Throughput": 200,
                        },
                    }
                ]
            },
        ),
        ("ebsOptimized", {"EbsOptimized": False}),
        ("monitoring", {"Monitoring": {"Enabled": False}}),
        ("cpuOptions", {"CpuOptions": {"CoreCount": 4, "ThreadsPerCore": 2}}),
        ("creditSpecification", {"CreditSpecification": {"CpuCredits": "unlimited"}}),
        ("maintenanceOptions", {"MaintenanceOptions": {"AutoRecovery": "default"}}),
        ("placement", {"Placement": {"Tenancy": "default"}}),
        ("instanceInitiatedShutdownBehavior", {"InstanceInitiatedShutdownBehavior": "stop"}),
    ],
)
def test_a_template_changed_by_hand_is_named_and_mended(
    engine: Engine, property_: str, by_hand: dict[str, Any]
) -> None:
    before = ec2().describe_launch_template_versions(LaunchTemplateName="fleet", Versions=["$Latest"])
    data = before["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    ec2().create_launch_template_version(LaunchTemplateName="fleet", LaunchTemplateData=data | by_hand)
    assert changed(engine.refresh("dev", keep=False)) == {"LaunchTemplate": (property_,)}
    engine.refresh("dev")
    engine.update("dev", program(), region=REGION)
    assert changed(engine.refresh("dev", keep=False)) == {}


def test_a_group_changed_by_hand_is_named(engine: Engine) -> None:
    where = {"ResourceId": "fleet", "ResourceType": "auto-scaling-group"}
    scaling().create_or_update_tags(Tags=[where | {"Key": "k", "Value": "w", "PropagateAtLaunch": True}])
    assert changed(engine.refresh("dev", keep=False)) == {"Group": ("tags",)}
