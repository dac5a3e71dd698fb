"""Each role may make the calls it makes: one action too few fails on the day it is needed, one too many is a hole."""

from __future__ import annotations

import dataclasses
import json

import pytest
from stack_samples import ACCOUNT, NAMES, inventory

from pilotlight.local.iam.policies import Question, Verdict, evaluate
from pilotlight.stacks import function_policies, policies
from support.inventories import changed

STANDBY, PRIMARY = "us-west-2", "us-east-1"
TABLE = f"arn:aws:dynamodb:{STANDBY}:{ACCOUNT}:table/{NAMES.journal_table}"
RECORD = f"arn:aws:s3:::{NAMES.vault_bucket}/papers/inventory.json"
POINT = f"arn:aws:s3:::{NAMES.vault_bucket}/papers/points/1.json"
REPLICA = f"arn:aws:s3:::{NAMES.standby_bucket('checkpoints')}/checkpoints/step-000020/model.safetensors"
SOURCE = f"arn:aws:s3:::inference-checkpoints-{ACCOUNT}/checkpoints/step-000020/model.safetensors"
GLOBAL = f"arn:aws:rds::{ACCOUNT}:global-cluster:{NAMES.global_cluster('registry')}"
SECONDARY = f"arn:aws:rds:{STANDBY}:{ACCOUNT}:cluster:{NAMES.standby_cluster('registry')}"
GROUP = f"arn:aws:autoscaling:{STANDBY}:{ACCOUNT}:autoScalingGroup:1-2:autoScalingGroupName/{NAMES.group('fleet')}"
TEMPLATE = f"arn:aws:ec2:{STANDBY}:{ACCOUNT}:launch-template/lt-1"
PARAMETER = f"arn:aws:ssm:{STANDBY}:{ACCOUNT}:parameter{NAMES.parameter('checkpoints')}"
ITSELF = f"arn:aws:lambda:{STANDBY}:{ACCOUNT}:function:{NAMES.function('recover')}"
KEY = f"arn:aws:kms:{STANDBY}:{ACCOUNT}:key/1"
SNAPSHOTS = {PRIMARY: f"arn:aws:ec2:{PRIMARY}::snapshot/snap-1", STANDBY: f"arn:aws:ec2:{STANDBY}::snapshot/snap-2"}
RUNS_OWN = {"aws:resourcetag/pilotlight:workload": ("inference",), "aws:resourcetag/pilotlight:template": ("run",)}
NEW_TEMPLATE = {key.replace("resourcetag", "requesttag"): value for key, value in RUNS_OWN.items()}
THROUGH = {"ec2:launchtemplate": (f"arn:aws:ec2:{STANDBY}:{ACCOUNT}:launch-template/lt-1",)}
MADE = {"ec2:createaction": ("CreateLaunchTemplate",)}
INSTANCE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/{NAMES.role('instance-fleet')}"
OURS = {"aws:resourcetag/pilotlight:workload": ("inference",)}
OUR_KEY = {"kms:resourcealiases": (NAMES.key_alias,)}
METRICS = {"cloudwatch:namespace": ("Pilotlight",)}

