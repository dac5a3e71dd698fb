"""Called by alarms through SNS, or by itself: drive the failover run, or ask a person; tell people what needs them.

Only `active-unhealthy` may lead to a failover, only while the primary is the one that serves, or a failover is to be
gone on with, and only if it has served since before the alarm: events are delivered late, up to six hours (Lambda
Developer Guide, "Asynchronous invocation"); a request ends with its alarm. Lambda ends after 15 minutes; shortly
before, the run stops cleanly and this function invokes itself asynchronously to go on from the journal. An error that
waiting may mend is tried again, a few times.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.errors import PilotlightError, RunGivenUp
from pilotlight.runtime.naming import ACTIVE_UNHEALTHY as ALARM
from pilotlight.runtime.naming import ALARMS
from pilotlight.runtime.readiness import people
from pilotlight.runtime.readiness.bounds import LOOK_SECONDS_MAX
from pilotlight.runtime.records.runs import SUCCEEDED, WAITING
from pilotlight.runtime.recovery import Recovery, open_from_environment
from pilotlight.runtime.runs.runbooks import FAILOVER
from pilotlight.runtime.store.ledger import SERVING, Request
from pilotlight.runtime.store.sightings import HEALTHY

AUTOMATIC = "automatic"
MARGIN_SECONDS = 30.0
"""Left before Lambda's timeout: longer than any single call may take."""
GO_ON_MAX = 40
"""Ten hours of invocations; a run that needs more needs a person."""
TRIES_MAX = 5
NOTHING = {"state": "nothing", "why": "the standby region serves already, or another run has ended since the alarm"}
GOING_HOME = {
    "state": "nothing",
    "why": "a failback is under way, or was interrupted: `pilotlight failback` goes on with it",
}
WELL = {"state": "nothing", "why": "the probe has seen the primary healthy ever since the alarm went off"}
WELL_SECONDS = 240.0
"""The alarm counts three minutes, some of which may be from before the primary served again; after one more without
another bad look it is quiet, and the next loss makes it go off anew."""
LOOK_AGAIN_SECONDS = 10.0


@dataclass(frozen=True)
class Call:
    """Why this invocation is there: an alarm's words, or a run that goes on; `tries` are transient errors so far, and
    `seen_at` (seconds since 1970) is when the alarm went off."""

    reason: str = ""
    goes_on: int = 0
    tries: int = 0
    seen_at: float | None = None


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One invocation."""
    recovery = open_from_environment(os.environ, f"recover {context.aws_request_id}")
    target = "" if os.environ.get("AWS_ENDPOINT_URL") else people.ON_AWS
    call = parse(event, recovery.context.inventory.names.alarm(ALARM))
    if call is None:
        return hear(recovery, event, target)
    deadline = recovery.context.clock.now() + context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    return answer(recovery, call, deadline, context.function_name, target)


def answer(
    recovery: Recovery, call: Call, deadline: float, function: str, target: str = people.ON_AWS
) -> dict[str, Any]:
    """Nothing where it is over, a request where a person has to say so, else the run."""
    if recovery.is_over(call.seen_at):
        return NOTHING
    if recovery.is_going_home():
        return GOING_HOME
    if not call.goes_on and is_well(recovery, call, deadline):
        return WELL
    asked = _ask(recovery, call)
    if not may_run(recovery, call):
        return _wait(recovery, asked or recovery.request(call.reason), target)
    if not call.goes_on:
        with contextlib.suppress(PilotlightError):  # the run is worth more than the word of it; its end is told, too
            people.tell(recovery.context, people.begun(recovery.context, call.reason, target))
    return _told(recovery, call, lambda: drive(recovery, call, deadline, function), target)


def is_well(recovery: Recovery, call: Call, deadline: float) -> bool:
    """Whether the probe sees the active region healthy, at every look until the alarm has to be quiet again. A look
    that is too old, or says anything else, tells nothing against the alarm; one from before that region served says
    nothing of it, as the alarm's own minutes do not, and the next is waited for."""
    clock = recovery.context.clock
    until = min(clock.now() + WELL_SECONDS, deadline)
    while True:
        look, active = recovery.context.ledger.sightings.look(), recovery.active()
        if look is None or recovery.under_way(FAILOVER, active):
            return False
        of_before = active.state != SERVING or (bool(active.since) and parse_stamp(look.at) < parse_stamp(active.since))
        if not of_before and look.verdict != HEALTHY:
            return False
        if clock.now() - parse_stamp(look.at) > LOOK_SECONDS_MAX:
            return False
        if clock.now() >= until:
            return not of_before and call.seen_at is not None and parse_stamp(look.at) >= call.seen_at
        clock.sleep(LOOK_AGAIN_SECONDS)


def _ask(recovery: Recovery, call: Call) -> Request | None:
    """Where a person has to say so: what was said to an earlier alarm says nothing of this one."""
    waits = recovery.context.inventory.trigger != AUTOMATIC and not call.goes_on and recovery.active().state == SERVING
    alarm_at = stamp(call.seen_at) if call.seen_at is not None else ""
    return recovery.context.ledger.ask_for_approval(call.reason, alarm_at) if waits else None


