"""The survey turns what runs in the primary region into the inventory, or says everything that is amiss at once."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pilotlight.clock import FakeClock
from pilotlight.cloud.door import refused
from pilotlight.deploy.survey import survey
from pilotlight.errors import RegionUnreachable, SurveyProblems
from pilotlight.records.inventory import Inventory
from pilotlight.workload.load import load
from pilotlight.workload.model import Workload

EXAMPLE = Path(__file__).parent.parent / "examples" / "inference-service" / "workload.yaml"
ACCOUNT = "123456789012"
SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:inference-registry-login-abc"
HOST = "inference-registry.cluster-abc.us-east-1.rds.amazonaws.com"
USER_DATA = f"""#!/bin/bash
export REGION='us-east-1'
export MODEL_BUCKET='inference-models-{ACCOUNT}'
export DATABASE='{HOST}:5432'
export JOURNAL_REGION='us-west-2'
"""
ROLE = {
    "Version": "2012-10-17",
    "Statement": {
        "Sid": "Read",
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::inference-models-{ACCOUNT}/*",
    },
}
SHARED = {"Statement": [{"Sid": "Read", "Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "arn:aws:x"}]}


NOT_THERE = {
    "get_bucket_replication": "ReplicationConfigurationNotFoundError",
    "get_object_lock_configuration": "ObjectLockConfigurationNotFoundError",
}


class Account:
    """A door to a made-up account: one answer for each operation, which a test may replace or take away."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.answers: dict[str, Any] = {
            "get_bucket_location": {"LocationConstraint": None},
            "describe_volumes": {"Volumes": [_volume("vol-b", "/dev/sdg", 9), _volume("vol-a", "/dev/sdf", 8)]},
            "describe_db_clusters": {"DBClusters": [_cluster()]},
            "describe_secret": {"ARN": SECRET},
            "describe_auto_scaling_groups": {"AutoScalingGroups": [_group()]},
            "describe_launch_template_versions": {"LaunchTemplateVersions": [{"LaunchTemplateData": _template()}]},
            "get_instance_profile": {"InstanceProfile": {"Roles": [{"RoleName": "fleet"}]}},
            "list_role_policies": {"PolicyNames": ["own"]},
            "get_role_policy": {"PolicyDocument": ROLE},
            "list_attached_role_policies": {"AttachedPolicies": [{"PolicyArn": "arn:aws:iam::1:policy/shared"}]},
            "get_policy": {"Policy": {"DefaultVersionId": "v2"}},
            "get_policy_version": {"PolicyVersion": {"Document": json.dumps(SHARED)}},
            "describe_target_groups": {"TargetGroups": [{"Port": 8080, "LoadBalancerArns": ["arn:lb"]}]},
            "describe_load_balancers": {"LoadBalancers": [_balancer("internet-facing")]},
            "list_hosted_zones_by_name": {"HostedZones": [{"Id": "/hostedzone/Z1", "Name": "example.internal."}]},
            "describe_global_clusters": {"GlobalClusters": []},
            "list_resource_record_sets": {"ResourceRecordSets": []},
        }

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        self.asked.append((service, operation, region))
        if operation not in self.answers:
            code = NOT_THERE.get(operation, "NotFound")
            raise refused(service, operation, region, code, f"{code}: {parameters}")
        answer: dict[str, Any] = self.answers[operation]
        return answer

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        yield self.call(service, operation, region, **parameters)


def _volume(volume: str, device: str, size: int) -> dict[str, Any]:
    return {"VolumeId": volume, "Size": size, "Attachments": [{"Device": device, "InstanceId": "i-1"}]}


def _cluster() -> dict[str, Any]:
    return {
        "Engine": "aurora-postgresql",
        "EngineVersion": "16.6",
        "DatabaseName": "registry",
        "DBClusterArn": f"arn:aws:rds:us-east-1:{ACCOUNT}:cluster:inference-registry",
        "Endpoint": HOST,
        "ReaderEndpoint": HOST.replace("cluster-", "cluster-ro-"),
        "Port": 5432,
        "StorageEncrypted": True,
        "HttpEndpointEnabled": True,
    }


def _group() -> dict[str, Any]:
    return {
        "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "$Latest"},
        "TargetGroupARNs": ["arn:tg"],
        "DesiredCapacity": 1,
    }


