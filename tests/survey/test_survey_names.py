"""A name that something of somebody else's bears ends an `up` half way, or is written over: the survey refuses it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from surveyed_account import ACCOUNT, Account, a_cluster, problems

from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.errors import SurveyProblems
from pilotlight.runtime.naming import STACKS, TAG_WORKLOAD, Names
from pilotlight.survey.named import Kind, Named, named
from pilotlight.survey.survey import survey
from pilotlight.workload.model import Vault, Workload
from support.inventories import changed

KINDS = {"corpus": "dataset", "registry": "database", "fleet": "compute"}
ORIGINAL = str(a_cluster()["DBClusterArn"])


def _all() -> list[Named]:
    names = Names("inference", ACCOUNT, "us-east-1", "us-west-2")
    return list(named(names, KINDS, True, {"registry": ORIGINAL}))


ONE_OF_EACH = list({each.kind.what: each for each in _all()}.values())


def _there(account: Account, one: Named, tags: dict[str, str] | str, **more: Any) -> None:
    """The account has this name already, with these tags; a word instead of tags is what asking for them answers."""
    kind, pairs = one.kind, tags if isinstance(tags, str) else _pairs(one.kind, tags)
    thing: dict[str, Any] = ({kind.named: one.name} if kind.named else {}) | more
    if kind.tags:
        thing[kind.tags] = pairs
    if kind.tagged_by:
        operation, _, member, field = kind.tagged_by
        thing |= {member: f"of {one.name}"} if member else {}
        listed = [{"Tags": pairs}] if field == "TagDescriptions" else pairs
        told = f"of {one.name}" if member else one.name
        account.taken[operation, told] = tags if isinstance(tags, str) else {field: listed}
    answer = {kind.found: [thing] if _is_listing(kind) else thing} if kind.found else thing
    account.taken[kind.operation, _asked(one)] = answer


def _asked(one: Named) -> str:
    asked = next(iter(one.kind.asks(one.name).values()), "")
    return str(asked[0] if isinstance(asked, list) else asked)


def _pairs(kind: Kind, tags: dict[str, str]) -> Any:
    if kind.service in ("lambda", "logs"):
        return tags
    key, value = ("TagKey", "TagValue") if kind.service == "kms" else ("Key", "Value")
    return [{key: each, value: tags[each]} for each in tags]


def _is_listing(kind: Kind) -> bool:
    return kind.found.endswith("s") and kind.found != "Attributes"


OURS: dict[str, dict[str, Any]] = {
    "global database": {"GlobalClusterMembers": [{"DBClusterArn": ORIGINAL}]},
    "schedule": {"Target": {"Arn": f"arn:aws:lambda:us-west-2:{ACCOUNT}:function:pilotlight-inference-probe"}},
}
"""What tells ours where there are no tags."""


@pytest.mark.parametrize("one", ONE_OF_EACH, ids=lambda one: one.kind.what)
def test_a_name_that_is_somebody_elses_is_refused_before_anything_is_made(
    account: Account, workload: Workload, one: Named
) -> None:
    _there(account, one, {"team": "search"})
    said = problems(account, workload)
    assert f"{one.asset} ({one.region}): {one.kind.what} {one.name} exists already and is not this workload's" in said


@pytest.mark.parametrize("one", [each for each in ONE_OF_EACH if each.ours is None], ids=lambda one: one.kind.what)
def test_a_name_of_another_workload_is_refused_by_that_workloads_name(
    account: Account, workload: Workload, one: Named
) -> None:
    _there(account, one, {TAG_WORKLOAD: "analytics"})
    assert f"{one.name} exists already and is workload analytics's" in problems(account, workload)


@pytest.mark.parametrize("one", ONE_OF_EACH, ids=lambda one: one.kind.what)
def test_what_a_first_up_left_half_done_is_ours_and_in_nobodys_way(
    account: Account, workload: Workload, one: Named
) -> None:
    first = next(each for each in _all() if each.kind.what == one.kind.what)
    _there(account, first, {TAG_WORKLOAD: "inference"}, **OURS.get(one.kind.what, {}))
    assert _surveyed(account, workload).computes


@pytest.mark.parametrize("one", [each for each in ONE_OF_EACH if each.kind.tagged_by], ids=lambda one: one.kind.what)
def test_what_may_not_be_asked_for_its_tags_is_not_taken_for_ours(
    account: Account, workload: Workload, one: Named
) -> None:
    _there(account, one, "AccessDenied")
    assert f"{one.kind.what} {one.name} exists already and is not this workload's" in problems(account, workload)


@pytest.mark.parametrize("code", ["403", "301"])
def test_a_bucket_name_that_another_account_or_region_has_is_refused(
    account: Account, workload: Workload, code: str
) -> None:
    bucket = next(each.name for each in _all() if each.kind.what == "bucket")
    account.taken["head_bucket", bucket] = code
    assert f"bucket {bucket} is somebody else's, or in another region" in problems(account, workload)


@pytest.mark.parametrize("one", ONE_OF_EACH, ids=lambda one: one.kind.what)
def test_a_refused_look_is_not_taken_for_a_free_name(account: Account, workload: Workload, one: Named) -> None:
    account.taken[one.kind.operation, _asked(one)] = "InternalFailureOfSomeKind"
    assert f"whether {one.kind.what} {one.name} is taken cannot be read" in problems(account, workload)


def test_an_up_asks_for_no_name_that_it_gave_before(account: Account, workload: Workload) -> None:
    built = replace(_surveyed(account, workload), stacks=STACKS)
    before = len(account.asked)
    survey(account, workload, ACCOUNT, FakeClock(), built)
    assert len(account.asked) - before < before / 2
    assert not {"head_bucket", "get_role", "describe_alarms"} & {each[1] for each in account.asked[before:]}


def test_an_asset_that_was_added_is_looked_for_among_those_that_are_deployed(
    account: Account, workload: Workload
) -> None:
    built = _surveyed(account, workload)
    without = changed(built, stacks=STACKS, datasets=built.datasets[1:])
    account.taken["head_bucket", built.datasets[0].standby_bucket] = "403"
    with pytest.raises(SurveyProblems, match="is somebody else's"):
        survey(account, workload, ACCOUNT, FakeClock(), without)


def test_names_in_the_account_of_the_vault_are_looked_for_there(account: Account, workload: Workload) -> None:
    apart = workload.model_copy(update={"vault": Vault(account="210987654321")})
    there = Account()
    bucket = apart.names(ACCOUNT).vault_bucket
    there.taken["head_bucket", bucket] = {}
    there.taken["get_bucket_tagging", bucket] = {"TagSet": []}
    with pytest.raises(SurveyProblems, match=f"bucket {bucket} exists already"):
        survey(account, apart, ACCOUNT, FakeClock(), None, there)
    assert {each[0] for each in there.asked} == {"s3", "kms"}
    assert "head_bucket" not in [each[1] for each in account.asked]


def _surveyed(account: Account, workload: Workload) -> Any:
    return survey(account, workload, ACCOUNT, FakeClock())
