"""What a user loses when one of these fails: what the standby region wrote, or a primary that nobody fenced."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pilotlight.runtime.aws.paging import pages
from pilotlight.runtime.aws.wrappers import Faulty, Wrapper
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import StepFailed, StepTimedOut
from pilotlight.runtime.kinds.buckets.fencing import FENCE, principal, with_fence, without_fence
from pilotlight.runtime.readiness import people
from pilotlight.runtime.records.inventory import VaultAccount
from pilotlight.runtime.records.runs import PROVEN, SUCCEEDED, Entry, Journal
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs import by_hand
from pilotlight.runtime.runs.by_hand import Command, Left
from pilotlight.runtime.runs.run import run_failback
from pilotlight.runtime.runs.watching import Unwatched
from pilotlight.runtime.store.lease import LEASE_SECONDS
from pilotlight.runtime.store.ledger import SERVING
from support.fake_aws import (
    ACCOUNT,
    CORPUS,
    CORPUS_COPY,
    MODELS,
    MODELS_COPY,
    NAMES,
    PRIMARY,
    STANDBY,
    FakeAws,
    inventory,
    recovery_of,
    save,
)


class Killed(BaseException):
    """The process is gone in the middle of a call."""


def failed_over(aws: FakeAws) -> FakeAws:
    """The standby serves and has written; the primary is back, with an object that never left it."""
    aws.s3.write(CORPUS, "lost on the way", b"x", replicate=False)
    aws.dark.add(PRIMARY)
    recovery_of(aws).failover()
    for number in range(20):
        aws.s3.write(CORPUS_COPY, f"new/{number}", b"n", replicate=number % 2 == 0)
    aws.s3.write(CORPUS_COPY, "shards/0", b"changed in the standby region", replicate=False)
    aws.s3.delete_object(CORPUS_COPY, "shards/1")
    save(aws, 80, bucket=MODELS_COPY)
    aws.dark.clear()
    aws.made.clear()
    return aws


def evidence(journal: Journal | None, step: str) -> dict[str, object]:
    assert journal is not None
    entry = journal.proven(step)
    assert entry is not None
    return entry.evidence


def aborted(aws: FakeAws, after: int = 0) -> FakeAws:
    """Somebody began a failover, and it died right after its fence, or some lines later: the primary is back, and went
    on writing all the time."""
    aws.dark.add(PRIMARY)
    recovery = recovery_of(aws)
    seen = list[str]()

    class Watching(Unwatched):
        def wrote(self, run: str, entry: Entry) -> None:
            seen.append(entry.step)
            if "fence" in seen and len(seen) >= seen.index("fence") + 1 + after and entry.state == PROVEN:
                raise Killed

    with pytest.raises(Killed):
        recovery.failover(observer=Watching())
    aws.dark.clear()
    aws.clock.sleep(LEASE_SECONDS + 1)
    aws.s3.write(CORPUS, "shards/0", b"newer in the primary", replicate=False)
    aws.s3.write(CORPUS, "shards/2", b"written and", replicate=False)
    aws.s3.delete_object(CORPUS, "shards/2")
    save(aws, 80)
    aws.s3.queue.clear()
    return aws


def test_a_standby_that_never_served_brings_nothing_home(aws: FakeAws) -> None:
    """Its older replicas were made current over what the primary had written since, and the evidence said nothing."""
    recovery = recovery_of(aborted(aws))
    before, models = aws.s3.current(CORPUS), aws.s3.current(MODELS)
    journal = recovery.failback()
    assert journal is not None and journal.state == SUCCEEDED
    assert (
        aws.s3.current(CORPUS) == before and before["shards/0"] == b"newer in the primary" and "shards/2" not in before
    )
    assert aws.s3.current(MODELS).items() >= models.items()
    for step in ("sync-corpus", "final-sync-corpus", "sync-checkpoints", "final-sync-checkpoints"):
        assert "never served" in str(evidence(journal, step)["never_served"])
    assert (aws.writer, aws.promotions, aws.switches) == (PRIMARY, 0, 0)
    assert (recovery.active().region, recovery.active().state) == (PRIMARY, SERVING)
    assert recovery.runs("failover")[0].state == "superseded"


def test_a_failover_that_is_given_up_while_the_standby_serves_does_not_make_it_one_that_never_did(
    aws: FakeAws,
) -> None:
    """A way home died after its quiesce, a failover began and died at its fence: what the standby had written in all
    the time before stayed there, and the next way home called it nothing."""
    failed_over(aws)
    written = aws.s3.current(CORPUS_COPY)
    for run, step in ((recovery_of(aws).failback, "quiesce"), (recovery_of(aws).failover, "fence")):

        class Dying(Unwatched):
            at = step

            def wrote(self, run: str, entry: Entry) -> None:
                if (entry.step, entry.state) == (self.at, PROVEN):
                    raise Killed

        with pytest.raises(Killed):
            run(observer=Dying())
        aws.clock.sleep(LEASE_SECONDS + 1)
    recovery = recovery_of(aws)
    assert recovery.active().state == "failing-over"
    journal = recovery.failback()
    assert journal is not None and journal.state == SUCCEEDED
    assert aws.s3.current(CORPUS) == written | {"lost on the way": b"x"}


def test_what_the_primary_went_on_from_stays_and_what_the_standby_wrote_comes_home(aws: FakeAws) -> None:
    """Both sides wrote: of each key the newer version wins, deletions too, and what stays is named."""
    aws.s3.write(CORPUS, "shards/0", b"newer, and never replicated", replicate=False)
    aws.s3.write(CORPUS, "both", b"the primary's", replicate=False)
    aws.s3.delete_object(CORPUS, "shards/2")
    aws.s3.queue.clear()
    aws.clock.sleep(2)
    aws.dark.add(PRIMARY)
    recovery = recovery_of(aws)
    recovery.failover()
    assert "shards/2" in aws.s3.current(CORPUS_COPY), "the deletion had not arrived"
    aws.s3.write(CORPUS_COPY, "both", b"the standby's", replicate=False)
    aws.s3.delete_object(CORPUS_COPY, "shards/1")
    aws.dark.clear()
    journal = recovery.failback()
    home = aws.s3.current(CORPUS)
    assert home["shards/0"] == b"newer, and never replicated" and home["both"] == b"the standby's"
    assert "shards/1" not in home and "shards/2" not in home
    final = evidence(journal, "final-sync-corpus")
    assert final["kept"] == 2 and final["kept_keys"] == ["shards/0", "shards/2"]
    assert journal is not None
    assert any("corpus: 2 objects" in each and "shards/0, shards/2" in each for each in people.cautions(journal))


def test_a_key_that_is_written_while_its_older_version_is_on_its_way_home_comes_home_too(aws: FakeAws) -> None:
    """A copy is dated by its making: the older bytes looked newer than what the standby had written meanwhile."""

    class Slow(Wrapper):
        """While this copy is made the workload writes the key again."""

        done = False

        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "copy_object" and parameters["Key"] == "shards/0" and not self.done:
                self.done = True
                aws.s3.write(CORPUS_COPY, "shards/0", b"Changed in the standby region", replicate=False)
                aws.clock.sleep(9)
            return super().call(service, operation, region, **parameters)

    failed_over(aws)
    client = Slow(aws)
    journal = run_failback(RecoveryContext(client, inventory(), aws.clock, aws.fetch), "slow", side_by_side=1)
    assert client.done and journal is not None and journal.state == SUCCEEDED
    assert aws.s3.current(CORPUS)["shards/0"] == b"Changed in the standby region", "of the same size as the one before"
    assert evidence(journal, "final-sync-corpus")["kept"] == 0


def test_the_way_home_loses_nothing_that_the_standby_region_wrote(aws: FakeAws) -> None:
    recovery = recovery_of(failed_over(aws))
    written = aws.s3.current(CORPUS_COPY)
    journal = recovery.failback()
    assert journal is not None and journal.state == SUCCEEDED
    home = aws.s3.current(CORPUS)
    assert home == written | {"lost on the way": b"x"}
    assert aws.s3.current(MODELS).keys() >= aws.s3.current(MODELS_COPY).keys() - {"checkpoints/.pilotlight/canary.json"}
    assert aws.writer == PRIMARY and aws.switches == 1
    assert (recovery.active().region, recovery.active().state, recovery.active().epoch) == (PRIMARY, "serving", 3)
    assert aws.fetch("http://models.example.internal/healthz", 1).region == PRIMARY


def test_objects_that_only_the_primary_has_are_reported_and_left(aws: FakeAws) -> None:
    journal = recovery_of(failed_over(aws)).failback()
    assert evidence(journal, "final-sync-corpus")["stray_keys"] == ["lost on the way"]


def test_the_primary_is_told_the_newest_checkpoint_that_is_complete_there(aws: FakeAws) -> None:
    recovery_of(failed_over(aws)).failback()
    assert aws.parameters == {
        (PRIMARY, NAMES.parameter("checkpoints")): f"s3://{MODELS}/checkpoints/step-000080/",
    }


def test_afterwards_the_standby_is_at_rest_and_the_primary_open(aws: FakeAws) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{"Sid": "Mine", "Effect": "Deny", "Principal": "*"}]}
    aws.s3.policies[CORPUS] = json.dumps(policy)
    recovery_of(failed_over(aws)).failback()
    assert {place: group.desired for (place, _), group in aws.groups.items()} == {PRIMARY: 1, STANDBY: 0}
    assert not any(group.suspended for group in aws.groups.values())
    assert json.loads(aws.s3.policies[CORPUS]) == policy, "what the user had in it is as it was"
    assert MODELS not in aws.s3.policies
    assert aws.metrics["StandbyActive"][-1] == 0


def test_the_primary_is_fenced_before_anything_is_brought_home(aws: FakeAws) -> None:
    recovery_of(failed_over(aws)).failback()
    acts = aws.acts()
    first_copy = acts.index(("s3", "copy_object", PRIMARY))
    assert acts.index(("autoscaling", "suspend_processes", PRIMARY)) < first_copy
    assert acts[:first_copy].count(("s3", "put_bucket_policy", PRIMARY)) >= 1
    assert acts.index(("rds", "switchover_global_cluster", STANDBY)) > first_copy


def test_a_returned_primary_is_fenced_by_the_next_scheduled_run(aws: FakeAws) -> None:
    recovery = recovery_of(failed_over(aws))
    recovery.protect()
    assert aws.groups[PRIMARY, "inference-fleet"].desired == 0
    assert aws.groups[PRIMARY, "inference-fleet"].suspended == ["Launch"]
    statement = json.loads(aws.s3.policies[CORPUS])["Statement"][-1]
    assert statement["Sid"] == FENCE and "s3:PutObject" in statement["Action"]
    aws.made.clear()
    aws.clock.sleep(60)
    recovery.protect()
    assert not [each for each in aws.acts() if each[2] == PRIMARY], "what is fenced already is only looked at"
    journal = recovery.failback()
    assert journal is not None and journal.state == SUCCEEDED


def test_protection_is_proven_again_in_the_original_direction(aws: FakeAws) -> None:
    recovery = recovery_of(failed_over(aws))
    journal = recovery.failback()
    assert str(evidence(journal, "canary-arrives-corpus")["canary"]).startswith(f"s3://{CORPUS_COPY}/")
    assert ".pilotlight/canary.json" not in aws.s3.current(CORPUS)
    point = recovery.protect()
    assert point is not None


class Busy:
    """The standby region's writer goes on: a new object, and one taken away, at every listing of its bucket."""

    def __init__(self, aws: FakeAws) -> None:
        self.aws, self.written = aws, 0

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        answer = self.aws.call(service, operation, region, **parameters)
        serving = recovery_of(self.aws).active().state == SERVING
        if parameters.get("Bucket") == CORPUS_COPY and operation.startswith("list_") and serving:
            self.written += 1
            self.aws.s3.write(CORPUS_COPY, f"busy/{self.written}", b"b")
            self.aws.s3.delete_object(CORPUS_COPY, f"new/{self.written}")
        return answer

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        return pages(self.call, service, operation, region, parameters)


