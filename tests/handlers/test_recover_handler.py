"""What a user loses when one of these fails: a failover that does not start, or one that nothing calls for."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pilotlight.runtime.clock import FakeClock, parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, LeaseHeld, StepTimedOut
from pilotlight.runtime.handlers import recover
from pilotlight.runtime.handlers.recover import (
    GO_ON_MAX,
    GOING_HOME,
    TRIES_MAX,
    WELL,
    Call,
    answer,
    drive,
    hear,
    may_run,
    parse,
)
from pilotlight.runtime.readiness import people
from pilotlight.runtime.readiness.probe import probe
from pilotlight.runtime.records.runs import WAITING
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.ledger import FAILING_OVER, SWITCHING
from pilotlight.runtime.store.sightings import HEALTHY, LOST
from support.fake_aws import CORPUS, NAMES, PRIMARY, STANDBY, FakeAws, inventory, save

EVENTS = Path(__file__).parent.parent / "fixtures" / "events"
ALARM = NAMES.alarm("active-unhealthy")
FUNCTION = NAMES.function("recover")


def event(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return found


def lost(**changes: Any) -> tuple[FakeAws, Recovery]:
    """A protected workload whose primary is gone."""
    aws = FakeAws(FakeClock())
    recovery = Recovery(RecoveryContext(aws, inventory(**changes), aws.clock, aws.fetch), "test")
    recovery.initialise()
    aws.s3.write(CORPUS, "a", b"a")
    save(aws, 20)
    for _ in range(4):
        aws.clock.sleep(20)
        recovery.protect()
    aws.dark.add(PRIMARY)
    return aws, recovery


def altered(**message: str) -> dict[str, Any]:
    found = event("alarm")
    sns = found["Records"][0]["Sns"]
    sns["Message"] = json.dumps(json.loads(sns["Message"]) | message)
    return found


def test_the_alarm_starts_a_run() -> None:
    call = parse(event("alarm"), ALARM)
    assert call is not None and "3 datapoints were less than the threshold" in call.reason


@pytest.mark.parametrize(
    "other",
    [
        altered(NewStateValue="OK"),
        altered(AlarmName=NAMES.alarm("probe-silent")),
        event("schedule"),
        {"Records": [{"Sns": {"Message": "no JSON"}}]},
        {"Records": [{"Sns": {"Message": "[]"}}]},
        {"Records": [{}]},
        {},
    ],
)
def test_nothing_else_starts_one(other: dict[str, Any]) -> None:
    assert parse(other, ALARM) is None


def test_an_event_that_is_no_alarm_of_ours_is_heard_and_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody invokes the function by hand, or the rule for runs that ended calls it."""
    _, recovery = lost()
    monkeypatch.setattr(recover, "open_from_environment", lambda environment, holder: recovery)
    context = SimpleNamespace(aws_request_id="r", get_remaining_time_in_millis=lambda: 900_000, function_name=FUNCTION)
    for other in ({}, {"detail": {}}, altered(AlarmName="another")):
        assert "run" not in recover.handler(other, context)
    assert recovery.runs() == []
    assert "run" in recover.handler(event("alarm"), context)


def test_a_declaration_that_asks_for_approval_waits_for_a_person() -> None:
    _, recovery = lost(trigger="approval")
    call = Call("alarm")
    assert not may_run(recovery, call)
    recovery.request(call.reason)
    assert not may_run(recovery, call)
    recovery.approve("somebody")
    assert may_run(recovery, call)
    assert recovery.failover() is not None
    assert not may_run(recovery, call), "the word was given for one run"
    assert may_run(recovery, Call(goes_on=1)), "a run that has begun goes on"


def test_an_automatic_run_ends_in_the_standby_region() -> None:
    aws, recovery = lost()
    assert may_run(recovery, Call("alarm"))
    answer = drive(recovery, Call("alarm"), aws.clock.now() + 800, FUNCTION)
    assert answer["state"] == "succeeded" and not aws.invoked
    assert drive(recovery, Call("alarm"), aws.clock.now() + 800, FUNCTION)["state"] == "nothing"


