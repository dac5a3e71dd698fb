"""Scheduled every minute: look at the workload from outside and publish what was seen."""

from __future__ import annotations

import os
from typing import Any

from pilotlight.recovery.desk import open_from_environment
from pilotlight.recovery.probe import probe


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One look. The event of the schedule holds nothing that is needed."""
    desk = open_from_environment(os.environ, context.aws_request_id)
    seen = probe(desk.site)
    return {"healthy": seen.healthy, "answer": seen.answer, "active": seen.active}
