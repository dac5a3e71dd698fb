"""Kinds asked one thing at a time: what a user would lose by an answer that is nearly right."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.aws.fetch import Fetched
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.checkpoints import claims
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RegionUnreachable, StepFailed
from pilotlight.runtime.handlers.recover import parse
from pilotlight.runtime.kinds.action import Absent, Proven, StepContext
from pilotlight.runtime.kinds.aurora.kind import NAMED_MAX
from pilotlight.runtime.kinds.buckets import fencing, rereading
from pilotlight.runtime.kinds.buckets.backfill import FAILURES_NAMED_MAX, Brought
from pilotlight.runtime.kinds.buckets.kind import ReplicatedBucket
from pilotlight.runtime.kinds.buckets.protection import NOT_PROVEN
from pilotlight.runtime.kinds.buckets.reprotecting import CANARY
from pilotlight.runtime.kinds.checkpoints.reference import CheckpointReference
from pilotlight.runtime.kinds.checkpoints.steps import beyond
from pilotlight.runtime.kinds.kind import NOT_NAMED, PROTECTED, UNPROTECTED, Observation, loss
from pilotlight.runtime.kinds.phases import RESTORE, START, SYNC
from pilotlight.runtime.kinds.registry import KINDS, by_kind, in_order, kind_of
from pilotlight.runtime.kinds.traffic import steps as traffic
from pilotlight.runtime.kinds.volumes.pruning import unneeded_copies
from pilotlight.runtime.kinds.volumes.snapshots import TAG_DEVICE, TAG_RUN, TAG_RUN_SIZE, Snapshot, _snapshot
from pilotlight.runtime.naming import TAG_CREATED_AT, TAG_SET
from pilotlight.runtime.points.earlier import Earlier
from pilotlight.runtime.points.observation import _observed
from pilotlight.runtime.records.inventory import Training
from pilotlight.runtime.records.point import Part, RecoveryPoint
from pilotlight.runtime.records.runs import Step, Where
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs import choosing, handing
from pilotlight.runtime.runs.engine import Engine
from pilotlight.runtime.runs.fence_returned import fence_returned
from pilotlight.runtime.runs.register import ACTIONS
from pilotlight.runtime.runs.standing import _away
from pilotlight.runtime.store.ledger import FAILING_OVER, SERVING, SWITCHING, Protection
from support.fake_aws import MODELS, PRIMARY, STANDBY, FakeAws, inventory, recovery_of, uri


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
    aws.clock.sleep(60)
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
    for answers in (False, True):
        looks.clear()
        look = Observation(recovery.context, answers, Earlier(recovery.context))
        with pytest.raises(RegionUnreachable):
            _observed(Unthinking(), look, inventory().datasets[0])
        assert looks == [answers], "a silent standby is not asked again as if it were the primary"


def test_a_refused_write_of_the_journal_is_not_taken_for_a_lease_that_another_has(aws: FakeAws) -> None:
    """Whoever is told `LeaseHeld` waits for somebody who does not exist."""
    leases = recovery_of(aws).context.ledger.leases
    aws.denied = {"dynamodb:update_item"}
    with pytest.raises(CallRefused, match="dynamodb:update_item"):
        leases.take("somebody")
    aws.denied = set()
    assert leases.take("somebody").holder == "somebody"


def test_what_may_not_be_deleted_costs_no_point_and_is_told(aws: FakeAws) -> None:
    recovery = recovery_of(aws)
    aws.denied = {"ec2:delete_snapshot"}
    for _ in range(6):
        aws.clock.sleep(61)
        assert recovery.protect() is not None
    heartbeat = recovery.context.ledger.sightings.heartbeat()
    assert heartbeat is not None and any("could not be deleted" in each for each in heartbeat.troubles)


def test_copies_of_a_run_that_a_kept_point_names_by_the_run_alone_stay() -> None:
    """Copies of one run whose sets were renamed would go, and the point with them."""

    def copy_of(run: str, as_of: str, set: str) -> Snapshot:
        item = {"SnapshotId": f"snap-{set}", "State": "completed", "VolumeId": "vol-1", "Tags": [
            {"Key": TAG_RUN, "Value": run}, {"Key": TAG_CREATED_AT, "Value": as_of}, {"Key": TAG_SET, "Value": set},
            {"Key": TAG_RUN_SIZE, "Value": "1"}, {"Key": TAG_DEVICE, "Value": "/dev/sdf"},
        ]}  # fmt: skip
        return _snapshot(item)

    old = copy_of("20260101T000000000Z", "2026-01-01T00:00:00.000Z", "a")
    new = copy_of("20260102T000000000Z", "2026-01-02T00:00:00.000Z", "b")
    assert unneeded_copies([old, new], set()) == [old]
    assert unneeded_copies([old, new], {"20260101T000000000Z"}) == []


def test_a_group_that_may_not_be_looked_at_is_not_called_up_for_checkpoints_that_are_late(aws: FakeAws) -> None:
    recovery, built = recovery_of(aws), inventory()
    recovery.context.ledger.sightings.keep_cadence("checkpoints", 10.0, stamp(aws.clock.now() - 1000))
    kind, assets = next(each for each in by_kind(built) if each[0].name == "checkpoints")
    aws.groups[PRIMARY, built.computes[0].primary_group].desired = 1
    assert "usually one comes every" in kind.amiss(recovery.context, assets, PRIMARY)[0]
    aws.denied = {"autoscaling:describe_auto_scaling_groups"}
    assert kind.amiss(recovery.context, assets, PRIMARY) == []


def test_a_standby_at_rest_names_the_stacks_template_again_and_not_the_runs(aws: FakeAws) -> None:
    """The next deployment would find a template that the last run left there."""
    built = inventory()
    fleet = aws.groups[STANDBY, built.computes[0].standby_group]
    fleet.names, fleet.suspended = (built.names.run_template("fleet"), "1"), []
    step = Step("forget-template-fleet", "forget-template", "fleet")
    context = RecoveryContext(aws, built, aws.clock, aws.fetch)
    made = StepContext(step, "failback", "run", 1, context, lambda name: {}, None, lambda: None)
    assert isinstance(ACTIONS["forget-template"].ask(made), Absent)


def test_of_several_target_groups_the_one_with_fewest_healthy_targets_counts(aws: FakeAws) -> None:
    """The words of their states would sort them otherwise, and a group that serves nobody would be called up."""
    health = {"a": ["healthy", "healthy"], "b": ["unused"], "c": ["unused", "draining"]}

    class Balanced(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "describe_target_health":
                states = health[parameters["TargetGroupArn"]]
                return {"TargetHealthDescriptions": [{"TargetHealth": {"State": each}} for each in states]}
            if operation == "describe_auto_scaling_groups":
                return {"AutoScalingGroups": [{"TargetGroupARNs": list(health)}]}
            return super().call(service, operation, region, **parameters)

    context = RecoveryContext(Balanced(aws), inventory(), aws.clock, aws.fetch)
    made = StepContext(Step("checks", "healthy"), "failover", "run", 1, context, lambda name: {}, None, lambda: None)
    assert traffic._targets(made, "group") == (0, "unused")
    health["b"] = []
    assert traffic._targets(made, "group") == (0, "none registered")


def test_who_says_that_the_primary_is_switching_says_nothing_of_whether_the_standby_wrote(aws: FakeAws) -> None:
    """Only a primary that serves again ends that."""
    for region, state, away in ((PRIMARY, SWITCHING, None), (PRIMARY, SERVING, False), (STANDBY, FAILING_OVER, None),
                                (STANDBY, SERVING, True)):  # fmt: skip
        arguments = Where("primary" if region == PRIMARY else "standby")
        context = RecoveryContext(aws, inventory(), aws.clock, aws.fetch)
        step = Step("commit", "say-active", arguments=arguments)
        assert _away(StepContext(step, "failback", "r", 1, context, lambda name: {}, None, lambda: None), state) is away


def test_a_function_that_goes_on_without_a_count_begins_at_none() -> None:
    found = parse({"go_on": 1}, "an-alarm")
    assert found is not None and found.tries == 0


def test_all_failed_copies_are_counted_and_so_many_named() -> None:
    brought = Brought()
    for number in range(FAILURES_NAMED_MAX + 2):
        brought.fail(f"key-{number}", "refused")
    assert (brought.failed, len(brought.failures)) == (FAILURES_NAMED_MAX + 2, FAILURES_NAMED_MAX)


def test_a_step_that_the_runbook_does_not_have_is_nobodys_work(aws: FakeAws) -> None:
    recovery = recovery_of(aws)
    held = recovery.context.ledger.leases.take("somebody")
    engine = Engine(recovery.context, recovery.runbook("failover"), "run", held, ACTIONS)
    assert engine._work_named("nothing-of-that-name") is None and engine._work_named("fence") is not None


def kind_and_assets(name: str, **changes: Any) -> tuple[Any, Any]:
    return next(each for each in by_kind(inventory(**changes)) if each[0].name == name)


def test_late_checkpoints_are_told_of_the_region_that_trains_and_of_no_other(aws: FakeAws) -> None:
    """A person would be woken for checkpoints of a region that has none to write."""
    recovery, built = recovery_of(aws), inventory()
    kind, assets = kind_and_assets("checkpoints")
    sightings, group = recovery.context.ledger.sightings, aws.groups[PRIMARY, built.computes[0].primary_group]
    group.desired = 1
    assert kind.amiss(recovery.context, assets, PRIMARY) == [], "nothing is known of how often they come"
    for age, told in ((30.0, 0), (31.0, 1)):
        sightings.keep_cadence("checkpoints", 10.0, stamp(aws.clock.now() - age))
        assert len(kind.amiss(recovery.context, assets, PRIMARY)) == told
    assert kind.amiss(recovery.context, assets, STANDBY) == []
    group.desired = 0
    assert kind.amiss(recovery.context, assets, PRIMARY) == [], "nothing trains"


def test_whose_rules_may_not_be_read_is_not_compared_and_the_point_says_why(aws: FakeAws) -> None:
    aws.denied = {"s3:get_bucket_replication"}
    point = recovery_of(aws).protect()
    assert point is not None
    checkpoints = point.part("checkpoints")
    assert checkpoints is not None and checkpoints.proven
    assert "its replication rule cannot be read" in str(checkpoints.evidence)


def part_of(step: int | None, **evidence: Any) -> Part:
    reference = CheckpointReference("b", "p/", step, "model")
    at = "2026-01-01T00:00:00.000Z"
    return Part("checkpoints", "checkpoints", "replication", True, at, reference=reference, evidence=evidence)


@pytest.mark.parametrize(
    ("training", "step", "begun", "steps", "gpu_hours"),
    [
        (None, 40, 60, 20, None),
        (None, 60, 40, 0, None),
        (None, None, 60, None, None),
        (None, 40, None, None, None),
        (Training(8), 40, 60, 20, 16.0),
        (Training(8), None, None, None, 16.0),
        (Training(8, 100.0), 40, 60, 200, 16.0),
        (Training(8, 5.0), 40, 60, 20, 16.0),
        (Training(8, 5.0), None, None, 10, 16.0),
    ],
)
def test_what_a_training_would_lose_is_told_in_steps_and_in_hours_of_its_machines(
    training: Training | None, step: int | None, begun: int | None, steps: int | None, gpu_hours: float | None
) -> None:
    kind, (asset,) = kind_and_assets("checkpoints")
    asset = dataclasses.replace(asset, training=training)
    lost = kind.loss(asset, part_of(step, newest_started_step=begun), "2026-01-01T02:00:00.000Z")
    assert (lost.seconds, lost.steps, lost.gpu_hours) == (7200.0, steps, gpu_hours)
    earlier = kind.loss(asset, part_of(step, newest_started_step=begun), "2025-12-31T23:00:00.000Z")
    assert earlier.seconds == 0.0 and not earlier.gpu_hours, "a moment before it costs nothing"


def test_a_point_that_names_no_volumes_says_so_in_the_evidence_of_the_choice(aws: FakeAws) -> None:
    """The groups that mount them find nothing there, and say which; they would stumble over nothing."""
    kind, (asset,) = kind_and_assets("volumes")
    point = RecoveryPoint("p", "inference", "2026-01-01T00:00:00Z", "complete", ())
    context = RecoveryContext(aws, inventory(), aws.clock, aws.fetch)
    made = StepContext(Step("c", "choose"), "failover", "run", 1, context, lambda name: {}, None, lambda: None)
    assert kind.usable(made, asset, point).evidence == {"volumes": {"index": {}}}


def test_kinds_that_nobody_compares_say_nothing_of_objects_that_are_overdue() -> None:
    """`status` would wait for a comparison that never comes."""
    assert {kind.name for kind in KINDS if kind.replicated} == {"dataset", "checkpoints"}
    assert {kind.name for kind in KINDS if not kind.holds_state} == {"compute"}


def test_what_was_read_without_a_checksum_to_compare_with_is_remarked_where_all_was_read(aws: FakeAws) -> None:
    recovery = recovery_of(aws)
    assert recovery.protect() is not None

    def remarks(deep: bool) -> list[str]:
        found = recovery.verify("newest", deep)
        return [each for part in found.parts if part.kind in ("dataset", "checkpoints") for each in part.remarks]

    assert remarks(False) == [] == remarks(True), "S3 has a checksum of every object"

    class Without(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            found = super().call(service, operation, region, **parameters)
            if operation not in ("head_object", "get_object"):
                return found
            kept = {name: each for name, each in found.items() if not name.startswith("Checksum")}
            return kept | {"ServerSideEncryption": "aws:kms"}

    recovery = Recovery(RecoveryContext(Without(aws), inventory(), aws.clock, aws.fetch), "test")
    assert remarks(False) == []
    assert [each for each in remarks(True) if "3 objects were read whole; S3 keeps no checksum" in each]


@pytest.mark.parametrize(
    ("held", "asked", "state"),
    [(60.0, None, PROTECTED), (60.1, None, UNPROTECTED), (30.0, 30.0, PROTECTED), (31.0, 30.0, UNPROTECTED)],
)
def test_an_asset_is_protected_while_what_is_kept_of_it_is_as_young_as_was_asked(
    held: float, asked: float | None, state: str
) -> None:
    kind, (asset,) = kind_and_assets("volumes")
    asset = dataclasses.replace(asset, rpo_seconds=asked)
    at = 1_700_000_000.0
    part = Part("index", "volumes", "snapshots", True, stamp(at - held))
    point = RecoveryPoint("p", "inference", stamp(at), "complete", (part,))
    judged = kind.standing(inventory(), asset, part, point, None)
    assert (judged.state, judged.at) == (state, stamp(at))
    if state == UNPROTECTED:
        assert "s old at" in judged.why
    lost = dataclasses.replace(part, proven=False, missing=("a copy is gone",))
    assert kind.standing(inventory(), asset, lost, point, None).why == "a copy is gone"
    undated = dataclasses.replace(part, as_of="")
    assert kind.standing(inventory(), asset, undated, point, None).state == PROTECTED


def test_a_checkpoint_that_the_bucket_lost_is_not_protected_though_the_bucket_is_compared() -> None:
    kept = Protection(PROTECTED, "2026-01-01T00:00:00Z", compared_at="2026-01-01T00:00:00Z")
    kind, (asset,) = kind_and_assets("checkpoints")
    point = RecoveryPoint("p", "inference", "2026-01-01T00:30:00Z", "partial", ())
    torn = dataclasses.replace(part_of(40), proven=False, missing=("none is complete",))
    for part, state in ((part_of(40), PROTECTED), (torn, UNPROTECTED), (None, PROTECTED)):
        assert kind.standing(inventory(), asset, part, point, kept).state == state
    dataset, (corpus,) = kind_and_assets("dataset")
    assert dataset.standing(inventory(), corpus, torn, point, kept).state == PROTECTED
    for nothing in (None, dataclasses.replace(kept, compared_at="")):
        assert dataset.standing(inventory(), corpus, None, None, nothing).why == NOT_PROVEN


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({}, []),
        ({"counts": {"dangling": 0, "ahead": 0}, "dangling": [], "ahead": []}, []),
        ({"counts": {"dangling": 2}, "dangling": ["a", "b"]}, [
            "registry has 2 rows that name checkpoints which are not complete in the standby region: a, b.",
        ]),
        ({"counts": {"ahead": 1}, "ahead": ["c"]}, [
            "registry has 1 rows that name checkpoints newer than the one whose data is proven: c.",
        ]),
        ({"counts": {"dangling": 7}, "dangling": list("abcdefg")}, [
            "registry has 7 rows that name checkpoints which are not complete in the standby region: "
            f"{', '.join('abcdefg'[:NAMED_MAX])} and {7 - NAMED_MAX} more.",
        ]),
        ({"more": True, "named": 5}, [
            "registry has more rows that name checkpoints than the 5 that are looked at, the last in the order of "
            "their names; let `references.table` name a view of those that matter.",
        ]),
    ],
)  # fmt: skip
def test_rows_that_name_what_is_not_there_are_counted_and_the_first_are_named(
    rows: dict[str, Any], told: list[str]
) -> None:
    """A registry would serve models that nobody has."""
    kind, _ = kind_and_assets("database")
    part = Part("registry", "database", "global", True, "2026-01-01T00:00:00Z", evidence={"rows": rows})
    assert list(kind.loose_ends(part)) == told
    assert list(kind.loose_ends(dataclasses.replace(part, proven=False))) == []


@pytest.mark.acts_alone
def test_what_is_left_to_do_by_hand_is_of_this_run_and_goes_once_the_primary_serves(aws: FakeAws) -> None:
    """Commands of another run would move what this one has moved already."""

    def work(action: str, run: str, of: Any = None) -> StepContext:
        context = RecoveryContext(aws, of or inventory(), aws.clock, aws.fetch)
        step = Step(action, action, arguments=Where("primary"))
        return StepContext(step, "failback", run, 1, context, lambda name: {}, None, lambda: None)

    keep, forget = ACTIONS["keep-by-hand"], ACTIONS["forget-by-hand"]
    assert isinstance(keep.ask(work("keep-by-hand", "one")), Absent)
    assert isinstance(forget.ask(work("forget-by-hand", "one")), Proven)
    keep.act(work("keep-by-hand", "one"))
    kept = keep.ask(work("keep-by-hand", "one"))
    assert isinstance(kept, Proven) and isinstance(keep.ask(work("keep-by-hand", "two")), Absent)
    left = forget.ask(work("forget-by-hand", "two"))
    assert isinstance(left, Absent) and "run one" in left.observed
    keep.act(work("keep-by-hand", "two", inventory(traffic=None)))
    fewer = keep.ask(work("keep-by-hand", "two"))
    assert isinstance(fewer, Proven) and fewer.evidence["commands"] == kept.evidence["commands"] - 1
    forget.act(work("forget-by-hand", "two"))
    assert isinstance(forget.ask(work("forget-by-hand", "two")), Proven)


def test_the_commands_by_hand_open_what_was_fenced_and_start_what_was_stopped(aws: FakeAws) -> None:
    aws.s3.policies[inventory().datasets[1].primary_bucket] = (
        '{"Version": "2012-10-17", "Statement": [{"Sid": "Mine"}]}'
    )
    context = RecoveryContext(aws, inventory(), aws.clock, aws.fetch)
    step = Step("k", "keep-by-hand", arguments=Where("primary"))
    made = StepContext(step, "failback", "run", 1, context, lambda name: {}, None, lambda: None)
    found = {phase: [each for kind, asset in in_order(inventory()) for each in kind.by_hand(made, phase, asset)]
             for phase in (RESTORE, START, SYNC)}  # fmt: skip
    assert [each.operation for each in found[RESTORE]] == ["delete_bucket_policy", "put_bucket_policy", "put_parameter"]
    assert [each.operation for each in found[START]] == ["resume_processes", "update_auto_scaling_group"]
    told = found[RESTORE][2].parameters
    assert told["Overwrite"] is True and told["Value"] == f"s3://{MODELS}/checkpoints/step-000040/"
    traffic = inventory().traffic
    assert traffic is not None
    moved = handing._moved(made, traffic)
    assert (moved.operation, moved.parameters) == ("update_health_check", {"Disabled": True}), "enabled it answers away"
    sizes = found[START][1].parameters
    assert (sizes["MinSize"], sizes["DesiredCapacity"], sizes["MaxSize"]) == (1, 1, 4)
    assert found[SYNC] == [] and {each.region for each in found[RESTORE] + found[START]} == {PRIMARY}


def test_what_is_lost_is_told_to_the_millisecond_and_machines_to_the_thousandth_of_an_hour() -> None:
    part = Part("corpus", "dataset", "replication", True, "2026-01-01T00:00:00.000Z")
    assert loss(part, "2026-01-01T00:00:01.234567Z").seconds == 1.235
    kind, (asset,) = kind_and_assets("checkpoints")
    asset = dataclasses.replace(asset, training=Training(1))
    assert kind.loss(asset, part_of(40), "2026-01-01T00:00:10.000Z").gpu_hours == 0.003


@pytest.mark.parametrize("operation", ["list_object_versions", "get_bucket_replication"])
def test_a_bucket_of_checkpoints_that_falls_silent_is_told_by_what_the_standby_holds(
    aws: FakeAws, operation: str
) -> None:
    """The scheduled run would fail, and keep no point of anything."""

    class Silent(Wrapper):
        def call(self, service: str, operation_: str, region: str, **parameters: Any) -> dict[str, Any]:
            if (operation_, region) == (operation, PRIMARY):
                raise RegionUnreachable(region=region, service=service, operation=operation_)
            return super().call(service, operation_, region, **parameters)

    of = inventory(datasets=(dataclasses.replace(inventory().datasets[1], uses=()),))
    point = Recovery(RecoveryContext(Silent(aws), of, aws.clock, aws.fetch), "test").protect()
    assert point is not None
    part = point.part("checkpoints")
    assert part is not None and part.proven and "compared" not in part.evidence


def test_a_returned_region_that_falls_silent_while_it_is_looked_at_is_left_for_the_next_scheduled_run(
    aws: FakeAws,
) -> None:
    recovery = recovery_of(aws)
    aws.dark.add(PRIMARY)
    recovery.failover()
    aws.dark.clear()
    aws.silent = {(PRIMARY, "autoscaling"), (PRIMARY, "s3")}
    assert recovery.context.answers(PRIMARY)
    assert fence_returned(recovery.context, "me") is None
    aws.silent = set()
    assert fence_returned(recovery.context, "me") is not None


def test_a_group_that_was_deleted_is_told_and_not_taken_for_one_that_wants_no_instances(aws: FakeAws) -> None:
    """Its region would be called well, and nothing of it serves."""
    recovery, built = recovery_of(aws), inventory()
    kind, assets = kind_and_assets("compute")
    assert kind.amiss(recovery.context, assets, PRIMARY) == []

    class Deleted(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            found = super().call(service, operation, region, **parameters)
            return found | {"AutoScalingGroups": []} if operation == "describe_auto_scaling_groups" else found

    context = recovery.context.through(Deleted(aws))
    assert kind.amiss(context, assets, PRIMARY) == [f"there is no group {built.computes[0].primary_group}"]


def test_a_database_whose_rows_name_no_checkpoints_is_proven_by_its_cluster_alone(aws: FakeAws) -> None:
    registry = dataclasses.replace(inventory().databases[0], table="", column="")
    recovery = Recovery(RecoveryContext(aws, inventory(databases=(registry,)), aws.clock, aws.fetch), "test")
    aws.made.clear()
    point = recovery.protect()
    assert point is not None
    part = point.part("registry")
    assert part is not None and part.proven and "rows" not in part.evidence
    assert "execute_statement" not in {operation for _, operation, _ in aws.made}


def test_a_global_cluster_that_somebody_deleted_is_named_and_not_waited_for(aws: FakeAws) -> None:
    class Deleted(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "describe_global_clusters":
                raise refused(service, operation, region, "GlobalClusterNotFoundFault", "there is none")
            return super().call(service, operation, region, **parameters)

    context = RecoveryContext(Deleted(aws), inventory(), aws.clock, aws.fetch)
    step = Step("promote-registry", "promote", "registry", arguments=Where())
    made = StepContext(step, "failover", "run", 1, context, lambda name: {}, None, lambda: None)
    with pytest.raises(StepFailed, match=f"there is no global cluster {inventory().databases[0].global_cluster}"):
        ACTIONS["promote"].ask(made)


def test_objects_beyond_those_that_are_named_are_counted_where_a_point_is_read_again(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody would bring back the two that are named, and take the point for whole."""
    monkeypatch.setattr(rereading, "PROBLEMS_MAX", 2)
    recovery = recovery_of(aws)
    copied = aws.s3.objects[inventory().datasets[0].standby_bucket]
    for kept, told in ((1, ()), (0, ("and 1 more",))):
        for key in [f"shards/{number}" for number in range(kept, 3)]:
            copied.pop(key, None)
        (corpus,) = [each for each in recovery.verify("newest", False).parts if each.asset == "corpus"]
        assert len(corpus.problems) == 2 + len(told) and corpus.problems[2:] == told


