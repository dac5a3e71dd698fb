"""An AWS small enough to read: two regions in dictionaries, behind the Door, on a clock that tests move.

Acts take their time (promotion, instances, copies), a region can be cut off, every call is recorded. What recovery
does not call is not here, so a new call shows as an AttributeError.
"""
# ruff: noqa: N803 - parameters are named as AWS names them

from __future__ import annotations

import hashlib
import itertools
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from door_buckets import Buckets
from door_tables import Tables
from pilotlight.clock import FakeClock, stamp
from pilotlight.cloud import paging
from pilotlight.cloud.door import is_reading, refused
from pilotlight.errors import RegionUnreachable
from pilotlight.naming import Names
from pilotlight.records.inventory import Compute, Database, Datasets, Inventory, Keep, Traffic, Volumes
from pilotlight.recovery.desk import Recovery
from pilotlight.recovery.fetch import Fetched
from pilotlight.recovery.observe.software import digests
from pilotlight.recovery.site import Site

ACCOUNT = "123456789012"
PRIMARY, STANDBY = "us-east-1", "us-west-2"
NAMES = Names("inference", ACCOUNT, PRIMARY, STANDBY)
CORPUS, MODELS = f"inference-corpus-{ACCOUNT}", f"inference-models-{ACCOUNT}"
CORPUS_COPY, MODELS_COPY = NAMES.standby_bucket("corpus"), NAMES.standby_bucket("checkpoints")
TEMPLATE = "inference-template"
LAUNCHED = {"ImageId": "ami-1", "UserData": "c2VydmU="}
"""What the primary's group launches."""
COPIES_AT_ONCE = 20
"""Of snapshots, into one region: EBS User Guide, "Copy an Amazon EBS snapshot"."""
PROMOTION_SECONDS, START_SECONDS, COPY_SECONDS, HEALTH_SECONDS = 20.0, 8.0, 12.0, 5.0


def inventory(**changes: Any) -> Inventory:
    """One of everything."""
    cluster = f"arn:aws:rds:{PRIMARY}:{ACCOUNT}:cluster:inference-registry"
    standby_cluster = NAMES.standby_cluster("registry")
    database = Database(
        name="registry",
        primary_cluster="inference-registry",
        standby_cluster=standby_cluster,
        global_cluster=NAMES.global_cluster("registry"),
        engine="aurora-postgresql",
        engine_version="16.6",
        database="registry",
        primary_arn=cluster,
        standby_arn=f"arn:aws:rds:{STANDBY}:{ACCOUNT}:cluster:{standby_cluster}",
        table="models",
        column="uri",
        secret=f"arn:aws:secretsmanager:{PRIMARY}:{ACCOUNT}:secret:login",
        uses=("checkpoints",),
    )
    fleet = Compute(
        name="fleet",
        primary_group="inference-fleet",
        standby_group=NAMES.group("fleet"),
        standby_launch_template=NAMES.launch_template("fleet"),
        image="ami-1",
        instance_types=("g5.xlarge", "g4dn.xlarge"),
        count=1,
        user_data="",
        port=8080,
        instance_profile_policy="{}",
        volumes=("index",),
        template=digests(LAUNCHED),
        uses=("checkpoints", "registry"),
    )
    whole: dict[str, Any] = {
        "workload": "inference",
        "account": ACCOUNT,
        "primary": PRIMARY,
        "standby": STANDBY,
        "rpo_seconds": 60.0,
        "rto_seconds": 120.0,
        "trigger": "automatic",
        "every_seconds": 60.0,
        "keep": Keep(),
        "datasets": (
            Datasets("corpus", "dataset", CORPUS, CORPUS_COPY),
            Datasets("checkpoints", "checkpoints", MODELS, MODELS_COPY, "checkpoints/", uses=("corpus",)),
        ),
        "volumes": (Volumes("index", "backup", "index", {"/dev/sdf": "vol-1", "/dev/sdg": "vol-2"}, {}),),
        "databases": (database,),
        "computes": (fleet,),
        "traffic": Traffic("example.internal", "Z1", "models.example.internal", "/healthz", 80, "lb.east", "ZLB"),
    }
    return Inventory(**(whole | changes))


@cache
def _database() -> Database:
    return inventory().databases[0]


