"""Scheduled as often as the declaration says: make one recovery point.

Lambda ends a function after 15 minutes. What is under way then is gone on with by the next invocation, which this one
asks for, until the next scheduled run is due.
"""

from __future__ import annotations

import json
import os
from typing import Any

from pilotlight.runtime.errors import LeaseHeld
from pilotlight.runtime.points.protect import ScheduledRun
from pilotlight.runtime.recovery import Recovery, open_from_environment

MARGIN_SECONDS = 25.0
"""Left before Lambda's timeout: longer than one call may take, and the lease is given back in one more."""
UNTIL = "go_on_until"
"""Of an event: not a scheduled run but what one left under way, until then (seconds since 1970)."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One scheduled run, or going on with one; one that meets the last one still at work leaves it to it."""
    recovery = open_from_environment(os.environ, f"protect {context.aws_request_id}")
    remaining = context.get_remaining_time_in_millis() / 1000
    return answer(recovery, event, recovery.context.clock.now() + remaining - MARGIN_SECONDS, context.function_name)


def answer(recovery: Recovery, event: dict[str, Any], deadline: float, function: str) -> dict[str, Any]:
    """What an event comes to by the deadline (seconds since 1970)."""
    try:
        if UNTIL in event:
            run = recovery.go_on(float(event[UNTIL]), deadline)
        else:
            run = recovery.scheduled_run(deadline)
    except LeaseHeld as held:
        return {"point": None, "why": held.message}
    if run.waits_until is not None:
        _go_on(recovery, function, run.waits_until)
    return _told(run)


def _told(run: ScheduledRun) -> dict[str, Any]:
    if run.point is None and run.waits_until is None:
        return {"point": None, "why": "a run moves the workload, or nothing new is complete"}
    if run.point is None:
        return {"point": None, "why": "copies wait for others to end"}
    return {"point": run.point.id, "status": run.point.status, "problems": list(run.point.problems)}


def _go_on(recovery: Recovery, function: str, until: float) -> None:
    """Invoke this function again, asynchronously."""
    recovery.context.client.call(
        "lambda",
        "invoke",
        recovery.context.inventory.standby,
        FunctionName=function,
        InvocationType="Event",
        Payload=json.dumps({UNTIL: until}).encode(),
    )