def test_before_the_timeout_the_function_invokes_itself_and_goes_on() -> None:
    aws, recovery = lost()
    call, answers = Call("alarm"), []
    for _ in range(GO_ON_MAX):
        answers.append(drive(recovery, call, aws.clock.now() + 7, FUNCTION)["state"])
        if not aws.invoked:
            break
        invoked = aws.invoked.pop()
        assert (invoked["FunctionName"], invoked["InvocationType"]) == (FUNCTION, "Event")
        following = parse(json.loads(invoked["Payload"]), ALARM)
        assert following is not None
        call = following
    assert len(answers) > 2 and answers[-1] == "succeeded" and set(answers[:-1]) == {"running"}
    assert aws.promotions == 1


def test_an_error_that_waiting_may_mend_is_tried_again_a_few_times() -> None:
    aws, recovery = lost()
    aws.short = {"g5.xlarge"}
    call, tries = Call("alarm"), 0
    while True:
        with pytest.raises(StepTimedOut):
            drive(recovery, call, aws.clock.now() + 10_000, FUNCTION)
        tries += 1
        if not aws.invoked:
            break
        following = parse(json.loads(aws.invoked.pop()["Payload"]), ALARM)
        assert following is not None
        call = following
    assert tries == TRIES_MAX + 1


def test_an_error_that_needs_a_person_is_not_tried_again() -> None:
    aws, recovery = lost()
    aws.denied.add("rds:failover_global_cluster")
    with pytest.raises(CallRefused):
        drive(recovery, Call("alarm"), aws.clock.now() + 800, FUNCTION)
    assert not aws.invoked


def test_an_invocation_beside_one_that_died_takes_over_when_its_lease_ends() -> None:
    aws, recovery = lost()
    recovery.context.ledger.leases.take("one that died")
    assert drive(recovery, Call("alarm"), aws.clock.now() + 800, FUNCTION)["state"] == "succeeded"


def went_there_and_back(aws: FakeAws, recovery: Recovery) -> None:
    """A person has failed over and, the region being back, home again."""
    assert recovery.failover() is not None
    aws.dark.clear()
    assert recovery.failback() is not None


def test_an_alarm_that_is_delivered_after_everything_is_over_fails_nothing_over() -> None:
    aws, recovery = lost()
    late = Call("alarm", seen_at=aws.clock.now())
    aws.clock.sleep(1)
    went_there_and_back(aws, recovery)
    assert drive(recovery, late, aws.clock.now() + 800, FUNCTION)["state"] == "nothing"
    assert (recovery.active().region, aws.promotions) == (PRIMARY, 1)
    aws.clock.sleep(1)
    new = Call("alarm", seen_at=aws.clock.now())
    aws.dark.add(PRIMARY)
    for _ in range(2):
        aws.clock.sleep(20)
    assert drive(recovery, new, aws.clock.now() + 800, FUNCTION)["state"] == "succeeded", "the next alarm is a new one"


def test_an_alarm_that_is_over_leaves_no_request_for_somebody_to_approve() -> None:
    aws, recovery = lost(trigger="approval")
    late = Call("alarm", seen_at=aws.clock.now())
    deadline = aws.clock.now() + 10_000
    assert answer(recovery, late, deadline, FUNCTION)["state"] == WAITING
    recovery.approve("somebody")
    aws.clock.sleep(1)
    went_there_and_back(aws, recovery)
    before = recovery.context.ledger.request()
    assert answer(recovery, late, deadline, FUNCTION)["state"] == "nothing"
    assert recovery.context.ledger.request() == before


def test_an_alarm_that_waits_beside_a_person_who_goes_there_and_back_fails_nothing_over() -> None:
    aws, recovery = lost()
    lease = recovery.context.ledger.leases.take("somebody who is at it")
    seen, sleep = Call("alarm", seen_at=aws.clock.now()), aws.clock.sleep

    def while_it_waits(seconds: float) -> None:
        aws.clock.sleep = sleep  # type: ignore[method-assign]
        sleep(seconds)
        recovery.context.ledger.leases.release(lease)
        went_there_and_back(aws, recovery)

    aws.clock.sleep = while_it_waits  # type: ignore[method-assign]
    assert drive(recovery, seen, aws.clock.now() + 800, FUNCTION)["state"] == "nothing"
    assert (recovery.active().region, aws.promotions) == (PRIMARY, 1)


def looks_at_every_wait(aws: FakeAws, recovery: Recovery) -> None:
    sleep = aws.clock.sleep

    def looking(seconds: float) -> None:
        sleep(seconds)
        probe(recovery.context)

    aws.clock.sleep = looking  # type: ignore[method-assign]


