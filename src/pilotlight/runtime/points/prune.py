"""Pruning: what the retention policy lets go - points first, then the copies that no point stands on any more.

A point that is let go is taken off the list, and what it stands on stays for GRACE_SECONDS more, or for as long as a
run that has chosen it goes on. The order makes that safe without a lock: here a point leaves the list before the
choices are read; a run registers its choice before it asks whether the point is listed still. One of them sees the
other. Killed in between, the next scheduled run goes on: what is unneeded is computed from what is there, not
remembered.
"""

from __future__ import annotations

from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.registry import by_kind
from pilotlight.runtime.points.retention import kept
from pilotlight.runtime.records.runs import RUNNING
from pilotlight.runtime.store.ledger import PointLine

GRACE_SECONDS = 900.0
"""The longest life of a Lambda function (Lambda quotas): whoever read of a point before has ended by then, or has
registered that it goes by it."""


def prune(context: RecoveryContext, primary_answers: bool) -> None:
    """Let go of what the retention policy does not keep: points first, then copies that no point stands on."""
    ledger = context.ledger
    lines = ledger.points()
    stay = kept(lines, context.inventory.keep)
    for line in lines:
        if line.id not in stay:
            ledger.let_go(line)
    chosen = _chosen(context)
    before = stamp(context.clock.now() - GRACE_SECONDS)
    gone = ledger.gone_points()
    over = [line for line, at in gone if at < before and line.id not in chosen]
    needed_by = [*lines, *(line for line, _ in gone if line not in over)]
    _forget(context, over, {key for line in needed_by for key in line.manifests})
    needed = {name for line in needed_by for name in line.sets}
    for kind, assets in reversed(list(by_kind(context.inventory))):
        kind.prune(context, assets, needed, primary_answers)


def _forget(context: RecoveryContext, over: list[PointLine], manifests: set[str]) -> None:
    """Delete their records; the manifests that nothing else names first, as the lines alone remember them."""
    for key in sorted({key for line in over for key in line.manifests} - manifests):
        context.records.delete_manifest(key)
    for line in over:
        context.records.delete_point(line.id)
        context.ledger.forget_point(line.id)


def _chosen(context: RecoveryContext) -> set[str]:
    """The points that runs go by which have not ended; a choice of one that has is forgotten."""
    ledger, found = context.ledger, set[str]()
    active = ledger.active(context.inventory.primary)
    for run, point in ledger.choices().items():
        header = ledger.header(run)
        if header is not None and header.state != RUNNING and active.run != run:
            ledger.forget_choice(run)
        else:
            found.add(point)
    return found
