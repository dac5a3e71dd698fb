"""What a user loses when one of these fails: a setting that the standby lacks, and nobody said so before the day."""

from __future__ import annotations

from typing import Any

import pytest
from surveyed_account import Account, a_group, a_template, a_volume, an_image, problems, surveyed

from pilotlight.runtime.records.inventory import Compute
from pilotlight.runtime.records.settings import Disk, GroupTag, Metadata, VolumeSettings
from pilotlight.workload.model import Workload

OWN_TYPES = {"instance_types": ("g5.xlarge",)}


def having(account: Account, template: dict[str, Any] | None = None, group: dict[str, Any] | None = None) -> Account:
    """The account, with more in its template and group."""
    data = a_template() | (template or {})
    account.answers["describe_launch_template_versions"] = {"LaunchTemplateVersions": [{"LaunchTemplateData": data}]}
    account.answers["describe_auto_scaling_groups"] = {"AutoScalingGroups": [a_group() | (group or {})]}
    return account


def declaring(workload: Workload, **update: Any) -> Workload:
    fleet = workload.assets["fleet"].model_copy(update=update)
    return workload.model_copy(update={"assets": workload.assets | {"fleet": fleet}})


def fleet(account: Account, workload: Workload) -> Compute:
    return surveyed(account, declaring(workload, **OWN_TYPES)).computes[0]


def told(account: Account, workload: Workload) -> list[str]:
    return [each.setting for each in fleet(account, workload).left_out]


def test_a_plain_group_is_told_nothing(account: Account, workload: Workload) -> None:
    plain = {
        "AutoScalingGroupName": "inference-fleet",
        "DefaultCooldown": 300,
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 0,
        "TerminationPolicies": ["Default"],
        "NewInstancesProtectedFromScaleIn": False,
        "CapacityRebalance": False,
        "ServiceLinkedRoleARN": "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/"
        "AWSServiceRoleForAutoScaling",
        "TrafficSources": [{"Identifier": "arn:tg", "Type": "elbv2"}],
        "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
        "AvailabilityZoneImpairmentPolicy": {
            "ZonalShiftEnabled": False,
            "ImpairedZoneHealthCheckBehavior": "IgnoreUnhealthy",
        },
        "CapacityReservationSpecification": {"CapacityReservationPreference": "default"},
        "EnabledMetrics": [],
        "SuspendedProcesses": [],
    }
    assert told(having(account, group=plain), workload) == []


def test_the_root_volume_of_the_template_is_the_standbys_too(account: Account, workload: Workload) -> None:
    ebs = {"VolumeSize": 500, "VolumeType": "gp3", "Iops": 6000, "Throughput": 500, "Encrypted": True, "KmsKeyId": "k"}
    having(account, {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": ebs | {"DeleteOnTermination": True}}]})
    taken = fleet(account, workload)
    assert taken.launch.disks == (Disk("/dev/xvda", VolumeSettings("gp3", 6000, 500), 500, True),)
    assert taken.left_out == ()


def test_a_protected_device_of_the_template_is_no_second_volume(account: Account, workload: Workload) -> None:
    having(account, {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8}}]})
    assert fleet(account, workload).launch.disks == ()