RECOVER = [
    ("dynamodb:GetItem", TABLE, {}),
    ("dynamodb:PutItem", TABLE, {}),
    ("dynamodb:UpdateItem", TABLE, {}),
    ("dynamodb:Query", TABLE, {}),
    ("s3:GetObject", RECORD, {}),
    ("s3:PutObject", RECORD, {}),
    ("s3:ListBucket", f"arn:aws:s3:::{NAMES.vault_bucket}", {}),
    ("s3:ListBucket", f"arn:aws:s3:::{NAMES.standby_bucket('checkpoints')}", {}),
    ("s3:GetObject", REPLICA, {}),
    ("rds:DescribeGlobalClusters", GLOBAL, {}),
    ("rds:DescribeDBClusters", SECONDARY, {}),
    ("rds:FailoverGlobalCluster", GLOBAL, {}),
    ("rds:FailoverGlobalCluster", SECONDARY, {}),
    ("ec2:DescribeSnapshots", "*", {}),
    ("ec2:DescribeLaunchTemplateVersions", "*", {}),
    ("ec2:CreateLaunchTemplate", TEMPLATE.replace("lt-1", "*"), NEW_TEMPLATE),
    ("ec2:CreateTags", TEMPLATE.replace("lt-1", "*"), MADE),
    ("ec2:CreateLaunchTemplateVersion", TEMPLATE, RUNS_OWN),
    ("ec2:RunInstances", SNAPSHOTS[STANDBY], THROUGH),
    ("ec2:RunInstances", f"arn:aws:ec2:{STANDBY}:{ACCOUNT}:instance/*", THROUGH),
    ("iam:PassRole", INSTANCE_ROLE, {"iam:passedtoservice": ("ec2.amazonaws.com",)}),
    ("autoscaling:DescribeAutoScalingGroups", "*", {}),
    ("autoscaling:DescribeScalingActivities", "*", {}),
    ("autoscaling:UpdateAutoScalingGroup", GROUP, {}),
    ("elasticloadbalancing:DescribeTargetHealth", "*", {}),
    ("elasticloadbalancing:DescribeLoadBalancers", "*", {}),
    ("ssm:PutParameter", PARAMETER, {}),
    ("cloudwatch:PutMetricData", "*", METRICS),
    ("kms:Decrypt", KEY, OUR_KEY),
    ("kms:GenerateDataKey", KEY, OUR_KEY),
    ("lambda:InvokeFunction", ITSELF, {}),
    ("sns:Publish", NAMES.people_topic_arn, {}),
]
PROTECT = [
    ("lambda:InvokeFunction", ITSELF.replace("recover", "protect"), {}),
    ("s3:GetObject", SOURCE, {}),
    ("s3:ListBucketVersions", f"arn:aws:s3:::inference-checkpoints-{ACCOUNT}", {}),
    ("s3:GetReplicationConfiguration", f"arn:aws:s3:::inference-checkpoints-{ACCOUNT}", {}),
    ("s3:GetObject", REPLICA, {}),
    ("s3:PutObject", POINT, {}),
    ("s3:DeleteObject", POINT, {}),
    ("dynamodb:PutItem", TABLE, {}),
    ("dynamodb:DeleteItem", TABLE, {}),
    ("rds:DescribeGlobalClusters", GLOBAL, {}),
    ("rds:DescribeDBClusters", f"arn:aws:rds:{PRIMARY}:{ACCOUNT}:cluster:inference-registry", {}),
    ("cloudwatch:PutMetricData", "*", METRICS),
]
COPIES = [
    ("ec2:DescribeVolumes", "*", {}),
    ("ec2:DescribeInstances", "*", {}),
    ("ec2:DescribeSnapshots", "*", {}),
    ("ec2:CreateSnapshots", f"arn:aws:ec2:{PRIMARY}:{ACCOUNT}:instance/i-1", {}),
    ("ec2:CreateSnapshots", f"arn:aws:ec2:{PRIMARY}::snapshot/*", {}),
    ("ec2:CreateTags", SNAPSHOTS[PRIMARY], {}),
    ("ec2:CreateTags", SNAPSHOTS[STANDBY], {}),
    ("ec2:CopySnapshot", SNAPSHOTS[PRIMARY], {}),
    ("ec2:CopySnapshot", f"arn:aws:ec2:{STANDBY}::snapshot/*", {}),
    ("ec2:DeleteSnapshot", SNAPSHOTS[STANDBY], OURS),
    ("ec2:CopyImage", f"arn:aws:ec2:{PRIMARY}::image/ami-1", {}),
    ("ec2:CopyImage", f"arn:aws:ec2:{STANDBY}::image/*", {}),
    ("ec2:CreateTags", f"arn:aws:ec2:{STANDBY}::image/*", {"ec2:createaction": ("CopyImage",)}),
    ("ec2:DeregisterImage", f"arn:aws:ec2:{STANDBY}::image/ami-2", OURS),
    ("kms:CreateGrant", KEY, OUR_KEY | {"kms:grantisforawsresource": ("true",)}),
    ("kms:ReEncryptTo", KEY, OUR_KEY),
    ("kms:DescribeKey", KEY, OUR_KEY),
]
PROBE = [
    ("dynamodb:GetItem", TABLE, {}),
    ("dynamodb:Query", TABLE, {}),
    ("dynamodb:PutItem", TABLE, {"dynamodb:leadingkeys": ("probe",)}),
    ("dynamodb:DescribeTable", TABLE, {}),
    ("dynamodb:DescribeTable", TABLE.replace(STANDBY, PRIMARY), {}),
    ("ec2:DescribeAvailabilityZones", "*", {}),
    ("autoscaling:DescribeAutoScalingGroups", "*", {}),
    ("rds:DescribeDBClusters", f"arn:aws:rds:{PRIMARY}:{ACCOUNT}:cluster:inference-registry", {}),
    ("rds:DescribeDBClusters", SECONDARY, {}),
    ("s3:ListBucket", f"arn:aws:s3:::inference-corpus-{ACCOUNT}", {}),
    ("s3:ListBucket", f"arn:aws:s3:::{NAMES.standby_bucket('corpus')}", {}),
    ("s3:GetObject", RECORD, {}),
    ("cloudwatch:PutMetricData", "*", METRICS),
]
INSTANCE = [
    ("dynamodb:GetItem", TABLE, {"dynamodb:leadingkeys": ("active",)}),
    ("ssm:GetParameter", PARAMETER, {}),
    ("kms:Decrypt", KEY, OUR_KEY),
    ("s3:GetObject", "arn:aws:s3:::own/a", {}),
]
CALLS = {"recover": RECOVER, "protect": PROTECT, "copies": COPIES, "probe": PROBE, "instance": INSTANCE}

