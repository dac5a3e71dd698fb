"""A made-up account for the survey: one answer for each operation, which a test may replace or take away."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pilotlight.runtime.aws.absence import ABSENT
from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.errors import SurveyProblems
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.survey.survey import survey
from pilotlight.workload.model import Workload

EXAMPLE = Path(__file__).parents[2] / "examples" / "inference-service" / "workload.yaml"
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
    "get_bucket_encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "get_bucket_policy": "NoSuchBucketPolicy",
    "get_object_lock_configuration": "ObjectLockConfigurationNotFoundError",
}


EMPTY: dict[str, dict[str, Any]] = {
    "describe_alarms": {"MetricAlarms": []},
    "describe_auto_scaling_groups": {"AutoScalingGroups": []},
    "describe_log_groups": {"logGroups": []},
    "list_aliases": {"Aliases": []},
}
"""Listings that answer with nothing where a name is free; the others refuse."""


TYPES = ("g5.xlarge", "g4dn.xlarge", "g5.2xlarge", "m6i.large", "p5.48xlarge", "p4d.24xlarge", "c5.large", "m5.large")
OFFERED = [{"InstanceType": each, "Location": f"us-west-2{zone}"} for each in TYPES for zone in "abc"]


class Account:
    """A door to a made-up account: one answer for each operation, which a test may replace or take away. Nothing there
    bears a name of ours, but what a test puts into `taken`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.taken: dict[tuple[str, str], Any] = {}
        """(operation, name) -> the answer, or the code of a refusal."""
        self.answers: dict[str, Any] = {
            "get_bucket_versioning": {"Status": "Enabled"},
            "get_bucket_request_payment": {"Payer": "BucketOwner"},
            "get_bucket_ownership_controls": {
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
            },
            "get_bucket_location": {"LocationConstraint": None},
            "describe_volumes": {"Volumes": [a_volume("vol-b", "/dev/sdg", 9), a_volume("vol-a", "/dev/sdf", 8)]},
            "describe_db_clusters": {"DBClusters": [a_cluster()]},
            "describe_secret": {"ARN": SECRET},
            "describe_auto_scaling_groups": {"AutoScalingGroups": [a_group()]},
            "describe_launch_template_versions": {"LaunchTemplateVersions": [{"LaunchTemplateData": a_template()}]},
            "get_instance_profile": {"InstanceProfile": {"Roles": [{"RoleName": "fleet"}]}},
            "list_role_policies": {"PolicyNames": ["own"]},
            "get_role_policy": {"PolicyDocument": ROLE},
            "list_attached_role_policies": {"AttachedPolicies": [{"PolicyArn": "arn:aws:iam::1:policy/shared"}]},
            "get_policy": {"Policy": {"DefaultVersionId": "v2"}},
            "get_policy_version": {"PolicyVersion": {"Document": json.dumps(SHARED)}},
            "describe_target_groups": {"TargetGroups": [{"Port": 8080, "LoadBalancerArns": ["arn:lb"]}]},
            "describe_load_balancers": {"LoadBalancers": [a_balancer("internet-facing")]},
            "list_hosted_zones_by_name": {"HostedZones": [{"Id": "/hostedzone/Z1", "Name": "example.internal."}]},
            "describe_global_clusters": {"GlobalClusters": []},
            "list_resource_record_sets": {"ResourceRecordSets": []},
            "describe_policies": {"ScalingPolicies": []},
            "describe_scheduled_actions": {"ScheduledUpdateGroupActions": []},
            "describe_lifecycle_hooks": {"LifecycleHooks": []},
            "describe_notification_configurations": {"NotificationConfigurations": []},
            "describe_availability_zones": {"AvailabilityZones": [{"ZoneName": f"us-west-2{each}"} for each in "abc"]},
            "describe_instance_type_offerings": {"InstanceTypeOfferings": OFFERED},
            "describe_instance_types": {
                "InstanceTypes": [
                    {
                        "InstanceType": each,
                        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
                        "VCpuInfo": {"DefaultVCpus": 4},
                    }
                    for each in TYPES
                ]
            },
            "describe_listeners": {"Listeners": [{"Port": 80, "Protocol": "HTTP"}]},
            "describe_key": {"KeyMetadata": {"KeyState": "Enabled"}},
            "describe_vpcs": {"Vpcs": [{"VpcId": "vpc-default"}]},
            "get_service_quota": {"Quota": {"Value": 1000.0}},
            "describe_images": {"Images": [an_image()]},
            "describe_orderable_db_instance_options": {
                "OrderableDBInstanceOptions": [{"SupportsGlobalDatabases": True}]
            },
        }

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        self.asked.append((service, operation, region))
        name = _name(parameters)
        if (operation, name) in self.taken:
            return self._answer_of(service, operation, region, self.taken[operation, name])
        ours = any(each in name for each in ("pilotlight-inference", "pilotlight-two", "pl-inference", "pl-two"))
        if ours or operation == "list_aliases":
            code = next(iter(ABSENT.get(f"{service}:{operation}", [""])))
            return self._answer_of(service, operation, region, EMPTY.get(operation, code))
        if operation not in self.answers:
            code = NOT_THERE.get(operation, "NotFound")
            raise refused(service, operation, region, code, f"{code}: {parameters}")
        answer: dict[str, Any] = self.answers[operation]
        return answer

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        yield self.call(service, operation, region, **parameters)

    def _answer_of(self, service: str, operation: str, region: str, answer: Any) -> dict[str, Any]:
        if isinstance(answer, str):
            raise refused(service, operation, region, answer, answer)
        found: dict[str, Any] = answer
        return found


def _name(parameters: dict[str, Any]) -> str:
    """The one name that a call asks for, where it asks for one."""
    values = [each[0] if isinstance(each, list) and each else each for each in parameters.values()]
    return str(values[0]) if len(values) == 1 else ""


def an_image() -> dict[str, Any]:
    return {"ImageId": "ami-1", "State": "available", "OwnerId": ACCOUNT, "Architecture": "x86_64"}


def a_volume(volume: str, device: str, size: int) -> dict[str, Any]:
    return {"VolumeId": volume, "Size": size, "Attachments": [{"Device": device, "InstanceId": "i-1"}]}


def a_cluster() -> dict[str, Any]:
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


def a_group() -> dict[str, Any]:
    return {
        "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "$Latest"},
        "TargetGroupARNs": ["arn:tg"],
        "DesiredCapacity": 1,
    }


def a_template() -> dict[str, Any]:
    return {
        "ImageId": "ami-1",
        "InstanceType": "g5.xlarge",
        "UserData": base64.b64encode(USER_DATA.encode()).decode(),
        "IamInstanceProfile": {"Name": "fleet"},
    }


def a_balancer(scheme: str) -> dict[str, Any]:
    return {"DNSName": "lb.us-east-1.elb.amazonaws.com", "CanonicalHostedZoneId": "ZLB", "Scheme": scheme}


def surveyed(account: Account, workload: Workload) -> Inventory:
    return survey(account, workload, ACCOUNT, FakeClock())


def problems(account: Account, workload: Workload) -> str:
    with pytest.raises(SurveyProblems) as raised:
        surveyed(account, workload)
    return "\n".join(raised.value.problems)