BLANK = ("/dev/sdf", "/dev/sdg")
"""Devices of the stack's launch template."""


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


class FakeAws:
    """The Door."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        regions = {CORPUS: PRIMARY, MODELS: PRIMARY, CORPUS_COPY: STANDBY, MODELS_COPY: STANDBY}
        self.s3 = Buckets(clock, regions | {NAMES.vault_bucket: STANDBY})
        self.s3.rules = {CORPUS: CORPUS_COPY, MODELS: MODELS_COPY, CORPUS_COPY: CORPUS, MODELS_COPY: MODELS}
        self.dynamodb = Tables(STANDBY)
        self.ids = itertools.count(1)
        self.dark: set[str] = set()
        self.made: list[tuple[str, str, str]] = []
        self.writer, self.moving_until, self.promotions, self.switches = PRIMARY, 0.0, 0, 0
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
        self.attach("i-1", 0.0, {"/dev/sdf": "vol-1", "/dev/sdg": "vol-2"}, {"/dev/sdh": "vol-9"})
        self.parameters: dict[tuple[str, str], str] = {}
        self.metrics: dict[str, list[float]] = {}
        self.invoked: list[dict[str, Any]] = []
        self.denied: set[str] = set()
        self.silent: set[tuple[str, str]] = set()
        self.alarms: dict[str, str] = {}
        self.told: list[tuple[str, str]] = []
        self.subscribed: dict[tuple[str, str], str] = {}
        self.database_status = "available"
        self.rows: list[str] = []

    # -- the door ----------------------------------------------------------------------------------------------

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        self.made.append((service, operation, region))
        self.s3.cut = self.dark
        if region in self.dark or (region, service) in self.silent:
            raise RegionUnreachable(region=region, service=service, operation=operation)
        if f"{service}:{operation}" in self.denied:
            raise refused(
                service,
                operation,
                region,
                "AccessDenied",
                f"AccessDenied: not authorized to perform {service}:{operation}",
            )
        if (service, operation) == ("dynamodb", "describe_table") and region != STANDBY:
            raise refused(service, operation, region, "ResourceNotFoundException", "Requested resource not found")
        if service == "dynamodb":
            return getattr(self.dynamodb, operation)(**parameters)
        if service == "s3":
            assert self.s3.regions[parameters["Bucket"]] == region, f"{operation} of {parameters} was sent to {region}"
            return getattr(self.s3, operation)(**parameters)
        return getattr(self, f"{service.replace('-', '_')}_{operation}")(region, **parameters)

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        return paging.pages(self.call, service, operation, region, parameters)

    def acts(self) -> list[tuple[str, str, str]]:
        """Everything that was asked for and could change something, the journal apart."""
        return [each for each in self.made if not is_reading(each[1]) and each[0] != "dynamodb"]

    def fetch(self, url: str, seconds: float) -> Fetched:
        """The outside view: the record follows the metric, balancers answer for their own region."""
        moved = self.metrics.get("StandbyActive", [0.0])[-1] >= 1
        region = STANDBY if (moved if "models.example.internal" in url else "west" in url) else PRIMARY
        if region in self.dark:
            return Fetched(0, reason="timed out")
        group = next(group for (place, _), group in self.groups.items() if place == region)
        ready = any(self.clock.now() >= at + HEALTH_SECONDS for _, at in group.instances)
        return Fetched(200, f'{{"region": "{region}"}}'.encode()) if ready else Fetched(503)

    # -- identity, parameters, metrics, functions --------------------------------------------------------------

    def sts_get_caller_identity(self, region: str) -> dict[str, Any]:
        return {"Account": ACCOUNT, "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/me"}

    def ssm_get_parameter(self, region: str, Name: str) -> dict[str, Any]:
        if (region, Name) not in self.parameters:
            raise refused("ssm", "get_parameter", region, "ParameterNotFound", "there is none")
        return {"Parameter": {"Value": self.parameters[region, Name]}}

    def ssm_put_parameter(self, region: str, Name: str, Value: str, Type: str, Overwrite: bool) -> dict[str, Any]:
        self.parameters[region, Name] = Value
        return {}

    def ssm_delete_parameter(self, region: str, Name: str) -> dict[str, Any]:
        if self.parameters.pop((region, Name), None) is None:
            raise refused("ssm", "delete_parameter", region, "ParameterNotFound", "there is none")
        return {}

    def cloudwatch_put_metric_data(self, region: str, Namespace: str, MetricData: list[Any]) -> dict[str, Any]:
        assert region == STANDBY and Namespace == "Pilotlight"
        for datum in MetricData:
            self.metrics.setdefault(datum["MetricName"], []).append(datum["Value"])
        return {}

    def cloudwatch_get_metric_statistics(self, region: str, **parameters: Any) -> dict[str, Any]:
        return {"Datapoints": []}

    def cloudwatch_describe_alarms(self, region: str, AlarmNames: list[str]) -> dict[str, Any]:
        assert region == STANDBY
        found = {name.removeprefix("pilotlight-inference-"): name for name in AlarmNames}
        at = datetime.fromtimestamp(self.clock.now(), tz=UTC)
        states = {purpose: self.alarms.get(purpose, "OK") for purpose in found}
        alarms = [
            {"AlarmName": found[each], "StateValue": state, "StateUpdatedTimestamp": at, "StateReason": "as set"}
            for each, state in states.items()
            if state
        ]
        return {"MetricAlarms": alarms}

    def sns_publish(self, region: str, TopicArn: str, Subject: str, Message: str) -> dict[str, Any]:
        assert (region, TopicArn) == (STANDBY, NAMES.people_topic_arn) and len(Subject) <= 100 and Subject.isascii()
        self.told.append((Subject, Message))
        return {"MessageId": "1"}

    def sns_list_subscriptions_by_topic(self, region: str, TopicArn: str, **rest: Any) -> dict[str, Any]:
        assert (region, TopicArn) == (STANDBY, NAMES.people_topic_arn)
        return {
            "Subscriptions": [
                {"Protocol": protocol, "Endpoint": endpoint, "SubscriptionArn": arn}
                for (protocol, endpoint), arn in self.subscribed.items()
            ]
        }

    def route53_list_resource_record_sets(self, region: str, **parameters: Any) -> dict[str, Any]:
        return {"ResourceRecordSets": [], "IsTruncated": False}

    def lambda_invoke(self, region: str, **parameters: Any) -> dict[str, Any]:
        self.invoked.append(parameters)
        return {}

    # -- databases ---------------------------------------------------------------------------------------------

    def rds_describe_global_clusters(self, region: str, GlobalClusterIdentifier: str) -> dict[str, Any]:
        database = _database()
        moving = self.clock.now() < self.moving_until
        members = [
            {"DBClusterArn": arn, "IsWriter": self.writer == place and not moving}
            for place, arn in ((PRIMARY, database.primary_arn), (STANDBY, database.standby_arn))
        ]
        status = "failing-over" if moving else "available"
        return {"GlobalClusters": [{"Status": status, "GlobalClusterMembers": members}]}

    def rds_describe_db_clusters(self, region: str, DBClusterIdentifier: str) -> dict[str, Any]:
        database = _database()
        arn = database.standby_arn if region == STANDBY else database.primary_arn
        found = {"Status": self.database_status, "DBClusterArn": arn, "Endpoint": "db", "DBClusterMembers": [{}]}
        return {"DBClusters": [found]}

    def rds_data_execute_statement(self, region: str, sql: str, parameters: list[Any], **where: str) -> dict[str, Any]:
        assert region == PRIMARY and '"models"' in sql and where["secretArn"], "only the writer answers"
        before = parameters[0]["value"]["stringValue"] if parameters else None
        page = [uri for uri in sorted(set(self.rows), reverse=True) if before is None or uri < before]
        return {"records": [[{"stringValue": uri}] for uri in page[: int(sql.rsplit(" ", 1)[1])]]}

    def rds_failover_global_cluster(self, region: str, AllowDataLoss: bool, **which: str) -> dict[str, Any]:
        self._move(region, "failover_global_cluster")
        self.promotions += 1
        self.writer = STANDBY
        return {}

    def rds_switchover_global_cluster(self, region: str, **which: str) -> dict[str, Any]:
        self._move(region, "switchover_global_cluster")
        self.switches += 1
        self.writer = PRIMARY
        return {}

    def _move(self, region: str, operation: str) -> None:
        if self.clock.now() < self.moving_until:
            raise refused("rds", operation, region, "InvalidGlobalClusterStateFault", "it is failing over")
        self.moving_until = self.clock.now() + PROMOTION_SECONDS

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
            group.instances.append((instance, self.clock.now() + START_SECONDS))

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
        states = ["healthy" if self.clock.now() >= at + HEALTH_SECONDS else "initial" for _, at in group.instances]
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
        self.images[id] = {"Tags": TagSpecifications[0]["Tags"], "done": now + COPY_SECONDS, "made": now}
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
            launched_at, mounted = self.instances[id]
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
        assert region == STANDBY and rest["Encrypted"] and rest["KmsKeyId"] == NAMES.key_alias
        assert self.snapshots[PRIMARY][SourceSnapshotId]
        under_way = sum(self.clock.now() < each["done"] for each in self.snapshots[STANDBY].values())
        if under_way >= COPIES_AT_ONCE:
            raise refused("ec2", "copy_snapshot", region, "ResourceLimitExceeded", "Too many copies in progress")
        self._snapshot(region, "vol-ffffffff", TagSpecifications[0]["Tags"])
        return {}

    def _snapshot(self, region: str, volume: str, tags: Any) -> None:
        id = f"snap-{next(self.ids)}"
        asset = next((each["Value"] for each in tags if each["Key"] == "pilotlight:asset"), "")
        done = self.clock.now() + COPY_SECONDS
        self.snapshots[region][id] = {"VolumeId": volume, "Tags": tags, "done": done, "asset": asset}

    def ec2_describe_snapshots(
        self, region: str, OwnerIds: Any = None, Filters: Any = None, SnapshotIds: Any = None
    ) -> dict[str, Any]:
        found = [
            {
                "SnapshotId": id,
                "VolumeId": each["VolumeId"],
                "State": "completed" if self.clock.now() >= each["done"] else "pending",
                "Tags": each["Tags"],
            }
            for id, each in self.snapshots[region].items()
            if (SnapshotIds is None or id in SnapshotIds) and each["asset"] in _of_asset(Filters, each["asset"])
        ]
        return {"Snapshots": found}

    def ec2_delete_snapshot(self, region: str, SnapshotId: str) -> dict[str, Any]:
        if self.snapshots[region].pop(SnapshotId, None) is None:
            raise refused("ec2", "delete_snapshot", region, "InvalidSnapshot.NotFound", "there is none")
        return {}


def _of_asset(filters: Any, default: str) -> list[str]:
    return next((each["Values"] for each in filters or [] if each["Name"] == "tag:pilotlight:asset"), [default])


def checkpoint(step: int, shards: int = 2) -> dict[str, bytes]:
    """A whole sharded safetensors checkpoint: name -> bytes."""
    files, mapping = {}, {}
    for number in range(1, shards + 1):
        name = f"model-{number:05d}-of-{shards:05d}.safetensors"
        data = hashlib.sha256(f"{step} {number}".encode()).digest()
        header = json.dumps({f"w{number}": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}}).encode()
        files[name] = struct.pack("<Q", len(header)) + header + data
        mapping[f"w{number}"] = name
    index = {"metadata": {"total_size": 32 * shards}, "weight_map": mapping}
    return {"model.safetensors.index.json": json.dumps(index).encode()} | files


def save(
    aws: FakeAws, step: int, files: int | None = None, bucket: str = MODELS, more: dict[str, bytes] | None = None
) -> None:
    """Upload a checkpoint, or its first files only; `more` lies in its folder too."""
    for name, body in list((checkpoint(step) | (more or {})).items())[:files]:
        aws.s3.write(bucket, f"checkpoints/step-{step:06d}/{name}", body)


def older(count: int = 30) -> FakeAws:
    """A bucket that was filled before there was a rule."""
    aws = FakeAws(FakeClock())
    for number in range(count):
        aws.s3.write(CORPUS, f"old/{number:04d}", f"{number}".encode(), replicate=False)
    aws.clock.sleep(600)
    return aws


def uri(step: int, bucket: str = MODELS) -> str:
    """What a registered row says of a checkpoint."""
    return f"s3://{bucket}/checkpoints/step-{step:06d}/"


def desk_of(aws: FakeAws, holder: str = "test") -> Recovery:
    """The desk of the workload on this AWS, as one process has it."""
    return Recovery(Site(aws, inventory(), aws.clock, aws.fetch), holder)
