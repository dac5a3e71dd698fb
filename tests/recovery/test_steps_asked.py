"""What steps may call proven: asked one by one, in states in which an answer that is too good loses data or users."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from pilotlight.runtime.aws.fetch import Fetched
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, StepFailed
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Underway, Wait
from pilotlight.runtime.kinds.autoscaling.steps import OneInstance, Stopping
from pilotlight.runtime.kinds.buckets.failback_sync import Syncing
from pilotlight.runtime.kinds.buckets.reprotecting import CANARY
from pilotlight.runtime.points import choose
from pilotlight.runtime.records.inventory import Inventory, VaultAccount
from pilotlight.runtime.records.point import Part
from pilotlight.runtime.records.runs import Arguments, LookingAgain, Step, Where
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs.again import LookAgain
from pilotlight.runtime.runs.register import ACTIONS
from pilotlight.runtime.store.ledger import FAILING_OVER, SWITCHING
from support.fake_aws import CORPUS, CORPUS_COPY, PRIMARY, STANDBY, FakeAws, inventory, recovery_of

THERE = Where("primary")


def asked(
    aws: FakeAws,
    action: str,
    asset: str = "",
    arguments: Arguments = Where(),  # noqa: B008 - frozen
    begun_at: float | None = None,
    of: Inventory | None = None,
) -> Answer:
    """What the action answers at this moment."""
    return ACTIONS[action].ask(work(aws, action, asset, of or inventory(), begun_at, arguments))


def work(
    aws: FakeAws, action: str, asset: str, of: Inventory, begun_at: float | None, arguments: Arguments
) -> StepContext:
    step = Step(action, action, asset, arguments=arguments)
    context = RecoveryContext(aws, of, aws.clock, aws.fetch)
    return StepContext(step, "failback", "run", 1, context, lambda step: {}, begun_at, lambda: None)


def test_a_group_that_is_empty_and_may_launch_again_is_not_fenced(aws: FakeAws) -> None:
    """Somebody's scaling policy would start a second writer in the returned region."""
    group = aws.groups[PRIMARY, "inference-fleet"]
    group.desired, group.instances, group.suspended = 0, [], []
    assert isinstance(asked(aws, "stop", "fleet", Stopping("primary", suspend=True)), Absent)
    assert isinstance(asked(aws, "stop", "fleet", Stopping("primary")), Proven), "no fence was asked for"
    group.suspended = ["Launch"]
    assert isinstance(asked(aws, "stop", "fleet", Stopping("primary", suspend=True)), Proven)


def test_one_healthy_target_of_two_is_not_the_group_up(aws: FakeAws) -> None:
    """Users would be sent to half of what they need."""
    fleet = dataclasses.replace(inventory().computes[0], count=2)
    two = inventory(computes=(fleet,))
    group, now = aws.groups[STANDBY, fleet.standby_group], aws.clock.now()
    group.desired = group.maximum = 2
    group.instances = [("i-1", now - 1000), ("i-2", now)]
    found = asked(aws, "healthy", of=two)
    assert isinstance(found, Underway) and "1 of 2 targets healthy" in found.observed
    group.instances = [("i-1", now - 1000), ("i-2", now - 1000)]
    assert isinstance(asked(aws, "healthy", of=two), Proven)


def test_a_writer_that_takes_no_writes_yet_is_waited_for(aws: FakeAws) -> None:
    """Instances that start against it fail, and the run would call the workload up."""
    aws.writer = STANDBY
    aws.database_status = "upgrading"
    assert isinstance(asked(aws, "promote", "registry"), Underway)
    aws.database_status = "available"
    assert isinstance(asked(aws, "promote", "registry"), Proven)


def test_the_last_copy_home_asks_for_everything_however_young(aws: FakeAws) -> None:
    """What the standby took in its last minute is lost when the way home calls it arrived."""
    begun = aws.clock.now()
    recovery_of(aws).context.ledger.keep_fence("corpus", anew=True)
    aws.s3.write(CORPUS_COPY, "late", b"late", replicate=False)
    assert isinstance(asked(aws, "bring-home", "corpus", Syncing(), begun), Proven), (
        "the first pass does not wait for it"
    )
    assert isinstance(asked(aws, "bring-home", "corpus", Syncing(final=True), begun), Absent)