def _template() -> dict[str, Any]:
    return {
        "ImageId": "ami-1",
        "InstanceType": "g5.xlarge",
        "UserData": base64.b64encode(USER_DATA.encode()).decode(),
        "IamInstanceProfile": {"Name": "fleet"},
    }


def _balancer(scheme: str) -> dict[str, Any]:
    return {"DNSName": "lb.us-east-1.elb.amazonaws.com", "CanonicalHostedZoneId": "ZLB", "Scheme": scheme}


@pytest.fixture
def workload() -> Workload:
    return load(EXAMPLE)


@pytest.fixture
def account() -> Account:
    return Account()


def _survey(account: Account, workload: Workload) -> Inventory:
    return survey(account, workload, ACCOUNT, FakeClock())


def _problems(account: Account, workload: Workload) -> str:
    with pytest.raises(SurveyProblems) as raised:
        _survey(account, workload)
    return "\n".join(raised.value.problems)


def test_every_declared_asset_is_in_the_inventory(account: Account, workload: Workload) -> None:
    taken = _survey(account, workload)
    assert {each.name for each in taken.assets} == set(workload.assets)
    assert (taken.rpo_seconds, taken.rto_seconds, taken.every_seconds) == (60, 120, 60)
    assert taken.trigger == "automatic"
    assert taken.taken_at == "2023-11-14T22:13:20.000Z"


def test_edges_and_prefixes_come_from_the_declaration(account: Account, workload: Workload) -> None:
    checkpoints = next(each for each in _survey(account, workload).datasets if each.name == "checkpoints")
    assert (checkpoints.kind, checkpoints.prefix, checkpoints.uses) == ("checkpoints", "checkpoints/", ("corpus",))
    assert checkpoints.standby_bucket == f"pilotlight-inference-checkpoints-{ACCOUNT}-us-west-2"


TWO_DECLARED = """
version: 1
workload: two
regions: {primary: us-east-1, standby: us-west-2}
objectives: {rpo: 2h, rto: 3h}
assets:
  vectors: {kind: volumes, select: {tag: tier=vectors}, assign: ASSIGN}
  workers: {kind: compute, group: workers, count: COUNT, volumes: [vectors]}
"""


def _two(tmp_path: Path, assign: str = "launch-order", count: int = 2) -> Workload:
    file = tmp_path / "two.yaml"
    file.write_text(TWO_DECLARED.replace("ASSIGN", assign).replace("COUNT", str(count)))
    return load(file)


