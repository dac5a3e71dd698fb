"""What a user loses when one of these fails: a region that serves, to a process that should have ended a minute ago."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from test_failback import failed_over

from pilotlight.runtime.aws.client import is_reading
from pilotlight.runtime.aws.wrappers import Retrying, Wrapper
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import EpochStale, PilotlightError, Throttled
from pilotlight.runtime.kinds.action import Proven, StepContext
from pilotlight.runtime.kinds.buckets.fencing import FENCE, with_fence
from pilotlight.runtime.points.prune import prune
from pilotlight.runtime.points.retention import RECENT
from pilotlight.runtime.readiness import people
from pilotlight.runtime.records.inventory import Keep
from pilotlight.runtime.records.point import PARTIAL
from pilotlight.runtime.records.runs import INTENDED, PROVEN, SUCCEEDED, WITHDRAWN, Entry, Journal, LookingAgain, Step
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs.fence_returned import TOLD_SECONDS, fences_left
from pilotlight.runtime.runs.register import ACTIONS
from pilotlight.runtime.runs.run import run_failback, run_failover
from pilotlight.runtime.runs.watching import Unwatched
from pilotlight.runtime.store.lease import LEASE_SECONDS, PROTECT
from pilotlight.runtime.store.ledger import SERVING, LateAct, Ledger, PointLine
from support.fake_aws import CORPUS, NAMES, PRIMARY, STANDBY, FakeAws, inventory, recovery_of
from support.references import volumes

ACTS_MAX = 200
HOME, AWAY = (PRIMARY, "inference-fleet"), (STANDBY, NAMES.group("fleet"))


class Undoing(Unwatched):
    """An older run's act lands as soon as a step is proven."""

    def __init__(self, step: str, undo: Callable[[], None]) -> None:
        self.step, self.undo = step, undo

    def wrote(self, run: str, entry: Entry) -> None:
        if (entry.step, entry.state) == (self.step, PROVEN):
            self.undo()


def looked_again(journal: Journal | None) -> str:
    """What the last look saw first."""
    assert journal is not None and journal.state == SUCCEEDED
    return next(str(each.evidence["observed"]) for each in journal.entries if each.step == "look-again")


def test_what_an_older_run_undoes_before_the_commit_of_a_failover_is_found_and_done_again(
    again: Callable[[], FakeAws],
) -> None:
    def to_zero(aws: FakeAws) -> None:
        aws.groups[AWAY].desired, aws.groups[AWAY].instances = 0, []

    def untold(aws: FakeAws) -> None:
        aws.parameters.pop((STANDBY, NAMES.parameter("checkpoints")))

    for undo, seen in ((to_zero, "scale-fleet: 0 instances wished for"), (untold, "tell-checkpoint-checkpoints: ")):
        aws = again()
        aws.dark.add(PRIMARY)
        journal = recovery_of(aws).failover(observer=Undoing("traffic", lambda aws=aws, undo=undo: undo(aws)))  # type: ignore[misc]
        assert looked_again(journal).startswith(seen)
        assert aws.groups[AWAY].desired == 1 and aws.parameters[STANDBY, NAMES.parameter("checkpoints")]


def test_what_an_older_run_undoes_before_the_commit_of_a_failback_is_found_and_done_again(
    again: Callable[[], FakeAws],
) -> None:
    """A bucket's fence that an older run had put back stayed on the serving primary for good."""

    def fenced(aws: FakeAws) -> None:
        policy = with_fence({"Version": "2012-10-17", "Statement": []}, CORPUS, "", ["arn:aws:iam::1:role/late"])
        aws.s3.policies[CORPUS] = json.dumps(policy)

    def stopped(aws: FakeAws) -> None:
        group = aws.groups[HOME]
        group.desired, group.instances, group.suspended = 0, [], ["Launch"]

    def suspended(aws: FakeAws) -> None:
        aws.groups[HOME].suspended = ["Launch"]

    def promoted(aws: FakeAws) -> None:
        aws.writer = STANDBY

    for undo, seen in (
        (fenced, "open-bucket-corpus: "),
        (stopped, "scale-fleet: "),
        (suspended, "scale-fleet: 1 instances wished for, 1 in service; it may launch none"),
        (promoted, "switch-registry: "),
    ):
        aws = failed_over(again())
        journal = recovery_of(aws).failback(observer=Undoing("traffic", lambda aws=aws, undo=undo: undo(aws)))  # type: ignore[misc]
        assert looked_again(journal).startswith(seen)
        assert FENCE not in str(aws.s3.policies) and aws.writer == PRIMARY
        assert aws.groups[HOME].desired == 1 and not aws.groups[HOME].suspended