def test_without_a_rule_back_everything_is_copied_home_while_the_standby_goes_on_writing(aws: FakeAws) -> None:
    """From a vault in another account no rule leads back, and S3 dates what is written in whole seconds."""
    failed_over(aws)
    del aws.s3.rules[CORPUS_COPY]
    aws.s3.queue.clear()
    aws.clock.sleep(0.9)
    busy = Busy(aws)
    apart = inventory(vault=VaultAccount(ACCOUNT, "vault"))
    journal = run_failback(RecoveryContext(busy, apart, aws.clock, aws.fetch), "test")
    assert journal is not None and journal.state == SUCCEEDED and busy.written >= 2
    aws.clock.sleep(10)
    assert aws.s3.current(CORPUS) == aws.s3.current(CORPUS_COPY) | {"lost on the way": b"x"}


def test_a_key_that_the_standby_overwrites_all_the_time_holds_no_way_home_up(aws: FakeAws) -> None:
    """`latest`, or a file of metrics, without a rule that leads back: the first pass waited for it, for a day."""
    failed_over(aws)
    del aws.s3.rules[CORPUS_COPY]
    aws.s3.queue.clear()

    written = list[bytes]()

    class Hot(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "list_object_versions" and recovery_of(aws).active().state == SERVING:
                aws.clock.sleep(5)
                written.append(b"x" * (len(written) + 1))
                aws.s3.write(CORPUS_COPY, "latest", written[-1], replicate=False)
            answer = super().call(service, operation, region, **parameters)
            if operation == "copy_object" and parameters["Bucket"] == CORPUS:
                # with keys of KMS no two copies have one entity tag
                made = aws.s3.objects[CORPUS][parameters["Key"]]
                made[-1] = replace(made[-1], told_etag=f'"{len(aws.made)}"')
            return answer

    began = aws.clock.now()
    apart = inventory(vault=VaultAccount(ACCOUNT, "vault"))
    journal = run_failback(RecoveryContext(Hot(aws), apart, aws.clock, aws.fetch), "test", side_by_side=1)
    assert journal is not None and journal.state == SUCCEEDED and aws.clock.now() - began < 900
    assert len(written) > 5 and aws.s3.current(CORPUS)["latest"] == written[-1]


def test_an_object_whose_version_is_gone_when_it_is_copied_is_brought_by_the_next_pass(aws: FakeAws) -> None:
    """Nobody would have copied it any more: the way home waited for it, for a day."""
    failed_over(aws)
    del aws.s3.rules[CORPUS_COPY]
    aws.s3.queue.clear()

    class Expiring(Wrapper):
        """Lifecycle takes the version that was listed, and the workload has written another."""

        done = False

        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "copy_object" and parameters["Key"] == "new/1" and not self.done:
                self.done = True
                aws.s3.objects[CORPUS_COPY]["new/1"].clear()
                aws.s3.write(CORPUS_COPY, "new/1", b"written anew", replicate=False, at=aws.clock.now() - 600)
            return super().call(service, operation, region, **parameters)

    began = aws.clock.now()
    apart = inventory(vault=VaultAccount(ACCOUNT, "vault"))
    journal = run_failback(RecoveryContext(Expiring(aws), apart, aws.clock, aws.fetch), "test", side_by_side=1)
    assert journal is not None and journal.state == SUCCEEDED and aws.clock.now() - began < 900
    assert aws.s3.current(CORPUS)["new/1"] == b"written anew"


def test_a_lost_replication_rule_is_not_called_protected(aws: FakeAws) -> None:
    failed_over(aws)
    del aws.s3.rules[CORPUS]
    with pytest.raises(StepFailed, match="has no enabled rule"):
        recovery_of(aws).failback()
    assert recovery_of(aws).active().region == PRIMARY


def test_a_rule_that_another_workload_put_there_is_named_and_not_called_ours(aws: FakeAws) -> None:
    failed_over(aws)
    aws.s3.rules[CORPUS] = "pilotlight-analytics-rows-123456789012-us-west-2"
    with pytest.raises(StepFailed, match=r"it has .* to arn:aws:s3:::pilotlight-analytics-rows-123456789012-us-west-2"):
        recovery_of(aws).failback()


def test_a_primary_that_does_not_answer_is_left_alone(aws: FakeAws) -> None:
    failed_over(aws)
    aws.dark.add(PRIMARY)
    with pytest.raises(StepTimedOut, match="us-east-1 does not answer"):
        recovery_of(aws).failback()
    assert not aws.acts()
    assert recovery_of(aws).active().region == STANDBY


def test_a_second_failback_does_nothing(aws: FakeAws) -> None:
    recovery = recovery_of(failed_over(aws))
    recovery.failback()
    aws.made.clear()
    assert recovery.failback() is None
    assert not aws.acts()


@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
def test_a_failback_killed_at_any_call_and_resumed_ends_at_home_with_everything(
    again: Callable[[], FakeAws], carried_out: bool
) -> None:
    whole = failed_over(again())
    run_failback(RecoveryContext(whole, inventory(), whole.clock, whole.fetch), "first", side_by_side=1)
    calls = len(whole.made)
    for at in range(1, calls + 1, 5 if carried_out else 3):
        aws = failed_over(again())
        written = aws.s3.current(CORPUS_COPY)
        with pytest.raises(Killed):
            faulty = Faulty(aws, at, Killed(), carried_out)
            run_failback(RecoveryContext(faulty, inventory(), aws.clock, aws.fetch), "first", side_by_side=1)
        aws.clock.sleep(LEASE_SECONDS + 1)
        recovery: Recovery = recovery_of(aws, "second")
        recovery.failback()
        where = f"killed at call {at}: {whole.made[at - 1]}"
        assert recovery.active().region == PRIMARY and recovery.active().state == "serving", where
        assert aws.s3.current(CORPUS) == written | {"lost on the way": b"x"}, where
        assert aws.switches == 1 and aws.writer == PRIMARY, where
        assert {place: group.desired for (place, _), group in aws.groups.items()} == {PRIMARY: 1, STANDBY: 0}, where
        assert not aws.s3.policies, where


def test_every_step_is_proven_with_evidence(aws: FakeAws) -> None:
    journal = recovery_of(failed_over(aws)).failback()
    assert journal is not None
    assert all(entry.evidence for entry in journal.entries if entry.state == PROVEN)


def test_a_group_that_is_gone_is_named(aws: FakeAws) -> None:
    failed_over(aws)
    aws.denied.clear()
    aws.autoscaling_describe_auto_scaling_groups = lambda region, **_: {"AutoScalingGroups": []}  # type: ignore[method-assign]
    with pytest.raises(StepFailed, match="there is no Auto Scaling group inference-fleet"):
        recovery_of(aws).failback()


def test_the_fence_is_put_beside_what_the_user_has_and_taken_out_alone() -> None:
    mine = {"Version": "2012-10-17", "Statement": [{"Sid": "Mine"}]}
    fenced = with_fence(with_fence(mine, "b", "p/", ["me"]), "b", "p/", ["me"])
    assert [each["Sid"] for each in fenced["Statement"]] == ["Mine", FENCE]
    assert without_fence(fenced) == mine


def test_the_session_of_a_role_is_let_through_by_its_role() -> None:
    assert principal("arn:aws:sts::1:assumed-role/Operator/me") == "arn:aws:iam::1:role/*Operator"
    assert principal("arn:aws:iam::1:user/me") == "arn:aws:iam::1:user/me"


def test_a_fence_that_lands_on_the_serving_primary_after_the_way_home_is_told(aws: FakeAws) -> None:
    """A late act of an older run closed the bucket for good, and nothing ever looked there again."""
    recovery = recovery_of(failed_over(aws))
    recovery.failback()
    aws.clock.sleep(60)
    recovery.protect()
    heartbeat = recovery.context.ledger.sightings.heartbeat()
    assert heartbeat is not None and not heartbeat.troubles
    policy = with_fence({"Version": "2012-10-17", "Statement": []}, CORPUS, "", ["arn:aws:iam::1:role/late"])
    aws.s3.policies[CORPUS] = json.dumps(policy)
    group = aws.groups[(PRIMARY, "inference-fleet")]
    group.desired, group.suspended, group.instances = 0, ["Launch"], []
    aws.clock.sleep(60)
    recovery.protect()
    heartbeat = recovery.context.ledger.sightings.heartbeat()
    assert heartbeat is not None
    assert any(f"s3://{CORPUS} serves and denies writing" in each for each in heartbeat.troubles)
    assert any("inference-fleet serves and may launch nothing" in each for each in heartbeat.troubles)
    assert aws.metrics["ScheduledRunFailures"][-1] == 2


def test_a_group_that_is_stopped_after_the_way_home_is_told(aws: FakeAws) -> None:
    """An act of an older run that landed two minutes later left nothing of it running, and only its launches, which it
    may make, were looked at."""
    recovery = recovery_of(failed_over(aws))
    recovery.failback()
    group = aws.groups[(PRIMARY, "inference-fleet")]
    group.desired, group.instances = 0, []
    aws.clock.sleep(60)
    recovery.protect()
    heartbeat = recovery.context.ledger.sightings.heartbeat()
    assert heartbeat is not None and len(heartbeat.troubles) == 1
    assert "inference-fleet serves and no instance of it is wished for, of 1" in heartbeat.troubles[0]


def test_a_fence_that_was_taken_out_by_hand_says_nothing_of_the_next_way_home(aws: FakeAws) -> None:
    """Else what the primary wrote after that would be taken for something that was brought, and be overwritten."""
    failed_over(aws)
    recovery = recovery_of(aws)
    ledger = recovery.context.ledger
    ledger.keep_fence("corpus", anew=True)
    aws.clock.sleep(1000)
    aws.s3.write(CORPUS, "shards/2", b"newer in the primary, which nobody had fenced", replicate=False)
    aws.clock.sleep(10)
    journal = recovery.failback()
    assert aws.s3.current(CORPUS)["shards/2"].startswith(b"newer in the primary")
    assert evidence(journal, "final-sync-corpus")["kept_keys"] == ["shards/2"]


@pytest.mark.acts_alone
def test_what_is_left_to_do_by_hand_is_kept_whole_or_not_at_all(aws: FakeAws) -> None:
    """Half of this run's and half of an earlier one's is what a person would type."""
    names = recovery_of(aws).context.inventory.names
    commands = tuple(
        Command(f"{number}", "s3", "put_bucket_policy", PRIMARY, {"Policy": "x" * 999}) for number in range(9)
    )
    left = Left("1-failback", 3, PRIMARY, STANDBY, commands)
    by_hand.write(aws, names, left)
    assert by_hand.read(aws, names) == left and len(aws.parameters) >= 3
    calls = len(aws.made)
    by_hand.write(aws, names, replace(left, run="2-failback"))
    for at in range(1, len(aws.made) - calls):
        by_hand.write(aws, names, left)
        with pytest.raises(Killed):
            by_hand.write(Faulty(aws, at, Killed()), names, replace(left, run="2-failback"))
        assert by_hand.read(aws, names) in (None, left)
    by_hand.write(aws, names, left)
    by_hand.forget(aws, names)
    assert by_hand.read(aws, names) is None and not [name for _, name in aws.parameters if "by-hand" in name]
