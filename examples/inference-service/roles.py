"""Instance roles: what the programs on an instance may read."""

import json

import pulumi
import pulumi_aws as aws

WORKLOAD = "inference"
JOURNAL_TABLE = f"pilotlight-{WORKLOAD}-journal"
RECOVERED = f"/pilotlight/{WORKLOAD}/checkpoints/recovered"


def allow(actions: list, resources: list) -> dict:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def active_record(standby_region: str, account: str) -> list:
    """Which region serves, and since which epoch; nothing of it exists before the workload is protected."""
    if not standby_region:
        return []
    return [allow(["dynamodb:GetItem"], [f"arn:aws:dynamodb:{standby_region}:{account}:table/{JOURNAL_TABLE}"])]


def instance_profile(name: str, statements) -> aws.iam.InstanceProfile:
    """A role for EC2 with one policy of these statements, which may be outputs."""
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = aws.iam.Role(
        name,
        name=f"inference-{name}",
        assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    policy = pulumi.Output.from_input(statements).apply(
        lambda every: json.dumps({"Version": "2012-10-17", "Statement": every})
    )
    aws.iam.RolePolicy(name, role=role.name, policy=policy)
    return aws.iam.InstanceProfile(name, name=f"inference-{name}", role=role.name)