class Overtaken(Wrapper):
    """This process sleeps at its nth act, longer than its lease; meanwhile others do what they like."""

    def __init__(self, inner: FakeAws, at: int, meanwhile: Callable[[], None]) -> None:
        super().__init__(inner)
        self.at, self.meanwhile, self.acts, self.slept_at = at, meanwhile, 0, ""

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if not is_reading(operation) and service != "dynamodb":
            self.acts += 1
            if self.acts == self.at:
                self.slept_at = operation
                self.meanwhile()
        return super().call(service, operation, region, **parameters)


def whole(aws: FakeAws, region: str) -> None:
    """Everything that serves does so in this region, and nothing in the other."""
    active = recovery_of(aws).active()
    assert (active.region, active.state) == (region, SERVING)
    assert aws.writer == region
    assert (aws.groups[HOME].desired, aws.groups[AWAY].desired) == ((1, 0) if region == PRIMARY else (0, 1))


def test_a_runner_that_sleeps_at_any_act_and_wakes_after_its_failover_was_finished_by_another_harms_nothing(
    again: Callable[[], FakeAws],
) -> None:
    """Each act of it that was let through before is noted, and it does no other."""
    slept = list[str]()
    for at in range(1, ACTS_MAX):
        aws = again()
        aws.dark.add(PRIMARY)

        def meanwhile(aws: FakeAws = aws) -> None:
            aws.clock.sleep(LEASE_SECONDS + 1)
            recovery_of(aws, "another").failover()

        client = Overtaken(aws, at, meanwhile)
        context = RecoveryContext(client, recovery_of(aws).context.inventory, aws.clock, aws.fetch)
        try:
            journal = run_failover(context, "sleeper", side_by_side=1)
        except (EpochStale, PilotlightError):
            journal = None
        if client.slept_at in ("", "put_object"):
            break  # there is no such act, or the run had ended, and its record is all that was left
        assert journal is None, f"the run that slept at {client.slept_at} went on"
        late = context.ledger.late_acts(0)
        assert [each.call.partition(":")[2] for each in late] == [client.slept_at]
        aws.clock.sleep(600)
        aws.groups[HOME].desired = 0  # its region is lost
        whole(aws, STANDBY)
        assert aws.promotions == 1 + (client.slept_at == "failover_global_cluster"), "that one act was on its way"
        slept.append(client.slept_at)
    assert {"failover_global_cluster", "update_auto_scaling_group", "put_metric_data", "put_parameter"} <= set(slept)


def test_a_runner_that_wakes_before_its_act_is_let_through_does_nothing_after_anothers_way_home(
    again: Callable[[], FakeAws],
) -> None:
    """It promoted a second time, and moved the writer away from the region that served."""
    for at in range(1, ACTS_MAX):
        aws = again()
        aws.dark.add(PRIMARY)

        def meanwhile(aws: FakeAws = aws) -> None:
            aws.clock.sleep(LEASE_SECONDS + 1)
            other = recovery_of(aws, "another")
            other.failover()
            aws.dark.clear()
            aws.clock.sleep(60)
            run_failback(other.context, "another", side_by_side=1)
            aws.clock.sleep(LEASE_SECONDS + 1)

        waits = Throttles(aws, at, meanwhile)
        context = RecoveryContext(waits.retrying(), recovery_of(aws).context.inventory, aws.clock, aws.fetch)
        with pytest.raises(EpochStale):
            run_failover(context, "sleeper", side_by_side=1)
        assert not context.ledger.late_acts(0)
        whole(aws, PRIMARY)
        assert (aws.promotions, aws.switches) == (1, 1)
        if at == SLEEPS:
            break