REFUSED = {
    "recover": [
        ("s3:PutObject", REPLICA, {}),
        ("s3:DeleteObject", RECORD, {}),
        ("rds:DeleteDBCluster", SECONDARY, {}),
        ("rds:FailoverGlobalCluster", f"arn:aws:rds::{ACCOUNT}:global-cluster:somebody-elses", {}),
        ("ec2:CreateLaunchTemplateVersion", TEMPLATE, {}),
        ("ec2:CreateLaunchTemplateVersion", TEMPLATE, OURS),
        ("ec2:CreateLaunchTemplate", TEMPLATE.replace("lt-1", "*"), {}),
        ("ec2:DeleteLaunchTemplate", TEMPLATE, RUNS_OWN),
        ("ec2:CreateTags", TEMPLATE, {}),
        ("ec2:RunInstances", f"arn:aws:ec2:{STANDBY}:{ACCOUNT}:instance/*", {}),
        ("iam:PassRole", INSTANCE_ROLE, {"iam:passedtoservice": ("lambda.amazonaws.com",)}),
        ("autoscaling:UpdateAutoScalingGroup", GROUP.replace("fleet", "other"), {}),
        ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": ("AWS/EC2",)}),
        ("kms:Decrypt", KEY, {"kms:resourcealiases": ("alias/other",)}),
        ("lambda:InvokeFunction", ITSELF.replace("recover", "probe"), {}),
        ("ssm:PutParameter", PARAMETER.replace("inference", "other"), {}),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin", {}),
    ],
    "protect": [
        ("s3:PutObject", SOURCE, {}),
        ("s3:DeleteObject", SOURCE, {}),
        ("s3:DeleteObject", RECORD, {}),
        ("s3:GetObject", f"arn:aws:s3:::inference-checkpoints-{ACCOUNT}/private/a", {}),
        ("rds:FailoverGlobalCluster", GLOBAL, {}),
    ],
    "copies": [
        ("ec2:DeleteSnapshot", SNAPSHOTS[STANDBY], {}),
        ("ec2:DeleteSnapshot", SNAPSHOTS[PRIMARY], {"aws:resourcetag/pilotlight:workload": ("other",)}),
        ("ec2:CreateTags", f"arn:aws:ec2:{PRIMARY}:{ACCOUNT}:instance/i-1", {}),
        ("ec2:CreateTags", f"arn:aws:ec2:{STANDBY}::image/ami-2", {}),
        ("ec2:DeregisterImage", f"arn:aws:ec2:{STANDBY}::image/ami-2", {}),
        ("ec2:DeregisterImage", f"arn:aws:ec2:{PRIMARY}::image/ami-1", OURS),
        ("ec2:DeleteVolume", f"arn:aws:ec2:{PRIMARY}:{ACCOUNT}:volume/vol-1", {}),
    ],
    "probe": [
        ("dynamodb:PutItem", TABLE, {"dynamodb:leadingkeys": ("active",)}),
        ("dynamodb:PutItem", TABLE, {"dynamodb:leadingkeys": ("request",)}),
        ("dynamodb:DescribeTable", TABLE.replace("inference", "other"), {}),
        ("rds:DescribeDBClusters", SECONDARY.replace("inference", "other"), {}),
        ("s3:PutObject", RECORD, {}),
        ("s3:GetObject", SOURCE, {}),
        ("sns:Publish", NAMES.people_topic_arn, {}),
    ],
    "instance": [
        ("dynamodb:GetItem", TABLE, {"dynamodb:leadingkeys": ("lease",)}),
        ("dynamodb:PutItem", TABLE, {"dynamodb:leadingkeys": ("active",)}),
        ("ssm:PutParameter", PARAMETER, {}),
    ],
}