def test_an_alarm_over_minutes_of_before_fails_nothing_over_while_the_probe_sees_the_primary_well() -> None:
    """Its window may hold bad minutes from before the way home; the region that serves would be taken down for them."""
    aws, recovery = lost()
    aws.dark.clear()
    probe(recovery.context)
    looks_at_every_wait(aws, recovery)
    rang = Call("alarm", seen_at=aws.clock.now())
    assert answer(recovery, rang, aws.clock.now() + 800, FUNCTION) == WELL
    assert (recovery.active().region, aws.promotions) == (PRIMARY, 0)


def test_a_look_from_before_the_way_home_fails_nothing_over() -> None:
    """The alarm rings a moment after the switch, and the probe has not looked at the primary yet."""
    aws, recovery = lost()
    assert recovery.failover() is not None
    aws.dark.clear()
    recovery.context.ledger.sightings.keep_look(
        LOST, STANDBY, ("no answer from outside",), HEALTHY, stamp(aws.clock.now())
    )
    assert recovery.failback() is not None
    looks_at_every_wait(aws, recovery)
    assert answer(recovery, Call("alarm", seen_at=aws.clock.now() + 1), aws.clock.now() + 800, FUNCTION) == WELL
    assert (recovery.active().region, aws.promotions) == (PRIMARY, 1)


def interrupted_on_the_way_home(aws: FakeAws, recovery: Recovery) -> None:
    """A failback has stopped the standby and died; both regions answer."""
    assert recovery.failover() is not None
    aws.dark.clear()
    held = recovery.context.ledger.leases.take("somebody who went home")
    run = "20991231T000000000Z-failback"
    recovery.context.ledger.claim(held, PRIMARY)
    recovery.context.ledger.open_run(run, "failback", held)
    recovery.context.ledger.set_active(PRIMARY, SWITCHING, run, held.epoch, held.epoch)
    recovery.context.ledger.leases.release(held)


def test_an_interrupted_failback_is_no_state_to_fail_over_from_by_itself() -> None:
    """What was written last in the standby would be lost by a promotion that nobody asked for."""
    aws, recovery = lost()
    interrupted_on_the_way_home(aws, recovery)
    before = aws.promotions
    call = Call("alarm", seen_at=aws.clock.now() + 1)
    assert answer(recovery, call, aws.clock.now() + 800, FUNCTION) == GOING_HOME
    assert drive(recovery, call, aws.clock.now() + 800, FUNCTION)["state"] == "nothing", "nor after it has the lease"
    assert drive(recovery, Call("alarm"), aws.clock.now() + 800, FUNCTION)["state"] == "nothing", "nor without a time"
    assert (aws.promotions, recovery.active().state) == (before, SWITCHING)
    assert recovery.failback() is not None and recovery.active().region == PRIMARY


def test_a_run_of_a_clock_that_is_ahead_does_not_hide_the_one_that_changed_who_serves() -> None:
    _, recovery = lost()
    held = recovery.context.ledger.leases.take("one")
    recovery.context.ledger.claim(held, PRIMARY)
    recovery.context.ledger.open_run("20260101T000000000Z-failover", "failover", held)
    recovery.context.ledger.set_active(STANDBY, FAILING_OVER, "20260101T000000000Z-failover", held.epoch, held.epoch)
    recovery.context.ledger.open_run("20991231T000000000Z-failover", "failover", held)
    recovery.context.ledger.leases.release(held)
    journal = recovery.failover()
    assert journal is not None and journal.run == "20260101T000000000Z-failover"


def test_a_run_that_failed_long_ago_lets_no_stale_alarm_fail_a_healthy_region_over() -> None:
    aws, recovery = lost()
    aws.dark.clear()
    held = recovery.context.ledger.leases.take("somebody before")
    recovery.context.ledger.open_run("20230101T000000000Z-failover", "failover", held)
    recovery.context.ledger.close_run(
        "20230101T000000000Z-failover", "failover", held, "failed", "there was no complete point"
    )
    recovery.context.ledger.leases.release(held)
    probe(recovery.context)
    looks_at_every_wait(aws, recovery)
    assert answer(recovery, Call("alarm", seen_at=aws.clock.now()), aws.clock.now() + 800, FUNCTION) == WELL
    assert aws.promotions == 0