def test_a_checkpoint_of_the_moment_up_to_which_its_data_is_proven_may_refer_to_what_is_missing() -> None:
    """S3 tells whole seconds: what was written in the same one may be the data or the gap."""
    at = "2026-01-02T03:04:05.000Z"

    def part(name: str, kind: str, as_of: str) -> Part:
        return Part(name, kind, "replication", True, as_of)

    of = inventory()
    (models,) = (each for each in of.datasets if each.kind == "checkpoints")
    assert models.uses, "it refers to a dataset"
    parts = [part(models.name, "checkpoints", at), part(models.uses[0], "dataset", at)]
    assert list(choose.edges(of, parts)), "the same second proves nothing"
    assert not list(choose.edges(of, [parts[0], part(models.uses[0], "dataset", "2026-01-02T03:04:05.001Z")]))


def moving(aws: FakeAws, region: str, state: str) -> Recovery:
    recovery = recovery_of(aws)
    held = recovery.context.ledger.leases.take("a run")
    recovery.context.ledger.claim(held, PRIMARY)
    recovery.context.ledger.set_active(region, state, "run", held.epoch, held.epoch)
    recovery.context.ledger.leases.release(held)
    return recovery


def test_while_who_serves_is_changed_no_point_is_made_and_no_region_fenced(aws: FakeAws) -> None:
    """A point of that moment would mix both sides; a fence would stop the region that is coming home."""
    recovery = moving(aws, PRIMARY, SWITCHING)
    before = recovery.points_count()
    assert recovery.protect() is None and recovery.points_count() == before
    acts = len(aws.acts())
    recovery = moving(aws, STANDBY, FAILING_OVER)
    assert recovery.protect() is None
    assert [each for each in aws.acts()[acts:] if each[2] == PRIMARY] == []


def test_an_instance_whose_point_lacks_its_volumes_is_not_launched_with_blank_ones(aws: FakeAws) -> None:
    """A database would begin anew on an empty disk, and nobody would be told."""
    with pytest.raises(StepFailed):
        asked(aws, "restore", "fleet")


def test_a_group_that_may_not_launch_is_let_before_an_instance_is_waited_for(aws: FakeAws) -> None:
    """The run would wait its whole time for an instance that Auto Scaling was told not to start."""
    group = aws.groups[STANDBY, inventory().computes[0].standby_group]
    group.names, group.desired, group.maximum, group.suspended = ("a-template", "7"), 1, 1, ["Launch"]
    step = Step("launch-fleet-0", "launch-one", "fleet", arguments=OneInstance(index=0))
    context = RecoveryContext(aws, inventory(), aws.clock, aws.fetch)
    restored = {"template": "a-template", "versions": [7]}
    one = StepContext(step, "failover", "run", 1, context, lambda name: restored, None, lambda: None)
    assert isinstance(ACTIONS["launch-one"].ask(one), Absent)
    group.suspended = []
    assert not isinstance(ACTIONS["launch-one"].ask(one), Absent)


@pytest.mark.acts_alone
def test_a_fence_lets_no_role_write_that_replicates_nothing_back(aws: FakeAws) -> None:
    """No rule leads back from the vault of another account: whoever makes a role of that name could write past it."""
    apart = inventory(vault=VaultAccount("999999999999", "vault"))
    for of, many in ((inventory(), 1), (apart, 0)):
        aws.s3.policies.clear()
        ACTIONS["fence-bucket"].act(work(aws, "fence-bucket", "corpus", of, None, THERE))
        assert aws.s3.policies[CORPUS].count(of.names.role("reverse-corpus")) == many


def test_a_reader_that_is_being_upgraded_is_promoted_all_the_same(aws: FakeAws) -> None:
    """The run would wait for it until its time is over, and nobody would ask Aurora for a writer."""
    aws.writer, aws.database_status = PRIMARY, "upgrading"
    assert isinstance(asked(aws, "promote", "registry"), Absent)


@pytest.mark.acts_alone
def test_replication_is_not_proven_by_an_object_that_has_not_arrived(aws: FakeAws) -> None:
    """The run would call the way home protected, and the next loss of the region would find nothing."""
    canary = work(aws, "canary-arrives", "corpus", inventory(), None, Where())
    answer = ACTIONS["canary-arrives"].ask
    assert isinstance(answer(canary), Absent)
    aws.s3.lag_seconds = 60
    ACTIONS["canary-arrives"].act(canary)
    assert isinstance(answer(canary), Underway)
    aws.clock.sleep(61)
    aws.s3.arrive()
    assert isinstance(answer(canary), Proven)


@pytest.mark.acts_alone
def test_a_fence_that_would_stop_the_run_that_goes_on_is_built_anew(aws: FakeAws) -> None:
    """Another person goes on with a failback, and could bring no object home."""
    ACTIONS["fence-bucket"].act(work(aws, "fence-bucket", "corpus", inventory(), None, THERE))
    assert isinstance(asked(aws, "fence-bucket", "corpus", THERE), Proven)
    policy = json.loads(aws.s3.policies[CORPUS])
    policy["Statement"][-1]["Condition"]["ArnNotLike"]["aws:PrincipalArn"] = ["arn:aws:iam::1:role/somebody-else"]
    aws.s3.policies[CORPUS] = json.dumps(policy)
    assert isinstance(asked(aws, "fence-bucket", "corpus", THERE), Absent)


