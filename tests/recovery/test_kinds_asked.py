"""Kinds asked one thing at a time: what a user would lose by an answer that is nearly right."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pilotlight.runtime.aws.fetch import Fetched
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import RegionUnreachable
from pilotlight.runtime.kinds.action import Absent, Proven, StepContext
from pilotlight.runtime.kinds.buckets import fencing
from pilotlight.runtime.kinds.buckets.kind import ReplicatedBucket
from pilotlight.runtime.kinds.buckets.reprotecting import CANARY
from pilotlight.runtime.kinds.checkpoints.steps import beyond
from pilotlight.runtime.kinds.kind import NOT_NAMED, UNPROTECTED, Observation
from pilotlight.runtime.kinds.registry import KINDS, by_kind, kind_of
from pilotlight.runtime.points.earlier import Earlier
from pilotlight.runtime.points.observation import _observed
from pilotlight.runtime.records.point import Part, RecoveryPoint
from pilotlight.runtime.records.runs import Step, Where
from pilotlight.runtime.runs.register import ACTIONS
from support.fake_aws import PRIMARY, STANDBY, FakeAws, inventory, recovery_of


def asks(aws: FakeAws, region: str) -> list[dict[str, Any]]:
    built = inventory()
    found = [each for kind, assets in by_kind(built) for each in kind.questions(built, assets, region)]
    return [each.parameters for each in found]


def test_each_region_is_asked_for_what_is_there_and_not_for_the_other_regions(aws: FakeAws) -> None:
    """A probe that asks for a name that nobody has is told that the service answers, and looks at nothing."""
    built = inventory()
    (registry,), (fleet,) = built.databases, built.computes
    here, there = asks(aws, PRIMARY), asks(aws, STANDBY)
    assert {"DBClusterIdentifier": registry.primary_cluster} in here
    assert {"DBClusterIdentifier": registry.standby_cluster} in there
    assert {"AutoScalingGroupNames": [fleet.primary_group]} in here
    assert {"AutoScalingGroupNames": [fleet.standby_group]} in there
    assert {"Bucket": built.datasets[0].standby_bucket} in there


def test_an_asset_that_no_point_names_is_not_protected_though_there_is_a_point() -> None:
    built = inventory()
    point = RecoveryPoint("p", "inference", "2026-01-01T00:00:00Z", "complete", ())
    for asset in (*built.volumes, *built.databases, *built.computes):
        for newest in (None, point):
            found = kind_of(asset).standing(built, asset, None, newest, None)
            assert (found.state, found.why) == (UNPROTECTED, NOT_NAMED)


def test_on_the_way_home_the_primarys_own_balancer_is_asked(aws: FakeAws) -> None:
    """The standby's answers still, and would prove the primary well."""
    built, asked = inventory(), list[str]()
    assert built.traffic is not None
    fleet = aws.groups[PRIMARY, built.computes[0].primary_group]
    fleet.desired, fleet.instances = 1, [("i-1", aws.clock.now() - 1000)]

    def fetch(url: str, seconds: float) -> Fetched:
        asked.append(url)
        return Fetched(200, headers={"x-region": PRIMARY})

    step = Step("checks", "healthy", arguments=Where("primary"))
    context = RecoveryContext(aws, built, aws.clock, fetch)
    made = StepContext(step, "failback", "run", 1, context, lambda name: {}, None, lambda: None)
    assert isinstance(ACTIONS["healthy"].ask(made), Proven)
    assert built.traffic.primary_balancer_dns in asked[0]


def test_a_fence_whose_one_exemption_s3_gives_back_as_a_text_is_read_as_one_arn() -> None:
    """S3 writes a list of one as a text; its letters would be let through, and the run that goes on would not."""
    policy = fencing.with_fence({"Version": "2012-10-17", "Statement": []}, "b", "", ["arn:aws:iam::1:role/*me"])
    (fence,) = policy["Statement"]
    given_back = copy.deepcopy(fence)
    given_back["Condition"]["ArnNotLike"]["aws:PrincipalArn"] = "arn:aws:iam::1:role/*me"
    assert fencing._exempt(fence) == fencing._exempt(given_back) == ["arn:aws:iam::1:role/*me"]


def test_a_checkpoint_that_does_not_tell_when_it_was_written_is_not_said_to_be_newer_than_its_data() -> None:
    checkpoints = inventory().datasets[1]
    part = Part("corpus", "dataset", "replication", True, "2026-01-01T00:00:00Z")
    point = RecoveryPoint("p", "inference", "2026-01-01T00:00:00Z", "complete", (part,))
    assert beyond(point, checkpoints, "") == {}
    assert "corpus is proven up to" in beyond(point, checkpoints, "2026-01-01T00:00:00Z")["beyond"]


def test_a_returned_region_that_is_fenced_already_gets_no_run_of_its_own_every_minute(aws: FakeAws) -> None:
    recovery = recovery_of(aws)
    aws.dark.add(PRIMARY)
    recovery.failover()
    aws.dark.clear()
    recovery.protect()
    runs = [each.run for each in recovery.runs("fence-returned")]
    assert len(runs) == 1
    recovery.protect()
    assert [each.run for each in recovery.runs("fence-returned")] == runs


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.name)
def test_actions_of_kinds_are_those_of_the_register_and_nobody_elses(kind: Any) -> None:
    assert all(ACTIONS[name] is action for name, action in kind.actions.items())
    others = [name for each in KINDS if each is not kind for name in each.actions]
    assert not set(kind.actions) & set(others)


@pytest.mark.acts_alone
def test_a_canary_that_is_no_json_is_somebody_elses_object_and_is_written_over(aws: FakeAws) -> None:
    """The run would end in a traceback, and replication would not be proven again."""
    asset = inventory().datasets[0]
    aws.s3.write(asset.primary_bucket, asset.prefix + CANARY, b"not json")
    step = Step("canary-arrives-corpus", "canary-arrives", "corpus", arguments=Where("primary"))
    context = RecoveryContext(aws, inventory(), aws.clock, aws.fetch)
    made = StepContext(step, "failback", "run", 1, context, lambda name: {}, None, lambda: None)
    assert isinstance(ACTIONS["canary-arrives"].ask(made), Absent)


def test_a_primary_that_falls_silent_while_any_kind_looks_leaves_a_point_of_what_the_standby_holds(
    aws: FakeAws,
) -> None:
    """A kind that does not think of it must not cost the points of all the others."""
    looks = list[bool]()

    class Unthinking(ReplicatedBucket):
        def observe(self, look: Observation, asset: Any) -> Part:
            looks.append(look.primary_answers)
            region = PRIMARY if look.primary_answers or everywhere else STANDBY
            if region == PRIMARY:
                raise RegionUnreachable(region=STANDBY if everywhere else PRIMARY, service="s3", operation="list")
            return Part(asset.name, asset.kind, "replication", True, "2026-01-01T00:00:00Z")

    everywhere, recovery = False, recovery_of(aws)
    look = Observation(recovery.context, True, Earlier(recovery.context))
    assert _observed(Unthinking(), look, inventory().datasets[0]).proven and looks == [True, False]
    everywhere = True
    with pytest.raises(RegionUnreachable):
        _observed(Unthinking(), look, inventory().datasets[0])
