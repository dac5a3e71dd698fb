"""The stand-in asks AWS what the real provider asks, in its order: what it never asks, no enforced policy proves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from aws_program import everything

from pilotlight.engine.embedded import Engine
from pilotlight.engine.resources import TYPES
from pilotlight.local.handle import LocalCloud
from pilotlight.stacks.provider_calls import TABLE
from pilotlight.stacks.provider_calls.calls import in_order
from support.asks_as_provider import Log, as_provider

REGION = "us-east-1"
Inputs = dict[str, Any]

pytestmark = pytest.mark.timeout(300)


def _with_id(policy: str) -> str:
    return json.dumps({"Id": "later", **json.loads(policy)})


LATER: dict[str, Callable[[Inputs], Inputs]] = {
    "aws:autoscaling/group:Group": lambda old: {"healthCheckGracePeriod": 61},
    "aws:cloudwatch/logGroup:LogGroup": lambda old: {"retentionInDays": 60},
    "aws:cloudwatch/metricAlarm:MetricAlarm": lambda old: {"alarmDescription": "later"},
    "aws:dynamodb/table:Table": lambda old: {"deletionProtectionEnabled": False, "tags": {"later": "1"}},
    "aws:ec2/launchTemplate:LaunchTemplate": lambda old: {"metadataOptions": {"httpTokens": "optional"}},
    "aws:ec2/securityGroup:SecurityGroup": lambda old: {
        "ingress": [{**old["ingress"][0], "cidrBlocks": ["10.9.0.0/16"]}]
    },
    "aws:ec2/subnet:Subnet": lambda old: {"mapPublicIpOnLaunch": True},
    "aws:ec2/vpc:Vpc": lambda old: {"enableDnsHostnames": False},
    "aws:iam/role:Role": lambda old: {"assumeRolePolicy": _with_id(old["assumeRolePolicy"])},
    "aws:iam/rolePolicy:RolePolicy": lambda old: {"policy": _with_id(old["policy"])},
    "aws:kms/key:Key": lambda old: {"description": "later", "tags": {"later": "1"}},
    "aws:lambda/function:Function": lambda old: {"timeout": 11},
    "aws:lb/loadBalancer:LoadBalancer": lambda old: {"dropInvalidHeaderFields": True},
    "aws:lb/targetGroup:TargetGroup": lambda old: {"healthCheck": {**old["healthCheck"], "interval": 30}},
    "aws:rds/cluster:Cluster": lambda old: {"backupRetentionPeriod": 3},
    "aws:rds/clusterInstance:ClusterInstance": lambda old: {"instanceClass": "db.r6g.xlarge"},
    "aws:rds/globalCluster:GlobalCluster": lambda old: {"deletionProtection": False},
    "aws:route53/healthCheck:HealthCheck": lambda old: {"insufficientDataHealthStatus": "Healthy"},
    "aws:s3/bucket:Bucket": lambda old: {"tags": {"later": "1"}},
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": lambda old: {
        "rules": [{**old["rules"][0], "noncurrentVersionExpiration": {"noncurrentDays": 31}}]
    },
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": lambda old: {
        "rule": {"objectOwnership": "BucketOwnerPreferred"}
    },
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": lambda old: {"ignorePublicAcls": True},
    "aws:scheduler/schedule:Schedule": lambda old: {"description": "later"},
    "aws:sns/topic:Topic": lambda old: {"tags": {"later": "1"}},
    "aws:sns/topicPolicy:TopicPolicy": lambda old: {"policy": _with_id(old["policy"])},
    "aws:sqs/queue:Queue": lambda old: {"visibilityTimeoutSeconds": 60, "tags": {"later": "1"}},
    "aws:sqs/queuePolicy:QueuePolicy": lambda old: {"policy": _with_id(old["policy"])},
}
"""What of each type is changed in place, so that its update is seen."""


def later(code: Path) -> None:
    """The same program, of a later edition."""

    def change(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if args.type_ not in LATER:
            return None
        props = dict(args.props)
        return pulumi.ResourceTransformResult(props=props | LATER[args.type_](props), opts=args.opts)

    pulumi.runtime.register_resource_transform(change)
    everything(code)


@pytest.fixture(scope="module")
def log(local_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """One resource of every type made, read, changed where it can be, and taken away."""
    made: Log = []
    code = tmp_path_factory.mktemp("code")
    (code / "main.py").write_text("def handler(event, context):\n    return event\n")
    with pytest.MonkeyPatch.context() as patched:
        for name, value in local_cloud.environment().items():
            patched.setenv(name, value)
        engine = Engine(tmp_path_factory.mktemp("state"), "all", types=as_provider(TYPES, made))
        engine.update("dev", lambda: everything(code), region=REGION)
        engine.refresh("dev")
        engine.update("dev", lambda: later(code), region=REGION)
        engine.destroy("dev")
        yield made


def assert_in_order(log: Log, type_: str, act: str) -> None:
    calls = TABLE[type_]
    own = [f"{calls.service}.{calls.first[act][0]}?"] if act in calls.first else []
    expected = own + [each for each in calls.of(act) if each.rstrip("?") not in calls.apart]
    seen = [made for kind, what, made in log if (kind, what) == (type_, act)]
    assert seen, "nothing was done to this type"
    for made in seen:
        assert in_order(expected, made), f"asked {made}"


@pytest.mark.parametrize("act", ["create", "read", "delete"])
@pytest.mark.parametrize("type_", TABLE)
def test_the_calls_are_the_providers_in_its_order(log: Log, type_: str, act: str) -> None:
    assert_in_order(log, type_, act)


@pytest.mark.parametrize("type_", LATER)
def test_the_calls_of_a_change_are_the_providers_in_its_order(log: Log, type_: str) -> None:
    assert_in_order(log, type_, "update")
