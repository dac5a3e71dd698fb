"""What a user loses when one of these fails: a call record in which an act without a lease looks like any other."""

from __future__ import annotations

from typing import Any

from model.leases import without_lease
from pilotlight.local.wire.calls import OK, Call

RECOVER, PROTECT, BYSTANDER = ("arn:aws:sts::1:assumed-role/" + each for each in ("recover", "protect", "fleet"))


def call(id: int, principal: str, service: str, operation: str, outcome: str = OK, **params: Any) -> Call:
    """One second a call."""
    return Call(id, float(id), "us-west-2", service, operation, principal, params, outcome, 200)


def taken(id: int, principal: str, until: float, outcome: str = OK, purpose: str = "lease") -> Call:
    """A lease is taken."""
    values = {":one": {"N": "1"}, ":expires_at": {"N": str(until)}, ":holder": {"S": "somebody"}}
    return _update(id, principal, purpose, values, outcome)


def kept(id: int, principal: str, until: float, purpose: str = "lease") -> Call:
    """A lease is renewed, or given back: until 0."""
    return _update(id, principal, purpose, {":expires_at": {"N": str(until)}, ":epoch": {"N": "2"}}, OK)


def _update(id: int, principal: str, purpose: str, values: dict[str, Any], outcome: str) -> Call:
    key = {"pk": {"S": "lease"}, "sk": {"S": purpose}}
    given = {"TableName": "journal", "Key": key, "ExpressionAttributeValues": values}
    return call(id, principal, "dynamodb", "UpdateItem", outcome, **given)


def test_acts_of_whoever_has_a_lease_are_as_they_should_be_and_so_is_looking_without_one() -> None:
    acts = [taken(1, RECOVER, 10), call(2, RECOVER, "rds", "FailoverGlobalCluster"), kept(3, RECOVER, 0)]
    assert without_lease([*acts, call(4, RECOVER, "rds", "DescribeDBClusters")]) == []
    assert without_lease([call(5, BYSTANDER, "s3", "PutObject")]) == [], "the workload's own calls need no lease"


def test_an_act_after_the_lease_was_over_given_back_or_taken_by_another_is_named() -> None:
    act = call(8, RECOVER, "ec2", "CreateLaunchTemplate")
    over = [taken(1, RECOVER, 7), act]
    given_back = [taken(1, RECOVER, 20), kept(7, RECOVER, 0), act]
    lost = [taken(1, RECOVER, 20), taken(7, PROTECT, 30), act]
    for calls in (over, given_back, lost):
        assert without_lease(calls) == [
            "8: arn:aws:sts::1:assumed-role/recover sent ec2:CreateLaunchTemplate to us-west-2 without a lease"
        ]
    assert without_lease([taken(1, RECOVER, 7), kept(6, RECOVER, 20), act]) == [], "it was renewed"
    assert without_lease([taken(1, RECOVER, 20), taken(7, PROTECT, 30, purpose="protect"), act]) == []


def test_a_taking_that_was_refused_takes_nothing_and_the_order_is_the_one_in_which_calls_began() -> None:
    act = call(8, RECOVER, "ec2", "CreateLaunchTemplate")
    refused = taken(7, PROTECT, 30, "ConditionalCheckFailedException")
    assert without_lease([act, taken(1, RECOVER, 20), refused]) == []
    assert without_lease([act, taken(1, RECOVER, 7), taken(5, RECOVER, 20, "ConditionalCheckFailedException")])