def test_a_template_made_from_an_instance_keeps_its_root_volume(account: Account, workload: Workload) -> None:
    """The console writes the image's own snapshot into such a template; the copy of the image has it."""
    behind = {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-image"}}]}
    account.answers["describe_images"] = {"Images": [an_image() | behind]}
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-image", "VolumeSize": 200}}
    having(account, {"BlockDeviceMappings": [mapping]})
    taken = fleet(account, workload)
    assert [(each.device, each.size_gib) for each in taken.launch.disks] == [("/dev/xvda", 200)]
    assert taken.left_out == ()


def test_a_volume_from_a_snapshot_of_the_primary_is_named_and_not_made_blank(
    account: Account, workload: Workload
) -> None:
    account.answers["describe_images"] = {"Images": [an_image() | {"BlockDeviceMappings": []}]}
    having(account, {"BlockDeviceMappings": [{"DeviceName": "/dev/sdh", "Ebs": {"SnapshotId": "snap-1"}}]})
    taken = fleet(account, workload)
    assert taken.launch.disks == ()
    (lost,) = taken.left_out
    assert "snap-1 behind /dev/sdh" in lost.setting and "kind volumes" in lost.advice


def test_an_image_that_cannot_be_read_is_a_problem_and_not_a_blank_disk(account: Account, workload: Workload) -> None:
    del account.answers["describe_images"]
    having(account, {"BlockDeviceMappings": [{"DeviceName": "/dev/sdh", "Ebs": {"SnapshotId": "snap-1"}}]})
    assert "fleet (us-east-1): image ami-1 cannot be read" in problems(account, declaring(workload, **OWN_TYPES))


def test_metadata_monitoring_and_tags_are_taken_over(account: Account, workload: Workload) -> None:
    having(
        account,
        {
            "MetadataOptions": {"HttpPutResponseHopLimit": 2, "State": "applied"},
            "Monitoring": {"Enabled": True},
            "MaintenanceOptions": {"AutoRecovery": "disabled"},
            "Placement": {"Tenancy": "dedicated"},
            "InstanceInitiatedShutdownBehavior": "terminate",
            "TagSpecifications": [
                {
                    "ResourceType": "instance",
                    "Tags": [{"Key": "team", "Value": "search"}, {"Key": "aws:x", "Value": "1"}],
                },
                {"ResourceType": "volume", "Tags": [{"Key": "pilotlight:asset", "Value": "theirs"}]},
            ],
        },
    )
    taken = fleet(account, workload)
    assert taken.launch.metadata == Metadata(hop_limit=2)
    assert (taken.launch.monitoring, taken.launch.auto_recovery) == (True, "disabled")
    assert (taken.launch.tenancy, taken.launch.shutdown_behavior) == ("dedicated", "terminate")
    assert (taken.launch.instance_tags, taken.launch.volume_tags) == ({"team": "search"}, {})
    assert taken.left_out == ()


def test_what_hangs_on_the_type_is_taken_over_only_where_the_types_are_the_same(
    account: Account, workload: Workload
) -> None:
    having(account, {"CpuOptions": {"CoreCount": 2, "ThreadsPerCore": 1}, "EbsOptimized": True})
    same = fleet(account, workload)
    assert (same.launch.cpu_cores, same.launch.cpu_threads_per_core, same.launch.ebs_optimized) == (2, 1, True)
    assert same.left_out == ()
    other = surveyed(account, declaring(workload, instance_types=("g5.xlarge", "p5.48xlarge"))).computes[0]
    assert (other.launch.cpu_cores, other.launch.ebs_optimized) == (0, None)
    assert [each.setting.split(": ")[1] for each in other.left_out] == [
        "CpuOptions.CoreCount 2",
        "CpuOptions.ThreadsPerCore 1",
        "EbsOptimized true",
    ]


@pytest.mark.parametrize(
    ("template", "setting"),
    [
        ({"KeyName": "ops"}, "KeyName ops"),
        ({"Placement": {"GroupName": "close"}}, "Placement.GroupName close"),
        ({"Placement": {"Tenancy": "host"}}, "Placement.Tenancy host"),
        (
            {"CapacityReservationSpecification": {"CapacityReservationTarget": {"CapacityReservationId": "cr-1"}}},
            'CapacityReservationSpecification.CapacityReservationTarget {"CapacityReservationId": "cr-1"}',
        ),
        ({"InstanceMarketOptions": {"MarketType": "spot"}}, 'InstanceMarketOptions {"MarketType": "spot"}'),
        (
            {"NetworkInterfaces": [{"InterfaceType": "efa"}, {"InterfaceType": "efa"}]},
            "NetworkInterfaces.InterfaceType efa",
        ),
        ({"TagSpecifications": [{"ResourceType": "elastic-gpu"}]}, "TagSpecifications.ResourceType elastic-gpu"),
        ({"Teleport": {"Target": "moon"}}, "Teleport"),
    ],
)
def test_what_a_template_sets_and_the_standby_lacks_is_named(
    account: Account, workload: Workload, template: dict[str, Any], setting: str
) -> None:
    (lost,) = fleet(having(account, template), workload).left_out
    assert lost.setting == f"launch template: {setting}" and lost.instead and lost.advice


@pytest.mark.parametrize(
    ("group", "setting"),
    [
        ({"NewInstancesProtectedFromScaleIn": True}, "NewInstancesProtectedFromScaleIn"),
        ({"MaxInstanceLifetime": 604800}, "MaxInstanceLifetime 604800"),
        ({"WarmPoolConfiguration": {"MinSize": 2}}, "WarmPoolConfiguration"),
        ({"CapacityRebalance": True}, "CapacityRebalance"),
        ({"InstanceMaintenancePolicy": {"MinHealthyPercentage": 90}}, "InstanceMaintenancePolicy"),
        ({"EnabledMetrics": [{"Metric": "GroupMinSize", "Granularity": "1Minute"}]}, "EnabledMetrics.Metric"),
        ({"SuspendedProcesses": [{"ProcessName": "AZRebalance"}]}, "SuspendedProcesses.ProcessName AZRebalance"),
        ({"PlacementGroup": "close"}, "PlacementGroup close"),
        ({"TargetGroupARNs": ["arn:tg", "arn:second"]}, "TargetGroupARNs second"),
        ({"TrafficSources": [{"Identifier": "x", "Type": "vpc-lattice"}]}, "TrafficSources.Type vpc-lattice"),
        ({"HealthCheckType": "EC2,EBS"}, "HealthCheckType EBS"),
        ({"TerminationPolicies": ["arn:aws:lambda:us-east-1:1:function:x"]}, "TerminationPolicies"),
        ({"AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-only"}}, "balanced-only"),
        ({"Autopilot": "on"}, "Autopilot"),
    ],
)
def test_what_a_group_sets_and_the_standby_lacks_is_named(
    account: Account, workload: Workload, group: dict[str, Any], setting: str
) -> None:
    (lost,) = fleet(having(account, group=group), workload).left_out
    assert lost.setting.startswith("Auto Scaling group: ") and lost.instead and lost.advice
    assert setting in lost.setting