def _wait(recovery: Recovery, request: Request, target: str) -> dict[str, Any]:
    """Tell people, once for each request; Lambda tries again where that fails."""
    if not request.told_at:
        people.tell(recovery.context, people.asked(recovery.context, request, target))
        recovery.context.ledger.told()
    return {"state": WAITING, "requested_at": request.requested_at}


def _told(recovery: Recovery, call: Call, act: Callable[[], dict[str, Any]], target: str) -> dict[str, Any]:
    """People are told how it ends: well, or with an error that nobody tries again."""
    try:
        found = act()
    except PilotlightError as problem:
        if not problem.transient or call.tries >= TRIES_MAX:
            with contextlib.suppress(PilotlightError):  # the log is to name what stopped the run
                people.tell(recovery.context, people.failed(recovery.context, problem, target))
        raise
    if found["state"] == SUCCEEDED:
        journal = recovery.context.ledger.journal(str(found["run"]))
        if journal is not None:
            people.tell(recovery.context, people.done(recovery.context, journal, target))
    return found


def hear(recovery: Recovery, event: dict[str, Any], target: str = people.ON_AWS) -> dict[str, Any]:
    """An alarm that starts no run: what needs a person is told, and a request ends with its alarm."""
    names, heard = recovery.context.inventory.names, "nothing"
    for record in event.get("Records", []):
        message = _message(record)
        alarm = next((each for each in ALARMS if names.alarm(each) == message.get("AlarmName")), "")
        state, moment = message.get("NewStateValue"), _moment(message.get("StateChangeTime"))
        at = stamp(moment if moment is not None else recovery.context.clock.now())
        if alarm == ALARM and state == "OK":
            ended = recovery.context.ledger.end_request(at)
            if ended is not None:
                people.tell(recovery.context, people.over(recovery.context, ended))
                heard = "over"
        elif alarm in people.TOLD and state == "ALARM":
            reason = str(message.get("NewStateReason", "no reason given"))
            people.tell(recovery.context, people.rings(recovery.context, alarm, reason, at, target))
            heard = "told"
    return {"state": heard, "why": "not an alarm that starts a run"}


def parse(event: dict[str, Any], alarm: str) -> Call | None:
    """What an event asks for; None where it asks for nothing (pure)."""
    if "go_on" in event:
        return Call("", int(event["go_on"]), int(event.get("tries", 0)), event.get("seen_at"))
    for record in event.get("Records", []):
        message = _message(record)
        if message.get("AlarmName") == alarm and message.get("NewStateValue") == "ALARM":
            reason = f"{alarm}: {message.get('NewStateReason', 'no reason given')}"
            return Call(reason, seen_at=_moment(message.get("StateChangeTime")))
    return None


def _message(record: dict[str, Any]) -> dict[str, Any]:
    try:
        found = json.loads(record["Sns"]["Message"])
    except (KeyError, TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _moment(text: Any) -> float | None:
    """Of a time as CloudWatch writes it into its messages; None where it is none."""
    with contextlib.suppress(ValueError):
        return parse_stamp(str(text))
    return None


def may_run(recovery: Recovery, call: Call) -> bool:
    """Whether the declaration lets runs begin by themselves, or a person has said so, or this one began already."""
    request = recovery.context.ledger.request()
    approved = request is not None and bool(request.approved_by) and not request.run
    return recovery.context.inventory.trigger == AUTOMATIC or approved or call.goes_on > 0


def drive(recovery: Recovery, call: Call, deadline: float, function: str) -> dict[str, Any]:
    """Run until done, until the deadline, or until an error; then see to it that somebody goes on.

    Where another invocation runs, this one waits beside it: if that one dies, its lease ends and this one goes on.
    """
    now = recovery.context.clock.now()
    try:
        journal = recovery.failover(deadline, deadline - now, now if call.seen_at is None else call.seen_at)
    except PilotlightError as problem:
        if problem.transient and call.tries < TRIES_MAX:
            _go_on(recovery, function, replace(call, tries=call.tries + 1))
        raise
    if journal is None:
        return NOTHING
    if journal.state != SUCCEEDED:
        if call.goes_on >= GO_ON_MAX:
            raise _given_up(recovery, journal.run, function)
        _go_on(recovery, function, call)
    return {"state": journal.state, "run": journal.run, "epoch": journal.epoch}


def _given_up(recovery: Recovery, run: str, function: str) -> RunGivenUp:
    inventory = recovery.context.inventory
    return RunGivenUp(
        workload=inventory.workload, run=run, times=GO_ON_MAX, function=function, region=inventory.standby
    )


def _go_on(recovery: Recovery, function: str, call: Call) -> None:
    """Invoke this function again, asynchronously."""
    again = {"go_on": call.goes_on + 1, "tries": call.tries, "seen_at": call.seen_at}
    payload = json.dumps(again).encode()
    region = recovery.context.inventory.standby
    recovery.context.client.call(
        "lambda", "invoke", region, FunctionName=function, InvocationType="Event", Payload=payload
    )