def _of(instance: str, volume: str, device: str, **tags: str) -> dict[str, Any]:
    attached = [{"Device": device, "InstanceId": instance}] if instance else []
    return {
        "VolumeId": volume,
        "Size": 10 + len(volume),
        "Attachments": attached,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def _two_instances(account: Account, volumes: list[dict[str, Any]]) -> None:
    """i-2 was launched before i-1."""
    account.answers["describe_volumes"] = {"Volumes": volumes}
    launched = {"i-2": datetime(2026, 1, 1, tzinfo=UTC), "i-1": datetime(2026, 1, 2, tzinfo=UTC)}
    instances = []
    for id, at in launched.items():
        mine = [(v["VolumeId"], v["Attachments"][0]) for v in volumes if v["Attachments"]]
        mounted = [
            {"DeviceName": where["Device"], "Ebs": {"VolumeId": volume}}
            for volume, where in mine
            if where["InstanceId"] == id
        ]
        instances.append({"InstanceId": id, "LaunchTime": at, "BlockDeviceMappings": mounted})
    account.answers["describe_instances"] = {"Reservations": [{"Instances": instances}]}


EQUAL = [_of("i-1", "v1", "/dev/sdf"), _of("i-2", "v2", "/dev/sdf"), _of("i-1", "v30", "/dev/sdg")]


def test_equal_device_names_on_two_instances_are_surveyed_in_the_order_of_their_launch(
    account: Account, tmp_path: Path
) -> None:
    _two_instances(account, EQUAL)
    group = _survey(account, _two(tmp_path)).volumes[0]
    assert [(each.instance, each.devices) for each in group.instances] == [
        ("i-2", {"/dev/sdf": "v2"}),
        ("i-1", {"/dev/sdf": "v1", "/dev/sdg": "v30"}),
    ]
    assert set(group.devices) == {"/dev/sdf", "/dev/sdg"} and group.size_gib == {"/dev/sdf": 12, "/dev/sdg": 13}


def test_what_two_instances_wrote_is_not_left_to_one_of_them(account: Account, tmp_path: Path) -> None:
    _two_instances(account, EQUAL)
    with pytest.raises(SurveyProblems, match="vectors has volumes of 2 instances, and 1 would start"):
        _survey(account, _two(tmp_path, count=1))


def test_shared_volumes_need_the_same_devices_on_every_instance(account: Account, tmp_path: Path) -> None:
    _two_instances(account, EQUAL)
    with pytest.raises(SurveyProblems, match="is shared, but i-1 has /dev/sdf, /dev/sdg and i-2 has /dev/sdf"):
        _survey(account, _two(tmp_path, assign="shared", count=1))
    _two_instances(account, EQUAL[:2])
    assert len(_survey(account, _two(tmp_path, assign="shared", count=1)).volumes[0].instances) == 1


def test_a_volume_without_the_tag_that_says_who_gets_it_is_named(account: Account, tmp_path: Path) -> None:
    labelled = [_of("i-1", "v1", "/dev/sdf", shard="b"), _of("i-2", "v2", "/dev/sdf", shard="a")]
    _two_instances(account, labelled)
    group = _survey(account, _two(tmp_path, assign="{tag: shard}")).volumes[0]
    assert [(each.label, each.instance) for each in group.instances] == [("a", "i-2"), ("b", "i-1")]
    _two_instances(account, [labelled[0], _of("i-2", "v2", "/dev/sdf")])
    with pytest.raises(SurveyProblems, match=r"volume v2 .* lacks the tag shard"):
        _survey(account, _two(tmp_path, assign="{tag: shard}"))


def test_a_group_at_zero_is_protected_by_what_its_snapshot_copies_tell_of_its_volumes(
    account: Account, tmp_path: Path
) -> None:
    account.answers["describe_volumes"] = {"Volumes": [_of("", "v1", ""), _of("", "v2", ""), _of("", "v3", "")]}
    account.answers["describe_snapshots"] = {"Snapshots": [_copied("v1", 0, "/dev/sdf"), _copied("v2", 1, "/dev/sdf")]}
    group = _survey(account, _two(tmp_path)).volumes[0]
    assert [each.devices for each in group.instances] == [{"/dev/sdf": "v1"}, {"/dev/sdf": "v2"}]
    assert group.unassigned == ("v3",)


def _copied(volume: str, index: int, device: str) -> dict[str, Any]:
    said = {"volume": volume, "index": str(index), "device": device, "scheduled-run": "1", "instance": f"i-{index}"}
    tags = [{"Key": f"pilotlight:{key}", "Value": value} for key, value in said.items()]
    return {"SnapshotId": f"snap-{volume}", "State": "completed", "Tags": tags}


def test_volumes_are_known_by_their_device(account: Account, workload: Workload) -> None:
    volumes = _survey(account, workload).volumes[0]
    assert (volumes.tag_key, volumes.tag_value) == ("backup", "index")
    assert volumes.devices == {"/dev/sdf": "vol-a", "/dev/sdg": "vol-b"}
    assert volumes.size_gib == {"/dev/sdf": 8, "/dev/sdg": 9}


def test_the_database_keeps_its_engine_and_gets_a_counterpart(account: Account, workload: Workload) -> None:
    database = _survey(account, workload).databases[0]
    assert (database.engine, database.engine_version, database.database) == ("aurora-postgresql", "16.6", "registry")
    assert database.standby_arn == f"arn:aws:rds:us-west-2:{ACCOUNT}:cluster:pilotlight-inference-registry-standby"
    assert (database.table, database.column, database.secret) == ("models", "uri", SECRET)
    assert (database.table, database.column) == ("models", "uri")


def test_user_data_of_the_standby_names_nothing_of_the_primary(account: Account, workload: Workload) -> None:
    compute = _survey(account, workload).computes[0]
    plain = base64.b64decode(compute.user_data).decode()
    assert "us-east-1" not in plain
    assert f"MODEL_BUCKET='pilotlight-inference-checkpoints-{ACCOUNT}-us-west-2'" in plain
    assert "DATABASE='{{pilotlight:database:registry:endpoint}}:{{pilotlight:database:registry:port}}'" in plain


def test_instances_may_do_there_what_they_may_do_here(account: Account, workload: Workload) -> None:
    policy = json.loads(_survey(account, workload).computes[0].instance_profile_policy)
    resources = [each["Resource"] for each in policy["Statement"]]
    assert resources == [f"arn:aws:s3:::pilotlight-inference-checkpoints-{ACCOUNT}-us-west-2/*", "arn:aws:x"]
    assert all("Sid" not in each for each in policy["Statement"])


def test_a_group_with_a_mixed_instances_policy_is_read_too(account: Account, workload: Workload) -> None:
    group = _group()
    named = group.pop("LaunchTemplate")
    group["MixedInstancesPolicy"] = {"LaunchTemplate": {"LaunchTemplateSpecification": named}}
    account.answers["describe_auto_scaling_groups"] = {"AutoScalingGroups": [group]}
    assert _survey(account, workload).computes[0].image == "ami-1"


def _mixed(*overrides: dict[str, Any], **more: Any) -> dict[str, Any]:
    group = _group() | more
    named = group.pop("LaunchTemplate")
    group["MixedInstancesPolicy"] = {
        "LaunchTemplate": {"LaunchTemplateSpecification": named, "Overrides": list(overrides)}
    }
    return group


def _starts(account: Account, group: dict[str, Any], **template: Any) -> None:
    """The account has this group, and a template without a type, unless `template` says one."""
    data = {key: value for key, value in _template().items() if key != "InstanceType"} | template
    account.answers["describe_auto_scaling_groups"] = {"AutoScalingGroups": [group]}
    account.answers["describe_launch_template_versions"] = {"LaunchTemplateVersions": [{"LaunchTemplateData": data}]}


def _undeclared(workload: Workload, **update: Any) -> Workload:
    fleet = workload.assets["fleet"].model_copy(update={"instance_types": ()} | update)
    return workload.model_copy(update={"assets": workload.assets | {"fleet": fleet}})


def test_types_of_a_mixed_instances_policy_are_started_and_not_an_empty_one(
    account: Account, workload: Workload
) -> None:
    _starts(account, _mixed({"InstanceType": "p5.48xlarge"}, {"InstanceType": "p4d.24xlarge"}))
    assert _survey(account, _undeclared(workload)).computes[0].instance_types == ("p5.48xlarge", "p4d.24xlarge")


def test_the_types_of_the_policy_win_over_the_templates_and_the_declared_ones_over_both(
    account: Account, workload: Workload
) -> None:
    _starts(account, _mixed({"InstanceType": "p5.48xlarge"}), InstanceType="g5.xlarge")
    assert _survey(account, _undeclared(workload)).computes[0].instance_types == ("p5.48xlarge",)
    declared = _undeclared(workload, instance_types=("m6i.large",))
    assert _survey(account, declared).computes[0].instance_types == ("m6i.large",)


@pytest.mark.parametrize(
    ("overrides", "template", "said"),
    [
        ([], {}, "neither its launch template nor the policy of its group names an instance type"),
        ([], {"InstanceRequirements": {"VCpuCount": {"Min": 4}}}, "(InstanceRequirements)"),
        (
            [{"InstanceRequirements": {"VCpuCount": {"Min": 4}}}],
            {"InstanceType": "g5.xlarge"},
            "(InstanceRequirements)",
        ),
        (
            [
                {"InstanceType": "p5.48xlarge"},
                {"InstanceType": "c7g.large", "LaunchTemplateSpecification": {"LaunchTemplateId": "lt-arm"}},
            ],
            {},
            "override c7g.large of its group has a launch template of its own (lt-arm)",
        ),
    ],
)
def test_types_that_the_standby_could_not_start_are_refused_before_anything_is_made(
    account: Account, workload: Workload, overrides: list[dict[str, Any]], template: dict[str, Any], said: str
) -> None:
    _starts(account, _mixed(*overrides), **template)
    (told,) = _problems(account, _undeclared(workload)).splitlines()
    assert told.startswith("fleet (us-east-1): ") and said in told and "declare `instance_types`" in told
    assert _survey(account, _undeclared(workload, instance_types=("m6i.large",))).computes


@pytest.mark.parametrize(
    "group",
    [
        _mixed({"InstanceType": "p5.48xlarge", "WeightedCapacity": "8"}, DesiredCapacity=16),
        _mixed({"InstanceType": "p5.48xlarge"}, DesiredCapacity=16, DesiredCapacityType="vcpu"),
    ],
)
def test_a_capacity_in_weights_is_not_taken_for_a_number_of_instances(
    account: Account, workload: Workload, group: dict[str, Any]
) -> None:
    _starts(account, group)
    assert "declare `count`, of instances" in _problems(account, _undeclared(workload, count=None))
    assert _survey(account, _undeclared(workload, count=2)).computes[0].count == 2


def test_a_version_of_the_template_that_is_gone_does_not_leave_the_group_out(
    account: Account, workload: Workload
) -> None:
    account.answers["describe_launch_template_versions"] = {"LaunchTemplateVersions": []}
    assert "launch template lt-1 has no version $Latest" in _problems(account, workload)


PRIVATE, PUBLIC, OTHER = ("ZPRIVATE", True), ("ZPUBLIC", False), ("ZOTHER", False)
ALIAS = {"AliasTarget": {"DNSName": "dualstack.LB.us-east-1.elb.amazonaws.com."}}
CNAME = {"ResourceRecords": [{"Value": "lb.us-east-1.elb.amazonaws.com"}]}
ELSEWHERE = {"ResourceRecords": [{"Value": "lb.eu-west-1.elb.amazonaws.com"}]}


class Zones(Account):
    """An account with these hosted zones, a page for each, and the records that each zone has of the front door."""

    def __init__(self, *zones: tuple[str, bool], **records: dict[str, Any]) -> None:
        super().__init__()
        self.zones, self.records = zones, records

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if operation == "list_hosted_zones_by_name":
            return self._page(parameters.get("HostedZoneId", ""))
        if operation == "list_resource_record_sets":
            zone = parameters["HostedZoneId"]
            if self.records.get(zone) == {"refused": True}:
                raise refused(service, operation, region, "AccessDenied", "AccessDenied: not for you")
            named = {"Name": f"{parameters['StartRecordName']}.", "Type": "A"}
            return {"ResourceRecordSets": [named | self.records[zone]] if zone in self.records else []}
        return super().call(service, operation, region, **parameters)

    def _page(self, start: str) -> dict[str, Any]:
        ids = [zone for zone, _ in self.zones]
        at = ids.index(start) if start else 0
        zone, private = self.zones[at]
        shown = {"Id": f"/hostedzone/{zone}", "Name": "example.internal.", "Config": {"PrivateZone": private}}
        more = {"NextDNSName": "example.internal.", "NextHostedZoneId": ids[at + 1]} if ids[at + 1 :] else {}
        return {"HostedZones": [shown], "IsTruncated": bool(more)} | more


def _zone(account: Account, workload: Workload, **traffic: Any) -> str:
    taken = _survey(account, _front(workload, **traffic))
    assert taken.traffic is not None
    return taken.traffic.zone_id


def _front(workload: Workload, **traffic: Any) -> Workload:
    assert workload.traffic is not None
    return workload.model_copy(update={"traffic": workload.traffic.model_copy(update=traffic)})


def test_failover_records_do_not_go_into_the_private_zone_of_that_name(workload: Workload) -> None:
    assert _zone(Zones(PRIVATE, PUBLIC), workload) == "ZPUBLIC"
    assert _zone(Zones(PRIVATE, PUBLIC, ZPRIVATE=ELSEWHERE), workload) == "ZPUBLIC"


@pytest.mark.parametrize("record", [ALIAS, CNAME])
def test_the_zone_whose_record_points_at_the_balancer_gets_the_failover_records(
    workload: Workload, record: dict[str, Any]
) -> None:
    assert _zone(Zones(OTHER, PRIVATE, PUBLIC, ZPUBLIC=record, ZOTHER=ELSEWHERE), workload) == "ZPUBLIC"


def test_of_several_zones_that_could_be_meant_the_id_is_asked_for(workload: Workload) -> None:
    account = Zones(OTHER, PUBLIC)
    told = _problems(account, workload)
    assert "2 hosted zones are named example.internal (ZOTHER public, ZPUBLIC public); declare the id" in told
    assert _zone(account, workload, zone_id="ZPUBLIC") == "ZPUBLIC"


def test_a_declared_zone_that_is_not_of_that_name_is_refused(workload: Workload) -> None:
    told = _problems(Zones(OTHER, PUBLIC), _front(workload, zone_id="ZGONE"))
    assert "zone ZGONE is none of those named example.internal (ZOTHER public, ZPUBLIC public)" in told


@pytest.mark.parametrize(
    ("account", "traffic", "said"),
    [
        (Zones(PRIVATE), {}, "hosted zone example.internal (ZPRIVATE private) is private"),
        (Zones(PRIVATE, PUBLIC), {"zone_id": "ZPRIVATE"}, "zone ZPRIVATE is private"),
        (Zones(PRIVATE, PUBLIC, ZPRIVATE=ALIAS), {}, "points at the balancer in zone ZPRIVATE, which is private"),
    ],
)
def test_a_private_front_door_is_refused_by_name_before_its_records_move_nobody(
    workload: Workload, account: Zones, traffic: dict[str, Any], said: str
) -> None:
    assert said in _problems(account, _front(workload, **traffic))


def test_records_that_may_not_be_read_choose_no_zone_and_the_declared_id_needs_none(workload: Workload) -> None:
    account = Zones(PRIVATE, PUBLIC, ZPRIVATE={"refused": True})
    assert "which has models.example.internal cannot be read" in _problems(account, workload)
    assert _zone(account, workload, zone_id="ZPUBLIC") == "ZPUBLIC"


def test_more_zones_than_are_looked_at_are_an_error_and_not_the_first_of_them(workload: Workload) -> None:
    many = Zones(*((f"Z{at}", False) for at in range(60)), Z59=ALIAS)
    assert "more than 50 pages of hosted zones" in _problems(many, workload)


def test_traffic_knows_the_balancer_and_the_zone(account: Account, workload: Workload) -> None:
    taken = _survey(account, workload)
    assert taken.traffic is not None
    assert (taken.traffic.zone_id, taken.traffic.primary_balancer_zone) == ("Z1", "ZLB")
    assert taken.traffic.primary_balancer_dns == "lb.us-east-1.elb.amazonaws.com"
    assert taken.computes[0].port == 8080


def test_a_second_survey_finds_the_same(account: Account, workload: Workload) -> None:
    assert _survey(account, workload) == _survey(account, workload)


def test_it_only_reads_and_in_the_standby_region_only_what_other_workloads_keep_there(
    account: Account, workload: Workload
) -> None:
    _survey(account, workload)
    there = [each for each in account.asked if each[2] != "us-east-1"]
    assert set(there) == {("autoscaling", "describe_auto_scaling_groups", "us-west-2")}
    assert all(operation.startswith(("get_", "list_", "describe_")) for _, operation, _ in account.asked)


def test_a_bucket_with_object_lock_is_refused_before_replication_fails_each_of_its_objects(
    account: Account, workload: Workload
) -> None:
    account.answers["get_object_lock_configuration"] = {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
    assert "has Object Lock, so its copies must have it too" in _problems(account, workload)


def test_replication_rules_of_the_users_are_not_overwritten(account: Account, workload: Workload) -> None:
    account.answers["get_bucket_replication"] = {"ReplicationConfiguration": {"Rules": [{"ID": "to-analytics"}]}}
    assert "to-analytics" in _problems(account, workload)


@pytest.mark.parametrize(
    ("operation", "answer", "asset", "said"),
    [
        ("get_bucket_location", None, "corpus", "bucket inference-corpus-123456789012 cannot be read"),
        ("get_bucket_location", {"LocationConstraint": "eu-west-1"}, "corpus", "is in eu-west-1"),
        ("describe_volumes", {"Volumes": []}, "index", "backup=index"),
        (
            "describe_volumes",
            {"Volumes": [_volume("v1", "/dev/sdf", 1), _volume("v2", "/dev/sdf", 1)]},
            "index",
            "volume v2 (/dev/sdf of i-1): another volume has the same device",
        ),
        ("describe_db_clusters", None, "registry", "cluster inference-registry cannot be read"),
        (
            "describe_db_clusters",
            {"DBClusters": [_cluster() | {"StorageEncrypted": False}]},
            "registry",
            "not encrypted",
        ),
        ("describe_db_clusters", {"DBClusters": [_cluster() | {"Engine": "mysql"}]}, "registry", "runs mysql"),
        (
            "describe_db_clusters",
            {"DBClusters": [_cluster() | {"HttpEndpointEnabled": False}]},
            "registry",
            "Data API is off",
        ),
        ("describe_secret", None, "registry", "secret inference-registry-login cannot be read"),
        ("describe_auto_scaling_groups", {"AutoScalingGroups": []}, "fleet", "there is no Auto Scaling group"),
        (
            "describe_auto_scaling_groups",
            {"AutoScalingGroups": [{"DesiredCapacity": 1, "LaunchConfigurationName": "old"}]},
            "fleet",
            "no launch template",
        ),
        ("describe_target_groups", {"TargetGroups": []}, "traffic", "no compute group is behind a load balancer"),
        (
            "describe_launch_template_versions",
            {"LaunchTemplateVersions": [{"LaunchTemplateData": _template() | {"ImageId": "resolve:ssm:/ami"}}]},
            "fleet",
            "names no image id",
        ),
        ("get_role_policy", None, "fleet", "policies of role fleet cannot be read"),
        ("describe_load_balancers", {"LoadBalancers": [_balancer("internal")]}, "traffic", "is internal"),
        ("list_hosted_zones_by_name", {"HostedZones": []}, "traffic", "there is no hosted zone example.internal"),
    ],
)
def test_what_is_amiss_is_named_with_its_asset_and_region(
    account: Account, workload: Workload, operation: str, answer: Any, asset: str, said: str
) -> None:
    if answer is None:
        del account.answers[operation]
    else:
        account.answers[operation] = answer
    told = [line for line in _problems(account, workload).splitlines() if line.startswith(f"{asset} (us-east-1): ")]
    assert any(said in line for line in told), told


def test_a_group_at_zero_without_a_declared_count_would_recover_nothing(account: Account, workload: Workload) -> None:
    account.answers["describe_auto_scaling_groups"] = {"AutoScalingGroups": [_group() | {"DesiredCapacity": 0}]}
    fleet = workload.assets["fleet"].model_copy(update={"count": None})
    undeclared = workload.model_copy(update={"assets": workload.assets | {"fleet": fleet}})
    assert "declare `count`" in _problems(account, undeclared)


def test_everything_that_is_amiss_is_told_at_once(account: Account, workload: Workload) -> None:
    account.answers.clear()
    told = _problems(account, workload)
    for asset in ("corpus", "checkpoints", "index", "registry", "fleet", "traffic"):
        assert f"{asset} (us-east-1)" in told


def test_a_region_that_does_not_answer_is_no_missing_bucket(workload: Workload) -> None:
    class Dark(Account):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            raise RegionUnreachable(service=service, operation=operation, region=region)

    with pytest.raises(RegionUnreachable):
        _survey(Dark(), workload)


class Keys(Account):
    """Its buckets have these keys."""

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self.keys = keys

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if operation != "list_objects_v2":
            return super().call(service, operation, region, **parameters)
        text, below = parameters["Prefix"], set[str]()
        for key in self.keys:
            if key.startswith(text):
                first, slash, _ = key.removeprefix(text).partition("/")
                below.add(text + first + slash)
        return {
            "CommonPrefixes": [{"Prefix": each} for each in sorted(below) if each.endswith("/")],
            "Contents": [{"Key": each} for each in sorted(below) if not each.endswith("/")],
        }


def _below(workload: Workload, prefix: str) -> Workload:
    models = workload.assets["checkpoints"].model_copy(update={"prefix": prefix})
    return workload.model_copy(update={"assets": {**workload.assets, "checkpoints": models}})


@pytest.mark.parametrize("written", ["runs/llama", "runs/llama/"])
def test_the_checkpoints_of_another_run_whose_name_begins_alike_are_not_taken_in(
    workload: Workload, written: str
) -> None:
    taken = _survey(Keys("runs/llama/1/a", "runs/llama-old/9/a"), _below(workload, written))
    assert [each.prefix for each in taken.datasets if each.name == "checkpoints"] == ["runs/llama/"]


def test_a_prefix_that_is_no_folder_is_not_protected_as_an_empty_one(workload: Workload) -> None:
    found = _problems(Keys("runs/llama-old/9/a", "runs/llama.txt"), _below(workload, "runs/llama"))
    assert "nothing in runs/llama/" in found and "runs/llama-old/, runs/llama.txt" in found


@pytest.mark.parametrize("written", ["", "runs/llama/", "runs/new"])
def test_a_folder_that_is_yet_to_come_can_be_declared(workload: Workload, written: str) -> None:
    _survey(Keys("runs/llama-old/9/a"), _below(workload, written))


def test_keys_that_cannot_be_listed_are_not_taken_for_a_folder_without_rivals(workload: Workload) -> None:
    assert "the keys of bucket" in _problems(Account(), _below(workload, "runs/llama"))