def test_a_primary_that_is_lost_as_soon_as_it_serves_again_is_failed_over() -> None:
    """Whoever waits for the first look at it may not wait for good, whether that comes or not."""
    for looked_at in (True, False):
        aws, recovery = lost()
        went_there_and_back(aws, recovery)
        before = aws.promotions
        aws.dark.add(PRIMARY)
        if looked_at:
            looks_at_every_wait(aws, recovery)
        rang = Call("alarm", seen_at=aws.clock.now() + 1)
        assert answer(recovery, rang, aws.clock.now() + 800, FUNCTION)["state"] == "succeeded"
        assert (recovery.active().region, aws.promotions) == (STANDBY, before + 1)


def test_a_region_that_is_lost_while_the_alarm_is_doubted_is_failed_over_at_the_next_look() -> None:
    aws, recovery = lost()
    aws.dark.clear()
    probe(recovery.context)
    sleep, rang = aws.clock.sleep, Call("alarm", seen_at=aws.clock.now())

    def lost_meanwhile(seconds: float) -> None:
        aws.clock.sleep = sleep  # type: ignore[method-assign]
        aws.dark.add(PRIMARY)
        sleep(seconds)
        probe(recovery.context)

    aws.clock.sleep = lost_meanwhile  # type: ignore[method-assign]
    assert answer(recovery, rang, aws.clock.now() + 800, FUNCTION)["state"] == "succeeded"
    assert recovery.active().region == STANDBY


def test_a_look_that_is_old_says_nothing_against_an_alarm() -> None:
    aws, recovery = lost()
    aws.dark.clear()
    probe(recovery.context)
    aws.dark.add(PRIMARY)
    aws.clock.sleep(301)
    assert (
        answer(recovery, Call("alarm", seen_at=aws.clock.now()), aws.clock.now() + 800, FUNCTION)["state"]
        == "succeeded"
    )


def test_an_alarm_says_when_it_went_off_and_a_run_that_goes_on_remembers_it() -> None:
    call = parse(event("alarm"), ALARM)
    assert call is not None and call.seen_at == parse_stamp("2026-01-02T03:04:05.678Z")
    assert parse(altered(StateChangeTime="yesterday"), ALARM) == Call(call.reason)
    assert parse({"go_on": 2, "tries": 1, "seen_at": 5.0}, ALARM) == Call("", 2, 1, 5.0)


def test_an_invocation_without_time_leaves_it_to_the_next() -> None:
    aws, recovery = lost()
    recovery.context.ledger.leases.take("another")
    with pytest.raises(LeaseHeld):
        drive(recovery, Call("alarm"), aws.clock.now() + 3, FUNCTION)
    assert len(aws.invoked) == 1
    assert STANDBY not in aws.dark


def rang(aws: FakeAws, recovery: Recovery, seconds: float = 0) -> Call:
    """The alarm goes off, and is answered."""
    aws.clock.sleep(seconds)
    call = Call("the region is lost", seen_at=aws.clock.now())
    answer(recovery, call, aws.clock.now() + 10_000, FUNCTION)
    return call


def message(alarm: str, state: str, moment: float) -> dict[str, Any]:
    return altered(AlarmName=NAMES.alarm(alarm), NewStateValue=state, StateChangeTime=stamp(moment))


def test_a_person_is_asked_once_with_what_is_seen_what_is_lost_and_what_to_type() -> None:
    aws, recovery = lost(trigger="approval")
    probe(recovery.context)
    call = rang(aws, recovery)
    answer(recovery, call, aws.clock.now() + 10_000, FUNCTION)
    ((subject, text),) = aws.told
    assert subject == "inference: a failover to us-west-2 waits for your word"
    assert "Seen: the region is lost" in text and f"{PRIMARY} is lost since" in text
    assert "  corpus: up to " in text and ", written after " in text and "  fleet:" not in text
    assert "pilotlight failover workload.yaml --approve --target aws" in text
    found = recovery.context.ledger.open_request()
    assert found is not None and found.told_at


