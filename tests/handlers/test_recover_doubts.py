"""What a user loses when one of these fails: a doubted alarm that was none, or a person who was told nothing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pilotlight.runtime.clock import FakeClock, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import RunGivenUp, StepTimedOut
from pilotlight.runtime.handlers import recover
from pilotlight.runtime.handlers.recover import (
    GO_ON_MAX,
    MARGIN_SECONDS,
    TRIES_MAX,
    WELL_SECONDS,
    Call,
    answer,
    drive,
    hear,
    parse,
)
from pilotlight.runtime.readiness.bounds import LOOK_SECONDS_MAX
from pilotlight.runtime.records.runs import WAITING
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.ledger import FAILING_OVER, SERVING, SWITCHING
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


def rang(aws: FakeAws, recovery: Recovery, seconds: float = 0) -> Call:
    """The alarm goes off, and is answered."""
    aws.clock.sleep(seconds)
    call = Call("the region is lost", seen_at=aws.clock.now())
    answer(recovery, call, aws.clock.now() + 10_000, FUNCTION)
    return call


def seen_by(recovery: Recovery, verdict: str, at: float) -> None:
    """The probe's newest look."""
    recovery.context.ledger.sightings.keep_look(verdict, PRIMARY, (), HEALTHY, stamp(at))


def well(aws: FakeAws, recovery: Recovery, call: Call, seconds: float = 10_000) -> bool:
    return recover.is_well(recovery, call, aws.clock.now() + seconds)


def test_without_a_look_or_with_one_that_is_old_or_bad_an_alarm_is_believed() -> None:
    aws, recovery = lost()
    call = Call("alarm", seen_at=aws.clock.now())
    assert not well(aws, recovery, call), "nobody has looked"
    seen_by(recovery, LOST, aws.clock.now())
    assert not well(aws, recovery, call)
    seen_by(recovery, HEALTHY, aws.clock.now() - LOOK_SECONDS_MAX - 1)
    before = aws.clock.now()
    assert not well(aws, recovery, call) and aws.clock.now() == before


def test_an_alarm_is_doubted_until_it_has_to_be_quiet_again_and_no_longer() -> None:
    aws, recovery = lost()
    began, sleep = aws.clock.now(), aws.clock.sleep

    def looking(seconds: float) -> None:
        sleep(seconds)
        seen_by(recovery, HEALTHY, aws.clock.now())

    aws.clock.sleep = looking  # type: ignore[method-assign]
    seen_by(recovery, HEALTHY, began)
    assert well(aws, recovery, Call("alarm", seen_at=began))
    assert aws.clock.now() - began == WELL_SECONDS
    began = aws.clock.now()
    assert well(aws, recovery, Call("alarm", seen_at=began), 35)
    assert aws.clock.now() - began == 40, "the function ends before that"
    assert not well(aws, recovery, Call("alarm"), 0), "when it went off is not told"
    assert not well(aws, recovery, Call("alarm", seen_at=aws.clock.now() + 1), 0), "the look is from before it"
    assert well(aws, recovery, Call("alarm", seen_at=aws.clock.now()), 0)


def test_a_look_from_before_a_region_served_says_nothing_of_it_and_the_next_is_waited_for() -> None:
    aws, recovery = lost()
    held = recovery.context.ledger.leases.take("somebody")
    recovery.context.ledger.claim(held, PRIMARY)
    seen_by(recovery, LOST, aws.clock.now())
    aws.clock.sleep(1)
    recovery.context.ledger.set_active(PRIMARY, SERVING, "run", held.epoch, held.epoch)
    call, began = Call("alarm", seen_at=aws.clock.now()), aws.clock.now()
    assert not well(aws, recovery, call, 40)
    assert aws.clock.now() - began == 40, "it was waited for"
    recovery.context.ledger.set_active(PRIMARY, SWITCHING, "run", held.epoch, held.epoch)
    seen_by(recovery, LOST, aws.clock.now())
    began = aws.clock.now()
    assert not well(aws, recovery, call, 20) and aws.clock.now() - began == 20, "no region serves"


@pytest.mark.parametrize(
    ("trigger", "call", "active", "asked"),
    [
        ("approval", Call("a", seen_at=1.0), SERVING, True),
        ("approval", Call("a"), SERVING, True),
        ("approval", Call(goes_on=1), SERVING, False),
        ("approval", Call("a"), FAILING_OVER, False),
        ("automatic", Call("a"), SERVING, False),
    ],
)
def test_a_person_is_asked_only_where_a_run_that_begins_needs_their_word(
    trigger: str, call: Call, active: str, asked: bool
) -> None:
    _, recovery = lost(trigger=trigger)
    if active != SERVING:
        held = recovery.context.ledger.leases.take("somebody")
        recovery.context.ledger.claim(held, PRIMARY)
        recovery.context.ledger.set_active(STANDBY, active, "run", held.epoch, held.epoch)
    found = recover._ask(recovery, call)
    assert (found is not None) is asked
    if found is not None:
        assert found.alarm_at == (stamp(1.0) if call.seen_at else "")