def test_every_object_that_came_home_is_counted_once_under_what_proves_it(aws: FakeAws) -> None:
    recovery_of(aws).context.ledger.keep_fence("corpus", anew=True)
    found = asked(aws, "bring-home", "corpus", Syncing(final=True), aws.clock.now())
    assert isinstance(found, Proven)
    assert found.evidence["settled"] == sum(found.evidence["strengths"].values()) > 0


@pytest.mark.parametrize(("status", "region"), [(0, ""), (503, ""), (200, PRIMARY)])
def test_healthy_targets_behind_a_balancer_that_does_not_answer_from_there_are_not_the_workload_up(
    aws: FakeAws, status: int, region: str
) -> None:
    fleet, now = inventory().computes[0], aws.clock.now()
    aws.groups[STANDBY, fleet.standby_group].desired = 1
    aws.groups[STANDBY, fleet.standby_group].instances = [("i-1", now - 1000)]
    asks = work(aws, "healthy", "", inventory(), None, Where())
    headers = {"x-region": region} if region else {}
    context = dataclasses.replace(asks.context, fetch=lambda url, seconds: Fetched(status, headers=headers))
    found = ACTIONS["healthy"].ask(dataclasses.replace(asks, context=context))
    assert isinstance(found, Underway) and "the balancer" in found.observed


@pytest.mark.parametrize("second", [Absent("it was moved back"), Underway("on its way")])
def test_looking_again_is_proven_only_where_everything_is_so_at_once(aws: FakeAws, second: Answer) -> None:
    answers = {"first": Proven({}), "second": second}

    class Answering:
        wait = Wait(1, 1, "a test")

        def ask(self, work: StepContext) -> Answer:
            return answers[work.step.name]

        def act(self, work: StepContext) -> None:
            answers[work.step.name] = Proven({"again": True})

    asks = work(aws, "look-again", "", inventory(), None, LookingAgain(steps=tuple(answers)))
    of = lambda name: dataclasses.replace(asks, step=Step(name, "answering"))  # noqa: E731
    looks, asks = LookAgain({"answering": Answering()}), dataclasses.replace(asks, work_of=of)
    found = looks.ask(asks)
    assert type(found) is type(second) and "second: " in str(getattr(found, "observed", ""))
    looks.act(asks)
    assert isinstance(looks.ask(asks), Proven) is isinstance(second, Absent), "what is on its way is waited for"


def test_a_step_that_was_told_another_actions_arguments_says_so_and_asks_for_nothing(aws: FakeAws) -> None:
    """A runbook that says `stop` without saying whether it is a fence would leave a group that launches again."""
    with pytest.raises(StepFailed, match="stop takes Stopping, and the runbook gives Where"):
        asked(aws, "stop", "fleet", THERE)


@pytest.mark.parametrize(
    ("action", "asset", "denied"),
    [
        ("fence-bucket", "corpus", "s3:get_bucket_policy"),
        ("open-bucket", "corpus", "s3:get_bucket_policy"),
        ("canary-arrives", "corpus", "s3:get_object"),
        ("canary-gone", "corpus", "s3:get_object"),
        ("replicates", "corpus", "s3:get_bucket_replication"),
        ("bring-home", "corpus", "s3:list_object_versions"),
        ("tell-checkpoint", "checkpoints", "ssm:get_parameter"),
        ("forget-checkpoint", "checkpoints", "ssm:get_parameter"),
        ("promote", "registry", "rds:describe_global_clusters"),
        ("promote", "registry", "rds:describe_db_clusters"),
        ("stop", "fleet", "autoscaling:describe_auto_scaling_groups"),
    ],
)
def test_what_may_not_be_looked_at_ends_the_step_in_the_words_of_aws(
    aws: FakeAws, action: str, asset: str, denied: str
) -> None:
    """It would be taken for "there is none": a fence would be called gone, a canary written over and over."""
    recovery_of(aws).context.ledger.keep_fence("corpus", anew=True)
    aws.denied = {denied}
    arguments: Arguments = THERE
    if action in ("stop", "bring-home"):
        arguments = Stopping("primary") if action == "stop" else Syncing()
    with pytest.raises(CallRefused, match=denied):
        asked(aws, action, asset, arguments)


