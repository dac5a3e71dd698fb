"""Machines of the small AWS: groups, launch templates, images, instances, volumes and snapshots, of both regions."""
# ruff: noqa: N803 - parameters are named as AWS names them

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.clock import FakeClock, stamp
from support.fake_names import NAMES, PRIMARY, STANDBY

TEMPLATE = "inference-template"
LAUNCHED = {"ImageId": "ami-1", "UserData": "c2VydmU="}
"""What the primary's group launches."""
BLANK = ("/dev/sdf", "/dev/sdg")
"""Devices of the stack's launch template."""
COPIES_AT_ONCE = 20
"""Of snapshots, into one region: EBS User Guide, "Copy an Amazon EBS snapshot"."""
START_SECONDS, COPY_SECONDS, HEALTH_SECONDS = 8.0, 12.0, 5.0


@dataclass
class Version:
    """One version of a launch template."""

    data: dict[str, Any]
    description: str = ""
    token: str = ""


@dataclass
class Group:
    """An Auto Scaling group; instances are (id, when they are in service). It names (template, version) in a policy,
    and `launched` tells which of them each instance came from."""

    desired: int = 0
    maximum: int = 1
    suspended: list[str] = field(default_factory=list)
    instances: list[tuple[str, float]] = field(default_factory=list)
    activities: list[dict[str, Any]] = field(default_factory=list)
    names: tuple[str, str] = (NAMES.launch_template("fleet"), "$Latest")
    """(template, version)."""
    launched: dict[str, tuple[str, str]] = field(default_factory=dict)


