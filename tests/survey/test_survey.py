"""The survey turns what runs in the primary region into the inventory, or says everything that is amiss at once."""

from __future__ import annotations

from typing import Any

import pytest
from surveyed_account import (
    ACCOUNT,
    SECRET,
    Account,
    a_balancer,
    a_cluster,
    a_group,
    a_template,
    a_volume,
    problems,
    surveyed,
)

from pilotlight.runtime.errors import RegionUnreachable
from pilotlight.workload.model import Workload


def test_every_declared_asset_is_in_the_inventory(account: Account, workload: Workload) -> None:
    taken = surveyed(account, workload)
    assert {each.name for each in taken.assets} == set(workload.assets)
    assert (taken.rpo_seconds, taken.rto_seconds, taken.every_seconds) == (60, 120, 60)
    assert taken.trigger == "automatic"
    assert taken.taken_at == "2023-11-14T22:13:20.000Z"


def test_edges_and_prefixes_come_from_the_declaration(account: Account, workload: Workload) -> None:
    checkpoints = next(each for each in surveyed(account, workload).datasets if each.name == "checkpoints")
    assert (checkpoints.kind, checkpoints.prefix, checkpoints.uses) == ("checkpoints", "checkpoints/", ("corpus",))
    assert checkpoints.standby_bucket == f"pilotlight-inference-checkpoints-{ACCOUNT}-us-west-2"


def test_the_database_keeps_its_engine_and_gets_a_counterpart(account: Account, workload: Workload) -> None:
    database = surveyed(account, workload).databases[0]
    assert (database.engine, database.engine_version, database.database) == ("aurora-postgresql", "16.6", "registry")
    assert database.standby_arn == f"arn:aws:rds:us-west-2:{ACCOUNT}:cluster:pilotlight-inference-registry-standby"
    assert (database.table, database.column, database.secret) == ("models", "uri", SECRET)
    assert (database.table, database.column) == ("models", "uri")


def test_a_second_survey_finds_the_same(account: Account, workload: Workload) -> None:
    assert surveyed(account, workload) == surveyed(account, workload)


def test_it_only_reads(account: Account, workload: Workload) -> None:
    surveyed(account, workload)
    assert all(operation.startswith(("get_", "list_", "describe_", "head_")) for _, operation, _ in account.asked)


def test_a_bucket_with_object_lock_is_refused_before_replication_fails_each_of_its_objects(
    account: Account, workload: Workload
) -> None:
    account.answers["get_object_lock_configuration"] = {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
    assert "has Object Lock, so its copies must have it too" in problems(account, workload)


def test_replication_rules_of_the_users_are_not_overwritten(account: Account, workload: Workload) -> None:
    account.answers["get_bucket_replication"] = {"ReplicationConfiguration": {"Rules": [{"ID": "to-analytics"}]}}
    assert "to-analytics" in problems(account, workload)


@pytest.mark.parametrize(
    ("operation", "answer", "asset", "said"),
    [
        ("get_bucket_location", None, "corpus", "bucket inference-corpus-123456789012 cannot be read"),
        ("get_bucket_location", {"LocationConstraint": "eu-west-1"}, "corpus", "is in eu-west-1"),
        ("describe_volumes", {"Volumes": []}, "index", "backup=index"),
        (
            "describe_volumes",
            {"Volumes": [a_volume("v1", "/dev/sdf", 1), a_volume("v2", "/dev/sdf", 1)]},
            "index",
            "volume v2 (/dev/sdf of i-1): another volume has the same device",
        ),
        ("describe_db_clusters", None, "registry", "cluster inference-registry cannot be read"),
        (
            "describe_db_clusters",
            {"DBClusters": [a_cluster() | {"StorageEncrypted": False}]},
            "registry",
            "not encrypted",
        ),
        ("describe_db_clusters", {"DBClusters": [a_cluster() | {"Engine": "mysql"}]}, "registry", "runs mysql"),
        (
            "describe_db_clusters",
            {"DBClusters": [a_cluster() | {"HttpEndpointEnabled": False}]},
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
            {"LaunchTemplateVersions": [{"LaunchTemplateData": a_template() | {"ImageId": "resolve:ssm:/ami"}}]},
            "fleet",
            "names no image id",
        ),
        ("get_role_policy", None, "fleet", "policies of role fleet cannot be read"),
        ("describe_load_balancers", {"LoadBalancers": [a_balancer("internal")]}, "traffic", "is internal"),
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
    told = [line for line in problems(account, workload).splitlines() if line.startswith(f"{asset} (us-east-1): ")]
    assert any(said in line for line in told), told


def test_a_group_at_zero_without_a_declared_count_would_recover_nothing(account: Account, workload: Workload) -> None:
    account.answers["describe_auto_scaling_groups"] = {"AutoScalingGroups": [a_group() | {"DesiredCapacity": 0}]}
    fleet = workload.assets["fleet"].model_copy(update={"count": None})
    undeclared = workload.model_copy(update={"assets": workload.assets | {"fleet": fleet}})
    assert "declare `count`" in problems(account, undeclared)


def test_everything_that_is_amiss_is_told_at_once(account: Account, workload: Workload) -> None:
    account.answers.clear()
    told = problems(account, workload)
    for asset in ("corpus", "checkpoints", "index", "registry", "fleet", "traffic"):
        assert f"{asset} (us-east-1)" in told


def test_a_region_that_does_not_answer_is_no_missing_bucket(workload: Workload) -> None:
    class Dark(Account):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            raise RegionUnreachable(service=service, operation=operation, region=region)

    with pytest.raises(RegionUnreachable):
        surveyed(Dark(), workload)
