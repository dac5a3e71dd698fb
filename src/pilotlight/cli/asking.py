"""Asking before a run that costs something: the costs are named first, and nobody is asked where nobody can answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from pilotlight.cli.talk import say
from pilotlight.planning.plan import plan
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.errors import CallRefused, NotConfirmed
from pilotlight.runtime.points import choose, costs
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs.runbooks import FAILBACK, FAILOVER
from pilotlight.workload.model import Workload

STAYS = "Objects and rows come home. This does not:"


def before_failover(recovery: Recovery, workload: Workload, yes: bool) -> None:
    """Ask where the primary serves and answers; a run that has begun is gone on with, and a lost region costs no word.

    With --yes the primary is not even looked at: on the day nothing is asked of it.
    """
    context = recovery.context
    if yes or not _begins(recovery):
        return
    say(f"asking whether {context.inventory.primary} answers")
    if not _answers(recovery):
        return
    line = choose.newest_usable(context.ledger.points())
    point = context.records.point(line.id) if line else None
    forecast = plan(workload).forecast_rto_seconds
    told = costs.of_failover(context.inventory, point, stamp(context.clock.now()), forecast)
    what = f"Failing over from {context.inventory.primary}, which answers,"
    ask(what, f"{context.inventory.primary} answers. A failover now costs:", told, workload.workload)


def _begins(recovery: Recovery) -> bool:
    """Whether the failover would begin anew: nothing has moved yet, and the primary serves."""
    return recovery.active().region == recovery.context.inventory.primary and recovery.under_way(FAILOVER) is None


def _answers(recovery: Recovery) -> bool:
    """A refusal is an answer, too."""
    try:
        return recovery.context.answers(recovery.context.inventory.primary)
    except CallRefused:
        return True


def before_failback(recovery: Recovery, workload: Workload, yes: bool) -> None:
    """Tell what does not come home, and ask; a failback that has begun is gone on with."""
    told = costs.of_failback(recovery.context.inventory)
    if not told or not _goes_home(recovery):
        return
    if yes:
        name_costs(STAYS, told)
    else:
        ask("The failback", STAYS, told, workload.workload)


def _goes_home(recovery: Recovery) -> bool:
    """Whether the failback would begin anew: the standby serves, and no failback has moved anything."""
    return recovery.active().region != recovery.context.inventory.primary and recovery.under_way(FAILBACK) is None


def name_costs(title: str, told: Sequence[str]) -> None:
    """The title and a line for each cost."""
    say(title)
    for each in told:
        say(f"  - {each}")


def ask(what: str, title: str, told: Sequence[str], word: str) -> None:
    """Name the costs, then have the word typed; NotConfirmed where it was not, or where nobody can be asked."""
    name_costs(title, told)
    if not sys.stdin.isatty():
        raise NotConfirmed(what=what)
    if typer.prompt(f"Type {word} to go on", default="", show_default=False, err=True) != word:
        raise NotConfirmed(what=what)
