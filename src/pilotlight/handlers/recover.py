"""Called by the alarm `active-unhealthy` through SNS, or by itself: drive the failover run, or leave it to a person.

Only that alarm may lead to a failover, only while the primary is the one that serves, and only if it has served since
before the alarm: events are delivered late, up to six hours (Lambda Developer Guide, "Asynchronous invocation"). Lambda
ends after 15 minutes; shortly before, the run stops cleanly and this function invokes itself asynchronously to go on
from the journal. An error that waiting may mend is tried again in the same way, a few times.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import Any

from pilotlight.clock import parse_stamp
from pilotlight.errors import PilotlightError
from pilotlight.records.runs import SUCCEEDED, WAITING
from pilotlight.recovery.desk import Recovery, open_from_environment

ALARM = "active-unhealthy"
AUTOMATIC = "automatic"
MARGIN_SECONDS = 30.0
"""Left before Lambda's timeout: longer than any single call may take."""
GO_ON_MAX = 40
"""Ten hours of invocations; a run that needs more needs a person."""
TRIES_MAX = 5
NOTHING = {"state": "nothing", "why": "the standby region serves already, or another run has ended since the alarm"}


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
    desk = open_from_environment(os.environ, f"recover {context.aws_request_id}")
    call = parse(event, desk.site.inventory.names.alarm(ALARM))
    if call is None:
        return {"state": "nothing", "why": "not an alarm that starts a run"}
    deadline = desk.site.clock.now() + context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    return answer(desk, call, deadline, context.function_name)


def answer(desk: Recovery, call: Call, deadline: float, function: str) -> dict[str, Any]:
    """Nothing where it is over, a request where a person has to say so, else the run."""
    if desk.is_over(call.seen_at):
        return NOTHING
    if not may_run(desk, call):
        request = desk.request(call.reason)
        return {"state": WAITING, "requested_at": request.requested_at}
    return drive(desk, call, deadline, function)


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
    try:
        return parse_stamp(str(text))
    except ValueError:
        return None


def may_run(desk: Recovery, call: Call) -> bool:
    """Whether the declaration lets runs begin by themselves, or a person has said so, or this one began already."""
    request = desk.site.ledger.request()
    approved = request is not None and bool(request.approved_by) and not request.run
    return desk.site.inventory.trigger == AUTOMATIC or approved or call.goes_on > 0


def drive(desk: Recovery, call: Call, deadline: float, function: str) -> dict[str, Any]:
    """Run until done, until the deadline, or until an error; then see to it that somebody goes on.

    Where another invocation runs, this one waits beside it: if that one dies, its lease ends and this one goes on.
    """
    try:
        journal = desk.failover(deadline, patience=deadline - desk.site.clock.now(), seen_at=call.seen_at)
    except PilotlightError as problem:
        if problem.transient and call.tries < TRIES_MAX:
            _go_on(desk, function, replace(call, tries=call.tries + 1))
        raise
    if journal is None:
        return NOTHING
    if journal.state != SUCCEEDED and call.goes_on < GO_ON_MAX:
        _go_on(desk, function, call)
    return {"state": journal.state, "run": journal.run, "epoch": journal.epoch}


def _go_on(desk: Recovery, function: str, call: Call) -> None:
    """Invoke this function again, asynchronously."""
    again = {"go_on": call.goes_on + 1, "tries": call.tries, "seen_at": call.seen_at}
    payload = json.dumps(again).encode()
    region = desk.site.inventory.standby
    desk.site.door.call("lambda", "invoke", region, FunctionName=function, InvocationType="Event", Payload=payload)
