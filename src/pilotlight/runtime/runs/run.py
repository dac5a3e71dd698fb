"""One run from beginning to end: lease, journal, engine, result; and taking up again what another process left.

A run is gone on with as long as it is the one that changed who serves; one that died before its fence has changed
nothing, and a new one begins from a newer point. Whatever ends a process, the journal says how far it came, and the
lease lets the next one in after LEASE_SECONDS at the latest.

Whoever asks for a run has seen the world at a moment. Where it has changed since who serves, what they saw is over: an
alarm that is delivered late, or that waited beside a person's run, must not fail a healthy region over.
"""

from __future__ import annotations

import contextlib

from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import ChosenPointGone, EpochStale, LeaseHeld, PilotlightError
from pilotlight.runtime.records.runs import CHOSEN, PROVEN, SUCCEEDED, Entry, Journal, Runbook
from pilotlight.runtime.runs import runbooks
from pilotlight.runtime.runs.engine import Engine, Paused
from pilotlight.runtime.runs.register import ACTIONS
from pilotlight.runtime.runs.watching import UNWATCHED, Beside, Observer
from pilotlight.runtime.store.lease import PATIENCE_SECONDS, RUN, Held
from pilotlight.runtime.store.ledger import SERVING, SWITCHING, Active

FAILED = "failed"
INTERRUPTED = "interrupted by who ran it; no step was under way any more when its lease was given back"
TAKE_LEASE = "take-lease"
RELEASE_LEASE = "release-lease"
LAUNCHING = ("launch-one", "hold", "scale")
"""The actions by which instances come up with what the chosen point names."""
CHOICES_MAX = 10
"""More than any process lets go of while a run reads them; after that something deletes copies, and a person looks."""


def run_failover(
    context: RecoveryContext,
    holder: str,
    deadline: float | None = None,
    side_by_side: int = 0,
    patience: float = PATIENCE_SECONDS,
    seen_at: float | None = None,
    observer: Observer = UNWATCHED,
) -> Journal | None:
    """Bring the workload up in the standby region. None when it serves there already and nothing is left to do, or when
    who serves has changed since `seen_at`.

    `deadline` (seconds since 1970): the run stops cleanly before it and its journal stays `running`; call again.
    `patience` (seconds): how long another run is waited for before LeaseHeld.
    `seen_at` (seconds since 1970): when that was seen which calls for it by itself; without it a person does, now. By
    itself it begins in no state but that of a region which serves, or goes on with a failover.
    `observer` hears every line of the journal, of another's run too while that is waited for.
    """
    runbook = runbooks.failover(context.inventory)
    return _run(
        context, context.inventory.standby, runbook, holder, deadline, side_by_side, patience, seen_at, observer
    )


def run_failback(
    context: RecoveryContext,
    holder: str,
    deadline: float | None = None,
    side_by_side: int = 0,
    patience: float = PATIENCE_SECONDS,
    observer: Observer = UNWATCHED,
) -> Journal | None:
    """Bring the workload home with no object and no row lost. None when the primary serves already and nothing is left
    to do, or who serves has changed while it waited."""
    runbook = runbooks.failback(context.inventory)
    return _run(context, context.inventory.primary, runbook, holder, deadline, side_by_side, patience, None, observer)


def _run(
    context: RecoveryContext,
    region: str,
    runbook: Runbook,
    holder: str,
    deadline: float | None,
    side_by_side: int,
    patience: float,
    seen_at: float | None,
    observer: Observer,
) -> Journal | None:
    """Look, wait for the lease, look again: whoever held it may have done all there was to do, or undone it."""
    seen = context.clock.now() if seen_at is None else seen_at
    by_itself = seen_at is not None
    if is_over(context, region, runbook.kind, seen) or (by_itself and is_going_home(context)):
        return None
    beside = Beside(context.ledger, observer)
    held = context.ledger.leases.take_within(holder, patience, waited=beside.waited)
    beside.last()
    if is_over(context, region, runbook.kind, seen) or (by_itself and is_going_home(context)):
        _release(context, held)
        return None
    return carry_out(context, runbook, held, deadline, side_by_side, observer)


