"""Scheduled as often as the declaration says: make one recovery point."""

from __future__ import annotations

import os
from typing import Any

from pilotlight.runtime.errors import LeaseHeld
from pilotlight.runtime.recovery import open_from_environment

MARGIN_SECONDS = 25.0
"""Left before Lambda's timeout: longer than one call may take, and the lease is given back in one more."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One scheduled run; one that meets the last one still at work leaves it to it."""
    recovery = open_from_environment(os.environ, f"protect {context.aws_request_id}")
    remaining = context.get_remaining_time_in_millis() / 1000
    try:
        point = recovery.protect(deadline=recovery.context.clock.now() + remaining - MARGIN_SECONDS)
    except LeaseHeld as held:
        return {"point": None, "why": held.message}
    if point is None:
        return {"point": None, "why": "the primary region does not serve, or a run goes on"}
    return {"point": point.id, "status": point.status, "problems": list(point.problems)}
