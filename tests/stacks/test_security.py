"""What must hold for every resource of every stack; whoever breaks one of these leaks data or loses it.

Every test runs twice: with the vault in the workload's account, and in one of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stack_recording import Recording, Registered, record
from stack_samples import VAULT, inventory

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.records.settings import Metadata
from pilotlight.stacks import policies, program

TYPES = [
    "autoscaling/group:Group",
    "cloudwatch/logGroup:LogGroup",
    "cloudwatch/metricAlarm:MetricAlarm",
    "dynamodb/table:Table",
    "ec2/amiCopy:AmiCopy",
    "ec2/internetGateway:InternetGateway",
    "ec2/launchTemplate:LaunchTemplate",
    "ec2/route:Route",
    "ec2/routeTable:RouteTable",
    "ec2/routeTableAssociation:RouteTableAssociation",
    "ec2/securityGroup:SecurityGroup",
    "ec2/subnet:Subnet",
    "ec2/vpc:Vpc",
    "ec2/vpcEndpoint:VpcEndpoint",
    "iam/instanceProfile:InstanceProfile",
    "iam/role:Role",
    "iam/rolePolicy:RolePolicy",
    "kms/alias:Alias",
    "kms/key:Key",
    "lambda/function:Function",
    "lambda/permission:Permission",
    "lb/listener:Listener",
    "lb/loadBalancer:LoadBalancer",
    "lb/targetGroup:TargetGroup",
    "rds/cluster:Cluster",
    "rds/clusterInstance:ClusterInstance",
    "rds/globalCluster:GlobalCluster",
    "rds/subnetGroup:SubnetGroup",
    "route53/healthCheck:HealthCheck",
    "route53/record:Record",
    "s3/bucket:Bucket",
    "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "s3/bucketOwnershipControls:BucketOwnershipControls",
    "s3/bucketPolicy:BucketPolicy",
    "s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "s3/bucketReplicationConfig:BucketReplicationConfig",
    "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "s3/bucketVersioning:BucketVersioning",
    "scheduler/schedule:Schedule",
    "sns/topic:Topic",
    "sns/topicPolicy:TopicPolicy",
    "sns/topicSubscription:TopicSubscription",
    "sqs/queue:Queue",
    "sqs/queuePolicy:QueuePolicy",
]
"""The types that the embedded engine implements too; any other could not be rehearsed."""

UNTAGGED = {
    "Alias", "BucketVersioning", "BucketPolicy", "BucketServerSideEncryptionConfiguration", "BucketPublicAccessBlock",
    "BucketOwnershipControls", "BucketReplicationConfig", "BucketLifecycleConfiguration", "RolePolicy", "Route",
    "RouteTableAssociation", "Permission", "TopicPolicy", "TopicSubscription", "Schedule", "Record", "GlobalCluster",
    "QueuePolicy",
}  # fmt: skip
"""Types without tags in AWS; a global cluster is left as bare as the user's own cluster."""


@pytest.fixture(scope="module", params=[None, VAULT], ids=["within", "apart"])
def taken(request: pytest.FixtureRequest) -> Inventory:
    """What the stacks were made of."""
    return inventory(request.param)


def recorded(request: pytest.FixtureRequest, taken: Inventory, stack: str) -> Recording:
    found: Recording = request.getfixturevalue(f"{stack}_apart" if taken.vault else stack)
    return found


@pytest.fixture(scope="module")
def vault(request: pytest.FixtureRequest, taken: Inventory) -> Recording:
    return recorded(request, taken, "vault")


@pytest.fixture(scope="module")
def primary(request: pytest.FixtureRequest, taken: Inventory) -> Recording:
    return recorded(request, taken, "primary")


@pytest.fixture(scope="module")
def standby(request: pytest.FixtureRequest, taken: Inventory) -> Recording:
    return recorded(request, taken, "standby")


@pytest.fixture(scope="module")
def all_stacks(vault: Recording, primary: Recording, standby: Recording) -> list[Registered]:
    return [*vault.custom, *primary.custom, *standby.custom]


def test_every_type_can_be_rehearsed_in_the_embedded_cloud(all_stacks: list[Registered]) -> None:
    assert {each.type for each in all_stacks} <= {f"aws:{each}" for each in TYPES}


def test_everything_carries_the_workloads_tag(all_stacks: list[Registered]) -> None:
    for each in all_stacks:
        if each.kind in UNTAGGED:
            continue
        tags = each.inputs["tags"]
        pairs = {tag["key"]: tag["value"] for tag in tags} if isinstance(tags, list) else tags
        assert pairs["pilotlight:workload"] == "inference", each.name


def test_no_bucket_of_ours_is_public(vault: Recording) -> None:
    blocked = {each.inputs["bucket"]: each.inputs for each in vault.all("BucketPublicAccessBlock")}
    owned = {each.inputs["bucket"]: each.inputs["rule"] for each in vault.all("BucketOwnershipControls")}
    for bucket in vault.all("Bucket"):
        name = bucket.inputs["bucket"]
        settings = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        assert all(blocked[name][setting] is True for setting in settings)
        assert owned[name] == {"objectOwnership": "BucketOwnerEnforced"}


