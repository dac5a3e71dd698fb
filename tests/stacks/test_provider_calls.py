"""What the real provider asks of AWS is written down, and the deployer may do it: a call that is not in the table, or
that the policies leave out, ends a user's first `up` in the middle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stack_recording import Recording
from stack_samples import VAULT, inventory

from pilotlight.local.iam.needs_of_s3 import BUCKET_ACTIONS
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import people
from pilotlight.stacks.people_kinds import KINDS
from pilotlight.stacks.provider_calls import TABLE
from pilotlight.stacks.provider_calls.calls import ACTS, Calls, in_order
from pilotlight.stacks.supplementary import DEPLOYER, HAND, PROVIDER, UNSEEN, besides
from pilotlight.stacks.supplementary import VAULT as VAULT_ROLE

PREFIXES = {"elbv2": "elasticloadbalancing", "s3control": "s3"}
"""Services whose actions begin otherwise than their client is called (Service Authorization Reference)."""
NAMED_OTHERWISE = {
    "s3.ListObjectVersions": "s3:ListBucketVersions",
    "s3.DeleteObjects": "s3:DeleteObjectVersion",
}
WHERE = {"within": inventory(), "apart": inventory(VAULT)}


def action(operation: str) -> str:
    """The IAM action of an operation."""
    service, _, name = operation.partition(".")
    known = BUCKET_ACTIONS.get(name, name) if service == "s3" else name
    return NAMED_OTHERWISE.get(operation, f"{PREFIXES.get(service, service)}:{known}")


def granted(one: Inventory) -> dict[str, set[str]]:
    """Kind -> actions of who deploys: in the workload's account, and as the role in the vault's."""
    found: dict[str, set[str]] = {}
    for who in (DEPLOYER, VAULT_ROLE) if one.vault else (DEPLOYER,):
        for document in people.documents(who, one):
            for statement in document["Statement"]:
                found.setdefault(statement["Sid"], set()).update(statement["Action"])
    return found


def needed(calls: Calls) -> Iterator[str]:
    yield from (action(each) for each in calls.operations() if each not in calls.withheld)
    yield from calls.along


def test_every_type_that_a_stack_makes_is_in_the_table(
    vault: Recording, primary: Recording, standby: Recording, vault_apart: Recording
) -> None:
    made = {each.type for one in (vault, primary, standby, vault_apart) for each in one.custom}
    assert made - set(TABLE) == set()
    assert set(TABLE) - made == set(), "nothing is in the table that no stack makes"


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("type_", TABLE)
def test_the_deployer_may_do_what_the_provider_does(type_: str, where: str) -> None:
    calls, found = TABLE[type_], granted(WHERE[where])
    lacking = {each for each in needed(calls) if not any(each in found.get(kind, ()) for kind in calls.kinds)}
    assert lacking == set()


@pytest.mark.parametrize("apart", [False, True])
def test_what_is_granted_for_the_provider_is_what_it_asks(apart: bool) -> None:
    asked = {(kind, each) for calls in TABLE.values() for kind in calls.kinds for each in needed(calls)}
    for one in (*besides(DEPLOYER, apart), *besides(VAULT_ROLE, apart)):
        listed = {(one.kind, each) for each in one.actions}
        assert one.reason not in (PROVIDER, HAND) or listed <= asked
        assert one.reason != UNSEEN or not listed & asked


@pytest.mark.parametrize("type_", TABLE)
def test_an_entry_says_where_it_was_read(type_: str) -> None:
    calls = TABLE[type_]
    assert calls.seen and all(one.functions and one.version in (4, 5, 6) for one in calls.seen)
    assert all(reason for reason in (*calls.withheld.values(), *calls.apart.values()))
    assert set(calls.withheld) | set(calls.apart) <= set(calls.operations())
    assert all(calls.of(act) for act in ACTS)


def test_the_kinds_of_the_table_are_those_of_the_policies() -> None:
    known = {each.name for each in KINDS}
    assert {kind for calls in TABLE.values() for kind in calls.kinds} <= known


@pytest.mark.parametrize(
    ("made", "same"),
    [
        (("a", "b", "c"), True),
        (("a", "b", "b", "c", "c"), True),
        (("a", "c"), True),
        (("a", "b"), False),
        (("b", "a", "c"), False),
        (("a", "b", "c", "d"), False),
    ],
)
def test_waiting_is_no_other_order_and_leaving_out_is(made: tuple[str, ...], same: bool) -> None:
    assert in_order(("a", "a", "b?", "c"), made) is same


def test_what_is_read_before_and_after_something_that_was_not_needed_is_read_once() -> None:
    assert in_order(("read", "change?", "read"), ("read",))
    assert in_order(("read", "change?", "read"), ("read", "change", "read"))
    assert not in_order(("read", "change?", "read"), ("read", "change"))
