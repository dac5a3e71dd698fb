"""What a user loses when one of these fails: the recovery itself, on the day the region is gone."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.runtime.aws.boto import said_no
from pilotlight.runtime.aws.client import is_reading
from pilotlight.runtime.aws.wrappers import Faulty, Recording, Retrying
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, EpochStale, LeaseHeld, NoRecoveryPoint, StepFailed, StepTimedOut
from pilotlight.runtime.readiness import people
from pilotlight.runtime.records.runs import PROVEN, SUCCEEDED, Journal
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs import runbooks
from pilotlight.runtime.runs.run import run_failover
from pilotlight.runtime.store.lease import LEASE_SECONDS, PROTECT
from support.fake_aws import MODELS_COPY, NAMES, PRIMARY, STANDBY, FakeAws, inventory, recovery_of, save
from support.references import volumes

GLOBAL = {"iam", "route53", "organizations", "sts", "cloudfront"}
RUNS_OWN = NAMES.run_template("fleet")
PARAMETER = NAMES.parameter("checkpoints")


class Killed(BaseException):
    """The process is gone in the middle of a call."""


def lose_the_region(aws: FakeAws) -> FakeAws:
    aws.dark.add(PRIMARY)
    aws.made.clear()
    return aws


def state(aws: FakeAws) -> dict[str, object]:
    """Everything that a finished failover has changed, without the moments and names of instances."""
    active = aws.dynamodb.items[NAMES.journal_table, "active", "active"]
    return {
        "region": active["region"],
        "state": active["state"],
        "writer": aws.writer,
        "promotions": aws.promotions,
        "templates": {name: [each.data for each in versions] for name, versions in aws.templates.items()},
        "named": {place: group.names for place, group in aws.groups.items()},
        "desired": {place: group.desired for place, group in aws.groups.items()},
        "instances": {place: len(group.instances) for place, group in aws.groups.items()},
        "parameters": aws.parameters,
        "standby_active": aws.metrics["StandbyActive"][-1],
    }


def run(aws: FakeAws, holder: str = "first") -> Journal:
    journal = run_failover(RecoveryContext(aws, inventory(), aws.clock, aws.fetch), holder, side_by_side=1)
    assert journal is not None
    return journal


def test_the_workload_serves_from_the_standby_region_after_its_primary_is_lost(
    aws: FakeAws, recovery: Recovery
) -> None:
    journal = recovery_of(lose_the_region(aws)).failover()
    assert journal is not None and journal.state == SUCCEEDED
    assert (recovery.active().region, recovery.active().state, recovery.active().epoch) == (STANDBY, "serving", 2)
    assert aws.writer == STANDBY and aws.metrics["StandbyActive"] == [1]
    assert aws.fetch("http://models.example.internal/healthz", 1).region == STANDBY


def test_a_torn_checkpoint_is_never_recovered(aws: FakeAws, recovery: Recovery) -> None:
    lose_the_region(aws)
    journal = recovery.failover()
    assert journal is not None
    evidence = journal.proven("choose-point")
    assert evidence is not None
    assert (evidence.evidence["newest_started_step"], evidence.evidence["newest_complete_step"]) == (60, 40)
    assert aws.parameters[STANDBY, PARAMETER] == f"s3://{MODELS_COPY}/checkpoints/step-000040/"
    assert recovery.newest_complete_step() == 40


def refusing(aws: FakeAws, step: int, code: str, times: int) -> None:
    """So many reads of one checkpoint's files in the standby bucket are refused so."""
    call, left = aws.call, [times]

    def refuses(service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if operation == "get_object" and f"step-{step:06d}/" in parameters["Key"] and left[0]:
            left[0] -= 1
            raise said_no(
                service, operation, region, ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")
            )
        return call(service, operation, region, **parameters)

    aws.call = refuses  # type: ignore[method-assign]


@pytest.mark.parametrize("code", ["RequestTimeout", "KMS.ThrottlingException", "InternalError", "SlowDown"])
def test_one_read_that_aws_could_not_answer_at_the_moment_chooses_no_older_checkpoint(
    code: str, aws: FakeAws, recovery: Recovery
) -> None:
    lose_the_region(aws)
    refusing(aws, 40, code, 1)
    journal = Recovery(recovery.context.through(Retrying(aws, aws.clock, random.Random(1))), "test").failover()
    assert journal is not None and aws.parameters[STANDBY, PARAMETER].endswith("/step-000040/")
    assert people.cautions(journal) == ()


def test_a_checkpoint_that_may_not_be_read_is_called_neither_torn_nor_older(aws: FakeAws, recovery: Recovery) -> None:
    """The run goes on with the older one, and says what that may cost."""
    lose_the_region(aws)
    refusing(aws, 40, "AccessDenied", 1_000)
    journal = recovery.failover()
    assert journal is not None and aws.parameters[STANDBY, PARAMETER].endswith("/step-000020/")
    (told,) = people.cautions(journal)
    assert "step-000040/" in told and "AccessDenied" in told and "is lost" in told
    chosen = journal.proven("choose-point")
    assert chosen is not None
    (found,) = chosen.evidence["checkpoints"].values()
    assert [each["step"] for each in found["undecided"]] == [40]
    assert 40 not in [each["step"] for each in found["refused"]]
    assert told in people.done(recovery.context, journal).text


def devices(aws: FakeAws, version: int) -> dict[str, dict[str, object]]:
    """What a version of the run's template has behind each device."""
    mapped = aws.templates[RUNS_OWN][version - 1].data["BlockDeviceMappings"]
    return {each["DeviceName"]: each["Ebs"] for each in mapped}


def test_volumes_come_up_from_the_snapshot_copies_of_the_point(aws: FakeAws, recovery: Recovery) -> None:
    point = recovery.points()[0]
    part = point.part("index")
    assert part is not None
    lose_the_region(aws)
    recovery.failover()
    mapped = devices(aws, 1)
    assert {device: ebs["SnapshotId"] for device, ebs in mapped.items()} == volumes(part.reference).sets[0].snapshots
    assert all(ebs.keys() == {"SnapshotId", "DeleteOnTermination"} for ebs in mapped.values()), "as the snapshot is"
    assert [launched for group in aws.groups.values() for launched in group.launched.values()] == [(RUNS_OWN, "1")]


def test_no_step_calls_the_lost_region_or_a_control_plane_that_lives_there(aws: FakeAws) -> None:
    lose_the_region(aws)
    recording = Recording(aws)
    run_failover(RecoveryContext(recording, inventory(), aws.clock, aws.fetch), "first")
    assert recording.made
    assert {made.region for made in recording.made} == {STANDBY}
    assert not {made.service for made in recording.made} & GLOBAL
    assert not [made for made in recording.made if made.service == "s3" and "bucket" in made.operation]


def test_a_second_failover_does_nothing(aws: FakeAws, recovery: Recovery) -> None:
    lose_the_region(aws)
    recovery.failover()
    aws.made.clear()
    assert recovery.failover() is None
    assert not aws.acts()


@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
def test_a_run_killed_at_any_call_and_resumed_by_another_process_ends_in_the_same_state(
    again: Callable[[], FakeAws], carried_out: bool
) -> None:
    whole = lose_the_region(again())
    run(whole)
    calls = len(whole.made)
    assert calls > 60
    for at in range(1, calls + 1):
        aws = lose_the_region(again())
        with pytest.raises(Killed):
            faulty = Faulty(aws, at, Killed(), carried_out)
            run_failover(RecoveryContext(faulty, inventory(), aws.clock, aws.fetch), "first", side_by_side=1)
        aws.clock.sleep(LEASE_SECONDS + 1)
        recovery_of(aws, "second").failover()
        assert state(aws) == state(whole), f"killed at call {at}: {whole.made[at - 1]}"


def test_steps_that_were_proven_are_not_repeated_by_the_process_that_resumes(aws: FakeAws) -> None:
    lose_the_region(aws)
    aws.denied.add("autoscaling:update_auto_scaling_group")
    with pytest.raises(CallRefused, match="update_auto_scaling_group"):
        run(aws)
    aws.denied.clear()
    aws.made.clear()
    journal = run(aws, "second")
    assert journal.state == SUCCEEDED
    acted = {operation for _, operation, _ in aws.acts()}
    assert not acted & {"failover_global_cluster", "create_launch_template", "put_parameter"}


def test_a_refused_call_ends_the_run_with_the_name_of_what_was_refused(aws: FakeAws, recovery: Recovery) -> None:
    lose_the_region(aws)
    aws.denied.add("rds:failover_global_cluster")
    with pytest.raises(CallRefused, match=r"rds:failover_global_cluster in us-west-2.*AccessDenied"):
        recovery.failover()
    newest = recovery.runs("failover")[0]
    assert newest.state == "failed" and "failover_global_cluster" in newest.reason
    assert recovery.active().region == STANDBY, "the old primary is never reopened"
    assert recovery.active().state == "failing-over"


def test_whoever_holds_an_older_epoch_is_refused_by_every_step_that_acts(again: Callable[[], FakeAws]) -> None:
    whole = lose_the_region(again())
    run(whole)
    acting = {at for at, made in enumerate(whole.made, 1) if not is_reading(made[1]) and made[0] != "dynamodb"}
    refused = 0
    for at in sorted(acting)[:-1]:
        aws = lose_the_region(again())
        client = TakenOver(aws, at)
        with pytest.raises(EpochStale):
            run_failover(RecoveryContext(client, inventory(), aws.clock, aws.fetch), "old", side_by_side=1)
        late = aws.made[client.taken_at :]
        assert not [made for made in late if not is_reading(made[1]) and made[0] != "dynamodb"]
        refused += 1
    assert refused >= 5


class TakenOver(Recording):
    """Another process takes the lease just before the fence of one acting call reads the epoch."""

    def __init__(self, aws: FakeAws, at: int) -> None:
        super().__init__(aws)
        self.aws, self.at, self.taken_at = aws, at, 0

    def call(self, service: str, operation: str, region: str, **parameters: object) -> dict[str, object]:
        if not self.taken_at and len(self.aws.made) >= self.at - 2:
            self.aws.clock.sleep(LEASE_SECONDS + 1)
            recovery_of(self.aws, "new").context.ledger.leases.take("new")
            self.taken_at = len(self.aws.made)
        return super().call(service, operation, region, **parameters)


def test_two_runs_at_once_are_one_run(aws: FakeAws) -> None:
    lose_the_region(aws)
    recovery_of(aws, "somebody").context.ledger.leases.take("somebody")
    with pytest.raises(LeaseHeld, match="somebody holds the lease"):
        recovery_of(aws).failover(patience=0)
    assert not aws.acts()


def test_a_run_waits_for_one_that_will_be_done_in_a_moment(aws: FakeAws) -> None:
    lose_the_region(aws)
    recovery_of(aws, "somebody").context.ledger.leases.take("somebody")
    began = aws.clock.now()
    journal = recovery_of(aws).failover()
    assert journal is not None and journal.state == SUCCEEDED
    assert aws.clock.now() - began >= LEASE_SECONDS


def test_a_run_that_waited_for_the_same_run_does_nothing_again(aws: FakeAws) -> None:
    lose_the_region(aws)
    other = recovery_of(aws, "other")

    class OtherWasFirst(FakeClock):
        """While this run waits, the other one is carried out whole."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            other.failover()

    held = other.context.ledger.leases.take("other")
    waiting = RecoveryContext(aws, inventory(), OtherWasFirst(aws.clock.now()), aws.fetch)
    assert run_failover(waiting, "first") is None
    assert aws.promotions == 1 and held.epoch < other.context.ledger.leases.epoch()


def test_a_checkpoint_newer_than_the_points_data_is_taken_and_the_journal_says_so(aws: FakeAws) -> None:
    aws.clock.sleep(30)
    save(aws, 80, bucket=MODELS_COPY)
    journal = run(lose_the_region(aws))
    found = journal.proven("choose-point")
    assert found is not None
    chosen = found.evidence["checkpoints"]
    assert chosen["checkpoints"]["step"] == 80
    assert "corpus is proven up to" in chosen["checkpoints"]["beyond"]


def test_without_a_complete_point_nothing_is_fenced(aws: FakeAws, recovery: Recovery) -> None:
    for line in recovery.context.ledger.points():
        recovery.context.ledger.let_go(line)
    lose_the_region(aws)
    with pytest.raises(NoRecoveryPoint):
        recovery.failover()
    assert recovery.active().region == PRIMARY and recovery.active().epoch == 1
    assert not [act for act in aws.acts() if act[0] != "s3"]


def test_a_run_that_failed_before_its_fence_is_begun_anew_from_a_newer_point(aws: FakeAws, recovery: Recovery) -> None:
    lines = recovery.context.ledger.points()
    for line in lines:
        recovery.context.ledger.let_go(line)
    with pytest.raises(NoRecoveryPoint):
        recovery.failover()
    recovery.context.ledger.index_point(lines[0], recovery.context.ledger.leases.take("test", PROTECT))
    aws.clock.sleep(60)
    journal = recovery.failover()
    assert journal is not None and journal.run != recovery.runs("failover")[1].run


def test_a_run_stops_before_its_deadline_and_goes_on_from_there(aws: FakeAws) -> None:
    lose_the_region(aws)
    invocations = 0
    while True:
        invocations += 1
        context = RecoveryContext(aws, inventory(), aws.clock, aws.fetch)
        journal = run_failover(context, f"invocation {invocations}", deadline=aws.clock.now() + 6)
        assert journal is not None
        if journal.state == SUCCEEDED:
            break
        assert invocations < 30
    assert invocations > 2
    assert aws.promotions == 1


def test_shortage_of_every_instance_type_is_named_type_by_type(aws: FakeAws, recovery: Recovery) -> None:
    lose_the_region(aws)
    aws.short = {"g5.xlarge", "g4dn.xlarge"}
    with pytest.raises(StepFailed, match=r"g4dn\.xlarge: .*sufficient.*; g5\.xlarge: "):
        recovery.failover()


def test_capacity_that_comes_back_is_used(aws: FakeAws, recovery: Recovery) -> None:
    lose_the_region(aws)
    aws.short = {"g5.xlarge"}
    with pytest.raises(StepTimedOut, match=r"refused: g5\.xlarge"):
        recovery.failover()
    aws.short = set()
    journal = recovery.failover()
    assert journal is not None and journal.state == SUCCEEDED


def test_a_promotion_that_somebody_began_is_waited_for_and_not_repeated(aws: FakeAws, recovery: Recovery) -> None:
    lose_the_region(aws)
    aws.rds_failover_global_cluster(STANDBY, AllowDataLoss=True)
    journal = recovery.failover()
    assert journal is not None and journal.state == SUCCEEDED
    assert aws.promotions == 1


def test_the_journal_tells_every_step_with_evidence(aws: FakeAws, recovery: Recovery) -> None:
    lose_the_region(aws)
    journal = recovery.failover()
    assert journal is not None
    proven = {entry.step for entry in journal.entries if entry.state == PROVEN}
    assert {step.name for step in runbooks.failover(inventory()).steps} | {"take-lease", "release-lease"} == proven
    assert all(entry.evidence for entry in journal.entries)
    assert f"papers/runs/{journal.run}.json" in aws.s3.objects[NAMES.vault_bucket]


def test_a_newer_checkpoint_that_arrives_after_the_choice_does_not_change_it(aws: FakeAws) -> None:
    lose_the_region(aws)
    aws.denied.add("ssm:put_parameter")
    with pytest.raises(CallRefused):
        run(aws)
    aws.denied.clear()
    save(aws, 100, bucket=MODELS_COPY)
    run(aws, "second")
    assert aws.parameters[STANDBY, PARAMETER].endswith("step-000040/")
