"""The phases of a run, in the field's words; a runbook is an order of them (runs/runbooks.py).

A kind contributes its steps to a phase and never knows which runbook it is in: only which region is to serve.
"""

from __future__ import annotations

from pilotlight.runtime.records.runs import Arguments, Step, Where

PREFLIGHT = "preflight"
"""Nothing is changed for a run that could not be carried out."""
FENCE = "fence"
"""Nothing starts and nothing is written in the region that serves no more."""
CHOOSE = "choose"
"""What is recovered from, kept in the journal."""
SYNC = "sync"
"""Data goes back while the other region still serves."""
QUIESCE = "quiesce"
"""Nobody writes any more."""
FINAL_SYNC = "final sync"
HAND_OVER = "hand over"
"""Who may write changes."""
RESTORE = "restore"
"""Data and its readers are made ready in the region that is to serve."""
START = "start"
CHECK = "check"
TRAFFIC = "traffic"
REST = "rest"
"""The region that serves no more costs what it costs while it waits."""
COMMIT = "commit"
PROTECT = "protect"
"""The other region has a copy again."""

PRIMARY, STANDBY = Where("primary"), Where("standby")
"""Where a step acts, and nothing more that it is told."""


def about(
    action: str,
    asset: str,
    arguments: Arguments,
    verb: str = "",
    needs: tuple[str, ...] = (),
    lasts: bool = True,
) -> Step:
    """A step about an asset, named after its action or, where the runbook says it otherwise, by a verb. `needs` are
    steps of the same phase that come before; what it needs of earlier phases the runbook adds."""
    return Step(f"{verb or action}-{asset}", action, asset, needs, arguments, lasts=lasts)