def test_half_of_a_group_on_spot_is_named_and_its_types_are_taken(account: Account, workload: Workload) -> None:
    group = a_group()
    mixed = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": group.pop("LaunchTemplate"),
            "Overrides": [{"InstanceType": "g5.xlarge"}],
        },
        "InstancesDistribution": {
            "OnDemandPercentageAboveBaseCapacity": 50,
            "SpotAllocationStrategy": "price-capacity-optimized",
        },
    }
    account.answers["describe_auto_scaling_groups"] = {"AutoScalingGroups": [group | {"MixedInstancesPolicy": mixed}]}
    (lost,) = fleet(account, workload).left_out
    assert "OnDemandPercentageAboveBaseCapacity 50" in lost.setting and "on-demand" in lost.instead


def test_checks_policies_and_tags_of_the_group_are_taken_over(account: Account, workload: Workload) -> None:
    tags = [
        {"Key": "team", "Value": "search", "PropagateAtLaunch": True},
        {"Key": "pilotlight:workload", "Value": "x", "PropagateAtLaunch": True},
        {"Key": "aws:cloudformation:stack-name", "Value": "x", "PropagateAtLaunch": True},
    ]
    having(
        account,
        group={
            "HealthCheckType": "EC2,ELB",
            "HealthCheckGracePeriod": 1800,
            "DefaultCooldown": 60,
            "DefaultInstanceWarmup": 0,
            "TerminationPolicies": ["OldestInstance", "Default"],
            "Tags": tags,
        },
    )
    taken = fleet(account, workload).group
    assert (taken.health_check_type, taken.health_check_grace_seconds) == ("ELB", 1800)
    assert (taken.cooldown_seconds, taken.warmup_seconds) == (60, 0)
    assert taken.termination_policies == ("OldestInstance", "Default")
    assert taken.tags == (GroupTag("team", "search", True),)


