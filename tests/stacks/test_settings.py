"""What a user loses when one of these fails: a setting of theirs, without a word, on the day that they need it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import ServiceModel, Shape
from stack_recording import Recording
from stack_samples import inventory

from pilotlight.stacks import compute, settings
from pilotlight.stacks.settings import Fate, Table
from pilotlight.stacks.settings_of_cluster import CLUSTER
from pilotlight.stacks.settings_of_group import ATTACHED, GROUP, READ_OTHERWISE
from pilotlight.stacks.settings_of_template import TEMPLATE
from pilotlight.stacks.settings_of_volume import VOLUME
from support.inventories import changed

TABLES = [
    ("ec2", "ResponseLaunchTemplateData", TEMPLATE),
    ("autoscaling", "AutoScalingGroup", GROUP),
    ("ec2", "Volume", VOLUME),
    ("rds", "DBCluster", CLUSTER),
]


def model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def members(shape: Any, path: str = "") -> Iterator[str]:
    """Every member of AWS's model that holds a value, by its path."""
    if shape.type_name == "list":
        yield from members(shape.member, path)
    elif shape.type_name == "structure" and shape.members:
        for name, member in shape.members.items():
            yield from members(member, f"{path}.{name}" if path else name)
    else:
        yield path


def shape_of(service: str, name: str) -> Shape:
    return model(service).shape_for(name)


@pytest.mark.parametrize(("service", "name", "rows"), TABLES, ids=[name for _, name, _ in TABLES])
def test_every_member_of_awss_model_has_a_fate(service: str, name: str, rows: Table) -> None:
    unknown = [each for each in members(shape_of(service, name)) if settings.row(rows, each) is None]
    assert unknown == [], "a newer AWS has more: decide what becomes of it, and write its row"


@pytest.mark.parametrize(("service", "name", "rows"), TABLES, ids=[name for _, name, _ in TABLES])
def test_no_row_tells_of_a_member_that_aws_does_not_have(service: str, name: str, rows: Table) -> None:
    known = list(members(shape_of(service, name)))
    gone = [row for row in rows if not any(each == row or each.startswith(f"{row}.") for each in known)]
    assert gone == []


def test_every_operation_that_reads_something_of_a_group_is_accounted_for() -> None:
    scaling = model("autoscaling")
    reads = {each for each in scaling.operation_names if each.startswith(("Describe", "Get"))}
    named = {each for each in reads if xform_name(each) in {one.operation for one in ATTACHED}}
    assert reads == named | READ_OTHERWISE.keys() and len(named) == len(ATTACHED)


@pytest.mark.parametrize("attached", ATTACHED, ids=lambda each: each.operation)
def test_what_is_attached_is_read_by_the_names_that_aws_has(attached: Any) -> None:
    scaling = model("autoscaling")
    operation = next(each for each in scaling.operation_names if xform_name(each) == attached.operation)
    found: Any = scaling.operation_model(operation)
    assert attached.name in found.output_shape.members[attached.field].member.members
    asked = "AutoScalingGroupNames" if attached.by_list else "AutoScalingGroupName"
    assert asked in found.input_shape.members


@pytest.mark.parametrize("rows", [TEMPLATE, GROUP, VOLUME, CLUSTER])
def test_what_is_not_carried_over_says_what_to_do(rows: Table) -> None:
    lost = [each for each in rows.values() if each.fate is Fate.LEFT_OUT]
    assert lost and all(each.how and each.advice for each in lost)


def test_what_newer_versions_of_aws_add_is_found_and_what_is_empty_is_not() -> None:
    data = {
        "Teleport": {"Target": "moon"},
        "Hover": False,
        "KeyName": "",
        "Placement": {"GroupName": "cluster", "Warp": 9},
        "NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": False}, {"InterfaceType": "efa"}],
        "CapacityReservationSpecification": {"CapacityReservationPreference": "open"},
        "EnclaveOptions": {"Enabled": False},
    }
    lost = {each.member: (each.value, each.setting is None) for each in settings.lost(TEMPLATE, data)}
    assert lost == {
        "Teleport": ({"Target": "moon"}, True),
        "Placement.GroupName": ("cluster", False),
        "Placement.Warp": (9, True),
        "NetworkInterfaces.AssociatePublicIpAddress": (False, False),
        "NetworkInterfaces.InterfaceType": ("efa", False),
    }