SLEEPS = 6
"""Acts of a failover at which the sleeper is throttled: all that it has."""


class Throttles(Wrapper):
    """The nth act is throttled once, and the wait for the next attempt is a long one."""

    def __init__(self, inner: FakeAws, at: int, meanwhile: Callable[[], None]) -> None:
        super().__init__(inner)
        self.at, self.meanwhile, self.acts = at, meanwhile, 0

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if not is_reading(operation) and service != "dynamodb":
            self.acts += 1
            if self.acts == self.at:
                self.meanwhile()
                raise Throttled(service=service, operation=operation, region=region, attempts=1)
        return super().call(service, operation, region, **parameters)

    def retrying(self) -> Retrying:
        assert isinstance(self.inner, FakeAws)
        return Retrying(self, self.inner.clock, random.Random(7))


def test_what_was_done_late_is_told_at_the_end_of_the_run_that_looked_again(aws: FakeAws) -> None:
    aws.dark.add(PRIMARY)
    ledger = recovery_of(aws).context.ledger

    def late() -> None:
        ledger.note_late(LateAct(stamp(aws.clock.now()), "an older run", 1, 9, "rds:failover_global_cluster", STANDBY))

    journal = recovery_of(aws).failover(observer=Undoing("traffic", late))
    assert journal is not None
    assert any("an older run" in each and "rds:failover_global_cluster" in each for each in people.cautions(journal))