def _document(role: str) -> str:
    taken = inventory()
    own = json.loads(taken.computes[0].instance_profile_policy)
    documents = {
        "recover": lambda: function_policies.recover(taken),
        "protect": lambda: function_policies.protect(taken),
        "copies": lambda: function_policies.copies(taken),
        "probe": lambda: function_policies.probe(taken),
        "instance": lambda: policies.instance(NAMES, own),
    }
    return policies.text(documents[role]())


def _allowed(role: str, action: str, resource: str, context: dict[str, tuple[str, ...]]) -> bool:
    return evaluate([_document(role)], Question(action, resource, context)) is Verdict.ALLOW


@pytest.mark.parametrize(("role", "call"), [(role, call) for role, calls in CALLS.items() for call in calls])
def test_what_a_role_has_to_do_it_may(role: str, call: tuple[str, str, dict[str, tuple[str, ...]]]) -> None:
    assert _allowed(role, *call)


@pytest.mark.parametrize(("role", "call"), [(role, call) for role, calls in REFUSED.items() for call in calls])
def test_what_a_role_must_not_do_it_may_not(role: str, call: tuple[str, str, dict[str, tuple[str, ...]]]) -> None:
    assert not _allowed(role, *call)


@pytest.mark.parametrize("role", ["probe", "protect", "recover"])
def test_a_role_document_is_small_enough_for_iam(role: str) -> None:
    """IAM counts the characters of all inline policies of a role together: 10,240 ("IAM and STS quotas")."""
    assert len(_document(role)) + len(_document("copies")) < 10_240


def test_several_databases_may_be_described_by_one_call_and_one_alone_needs_no_such_right() -> None:
    """A call that names none is authorized on all (Service Authorization Reference, "Amazon RDS")."""
    one = inventory()
    other = dataclasses.replace(one.databases[0], name="other", global_cluster="other")
    several = policies.text(function_policies.recover(changed(one, databases=(*one.databases, other))))
    for action, of in (
        ("DescribeGlobalClusters", "rds::{}:global-cluster:*"),
        ("DescribeDBClusters", "rds:{}:cluster:*"),
    ):
        every = f"arn:aws:{of}".format(ACCOUNT if "::" in of else f"{STANDBY}:{ACCOUNT}")
        assert evaluate([several], Question(f"rds:{action}", every, {})) is Verdict.ALLOW
        assert not _allowed("recover", f"rds:{action}", every, {})