def test_a_prefix_of_too_many_files_is_a_part_that_says_so_and_costs_no_other(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function would run out of memory at every schedule, and no point be made of anything."""
    files = len(aws.s3.current(MODELS))
    for most, proven in ((files, True), (files - 1, False)):
        monkeypatch.setattr(claims, "FILES_MAX", most)
        aws.clock.sleep(61)
        point = recovery_of(aws).protect()
        assert point is not None
        checkpoints, corpus = point.part("checkpoints"), point.part("corpus")
        assert checkpoints is not None and corpus is not None and corpus.proven
        assert checkpoints.proven is proven
        assert any("narrow the prefix" in each for each in checkpoints.missing) is not proven


def test_how_often_checkpoints_come_is_watched_where_a_group_writes_them(aws: FakeAws) -> None:
    kind, assets = kind_and_assets("checkpoints")
    told = ["the newest checkpoint of checkpoints against its usual cadence"]
    assert list(kind.watched(inventory(), assets, PRIMARY)) == told
    assert list(kind.watched(inventory(computes=()), assets, PRIMARY)) == []


def test_evidence_of_several_assets_stands_beside_one_another() -> None:
    """The second group would come up with the image of the last deployment, and nobody be told."""
    evidence: dict[str, Any] = {"point": "p"}
    for name in ("a", "b"):
        choosing.merge(evidence, {"images": {name: f"ami-{name}"}, "count": name})
    assert evidence == {"point": "p", "images": {"a": "ami-a", "b": "ami-b"}, "count": "b"}


@pytest.mark.parametrize(("uses", "dangling"), [(("checkpoints",), 1), ((), 0)])
def test_rows_are_judged_by_the_checkpoints_that_their_database_uses_and_by_no_others(
    aws: FakeAws, uses: tuple[str, ...], dangling: int
) -> None:
    """A registry of another team's models would make every point worth nothing."""
    registry = dataclasses.replace(inventory().databases[0], uses=uses)
    aws.rows = [uri(60)]
    recovery = Recovery(RecoveryContext(aws, inventory(databases=(registry,)), aws.clock, aws.fetch), "test")
    point = recovery.protect()
    assert point is not None
    part = point.part("registry")
    assert part is not None and part.evidence["rows"].get("counts", {}).get("dangling", 0) == dangling


def test_a_group_that_is_gone_writes_no_checkpoints_that_could_be_late(aws: FakeAws) -> None:
    class Deleted(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            found = super().call(service, operation, region, **parameters)
            return found | {"AutoScalingGroups": []} if operation == "describe_auto_scaling_groups" else found

    recovery = recovery_of(aws)
    recovery.context.ledger.sightings.keep_cadence("checkpoints", 10.0, stamp(aws.clock.now() - 1000))
    kind, assets = kind_and_assets("checkpoints")
    assert kind.amiss(recovery.context.through(Deleted(aws)), assets, PRIMARY) == []


def test_a_part_that_is_not_proven_says_so_where_it_names_nothing_that_is_missing() -> None:
    """`status` would end in a traceback over a record of an older edition."""
    kind, (asset,) = kind_and_assets("volumes")
    part = Part("index", "volumes", "snapshots", False, "")
    point = RecoveryPoint("p", "inference", "2026-01-01T00:00:00Z", "partial", (part,))
    for lacking, why in (((), "not proven in the standby region"), (("snap-1 is gone", "more"), "snap-1 is gone")):
        named = dataclasses.replace(part, missing=lacking)
        assert kind.standing(inventory(), asset, named, point, None).why == why