# -- what the stack sends --------------------------------------------------------------------------------------


def template(standby: Recording) -> dict[str, Any]:
    return standby.one("fleet-template").inputs


def test_a_root_volume_of_500_gib_does_not_become_the_images_size(standby: Recording) -> None:
    (root,) = [each["ebs"] for each in template(standby)["blockDeviceMappings"] if each["deviceName"] == "/dev/xvda"]
    assert root["kmsKeyId"].endswith(":alias/pilotlight-inference")
    assert {name: value for name, value in root.items() if name != "kmsKeyId"} == {
        "volumeSize": 500,
        "volumeType": "gp3",
        "iops": 6000,
        "throughput": 500,
        "encrypted": "true",
        "deleteOnTermination": "true",
    }


def test_protected_volumes_come_up_as_fast_as_they_were(standby: Recording) -> None:
    ebs = {each["deviceName"]: each["ebs"] for each in template(standby)["blockDeviceMappings"]}
    assert (ebs["/dev/sdf"]["volumeType"], ebs["/dev/sdf"]["iops"], ebs["/dev/sdf"]["volumeSize"]) == ("io2", 400, 8)
    assert ebs["/dev/sdg"]["volumeType"] == "gp3" and "iops" not in ebs["/dev/sdg"]


def test_a_device_that_is_protected_is_the_protected_one_whatever_the_template_says() -> None:
    taken = inventory()
    (fleet,) = taken.computes
    disk = replace(fleet.launch.disks[0], device="/dev/sdf", delete_on_termination=True)
    fleet = replace(fleet, launch=replace(fleet.launch, disks=(disk,)))
    devices = compute.compute_spec(changed(taken, computes=(fleet,)), fleet).devices
    assert [(each.device, each.size_gib, each.delete_on_termination) for each in devices] == [
        ("/dev/sdf", 8, False),
        ("/dev/sdg", 9, False),
    ]


def test_containers_still_reach_the_metadata_and_everything_else_is_as_it_was(standby: Recording) -> None:
    inputs = template(standby)
    assert inputs["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 2,
        "instanceMetadataTags": "enabled",
    }
    assert inputs["ebsOptimized"] == "true" and inputs["monitoring"] == {"enabled": True}
    assert inputs["cpuOptions"] == {"coreCount": 4, "threadsPerCore": 1}
    assert inputs["creditSpecification"] == {"cpuCredits": "standard"}
    assert inputs["maintenanceOptions"] == {"autoRecovery": "disabled"}
    assert inputs["placement"] == {"tenancy": "dedicated"}
    assert inputs["instanceInitiatedShutdownBehavior"] == "terminate"


def test_instances_and_volumes_keep_their_tags_and_ours_win(standby: Recording) -> None:
    tags = {each["resourceType"]: each["tags"] for each in template(standby)["tagSpecifications"]}
    ours = {"pilotlight:workload": "inference", "pilotlight:asset": "fleet"}
    assert tags == {"instance": {"team": "search"} | ours, "volume": {"cost": "7"} | ours}


def test_the_group_gives_instances_as_long_as_the_primarys_does(standby: Recording) -> None:
    group = next(each for each in standby.all("Group") if each.name == "fleet").inputs
    assert (group["healthCheckType"], group["healthCheckGracePeriod"]) == ("ELB", 1800)
    assert (group["defaultCooldown"], group["defaultInstanceWarmup"]) == (60, 0)
    assert group["terminationPolicies"] == ["OldestInstance"]
    tags = {each["key"]: (each["value"], each["propagateAtLaunch"]) for each in group["tags"]}
    assert (tags["team"], tags["owner"]) == (("search", True), ("ml", False))
    assert tags["pilotlight:workload"] == ("inference", True)


@pytest.mark.parametrize(("said", "balanced", "wanted"), [
    ("EC2", True, "EC2"), ("ELB", True, "ELB"), ("", True, "ELB"), ("ELB", False, "EC2"),
])  # fmt: skip
def test_a_balancers_verdict_ends_no_instance_of_a_group_that_does_not_heed_it(
    said: str, balanced: bool, wanted: str
) -> None:
    (fleet,) = inventory().computes
    assert compute._health_check(replace(fleet.group, health_check_type=said), balanced) == wanted