@pytest.mark.parametrize(
    ("operation", "answer", "said", "problem"),
    [
        (
            "describe_policies",
            {"ScalingPolicies": [{"PolicyName": "cpu-50"}]},
            "scaling policy cpu-50",
            "each scaling policy",
        ),
        (
            "describe_scheduled_actions",
            {"ScheduledUpdateGroupActions": [{"ScheduledActionName": "night"}]},
            "scheduled action night",
            "each scheduled action",
        ),
        (
            "describe_lifecycle_hooks",
            {"LifecycleHooks": [{"LifecycleHookName": "warm"}]},
            "lifecycle hook warm",
            "hook",
        ),
        (
            "describe_notification_configurations",
            {"NotificationConfigurations": [{"NotificationType": f"n{number}"} for number in range(7)]},
            "notification n0, n1, n2, n3, n4 and 2 more",
            "each notification",
        ),
    ],
)
def test_what_is_attached_to_the_group_is_named_and_a_refused_read_is_not_none(
    account: Account, workload: Workload, operation: str, answer: dict[str, Any], said: str, problem: str
) -> None:
    account.answers[operation] = answer
    assert told(account, workload) == [f"Auto Scaling group: {said}"]
    del account.answers[operation]
    (amiss,) = problems(account, declaring(workload, **OWN_TYPES)).splitlines()
    assert problem in amiss and "of Auto Scaling group" in amiss and "cannot be read" in amiss


def test_what_is_left_out_is_told_by_asset_with_what_to_do(account: Account, workload: Workload) -> None:
    told = surveyed(having(account, {"KeyName": "ops"}), declaring(workload, **OWN_TYPES)).left_out
    (sentence,) = [each for each in told if each.startswith("fleet: ")]
    assert sentence.startswith("fleet: launch template: KeyName ops is not carried over: ")
    assert "Session Manager" in sentence


# -- protected volumes -----------------------------------------------------------------------------------------


def test_protected_volumes_are_as_fast_there(account: Account, workload: Workload) -> None:
    volumes = [
        a_volume("vol-a", "/dev/sdf", 8) | {"VolumeType": "io2", "Iops": 400},
        a_volume("vol-b", "/dev/sdg", 9) | {"VolumeType": "gp2", "Iops": 100},
    ]
    account.answers["describe_volumes"] = {"Volumes": volumes}
    (group,) = surveyed(account, workload).volumes
    assert group.settings == {"/dev/sdf": VolumeSettings("io2", 400), "/dev/sdg": VolumeSettings("gp2")}
    assert group.left_out == ()


def test_volumes_that_cannot_be_alike_there_are_named(account: Account, workload: Workload) -> None:
    shared = a_volume("vol-a", "/dev/sdf", 8) | {"VolumeType": "io2", "Iops": 400, "MultiAttachEnabled": True}
    account.answers["describe_volumes"] = {"Volumes": [shared | {"Hologram": "on"}]}
    (group,) = surveyed(account, workload).volumes
    assert [each.setting for each in group.left_out] == [
        "volume: MultiAttachEnabled of vol-a",
        "volume: Hologram of vol-a",
    ]


# -- clusters --------------------------------------------------------------------------------------------------


def test_what_a_cluster_sets_and_its_secondary_lacks_is_named(account: Account, workload: Workload) -> None:
    """A parameter group of one's own, readers and logins by IAM: none of it is in the secondary."""
    (cluster,) = account.answers["describe_db_clusters"]["DBClusters"]
    cluster |= {
        "DBClusterParameterGroup": "vectors",
        "DBClusterMembers": [{"DBInstanceIdentifier": f"registry-{number}"} for number in range(3)],
        "IAMDatabaseAuthenticationEnabled": True,
        "StorageType": "aurora",
        "EngineMode": "provisioned",
        "Warp": 9,
    }
    (database,) = surveyed(account, workload).databases
    assert [each.setting.split(" {")[0].split(" [")[0] for each in database.left_out] == [
        "cluster: HttpEndpointEnabled true",
        "cluster: DBClusterParameterGroup vectors",
        "cluster: DBClusterMembers",
        "cluster: IAMDatabaseAuthenticationEnabled true",
        "cluster: Warp",
    ]


def test_a_plain_cluster_is_told_nothing(account: Account, workload: Workload) -> None:
    (cluster,) = account.answers["describe_db_clusters"]["DBClusters"]
    cluster |= {"DBClusterParameterGroup": "default.aurora-postgresql16", "MonitoringInterval": 0, "TagList": []}
    (database,) = surveyed(account, workload).databases
    assert [each.setting for each in database.left_out] == ["cluster: HttpEndpointEnabled true"]