@pytest.mark.parametrize("journal", ["there", "gone"])
def test_what_was_done_late_after_the_last_look_is_told_by_the_next_scheduled_run(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    """Also where the journal of the run that made the primary serve cannot be found any more."""
    recovery = recovery_of(aws)
    aws.dark.add(PRIMARY)
    recovery.failover()
    aws.dark.clear()
    assert recovery.failback() is not None
    ledger = recovery.context.ledger
    ledger.note_late(LateAct(stamp(aws.clock.now()), "an older run", 1, 9, "rds:failover_global_cluster", STANDBY))
    if journal == "gone":
        monkeypatch.setattr(Ledger, "journal", lambda ledger, run: None)
    assert any("an older run" in each for each in fences_left(recovery.context))
    aws.clock.sleep(TOLD_SECONDS)
    assert any("an older run" in each for each in fences_left(recovery.context)), "somebody may not have looked yet"
    aws.clock.sleep(1)
    assert fences_left(recovery.context) == (), "who was told has looked"


def test_what_the_last_look_has_seen_of_late_acts_is_not_told_again_every_minute(aws: FakeAws) -> None:
    """Scheduled runs would be called failed for a day, and people told, for what the run made good already."""
    recovery = recovery_of(aws)
    aws.dark.add(PRIMARY)
    recovery.failover()
    aws.dark.clear()
    ledger = recovery.context.ledger

    def late(run: str) -> LateAct:
        return LateAct(stamp(aws.clock.now()), run, 1, 9, "rds:failover_global_cluster", STANDBY)

    recovery.failback(observer=Undoing("traffic", lambda: ledger.note_late(late("a seen run"))))
    assert fences_left(recovery.context) == ()
    ledger.note_late(late("an unseen run"))
    (told,) = fences_left(recovery.context)
    assert told.startswith("run an unseen run (epoch 1) did rds:failover_global_cluster in us-west-2")


class Interleaved(Wrapper):
    """Something else happens whole before the nth call."""

    def __init__(self, inner: FakeAws, at: int, happens: Callable[[], None]) -> None:
        super().__init__(inner)
        self.at, self.happens, self.calls = at, happens, 0

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        self.calls += 1
        if self.calls == self.at:
            self.happens()
        return super().call(service, operation, region, **parameters)


def test_retention_that_runs_at_any_call_of_a_failover_takes_no_point_from_under_it(
    again: Callable[[], FakeAws],
) -> None:
    """A scheduled run that began before the failover deletes by what it read: the newest point of each moment is
    replaced by a newer one, and everything else is let go."""
    at, taken = 0, set[str]()
    while True:
        at += 1
        aws = again()
        chosen = recovery_of(aws).point("newest").id
        few = RecoveryContext(aws, inventory(keep=Keep(0, 0, 0)), aws.clock, aws.fetch)

        def happens(aws: FakeAws = aws, few: RecoveryContext = few, chosen: str = chosen) -> None:
            held = few.ledger.leases.take("a scheduled run", PROTECT)
            for number in range(RECENT + 1):
                moment = stamp(aws.clock.now() + number)
                few.ledger.index_point(PointLine(f"9{number:02d}", PARTIAL, moment), held)
            newest = next(line for line in few.ledger.points() if line.id == chosen)
            few.ledger.index_point(replace(newest, id="999", created_at=stamp(aws.clock.now() + 99)), held)
            few.records.write_point(replace(few.records.point(chosen), id="999"), {})
            prune(few, False)

        client = Interleaved(aws, at, happens)
        aws.dark.add(PRIMARY)
        context = RecoveryContext(client, inventory(), aws.clock, aws.fetch)
        journal = run_failover(context, "runner", side_by_side=1)
        if client.calls < at:
            break
        assert journal is not None and journal.state == SUCCEEDED
        found = journal.proven("choose-point")
        assert found is not None
        taken.add(str(found.evidence["point"]))
        copies = volumes(found.evidence["volumes"]["index"]).copies
        assert copies.keys() <= aws.snapshots[STANDBY].keys()
    assert taken == {chosen, "999"}, "it was chosen before and after"


def test_a_scheduled_run_that_sleeps_between_its_record_and_its_line_lists_nothing(
    aws: FakeAws, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one had let go of what it stands on: every failover after that chose it, and failed."""
    other = recovery_of(aws, "the next scheduled run")

    class Sleeping(Wrapper):
        slept = False

        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            answer = super().call(service, operation, region, **parameters)
            if operation == "put_object" and "points/" in str(parameters["Key"]) and not self.slept:
                self.slept = True
                aws.clock.sleep(61)
                assert other.protect() is not None
            return answer

    aws.clock.sleep(20)
    sleeper = RecoveryContext(Sleeping(aws), inventory(), aws.clock, aws.fetch)
    before = stamp(aws.clock.now())
    with pytest.raises(EpochStale):
        Recovery(sleeper, "sleeper").protect()
    listed = [each for each in other.points(50) if each.created_at >= before]
    assert [each.id for each in listed] == [other.point("newest").id]
    assert "inference: s3:put_object was done late" in caplog.text, "whoever finds the record can tell whose it is"
    aws.dark.add(PRIMARY)
    assert other.failover() is not None


def test_a_run_that_died_before_its_fence_is_closed_by_the_next_scheduled_run(aws: FakeAws) -> None:
    """The region came back by itself, nobody began another run, and `status` showed one under way for ever."""
    recovery = recovery_of(aws)
    recovery.context.ledger.open_run("1-failover", "failover", recovery.context.ledger.leases.take("one that dies"))
    recovery.protect()
    assert recovery.runs()[0].state == "running", "whoever has the lease may be at work"
    aws.clock.sleep(LEASE_SECONDS + 1)
    recovery.protect()
    run = recovery.runs()[0]
    assert (run.run, run.state) == ("1-failover", "superseded") and "before it changed" in run.reason
    assert recovery.failover() is not None


def test_a_group_that_an_older_run_stops_before_it_is_healthy_is_started_again(aws: FakeAws) -> None:
    """Its step was proven and not looked at again: the checks waited for instances that nobody started, for ever."""
    failed_over(aws)

    def stopped() -> None:
        group = aws.groups[HOME]
        group.desired, group.instances, group.suspended = 0, [], ["Launch"]

    journal = recovery_of(aws).failback(observer=Undoing("scale-fleet", stopped))
    assert journal is not None and journal.state == SUCCEEDED
    whole(aws, PRIMARY)


def test_what_an_older_run_stops_while_nobody_is_at_work_is_started_before_traffic_comes(aws: FakeAws) -> None:
    """Its step was proven by the process that died: traffic waited for it, in every run that took this one up."""
    failed_over(aws)

    def stopped() -> None:
        group = aws.groups[HOME]
        group.desired, group.instances, group.suspended = 0, [], ["Launch"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recovery_of(aws).failback(observer=Undoing("checks", stopped))
    journal = recovery_of(aws).failback()
    assert journal is not None and journal.state == SUCCEEDED
    said = [(each.step, each.state) for each in journal.entries]
    again = said.index(("scale-fleet", WITHDRAWN))
    assert again < said.index(("scale-fleet", PROVEN), again) < said.index(("traffic", INTENDED))
    assert ("open-bucket-corpus", WITHDRAWN) not in said
    whole(aws, PRIMARY)


def test_a_late_act_of_before_any_run_made_a_region_serve_is_told_of_no_run_without_a_name(aws: FakeAws) -> None:
    ledger = recovery_of(aws).context.ledger
    ledger.note_late(LateAct(stamp(aws.clock.now()), "an older run", 1, 9, "s3:put_object", PRIMARY))
    assert fences_left(recovery_of(aws).context) == ()


def test_a_primary_that_falls_silent_is_asked_once_for_what_is_left_there_and_not_for_every_asset(
    aws: FakeAws,
) -> None:
    """Each silent call takes its whole patience: the scheduled run would have no time left for the next point."""
    aws.silent = {(PRIMARY, "autoscaling")}
    aws.made.clear()
    assert fences_left(recovery_of(aws).context) == ()
    asked = [service for service, _, region in aws.made if region == PRIMARY]
    assert asked == ["autoscaling"]


def test_a_fence_that_may_not_be_looked_at_is_told_and_the_others_are_looked_at_all_the_same(aws: FakeAws) -> None:
    """A group that can launch nothing would be found on the next busy day."""
    aws.denied = {"s3:get_bucket_policy"}
    aws.groups[HOME].suspended = ["Launch"]
    stopped, *unknown = fences_left(recovery_of(aws).context)
    assert "may launch nothing" in stopped
    assert [each.partition(" of an older run")[0] for each in unknown] == [
        "whether fence-bucket-checkpoints",
        "whether fence-bucket-corpus",
    ]
    assert all("s3:get_bucket_policy" in each for each in unknown)


def test_a_late_act_of_the_time_before_a_run_was_taken_up_again_is_looked_at_too(aws: FakeAws) -> None:
    """The first process had the epoch at which it was found; the one that goes on has a newer one."""
    ledger, clock = recovery_of(aws).context.ledger, aws.clock
    first = ledger.leases.take("the first process")
    ledger.open_run("run", "failover", first)
    ledger.append("run", Entry("preflight", PROVEN, stamp(clock.now()), first.epoch), 0, first)
    late = LateAct(stamp(clock.now()), "an older run", 1, first.epoch, "rds:failover_global_cluster", STANDBY)
    ledger.note_late(late)
    clock.sleep(LEASE_SECONDS + 1)
    second = ledger.leases.take("who goes on")
    ledger.open_run("run", "failover", second)
    ledger.append("run", Entry("preflight", PROVEN, stamp(clock.now()), second.epoch), 1, second)
    step = Step("look-again", "look-again", arguments=LookingAgain(steps=()))
    work = StepContext(
        step, "failover", "run", second.epoch, recovery_of(aws).context, lambda name: {}, None, lambda: None
    )
    found = ACTIONS["look-again"].ask(work)
    assert isinstance(found, Proven) and "an older run" in str(found.evidence)
