"""What another Pilotlight workload protects is never taken from it in silence: the survey refuses, by its name."""

from __future__ import annotations

from typing import Any

import pytest
from surveyed_account import ACCOUNT, EXAMPLE, Account, a_cluster, a_group, problems, surveyed

from pilotlight.runtime.naming import RULE_BEFORE, TAG_PROTECTS, TAG_WORKLOAD, Names, rule_owner
from pilotlight.survey.claims import bucket_problem
from pilotlight.survey.zone_records import records_of
from pilotlight.workload.load import load
from pilotlight.workload.model import Workload

OURS = Names("inference", ACCOUNT, "us-east-1", "us-west-2")
OTHERS = Names("analytics", ACCOUNT, "us-east-1", "us-west-2")
CORPUS = f"inference-corpus-{ACCOUNT}"


@pytest.fixture
def workload() -> Workload:
    return load(EXAMPLE)


@pytest.fixture
def account() -> Account:
    return Account()


def _rules(names: Names, asset: str, rule_id: str = "", target: str = "") -> dict[str, Any]:
    bucket = target or names.standby_bucket(asset)
    rule = {
        "ID": rule_id or names.rule(asset),
        "Status": "Enabled",
        "Destination": {"Bucket": f"arn:aws:s3:::{bucket}"},
    }
    return {"Role": f"arn:aws:iam::{ACCOUNT}:role/{names.role(f'replication-{asset}')}", "Rules": [rule]}


