"""A name that clients ask for already becomes the failover pair without silence, or the survey refuses it."""

from __future__ import annotations

from typing import Any

import pytest
from surveyed_account import Account, problems, surveyed

from pilotlight.workload.model import Workload

BALANCER = "lb.us-east-1.elb.amazonaws.com"
ALIAS = {"HostedZoneId": "ZLB", "DNSName": f"dualstack.{BALANCER}.", "EvaluateTargetHealth": True}


def _has(account: Account, workload: Workload, kind: str, **record: Any) -> None:
    assert workload.traffic
    found = {"Name": f"{workload.traffic.record}.", "Type": kind, **record}
    account.answers["list_resource_record_sets"] = {"ResourceRecordSets": [found]}


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        ("A", {"AliasTarget": ALIAS}),
        ("CNAME", {"TTL": 60, "ResourceRecords": [{"Value": BALANCER}]}),
    ],
)
def test_whoever_owns_the_record_is_told_that_it_is_handed_over(
    account: Account, workload: Workload, kind: str, record: dict[str, Any]
) -> None:
    _has(account, workload, kind, **record)
    taken = surveyed(account, workload)
    assert [each for each in taken.remarks if "becomes the first half of a failover pair" in each]


@pytest.mark.parametrize(
    ("kind", "record", "said"),
    [
        (
            "A",
            {"TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]},
            "answers with 192.0.2.1, not with the balancer",
        ),
        ("A", {"AliasTarget": ALIAS | {"DNSName": "d1.cloudfront.net."}}, "answers with d1.cloudfront.net, not with"),
        ("CNAME", {"TTL": 60, "ResourceRecords": [{"Value": "elsewhere.example"}]}, "answers with elsewhere.example"),
        ("A", {"AliasTarget": ALIAS, "SetIdentifier": "blue", "Weight": 1}, "has a routing policy of its own (blue)"),
        ("AAAA", {"AliasTarget": ALIAS}, "would stay with a lost region"),
    ],
)
def test_a_record_that_cannot_be_handed_over_is_refused_before_anything_is_made(
    account: Account, workload: Workload, kind: str, record: dict[str, Any], said: str
) -> None:
    _has(account, workload, kind, **record)
    assert said in problems(account, workload)


def test_what_is_no_address_stands_in_nobodys_way(account: Account, workload: Workload) -> None:
    _has(account, workload, "TXT", TTL=60, ResourceRecords=[{"Value": '"verified"'}])
    assert surveyed(account, workload).remarks == ()
