"""A quota that is too small is told while there is time to ask for more, and not by a fleet that does not start."""

from __future__ import annotations

import pytest
from surveyed_account import Account, problems, surveyed

from pilotlight.kinds.autoscaling.quotas import Need, quota_of, short
from pilotlight.runtime.naming import TAG_WORKLOAD
from pilotlight.workload.model import Workload

G = "L-DB2E81BA"


def test_a_quota_that_is_too_small_is_told_with_the_line_that_asks_for_more(
    account: Account, workload: Workload
) -> None:
    account.answers["get_service_quota"] = {"Quota": {"Value": 0.0}}
    account.answers["describe_vpcs"] = {"Vpcs": [{"Tags": [{"Key": TAG_WORKLOAD, "Value": "inference"}]}]}
    (remark,) = surveyed(account, workload).remarks
    assert remark.startswith("fleet: 1 g5.xlarge take 4 vCPUs, and us-west-2 grants 0 (Running On-Demand G and VT")
    assert f"--region us-west-2 --service-code ec2 --quota-code {G} --desired-value 4" in remark


def test_a_quota_that_cannot_be_read_is_not_taken_for_enough(account: Account, workload: Workload) -> None:
    del account.answers["get_service_quota"]
    (remark,) = surveyed(account, workload).remarks
    assert f"quota {G} of us-west-2 is not known" in remark


def test_groups_of_one_family_share_its_quota() -> None:
    both = [Need("fleet", "g5.xlarge", 2, 8), Need("index", "g6.xlarge", 1, 4)]
    assert list(short(both, G, 12, "us-west-2")) == []
    told = dict(short(both, G, 11, "us-west-2"))
    assert set(told) == {"fleet", "index"} and all("(12 with other groups)" in each for each in told.values())


@pytest.mark.parametrize(
    ("kind", "code"),
    [("g5.2xlarge", G), ("p5.48xlarge", "L-417A185B"), ("m7g.large", "L-1216C47A"), ("vt1.3xlarge", G), ("trn1.2", "")],
)
def test_a_type_counts_in_the_quota_of_its_family(kind: str, code: str) -> None:
    assert quota_of(kind) == code


def test_a_family_whose_quota_is_not_among_the_known_is_told() -> None:
    told = dict(short([Need("trainers", "trn1.2xlarge", 1, 8)], "", None, "us-west-2"))
    assert "the quota of that family of us-west-2 is not known" in told["trainers"]


def test_no_room_for_a_network_is_refused_before_the_vault_is_built(account: Account, workload: Workload) -> None:
    account.answers["describe_vpcs"] = {"Vpcs": [{"VpcId": str(each)} for each in range(5)]}
    account.answers["get_service_quota"] = {"Quota": {"Value": 5.0}}
    said = problems(account, workload)
    assert "network (us-west-2): us-west-2 has 5 VPCs and grants 5" in said and "--desired-value 6" in said


def test_a_network_that_stands_needs_no_room(account: Account, workload: Workload) -> None:
    ours = {"Tags": [{"Key": TAG_WORKLOAD, "Value": "inference"}]}
    account.answers["describe_vpcs"] = {"Vpcs": [ours, *({"VpcId": str(each)} for each in range(4))]}
    account.answers["get_service_quota"] = {"Quota": {"Value": 5.0}}
    assert surveyed(account, workload).computes