def _with(account: Account, configuration: dict[str, Any], bucket: str = CORPUS) -> Account:
    """The same account, in which one bucket has these rules."""
    call = account.call

    def told(service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if operation == "get_bucket_replication" and parameters["Bucket"] == bucket:
            return {"ReplicationConfiguration": configuration}
        return call(service, operation, region, **parameters)

    account.call = told  # type: ignore[method-assign]
    return account


def test_a_bucket_that_another_workload_replicates_is_refused_by_that_workloads_name(
    account: Account, workload: Workload
) -> None:
    said = problems(_with(account, _rules(OTHERS, "rows")), workload)
    assert "asset rows of workload analytics" in said
    assert OTHERS.standby_bucket("rows") in said and "`pilotlight destroy`" in said


def test_a_bucket_of_a_workload_of_an_earlier_edition_is_refused_by_that_workloads_name(
    account: Account, workload: Workload
) -> None:
    said = problems(_with(account, _rules(OTHERS, "rows", RULE_BEFORE)), workload)
    assert "asset rows of workload analytics" in said


def test_our_own_rule_is_ours_and_stays_so_where_somebody_pointed_it_elsewhere(
    account: Account, workload: Workload
) -> None:
    assert surveyed(_with(account, _rules(OURS, "corpus")), workload).datasets
    assert bucket_problem(OURS, "corpus", CORPUS, _rules(OURS, "corpus", target="elsewhere")) == ""


def test_our_rule_of_an_earlier_edition_is_taken_over_by_role_and_destination(
    account: Account, workload: Workload
) -> None:
    assert surveyed(_with(account, _rules(OURS, "corpus", RULE_BEFORE)), workload).datasets
    assert bucket_problem(OURS, "corpus", CORPUS, _rules(OURS, "corpus", RULE_BEFORE, "elsewhere"))


def test_a_rule_of_the_users_beside_ours_is_not_overwritten(account: Account, workload: Workload) -> None:
    both = _rules(OURS, "corpus")
    both["Rules"].append({"ID": "to-analytics", "Destination": {"Bucket": "arn:aws:s3:::elsewhere"}})
    said = problems(_with(account, both), workload)
    assert "rules of its own (to-analytics)" in said


def test_the_same_bucket_under_another_name_of_the_same_workload_is_told_as_its_own_asset() -> None:
    said = bucket_problem(OURS, "renamed", CORPUS, _rules(OURS, "corpus"))
    assert "protected already as asset corpus " in said


def test_names_that_hold_hyphens_and_the_word_replication_are_told_apart() -> None:
    other = Names("a-replication-b", ACCOUNT, "us-east-1", "us-west-2")
    assert rule_owner(other.rule("c-d")) == ("a-replication-b", "c-d")
    assert "asset c-d of workload a-replication-b" in bucket_problem(
        OURS, "corpus", CORPUS, _rules(other, "c-d", RULE_BEFORE)
    )


def test_a_cluster_in_another_workloads_global_database_is_refused_by_that_workloads_name(
    account: Account, workload: Workload
) -> None:
    arn = a_cluster()["DBClusterArn"]
    found = {"GlobalClusterIdentifier": "pilotlight-analytics-rows", "GlobalClusterMembers": [{"DBClusterArn": arn}]}
    account.answers["describe_global_clusters"] = {"GlobalClusters": [found]}
    account.answers["describe_db_clusters"] = {
        "DBClusters": [a_cluster() | {"DBClusterIdentifier": "registry", "TagList": _tags(analytics="")}]
    }
    said = problems(account, workload)
    assert "cluster registry is protected already as a part of workload analytics" in said
    assert "global database pilotlight-analytics-rows" in said


def test_a_cluster_in_somebodys_global_database_is_refused_before_the_vault_is_built(
    account: Account, workload: Workload
) -> None:
    arn = a_cluster()["DBClusterArn"]
    members = [{"DBClusterArn": arn}, {"DBClusterArn": arn.replace("us-east-1", "eu-west-1")}]
    found = {"GlobalClusterIdentifier": "worldwide", "GlobalClusterMembers": members}
    account.answers["describe_global_clusters"] = {"GlobalClusters": [found]}
    account.answers["describe_db_clusters"] = {"DBClusters": [a_cluster() | {"DBClusterIdentifier": "registry"}]}
    said = problems(account, workload)
    assert "cluster registry is in global database worldwide already (eu-west-1, us-east-1)" in said


def test_a_cluster_in_our_own_global_database_is_ours(account: Account, workload: Workload) -> None:
    arn, ours = a_cluster()["DBClusterArn"], OURS.global_cluster("registry")
    found = {"GlobalClusterIdentifier": ours, "GlobalClusterMembers": [{"DBClusterArn": arn}]}
    account.answers["describe_global_clusters"] = {"GlobalClusters": [found]}
    assert surveyed(account, workload).databases


def test_a_group_whose_counterpart_another_workload_keeps_is_refused_by_that_workloads_name(
    account: Account, workload: Workload
) -> None:
    name = next(each.group for each in workload.assets.values() if each.kind == "compute")
    copy = a_group() | {"AutoScalingGroupName": "pilotlight-analytics-fleet", "Tags": _tags(analytics=name)}
    account.answers["describe_auto_scaling_groups"] = {"AutoScalingGroups": [copy]}
    assert f"Auto Scaling group {name} is protected already as a part of workload analytics" in problems(
        account, workload
    )


def test_a_group_whose_counterpart_is_our_own_is_ours(account: Account, workload: Workload) -> None:
    name = next(each.group for each in workload.assets.values() if each.kind == "compute")
    account.answers["describe_auto_scaling_groups"] = {
        "AutoScalingGroups": [a_group() | {"Tags": _tags(inference=name)}]
    }
    assert surveyed(account, workload).computes


@pytest.mark.parametrize(
    ("identifier", "is_refused"),
    [("pl-analytics-primary", True), ("pl-inference-primary", False)],
)
def test_a_dns_name_of_another_workload_is_refused_by_that_workloads_name(
    account: Account, workload: Workload, identifier: str, is_refused: bool
) -> None:
    assert workload.traffic
    record = {"Name": f"{workload.traffic.record}.", "Type": "A", "SetIdentifier": identifier}
    account.answers["list_resource_record_sets"] = {"ResourceRecordSets": [record]}
    if is_refused:
        assert "is protected already as a part of workload analytics" in problems(account, workload)
    else:
        assert surveyed(account, workload).traffic


def test_whether_others_keep_a_group_is_not_taken_for_no_where_it_cannot_be_read(
    account: Account, workload: Workload
) -> None:
    call = account.call

    def refusing(service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if region == "us-west-2":
            account.answers.pop("describe_auto_scaling_groups", None)
        return call(service, operation, region, **parameters)

    account.call = refusing  # type: ignore[method-assign]
    assert "whether another workload protects group" in problems(account, workload)


def _tags(**owner: str) -> list[dict[str, str]]:
    return [
        tag
        for workload, group in owner.items()
        for tag in ({"Key": TAG_WORKLOAD, "Value": workload}, {"Key": TAG_PROTECTS, "Value": group})
    ]


def test_a_record_beyond_the_first_page_of_a_name_is_seen_and_its_neighbours_are_not_read() -> None:
    """Route 53 gives 300 a page; a name with hundreds of weighted records hid the pair of another workload."""
    pages = {
        "": [{"Name": "a.example.com.", "Type": "A", "SetIdentifier": str(number)} for number in range(300)],
        "300": [
            {"Name": "A.example.com.", "SetIdentifier": "pl-other-primary"},
            {"Name": "b.example.com."},
        ],
    }
    asked: list[str] = []

    class Zone:
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            start = parameters.get("StartRecordIdentifier", "")
            asked.append(start)
            more = {"NextRecordName": "a.example.com.", "NextRecordType": "A", "NextRecordIdentifier": "300"}
            return {"ResourceRecordSets": pages[start], "IsTruncated": True} | more

        def pages(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

    found = records_of(Zone(), "Z1", "a.example.com")
    assert len(found) == 301 and found[-1]["SetIdentifier"] == "pl-other-primary"
    assert asked == ["", "300"], "the rest of the zone is nobody's business here"