def test_a_request_that_nobody_could_be_told_of_is_told_when_lambda_tries_again() -> None:
    aws, recovery = lost(trigger="approval")
    aws.denied.add("sns:publish")
    with pytest.raises(CallRefused):
        rang(aws, recovery)
    found = recovery.context.ledger.open_request()
    assert found is not None and not found.told_at
    aws.denied.clear()
    answer(recovery, Call("the region is lost", seen_at=aws.clock.now()), aws.clock.now() + 10_000, FUNCTION)
    assert len(aws.told) == 1


def test_a_request_ends_with_its_alarm_and_the_next_alarm_asks_anew() -> None:
    aws, recovery = lost(trigger="approval")
    rang(aws, recovery)
    first = recovery.context.ledger.open_request()
    aws.clock.sleep(60)
    assert hear(recovery, message("active-unhealthy", "OK", aws.clock.now()))["state"] == "over"
    assert recovery.context.ledger.open_request() is None and "not asked for any more" in aws.told[-1][0]
    call = rang(aws, recovery, 600)
    second = recovery.context.ledger.open_request()
    assert first is not None and second is not None and second.requested_at > first.requested_at
    assert len(aws.told) == 3 and not may_run(recovery, call)


def test_a_word_that_was_given_for_an_earlier_alarm_starts_nothing_for_the_next() -> None:
    aws, recovery = lost(trigger="approval")
    rang(aws, recovery)
    recovery.approve("somebody")
    call = rang(aws, recovery, 600)
    found = recovery.context.ledger.open_request()
    assert found is not None and not found.approved_by and not may_run(recovery, call)
    assert aws.promotions == 0


def test_an_end_that_is_delivered_after_the_next_alarm_ends_nothing() -> None:
    aws, recovery = lost(trigger="approval")
    late = aws.clock.now()
    rang(aws, recovery, 60)
    assert hear(recovery, message("active-unhealthy", "OK", late))["state"] == "nothing"
    assert recovery.context.ledger.open_request() is not None


def test_a_run_that_begins_by_itself_is_told_and_so_is_its_end() -> None:
    aws, recovery = lost()
    rang(aws, recovery)
    assert [subject for subject, _ in aws.told] == [
        "inference: a failover to us-west-2 begins",
        "inference: serves in us-west-2",
    ]
    assert "pilotlight failback workload.yaml --target aws" in aws.told[-1][1]


def test_a_run_that_stopped_for_good_reaches_a_person() -> None:
    aws, recovery = lost()
    aws.denied.add("rds:failover_global_cluster")
    with pytest.raises(CallRefused):
        rang(aws, recovery)
    subject, text = aws.told[-1]
    assert "has stopped and needs you" in subject and "rds:failover_global_cluster" in text


def test_a_failover_is_not_held_up_by_a_topic_that_refuses() -> None:
    aws, recovery = lost()
    aws.denied.add("sns:publish")
    with pytest.raises(CallRefused):
        rang(aws, recovery)
    assert recovery.active().region == STANDBY, "it is done; that nobody could be told is told by the function's errors"


@pytest.mark.parametrize("alarm", sorted(people.TOLD))
def test_what_stands_still_reaches_a_person_in_words(alarm: str) -> None:
    aws, recovery = lost()
    assert hear(recovery, message(alarm, "ALARM", aws.clock.now()))["state"] == "told"
    subject, text = aws.told[-1]
    assert subject == f"inference: {alarm}" and "pilotlight status workload.yaml --target aws" in text
    assert hear(recovery, message(alarm, "OK", aws.clock.now()))["state"] == "nothing"
    assert "--target" not in people.rings(recovery.context, alarm, "", "", "").text, (
        "in a rehearsal it is typed without"
    )


def test_a_workload_without_a_point_is_told_that_a_failover_would_find_none() -> None:
    aws = FakeAws(FakeClock())
    recovery = Recovery(RecoveryContext(aws, inventory(trigger="approval"), aws.clock, aws.fetch), "test")
    rang(aws, recovery)
    assert "no complete recovery point" in aws.told[-1][1] and "has not looked yet" in aws.told[-1][1]


def test_the_end_of_another_alarm_ends_no_request() -> None:
    """The person whose word a failover waits for would be told that nobody asks for it any more."""
    aws, recovery = lost(trigger="approval")
    rang(aws, recovery)
    aws.clock.sleep(60)
    assert hear(recovery, message("protect-failing", "OK", aws.clock.now()))["state"] == "nothing"
    assert recovery.context.ledger.open_request() is not None