class Machines:
    """The part of the Door that has to do with them."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.ids = itertools.count(1)
        self.groups = {
            (PRIMARY, "inference-fleet"): Group(1, 4, instances=[("i-1", 0.0)], names=(TEMPLATE, "$Latest")),
            (STANDBY, NAMES.group("fleet")): Group(),
        }
        self.short: set[str] = set()
        ebs = {"VolumeSize": 8, "Encrypted": True, "DeleteOnTermination": False}
        blank = [{"DeviceName": each, "Ebs": dict(ebs)} for each in BLANK]
        stack = Version({"ImageId": "ami-2", "BlockDeviceMappings": blank})
        self.templates: dict[str, list[Version]] = {
            NAMES.launch_template("fleet"): [stack],
            TEMPLATE: [Version(dict(LAUNCHED))],
        }
        self.images: dict[str, dict[str, Any]] = {"ami-2": {"Tags": [], "done": 0.0, "made": 0.0}}
        self.snapshots: dict[str, dict[str, dict[str, Any]]] = {PRIMARY: {}, STANDBY: {}}
        self.instances: dict[str, tuple[datetime, dict[str, str]]] = {}
        self.volumes: dict[str, dict[str, str]] = {}
        self.unsnapshot: set[str] = set()
        self.snapshot_call_seconds = 0.0
        self.start_seconds, self.health_seconds, self.copy_seconds = START_SECONDS, HEALTH_SECONDS, COPY_SECONDS
        self.keys = {NAMES.key_alias}
        self.copies_refused = 0
        self.attach("i-1", 0.0, {"/dev/sdf": "vol-1", "/dev/sdg": "vol-2"}, {"/dev/sdh": "vol-9"})

    # -- compute -----------------------------------------------------------------------------------------------

    def autoscaling_describe_auto_scaling_groups(self, region: str, AutoScalingGroupNames: list[str]) -> dict[str, Any]:
        return {"AutoScalingGroups": [self._group(region, name) for name in AutoScalingGroupNames]}

    def _group(self, region: str, name: str) -> dict[str, Any]:
        group = self.groups[region, name]
        self._grow(group)
        instances = [
            {
                "InstanceId": id,
                "InstanceType": "g5.xlarge",
                "AvailabilityZone": f"{region}a",
                "LifecycleState": "InService" if self.clock.now() >= at else "Pending",
                "HealthStatus": "Healthy",
                "LaunchTemplate": dict(
                    zip(("LaunchTemplateName", "Version"), group.launched.get(id, ("", "")), strict=True)
                ),
            }
            for id, at in group.instances
        ]
        named = dict(zip(("LaunchTemplateName", "Version"), group.names, strict=True))
        return {
            "MixedInstancesPolicy": {"LaunchTemplate": {"LaunchTemplateSpecification": named, "Overrides": []}},
            "AutoScalingGroupName": name,
            "DesiredCapacity": group.desired,
            "MaxSize": group.maximum,
            "Instances": instances,
            "TargetGroupARNs": [f"arn:targets/{region}/{name}"],
            "SuspendedProcesses": [{"ProcessName": each} for each in group.suspended],
        }

    def _grow(self, group: Group) -> None:
        group.instances = group.instances[: group.desired]
        while len(group.instances) < group.desired and "Launch" not in group.suspended:
            if self.short:
                group.activities = [self._refusal(each) for each in sorted(self.short)]
                return
            instance = f"i-{next(self.ids)}"
            name, version = group.names
            named = str(len(self.templates[name])) if version == "$Latest" else version
            group.launched[instance] = (name, named)
            group.instances.append((instance, self.clock.now() + self.start_seconds))

    def _refusal(self, kind: str) -> dict[str, Any]:
        words = f"We currently do not have sufficient {kind} capacity. Launching EC2 instance failed."
        at = datetime.fromtimestamp(self.clock.now(), tz=UTC)
        return {"StatusCode": "Failed", "StatusMessage": words, "StartTime": at}

    def autoscaling_describe_scaling_activities(self, region: str, AutoScalingGroupName: str, MaxRecords: int) -> Any:
        return {"Activities": self.groups[region, AutoScalingGroupName].activities}

    def autoscaling_update_auto_scaling_group(
        self,
        region: str,
        AutoScalingGroupName: str,
        MinSize: int = 0,
        DesiredCapacity: int | None = None,
        MaxSize: int = 0,
        MixedInstancesPolicy: Any = None,
    ) -> dict[str, Any]:
        group = self.groups[region, AutoScalingGroupName]
        if MixedInstancesPolicy:
            named = MixedInstancesPolicy["LaunchTemplate"]["LaunchTemplateSpecification"]
            group.names = (named["LaunchTemplateName"], named["Version"])
            assert group.names[0] in self.templates
        group.desired = group.desired if DesiredCapacity is None else DesiredCapacity
        group.maximum = MaxSize or group.maximum
        self._grow(group)
        return {}

    def autoscaling_suspend_processes(self, region: str, AutoScalingGroupName: str, ScalingProcesses: Any) -> Any:
        self.groups[region, AutoScalingGroupName].suspended = list(ScalingProcesses)
        return {}

    def autoscaling_resume_processes(self, region: str, AutoScalingGroupName: str, ScalingProcesses: Any) -> Any:
        self.groups[region, AutoScalingGroupName].suspended = []
        return {}

    def elbv2_describe_target_health(self, region: str, TargetGroupArn: str) -> dict[str, Any]:
        group = self.groups[region, TargetGroupArn.rsplit("/", 1)[1]]
        states = ["healthy" if self.clock.now() >= at + self.health_seconds else "initial" for _, at in group.instances]
        return {"TargetHealthDescriptions": [{"TargetHealth": {"State": state}} for state in states]}

    def elbv2_describe_load_balancers(self, region: str, Names: list[str]) -> dict[str, Any]:
        assert region == STANDBY
        return {"LoadBalancers": [{"DNSName": "lb.west"}]}

    # -- templates, images, volumes and snapshots --------------------------------------------------------------

    def ec2_describe_launch_template_versions(
        self, region: str, LaunchTemplateName: str, Versions: Any = None, MaxResults: int = 0
    ) -> Any:
        assert region == (PRIMARY if LaunchTemplateName == TEMPLATE else STANDBY)
        if LaunchTemplateName not in self.templates:
            code = "InvalidLaunchTemplateName.NotFoundException"
            raise refused("ec2", "describe_launch_template_versions", region, code, "there is none")
        found = [
            {"VersionNumber": number, "LaunchTemplateData": each.data, "VersionDescription": each.description}
            for number, each in enumerate(self.templates[LaunchTemplateName], 1)
        ]
        return {"LaunchTemplateVersions": found[-1:] if Versions == ["$Latest"] else found}

    def ec2_create_launch_template(self, region: str, LaunchTemplateName: str, **parameters: Any) -> dict[str, Any]:
        made = self.templates.setdefault(LaunchTemplateName, [])
        assert not made or made[0].token == parameters["ClientToken"]
        return self._version(LaunchTemplateName, parameters)

    def ec2_create_launch_template_version(self, region: str, LaunchTemplateName: str, **parameters: Any) -> Any:
        assert LaunchTemplateName != NAMES.launch_template("fleet"), "the stack's template is the stack's"
        return self._version(LaunchTemplateName, parameters)

    def _version(self, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        token = parameters["ClientToken"]
        if token not in {each.token for each in self.templates[name]}:
            version = Version(parameters["LaunchTemplateData"], parameters["VersionDescription"], token)
            self.templates[name].append(version)
        return {}

    def ec2_delete_launch_template(self, region: str, LaunchTemplateName: str) -> dict[str, Any]:
        assert not [each for each in self.groups.values() if each.names[0] == LaunchTemplateName], "a group names it"
        if self.templates.pop(LaunchTemplateName, None) is None:
            code = "InvalidLaunchTemplateName.NotFoundException"
            raise refused("ec2", "delete_launch_template", region, code, "there is none")
        return {}

    def ec2_describe_availability_zones(self, region: str) -> dict[str, Any]:
        return {"AvailabilityZones": [{"ZoneName": f"{region}a"}]}

    def ec2_describe_images(self, region: str, Filters: Any, Owners: Any = None) -> dict[str, Any]:
        """By id, or those that carry the tags; a copy is pending for as long as it takes."""
        assert region == STANDBY
        wanted = {each["Name"]: each["Values"] for each in Filters}
        found = {
            id: each
            for id, each in self.images.items()
            if id in wanted.get("image-id", [id]) and (each["Tags"] or "tag-key" not in wanted)
        }
        return {"Images": [{"ImageId": id, **self._image(each)} for id, each in found.items()]}

    def _image(self, image: dict[str, Any]) -> dict[str, Any]:
        state = image.get("state") or ("available" if self.clock.now() >= image["done"] else "pending")
        return {"State": state, "Tags": image["Tags"], "CreationDate": stamp(image["made"])}

    def ec2_copy_image(self, region: str, SourceImageId: str, TagSpecifications: Any, **rest: Any) -> dict[str, Any]:
        assert region == STANDBY and rest["Encrypted"] and rest["KmsKeyId"] == NAMES.key_alias
        assert {each["ResourceType"] for each in TagSpecifications} == {"image", "snapshot"}
        id, now = f"ami-copy-{next(self.ids)}", self.clock.now()
        self.images[id] = {"Tags": TagSpecifications[0]["Tags"], "done": now + self.copy_seconds, "made": now}
        return {"ImageId": id}

    def ec2_deregister_image(self, region: str, ImageId: str, DeleteAssociatedSnapshots: bool) -> dict[str, Any]:
        assert region == STANDBY and DeleteAssociatedSnapshots
        if self.images.pop(ImageId, None) is None:
            raise refused("ec2", "deregister_image", region, "InvalidAMIID.NotFound", "there is none")
        return {}

    def attach(
        self, instance: str, launched: float, devices: dict[str, str], more: dict[str, str] | None = None
    ) -> None:
        """An instance with volumes, device -> id: `devices` are selected, `more` are not."""
        for volume in devices.values():
            self.volumes[volume] = {}
        launched_at = datetime.fromtimestamp(launched, tz=UTC)
        self.instances[instance] = (launched_at, {"/dev/xvda": f"root-{instance}"} | devices | (more or {}))

    def ec2_describe_volumes(self, region: str, Filters: Any) -> dict[str, Any]:
        assert region == PRIMARY
        owners = {
            volume: [id for id, (_, mounted) in self.instances.items() if volume in mounted.values()]
            for volume in self.volumes
        }
        found = [
            {
                "VolumeId": volume,
                "State": "in-use" if owners[volume] else "available",
                "Attachments": [{"InstanceId": each} for each in owners[volume]],
                "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            }
            for volume, tags in self.volumes.items()
        ]
        return {"Volumes": found}

    def ec2_describe_instances(self, region: str, InstanceIds: list[str]) -> dict[str, Any]:
        found = []
        for id in InstanceIds:
            launched_at, mounted = self.instances.get(id, (datetime.fromtimestamp(0, tz=UTC), {}))
            mappings = [{"DeviceName": device, "Ebs": {"VolumeId": volume}} for device, volume in mounted.items()]
            instance = {"InstanceId": id, "RootDeviceName": "/dev/xvda", "BlockDeviceMappings": mappings}
            found.append(instance | {"LaunchTime": launched_at})
        return {"Reservations": [{"Instances": [each]} for each in found]}

    def ec2_create_snapshots(self, region: str, InstanceSpecification: Any, TagSpecifications: Any, **rest: Any) -> Any:
        if InstanceSpecification["InstanceId"] in self.unsnapshot:
            raise refused("ec2", "create_snapshots", region, "RequestLimitExceeded", "not now")
        self.clock.sleep(self.snapshot_call_seconds)
        left_out = set(InstanceSpecification.get("ExcludeDataVolumeIds", []))
        _, mounted = self.instances[InstanceSpecification["InstanceId"]]
        for device, volume in sorted(mounted.items()):
            if volume not in left_out and not (device == "/dev/xvda" and InstanceSpecification["ExcludeBootVolume"]):
                self._snapshot(region, volume, TagSpecifications[0]["Tags"])
        return {}

    def ec2_create_snapshot(self, region: str, VolumeId: str, TagSpecifications: Any, **rest: Any) -> Any:
        assert region == PRIMARY and VolumeId in self.volumes
        self._snapshot(region, VolumeId, TagSpecifications[0]["Tags"])
        return {}

    def ec2_copy_snapshot(self, region: str, SourceSnapshotId: str, TagSpecifications: Any, **rest: Any) -> Any:
        assert region == STANDBY and rest["Encrypted"] and rest["KmsKeyId"] in self.keys
        assert self.snapshots[PRIMARY][SourceSnapshotId]
        under_way = sum(self.clock.now() < each["done"] for each in self.snapshots[STANDBY].values())
        if under_way >= COPIES_AT_ONCE:
            self.copies_refused += 1
            raise refused("ec2", "copy_snapshot", region, "ResourceLimitExceeded", "Too many copies in progress")
        self._snapshot(region, "vol-ffffffff", TagSpecifications[0]["Tags"])
        return {}

    def _snapshot(self, region: str, volume: str, tags: Any) -> None:
        id = f"snap-{next(self.ids)}"
        asset = next((each["Value"] for each in tags if each["Key"] == "pilotlight:asset"), "")
        done = self.clock.now() + self.copy_seconds
        now = self.clock.now()
        self.snapshots[region][id] = {"VolumeId": volume, "Tags": tags, "done": done, "asset": asset, "made": now}

    def ec2_describe_snapshots(
        self, region: str, OwnerIds: Any = None, Filters: Any = None, SnapshotIds: Any = None
    ) -> dict[str, Any]:
        found = [
            {
                "SnapshotId": id,
                "VolumeId": each["VolumeId"],
                "State": "completed" if self.clock.now() >= each["done"] else "pending",
                "Tags": each["Tags"],
                **_times(each.get("made"), each["done"], self.clock.now()),
            }
            for id, each in self.snapshots[region].items()
            if (SnapshotIds is None or id in SnapshotIds) and each["asset"] in _of_asset(Filters, each["asset"])
        ]
        return {"Snapshots": found}

    def ec2_delete_snapshot(self, region: str, SnapshotId: str) -> dict[str, Any]:
        if self.snapshots[region].pop(SnapshotId, None) is None:
            raise refused("ec2", "delete_snapshot", region, "InvalidSnapshot.NotFound", "there is none")
        return {}


def _times(made: float | None, done: float, now: float) -> dict[str, datetime]:
    """StartTime, and CompletionTime once it has one."""
    moments = {} if made is None else {"StartTime": made, "CompletionTime": done}
    return {name: datetime.fromtimestamp(at, tz=UTC) for name, at in moments.items() if at <= now}


def _of_asset(filters: Any, default: str) -> list[str]:
    return next((each["Values"] for each in filters or [] if each["Name"] == "tag:pilotlight:asset"), [default])