def test_a_run_that_needs_more_invocations_than_any_should_is_given_up_and_told() -> None:
    aws, recovery = lost()
    deadline = aws.clock.now() + 7
    assert drive(recovery, Call("alarm", goes_on=GO_ON_MAX - 1), deadline, FUNCTION)["state"] == "running"
    payload = json.loads(aws.invoked.pop()["Payload"])
    assert payload == {"go_on": GO_ON_MAX, "tries": 0, "seen_at": None}
    with pytest.raises(RunGivenUp):
        drive(recovery, Call("alarm", goes_on=GO_ON_MAX), aws.clock.now() + 1, FUNCTION)
    assert not aws.invoked


def test_a_run_that_goes_on_tells_nobody_that_it_begins_and_everybody_how_it_ends() -> None:
    aws, recovery = lost()
    answer(recovery, Call("", goes_on=1), aws.clock.now() + 10_000, FUNCTION)
    assert [subject for subject, _ in aws.told] == ["inference: serves in us-west-2"]
    aws, recovery = lost()
    answer(recovery, Call("", goes_on=1, tries=1), aws.clock.now() + 10_000, FUNCTION)
    assert [subject for subject, _ in aws.told] == ["inference: serves in us-west-2"]


@pytest.mark.parametrize(("tries", "told"), [(0, 0), (TRIES_MAX - 1, 0), (TRIES_MAX, 1)])
def test_an_error_is_told_when_nobody_tries_again(tries: int, told: int) -> None:
    aws, recovery = lost()
    aws.short = {"g5.xlarge"}
    with pytest.raises(StepTimedOut):
        answer(recovery, Call("", goes_on=1, tries=tries), aws.clock.now() + 10_000, FUNCTION)
    assert len([subject for subject, _ in aws.told if "has stopped and needs you" in subject]) == told
    assert len(aws.invoked) == 1 - told


def test_a_run_that_pauses_or_finds_nothing_to_do_tells_nobody_that_it_is_done() -> None:
    aws, recovery = lost()
    assert answer(recovery, Call("", goes_on=1), aws.clock.now() + 7, FUNCTION)["state"] == "running"
    assert aws.told == []
    recovery.failover()
    assert answer(recovery, Call("", goes_on=1), aws.clock.now() + 800, FUNCTION)["state"] == "nothing"
    assert aws.told == []


def test_of_several_records_the_one_that_is_the_alarm_counts() -> None:
    records = [{}, *altered(NewStateValue="OK")["Records"], *event("alarm")["Records"]]
    found = parse({"Records": records}, ALARM)
    assert found is not None and found.reason.startswith(f"{ALARM}: ")
    bare = altered()
    sns = bare["Records"][0]["Sns"]
    sns["Message"] = json.dumps({"AlarmName": ALARM, "NewStateValue": "ALARM"})
    assert parse(bare, ALARM) == Call(f"{ALARM}: no reason given")
    assert parse({"go_on": "3"}, ALARM) == Call("", 3)


def test_an_alarm_that_was_heard_without_a_time_is_of_now() -> None:
    aws, recovery = lost(trigger="approval")
    rang(aws, recovery)
    aws.clock.sleep(60)
    ended = altered(AlarmName=ALARM, NewStateValue="OK", StateChangeTime="no time")
    assert hear(recovery, ended)["state"] == "over"
    assert hear(recovery, ended)["state"] == "nothing", "nothing is asked for any more"
    assert hear(recovery, {"Records": [{"Sns": {"Message": "[1]"}}]})["state"] == "nothing"


def test_the_function_stops_so_long_before_its_end_that_a_call_can_still_be_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    aws, recovery = lost()
    deadlines = list[float]()
    monkeypatch.setattr(recover, "open_from_environment", lambda environment, holder: recovery)
    monkeypatch.setattr(recover, "answer", lambda recovery, call, deadline, *rest: deadlines.append(deadline) or {})
    context = SimpleNamespace(aws_request_id="r", get_remaining_time_in_millis=lambda: 900_000, function_name=FUNCTION)
    recover.handler(event("alarm"), context)
    assert deadlines == [aws.clock.now() + 900 - MARGIN_SECONDS]


def test_an_alarm_that_starts_no_run_reaches_people_through_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing would be protected any more, and nobody told."""
    aws, recovery = lost()
    monkeypatch.setattr(recover, "open_from_environment", lambda environment, holder: recovery)
    context = SimpleNamespace(aws_request_id="r", get_remaining_time_in_millis=lambda: 900_000, function_name=FUNCTION)
    heard = recover.handler(altered(AlarmName=NAMES.alarm("protect-failing")), context)
    assert heard["state"] == "told" and len(aws.told) == 1


def test_a_failover_that_died_where_a_person_decides_asks_them_whether_it_goes_on() -> None:
    """The function would end in an error, and nobody would know that a region is half failed over."""
    aws, recovery = lost(trigger="approval")
    ledger = recovery.context.ledger
    held = ledger.leases.take("a run that died")
    ledger.claim(held, PRIMARY)
    ledger.set_active(STANDBY, FAILING_OVER, "a run", held.epoch, held.epoch)
    ledger.leases.release(held)
    call = Call("the region is lost", seen_at=aws.clock.now())
    assert answer(recovery, call, aws.clock.now() + 800, FUNCTION)["state"] == WAITING
    assert len(aws.told) == 1 and ledger.open_request() is not None
