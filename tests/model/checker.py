"""A recorded journal against its runbook: every line must be one that the protocol lets its holder write there.

Takes a Journal and the Runbook of its kind; gives a sentence for every line that is no path of the protocol (pure).
"""

from __future__ import annotations

from collections.abc import Iterator

from pilotlight.runtime.records.runs import FAILED, INTENDED, PROVEN, SUCCEEDED, WITHDRAWN, Entry, Journal, Runbook
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs import runbooks
from pilotlight.runtime.runs.run import RELEASE_LEASE, TAKE_LEASE

KINDS = {"failover": runbooks.failover, "failback": runbooks.failback, "fence-returned": runbooks.fence_returned}


def problems_of(recovery: Recovery) -> list[str]:
    """What is no path in the journals of all runs; not in those that a test wrote by hand, which took no lease."""
    found = list[str]()
    for journal in recovery.runs():
        if journal.kind in KINDS and any(each.step == TAKE_LEASE for each in journal.entries):
            wrong = problems(journal, KINDS[journal.kind](recovery.context.inventory))
            found += [f"{journal.kind} {journal.run}: {each}" for each in wrong]
    return found


def problems(journal: Journal, runbook: Runbook) -> list[str]:
    """What is not a path, in the order of the lines."""
    return [*_lines(journal, runbook), *_end(journal, runbook)]


def _lines(journal: Journal, runbook: Runbook) -> Iterator[str]:
    steps = {step.name: step for step in runbook.steps}
    epoch, at = 0, ""
    proven, intended = set[str](), dict[str, int]()
    released = False
    for number, each in enumerate(journal.entries, 1):
        said = f"line {number} ({each.step} {each.state}, epoch {each.epoch})"
        if each.at < at and each.step != TAKE_LEASE:
            yield f"{said} is older than the line before it"
        at = max(at, each.at)
        if released and each.step != TAKE_LEASE:  # else its end was written, and that it ended was not
            yield f"{said} comes after the lease was given back for good"
        if each.step == TAKE_LEASE:
            released = False
            at = each.at  # another machine's clock, which may be behind
            yield from _taken(each, epoch, said)
            epoch = max(epoch, each.epoch)
            continue
        if each.epoch != epoch:
            yield f"{said} is of an epoch that did not take the lease last: that was {epoch}"
        if each.step == RELEASE_LEASE:
            released = True
            if each.state != PROVEN or each.evidence.get("epoch") != each.epoch:
                yield f"{said} gives back another lease than its own"
            continue
        if each.step not in steps:
            yield f"{said} is no step of a {runbook.kind}"
            continue
        missing = set(steps[each.step].needs) - proven
        if missing and each.state != WITHDRAWN:
            yield f"{said} comes before {', '.join(sorted(missing))}"
        yield from _step(each, said, proven, intended)


def _taken(each: Entry, epoch: int, said: str) -> Iterator[str]:
    if each.epoch <= epoch:
        yield f"{said} takes the lease with an epoch that was used: the last was {epoch}"
    if each.state != PROVEN or each.evidence.get("epoch") != each.epoch:
        yield f"{said} takes another lease than its own"


def _step(each: Entry, said: str, proven: set[str], intended: dict[str, int]) -> Iterator[str]:
    if each.state == WITHDRAWN:
        if each.step not in proven and each.step not in intended:
            yield f"{said} withdraws what was neither intended nor proven"
        proven.discard(each.step)
        intended.pop(each.step, None)
        return
    if each.step in proven and each.state != FAILED:  # its proof was written, and the answer to that was lost
        yield f"{said} comes after its proof"
    if each.state == INTENDED:
        if each.step in intended:
            yield f"{said} is intended a second time"
        intended[each.step] = each.epoch
    elif each.state == PROVEN:
        proven.add(each.step)
    elif each.state != FAILED:
        yield f"{said} says nothing that a journal says"


def _end(journal: Journal, runbook: Runbook) -> Iterator[str]:
    if journal.entries and journal.entries[0].step != TAKE_LEASE:
        yield "it does not begin with a lease"
    last = max((each.epoch for each in journal.entries), default=journal.epoch)
    if last > journal.epoch or (last < journal.epoch and journal.state == SUCCEEDED):
        yield f"its last epoch is not the run's, {journal.epoch}"  # a later one took it up and died before its line
    if journal.state != SUCCEEDED:
        return
    missing = [step.name for step in runbook.steps if journal.proven(step.name) is None]
    if missing:
        yield f"it succeeded without {', '.join(missing)}"
    if not journal.entries or journal.entries[-1].step != RELEASE_LEASE:
        yield "it succeeded and did not give back its lease"