def carry_out(
    context: RecoveryContext,
    runbook: Runbook,
    held: Held,
    deadline: float | None = None,
    side_by_side: int = 0,
    observer: Observer = UNWATCHED,
) -> Journal:
    """Run a runbook under a lease that is held, and give it back; a failed step is raised as its error."""
    ledger = context.ledger
    ledger.claim(held, context.inventory.primary)
    run, entries = _taken_up(context, runbook.kind)
    ledger.open_run(run, runbook.kind, held)
    ledger.supersede(run, held, f"run {run} began after whoever was at this one had died or given up")
    taken, place = _entry(context, TAKE_LEASE, held), ledger.next_line(run)
    ledger.append(run, taken, place, held)
    observer.wrote(run, taken)
    engine = Engine(context, runbook, run, held, ACTIONS, deadline, side_by_side, entries, place, observer)
    try:
        with ledger.leases.kept(held):
            _execute(engine)
    except Paused:
        _release(context, held)
        return _journal(context, run)
    except EpochStale:
        raise
    except PilotlightError as problem:
        ledger.close_run(run, runbook.kind, held, FAILED, problem.message)
        _release(context, held)
        raise
    except KeyboardInterrupt:
        with contextlib.suppress(PilotlightError):
            ledger.close_run(run, runbook.kind, held, FAILED, INTERRUPTED)
            _release(context, held)
        raise
    return _succeeded(context, engine, observer)


def _execute(engine: Engine) -> None:
    """To the end. Where copies of the chosen point are gone before anything was launched from them, the choice is
    withdrawn and made anew: another point may be whole. After that a person decides, as instances have written."""
    for left in reversed(range(CHOICES_MAX)):
        try:
            engine.look_back()
            engine.execute()
        except ChosenPointGone as gone:
            if not left or engine.has_begun(LAUNCHING, CHOSEN):
                raise
            engine.withdraw(CHOSEN, gone.message)
        else:
            return


def _succeeded(context: RecoveryContext, engine: Engine, observer: Observer) -> Journal:
    """The record is written before the run is called finished, so a finished run has its record."""
    run, held = engine.run, engine.held
    given_back = _entry(context, RELEASE_LEASE, held)
    context.ledger.append(run, given_back, engine.written + 1, held)
    observer.wrote(run, given_back)
    context.ledger.close_run(run, engine.runbook.kind, held, SUCCEEDED)
    journal = _journal(context, run)
    context.records.write_journal(journal)
    _release(context, held)
    return journal


def _taken_up(context: RecoveryContext, kind: str) -> tuple[str, list[Entry]]:
    """The unfinished run that this process goes on with, and its entries; or a new one."""
    unfinished = under_way(context, kind)
    if unfinished:
        return unfinished.run, list(_journal(context, unfinished.run).entries)
    moment = stamp(context.clock.now())
    return "".join(letter for letter in moment if letter not in "-:.") + f"-{kind}", []


def is_over(context: RecoveryContext, region: str, kind: str, seen: float) -> bool:
    """Whether this region serves, or another does since a later moment; and no run of this kind that changed who serves
    is unfinished."""
    active = context.ledger.active(context.inventory.primary)
    if active.state != SERVING or under_way(context, kind, active):
        return False
    return active.region == region or (bool(active.since) and parse_stamp(active.since) > seen)


def close_dead(context: RecoveryContext, holder: str) -> None:
    """A run that died before it changed who serves is gone on with by nobody: it is closed once its lease is over."""
    ledger = context.ledger
    active = ledger.active(context.inventory.primary)
    if not ledger.open_runs().keys() - {active.run} or ledger.leases.holder()[1] > context.clock.now():
        return
    with contextlib.suppress(LeaseHeld), ledger.leases.during(holder, RUN) as held:
        ledger.supersede(active.run, held, "whoever was at this run died before it changed who serves")


def under_way(context: RecoveryContext, kind: str, active: Active | None = None) -> Journal | None:
    """The run of this kind that changed who serves, where it has not succeeded; without its entries. The active record
    names it, as whoever asks has just read it, or as it is now: by their ids, which are moments, the run of a machine
    whose clock is ahead would hide it."""
    active = active or context.ledger.active(context.inventory.primary)
    found = context.ledger.header(active.run) if active.run else None
    if found is None or found.kind != kind or found.state == SUCCEEDED:
        return None
    return found


def is_going_home(context: RecoveryContext) -> bool:
    """Whether a failback is changing who serves. Neither region is known to be lost then, and a promotion may lose what
    was written last: it is gone on with as a failback, or a person decides."""
    return context.ledger.active(context.inventory.primary).state == SWITCHING


def _journal(context: RecoveryContext, run: str) -> Journal:
    found = context.ledger.journal(run)
    assert found is not None, "its lease was written into it when it began"
    return found


def _entry(context: RecoveryContext, step: str, held: Held) -> Entry:
    evidence = {"holder": held.holder, "epoch": held.epoch}
    return Entry(step, PROVEN, stamp(context.clock.now()), held.epoch, evidence)


def _release(context: RecoveryContext, held: Held) -> None:
    """Losing a lease that is given up anyway is no error."""
    with contextlib.suppress(EpochStale):
        context.ledger.leases.release(held)
