"""What a user loses when one of these fails: a journal that tells what never happened, and is believed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import pytest
from checker import problems

from pilotlight.runtime.aws.wrappers import Faulty
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.records.runs import INTENDED, PROVEN, Entry, Journal
from pilotlight.runtime.runs.run import run_failover
from pilotlight.runtime.store.lease import LEASE_SECONDS
from recovery.conftest import protected
from support.fake_aws import PRIMARY, FakeAws, inventory, recovery_of


class Killed(BaseException):
    """The process is gone in the middle of a call."""


@pytest.fixture(scope="module")
def recorded() -> list[Journal]:
    """A failover that was killed in the middle and gone on with, and the way home."""
    aws: FakeAws = copy.deepcopy(protected())
    aws.dark.add(PRIMARY)
    with pytest.raises(Killed):
        run_failover(
            RecoveryContext(Faulty(aws, 130, Killed()), inventory(), aws.clock, aws.fetch), "first", side_by_side=1
        )
    aws.clock.sleep(LEASE_SECONDS + 1)
    recovery_of(aws, "second").failover()
    aws.dark.clear()
    recovery_of(aws).failback()
    return recovery_of(aws).runs()


def changed(journal: Journal) -> Iterator[tuple[str, Journal]]:
    """Every change of one line: removed, doubled, swapped with the next, another epoch, another step."""
    lines = journal.entries
    for n, line in enumerate(lines):
        yield f"{line.step} {line.state} removed", replace(journal, entries=(*lines[:n], *lines[n + 1 :]))
        yield f"{line.step} {line.state} doubled", replace(journal, entries=(*lines[:n], line, *lines[n:]))
        for epoch in (line.epoch - 1, line.epoch + 1):
            yield f"{line.step} {line.state} epoch", _with(journal, n, replace(line, epoch=epoch))
        yield f"{line.step} {line.state} renamed", _with(journal, n, replace(line, step="another"))
        if n + 1 < len(lines):
            after = replace(lines[n + 1], at=line.at), replace(line, at=lines[n + 1].at)
            yield f"{line.step} {line.state} swapped", replace(journal, entries=(*lines[:n], *after, *lines[n + 2 :]))


def _with(journal: Journal, n: int, line: Entry) -> Journal:
    return replace(journal, entries=(*journal.entries[:n], line, *journal.entries[n + 1 :]))


def test_a_real_journal_is_a_path_of_its_runbook(recorded: list[Journal]) -> None:
    assert {each.kind for each in recorded} == {"failover", "failback"}
    for journal in recorded:
        assert problems(journal, recovery_of(protected()).runbook(journal.kind)) == []


def test_a_journal_with_one_line_changed_is_refused_unless_it_is_another_legal_path(recorded: list[Journal]) -> None:
    recovery = recovery_of(protected())
    made, legal = 0, list[str]()
    for journal in recorded:
        for name, other in changed(journal):
            made += 1
            if not problems(other, recovery.runbook(journal.kind)):
                legal.append(f"{journal.kind}: {name}")
    print(f"{made - len(legal)} of {made} refused", *legal, sep="\n")
    assert made > 300
    assert all(f" {INTENDED} removed" in each or " swapped" in each for each in legal), legal
    assert not [each for each in legal if f"{PROVEN} removed" in each]