def test_a_canary_that_is_nowhere_is_absent_and_one_of_another_run_is_no_proof(aws: FakeAws) -> None:
    assert isinstance(asked(aws, "canary-arrives", "corpus", THERE), Absent)
    assert isinstance(asked(aws, "canary-gone", "corpus", THERE), Proven)
    for body, gone in ((b'{"run": "another"}', False), (b"{}", True)):
        aws.s3.write(CORPUS, CANARY, body, replicate=False)
        aws.s3.write(CORPUS_COPY, CANARY, body, replicate=False)
        assert isinstance(asked(aws, "canary-arrives", "corpus", THERE), Absent)
        assert isinstance(asked(aws, "canary-gone", "corpus", THERE), Proven) is gone


def global_cluster(aws: FakeAws, member: dict[str, object] | None = None, **told: object) -> Wrapper:
    """Aurora says this of the global cluster, and of the standby's member; None takes it out."""

    class Told(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            found = super().call(service, operation, region, **parameters)
            if operation == "describe_global_clusters":
                for each in found["GlobalClusters"]:
                    each |= told
                    members = each["GlobalClusterMembers"]
                    each["GlobalClusterMembers"] = [
                        one | (member or {}) if ":us-west-2:" in one["DBClusterArn"] else one
                        for one in members
                        if member is not None or ":us-west-2:" not in one["DBClusterArn"]
                    ]
            return found

    return Told(aws)


def asked_of(client: Wrapper, aws: FakeAws, action: str) -> Answer:
    made = work(aws, action, "registry", inventory(), None, Where())
    context = RecoveryContext(client, inventory(), aws.clock, aws.fetch)
    return ACTIONS[action].ask(dataclasses.replace(made, context=context))


@pytest.mark.parametrize(
    ("member", "told", "answer"),
    [
        ({"IsWriter": True}, {}, Proven),
        ({"IsWriter": False}, {}, Absent),
        ({"IsWriter": True}, {"FailoverState": {"Status": "pending"}}, Underway),
        ({"IsWriter": True}, {"Status": "failing-over"}, Underway),
        ({"IsWriter": True}, {"Status": "switching-over"}, Underway),
        ({"IsWriter": False}, {"Status": "modifying"}, Underway),
        ({"IsWriter": False}, {"Status": "promoting"}, Underway),
        ({"IsWriter": True}, {"Status": "upgrading"}, Proven),
    ],
)
def test_a_writer_is_proven_only_where_nothing_is_under_way(
    aws: FakeAws, member: dict[str, object], told: dict[str, object], answer: type
) -> None:
    """A second promotion is refused by Aurora, and one that was called done too early loses writes."""
    assert isinstance(asked_of(global_cluster(aws, member, **told), aws, "promote"), answer)


def test_a_cluster_that_left_its_global_cluster_is_named_and_not_waited_for(aws: FakeAws) -> None:
    with pytest.raises(StepFailed, match="is not a member of"):
        asked_of(global_cluster(aws), aws, "promote")


@pytest.mark.parametrize(
    ("member", "told", "answer"),
    [
        ({"IsWriter": False}, {}, Proven),
        ({"IsWriter": False, "SynchronizationStatus": "connected"}, {}, Proven),
        ({"IsWriter": False, "SynchronizationStatus": "pending-resync"}, {}, Underway),
        ({"IsWriter": True}, {}, Underway),
        ({"IsWriter": False}, {"FailoverState": {"Status": "pending"}}, Underway),
        ({"IsWriter": False}, {"Status": "switching-over"}, Underway),
        (None, {}, Underway),
    ],
)
def test_a_reader_follows_only_where_it_is_a_member_in_step_with_its_writer(
    aws: FakeAws, member: dict[str, object] | None, told: dict[str, object], answer: type
) -> None:
    """A way home that switches to one that lags loses its newest rows."""
    assert isinstance(asked_of(global_cluster(aws, member, **told), aws, "follows"), answer)
    aws.database_status = "upgrading"
    assert isinstance(asked_of(global_cluster(aws, member, **told), aws, "follows"), Underway)


def test_a_standby_of_data_alone_that_served_is_brought_home(again: Callable[[], FakeAws]) -> None:
    """No step of its failover promotes or launches anything: that it served is what the record says."""
    aws = again()
    of = inventory(databases=(), computes=(), volumes=(), traffic=None)
    recovery = Recovery(RecoveryContext(aws, of, aws.clock, aws.fetch), "test")
    assert recovery.protect() is not None
    aws.dark.add(PRIMARY)
    recovery.failover()
    aws.s3.write(CORPUS_COPY, "written-in-standby", b"new", replicate=False)
    aws.dark.clear()
    recovery.failback()
    assert aws.s3.current(CORPUS)["written-in-standby"] == b"new"