def test_no_bucket_of_ours_answers_without_tls(vault: Recording) -> None:
    for bucket in vault.all("Bucket"):
        name = bucket.inputs["bucket"]
        policy = next(each for each in vault.all("BucketPolicy") if each.inputs["bucket"] == name).inputs["policy"]
        statement = json.loads(policy)["Statement"][0]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert statement["Resource"] == [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]


def test_everything_that_stores_is_encrypted_with_our_key(
    vault: Recording, standby: Recording, taken: Inventory
) -> None:
    of_buckets = "arn:of:vault-copies-key" if taken.vault else "arn:of:vault-key"
    for encryption in vault.all("BucketServerSideEncryptionConfiguration"):
        rule = encryption.inputs["rules"][0]
        assert rule["bucketKeyEnabled"] is True
        default = rule["applyServerSideEncryptionByDefault"]
        assert default == {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": of_buckets}
    assert vault.one("vault-journal").inputs["serverSideEncryption"]["kmsKeyArn"] == "arn:of:vault-key"
    assert all(each.inputs["kmsKeyId"] == "arn:of:vault-key" for each in vault.all("LogGroup"))
    cluster = next(each for each in standby.all("Cluster")).inputs
    assert cluster["storageEncrypted"] is True
    ours = policies.alias_arn(inventory().names, "us-west-2")
    assert cluster["kmsKeyId"] == ours
    image = standby.one("fleet-image").inputs
    assert (image["encrypted"], image["kmsKeyId"]) == (True, ours)
    for mapping in standby.one("fleet-template").inputs["blockDeviceMappings"]:
        assert (mapping["ebs"]["encrypted"], mapping["ebs"]["kmsKeyId"]) == ("true", ours)
    assert standby.one("monitoring-topic").inputs["kmsMasterKeyId"] == inventory().names.key_alias


def test_each_bucket_is_encrypted_versioned_and_has_a_lifecycle(vault: Recording) -> None:
    buckets = {each.inputs["bucket"] for each in vault.all("Bucket")}
    for kind in ("BucketServerSideEncryptionConfiguration", "BucketVersioning", "BucketLifecycleConfiguration"):
        assert {each.inputs["bucket"] for each in vault.all(kind)} == buckets, kind


def test_keys_are_rotated_and_there_is_one_for_each_place(all_stacks: list[Registered], taken: Inventory) -> None:
    keys = [each.inputs for each in all_stacks if each.kind == "Key"]
    assert all(each["enableKeyRotation"] is True for each in keys)
    assert sorted(each["region"] for each in keys) == ["us-west-2" if taken.vault else "us-east-1", "us-west-2"]


def test_logs_are_kept_for_a_set_time(vault: Recording) -> None:
    assert all(each.inputs["retentionInDays"] == 400 for each in vault.all("LogGroup"))


def test_instances_answer_metadata_to_tokens_only(standby: Recording) -> None:
    options = standby.one("fleet-template").inputs["metadataOptions"]
    assert (options["httpEndpoint"], options["httpTokens"]) == ("enabled", "required")
    assert Metadata() == Metadata(endpoint="enabled", tokens="required", hop_limit=1), "where nobody says otherwise"


def test_the_journal_can_be_wound_back_and_not_deleted(vault: Recording) -> None:
    journal = vault.one("vault-journal").inputs
    assert journal["pointInTimeRecovery"]["enabled"] is True
    assert journal["deletionProtectionEnabled"] is True


def test_the_database_is_private_and_cannot_be_deleted(standby: Recording) -> None:
    assert standby.all("ClusterInstance")[0].inputs["publiclyAccessible"] is False
    cluster = standby.all("Cluster")[0].inputs
    assert cluster["deletionProtection"] is True
    assert cluster["skipFinalSnapshot"] is False


def test_only_s3_for_the_originals_may_send_to_the_queue_and_nobody_without_tls(
    primary: Recording, taken: Inventory
) -> None:
    queue, arn = primary.one("events-queue").inputs, taken.names.events_queue_arn
    assert (queue["region"], queue["sqsManagedSseEnabled"]) == ("us-east-1", True)
    send, closed = json.loads(primary.one("events-queue-policy").inputs["policy"])["Statement"]
    assert (send["Principal"], send["Action"], send["Resource"]) == (
        {"Service": "s3.amazonaws.com"}, "sqs:SendMessage", arn,
    )  # fmt: skip
    assert send["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": [f"arn:aws:s3:::{each.primary_bucket}" for each in taken.datasets]},
    }
    assert (closed["Effect"], closed["Principal"], closed["Resource"]) == ("Deny", "*", arn)
    assert closed["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_only_the_balancer_is_open_to_the_world(standby: Recording) -> None:
    world = [
        each.name
        for each in standby.all("SecurityGroup")
        for rule in each.inputs.get("ingress", [])
        if "0.0.0.0/0" in rule.get("cidrBlocks", [])
    ]
    assert world == ["network-balancer"]


def test_no_policy_allows_every_action_of_a_service(all_stacks: list[Registered]) -> None:
    for owner, statement in _allowed(all_stacks):
        for action in _listed(statement["Action"]):
            if statement["Sid"] == "KeyAdministration":
                continue
            assert "*" not in action, f"{owner}: {action}"


def test_a_resource_of_everything_has_a_reason(all_stacks: list[Registered]) -> None:
    for owner, statement in _allowed(all_stacks):
        if "*" in _listed(statement["Resource"]):
            reasons = [sid for sid in policies.WILDCARD_RESOURCES if statement["Sid"].startswith(sid)]
            assert reasons, f"{owner}: {statement['Sid']}"


def test_every_reason_is_still_needed(all_stacks: list[Registered]) -> None:
    used = {statement["Sid"] for _, statement in _allowed(all_stacks) if "*" in _listed(statement["Resource"])}
    for sid in policies.WILDCARD_RESOURCES:
        assert any(each.startswith(sid) for each in used), sid


def test_whoever_is_anybody_is_narrowed_by_a_condition(all_stacks: list[Registered]) -> None:
    for owner, statement in _allowed(all_stacks):
        if statement.get("Principal") in ("*", {"AWS": "*"}):
            assert statement["Condition"]["StringEquals"]["kms:CallerAccount"] == "123456789012", owner


def test_service_roles_trust_their_service_for_this_account_only(all_stacks: list[Registered]) -> None:
    for role in (each for each in all_stacks if each.kind == "Role"):
        for statement in json.loads(role.inputs["assumeRolePolicy"])["Statement"]:
            service = statement["Principal"]["Service"]
            if service in ("s3.amazonaws.com", "scheduler.amazonaws.com"):
                assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
            else:
                assert service in ("lambda.amazonaws.com", "ec2.amazonaws.com", "batchoperations.s3.amazonaws.com")


def test_recovering_needs_nothing_of_the_primary_region_and_no_global_control_plane(standby: Recording) -> None:
    policy = json.loads(standby.one("recover-role-policy").inputs["policy"])
    for statement in policy["Statement"]:
        called = [action for action in statement["Action"] if action != "iam:PassRole"]  # a permission, and no call
        assert not any(action.split(":")[0] in ("iam", "route53", "organizations") for action in called)
        if statement["Sid"] != "Promote":
            assert "us-east-1" not in json.dumps(statement)


def test_protecting_never_writes_to_a_bucket_but_the_vaults(standby: Recording, taken: Inventory) -> None:
    policy = json.loads(standby.one("protect-role-policy").inputs["policy"])
    vault_bucket = f"arn:aws:s3:::{taken.names.vault_bucket}"
    for statement in policy["Statement"]:
        if {"s3:PutObject", "s3:DeleteObject"} & set(statement["Action"]):
            assert all(resource.startswith(vault_bucket) for resource in statement["Resource"])


def test_only_snapshots_and_images_of_ours_can_be_deleted(standby: Recording) -> None:
    policy = json.loads(standby.one("copies-policy").inputs["policy"])
    pruning = [each for each in policy["Statement"] if "ec2:DeleteSnapshot" in each["Action"]]
    assert [each["Sid"] for each in pruning] == ["PruneSnapshots", "PruneImages"]
    for each in pruning:
        assert each["Condition"] == {"StringEquals": {"aws:ResourceTag/pilotlight:workload": "inference"}}


def test_instances_read_the_active_record_and_no_other_item_of_the_journal(standby: Recording) -> None:
    policy = json.loads(standby.one("fleet-role-policy").inputs["policy"])
    read = next(each for each in policy["Statement"] if each["Sid"] == "ReadActiveRecord")
    assert read["Action"] == ["dynamodb:GetItem"]
    assert read["Condition"]["ForAllValues:StringEquals"] == {"dynamodb:LeadingKeys": ["active"]}


def test_a_second_evaluation_registers_exactly_the_same(
    vault: Recording, primary: Recording, standby: Recording, archive: Path, taken: Inventory
) -> None:
    again = (
        record(lambda: program.vault(taken)),
        record(lambda: program.primary(taken)),
        record(lambda: program.standby(taken, archive)),
    )
    for first, second in zip((vault, primary, standby), again, strict=True):
        assert _comparable(first) == _comparable(second)
        assert first.exports == second.exports


def _comparable(recording: Recording) -> dict[tuple[str, str], str]:
    return {
        (each.type, each.name): repr((sorted(each.inputs.items(), key=str), each.protect, each.ignored, each.parent))
        for each in recording.resources
        if each.kind != "Function"
    }


def _allowed(resources: list[Registered]) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in resources:
        for field in ("policy", "assumeRolePolicy"):
            if isinstance(each.inputs.get(field), str):
                for statement in json.loads(each.inputs[field])["Statement"]:
                    if statement["Effect"] == "Allow":
                        yield each.name, {"Resource": []} | statement


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
