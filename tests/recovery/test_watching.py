"""Whoever waits on the day sees what is waited for: a run that is silent is repeated, or ended, by its own operator."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pilotlight.runtime.errors import LeaseHeld
from pilotlight.runtime.records.runs import FAILED, INTENDED, PROVEN, Entry, Journal
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs.watching import WAITS_FOR, WAITS_SECONDS, Beside
from pilotlight.runtime.store.lease import LEASE_SECONDS
from support.fake_aws import FakeAws, recovery_of


@dataclass
class Watching:
    """Keeps what it hears, and what the journal had at that moment."""

    recovery: Recovery
    heard: list[Entry] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)
    waited: list[tuple[str, float]] = field(default_factory=list)

    def wrote(self, run: str, entry: Entry) -> None:
        journal = self.recovery.context.ledger.journal(run)
        self.heard.append(entry)
        self.kept.append(journal is not None and entry in journal.entries)

    def beside(self, holder: str, seconds: float) -> None:
        self.waited.append((holder, seconds))


def test_every_line_of_a_run_is_heard_when_the_journal_has_it_not_at_the_end(aws: FakeAws) -> None:
    aws.dark.add("us-east-1")
    recovery = recovery_of(aws)
    watching = Watching(recovery)
    journal = recovery.failover(observer=watching)
    assert journal is not None and len(journal.entries) > 10
    assert sorted(watching.heard, key=repr) == sorted(journal.entries, key=repr)
    assert all(watching.kept)


def test_an_intention_says_what_is_waited_for_and_for_how_long_at_most(aws: FakeAws) -> None:
    aws.dark.add("us-east-1")
    recovery = recovery_of(aws)
    recovery.failover(observer=(watching := Watching(recovery)))
    promoted = next(each for each in watching.heard if each.step.startswith("promote") and each.state == INTENDED)
    assert promoted.evidence[WAITS_SECONDS] == 900
    assert "minutes" in promoted.evidence[WAITS_FOR]


def test_a_step_that_fails_is_heard_before_the_error_ends_the_command(aws: FakeAws) -> None:
    recovery = recovery_of(aws)
    for line in recovery.context.ledger.points():
        recovery.context.ledger.let_go(line)
    with pytest.raises(Exception, match="no complete recovery point"):
        recovery.failover(observer=(watching := Watching(recovery)))
    assert [each.state for each in watching.heard][-1] == FAILED


def test_whoever_waits_beside_another_process_sees_its_lines_as_they_come(aws: FakeAws) -> None:
    """The other one's run is at work when the command is typed, and dies: the command goes on where it had come to."""
    aws.dark.add("us-east-1")
    recovery, other = recovery_of(aws), recovery_of(aws).context.ledger
    held = other.leases.take("recover in Lambda")
    other.open_run("20260101-failover", "failover", held)
    other.append("20260101-failover", line := Entry("promote-database", PROVEN, "2026-01-01T00:00:00.000Z", 2), 1, held)
    watching = Watching(recovery)
    journal = recovery.failover(observer=watching)
    assert isinstance(journal, Journal)
    assert watching.heard.count(line) == 1
    assert watching.waited[0][0] == "recover in Lambda"
    assert len(watching.waited) <= LEASE_SECONDS + 1


def test_a_line_is_told_once_and_what_was_told_is_not_read_again(aws: FakeAws) -> None:
    """A journal of a thousand lines is read once, however often its end is looked for."""
    watching = Watching(recovery := recovery_of(aws))
    ledger = recovery.context.ledger
    beside = Beside(ledger, watching)
    held = ledger.leases.take("another")
    ledger.open_run("20260101-failover", "failover", held)
    lines = [Entry(f"step-{number}", PROVEN, "2026-01-01T00:00:00.000Z", 2) for number in range(1, 5)]
    for number, line in enumerate(lines[:3], start=1):
        ledger.append("20260101-failover", line, number, held)
    beside.catch_up()
    assert watching.heard == lines[:3]
    ledger.append("20260101-failover", lines[3], 4, held)
    assert ledger.lines("20260101-failover", 3) == {4: lines[3]}
    ledger.append("20260101-failover", first := Entry("lease", PROVEN, "2026-01-01T00:00:00.000Z", 2), 0, held)
    assert ledger.lines("20260101-failover", 0) == dict(enumerate(lines, start=1))
    assert ledger.lines("20260101-failover") == dict(enumerate([first, *lines]))
    ledger.close_run("20260101-failover", "failover", held, FAILED, "its end is told, too")
    beside.catch_up()
    beside.catch_up()
    assert watching.heard == lines


def test_a_run_that_had_ended_before_is_not_told(aws: FakeAws) -> None:
    watching = Watching(recovery := recovery_of(aws))
    ledger = recovery.context.ledger
    held = ledger.leases.take("another")
    ledger.open_run("20260101-failover", "failover", held)
    ledger.append("20260101-failover", Entry("step", PROVEN, "2026-01-01T00:00:00.000Z", 2), 1, held)
    ledger.close_run("20260101-failover", "failover", held, FAILED)
    Beside(ledger, watching).catch_up()
    assert watching.heard == []


def test_one_that_waits_in_vain_says_who_has_the_lease(aws: FakeAws) -> None:
    recovery = recovery_of(aws)
    recovery.context.ledger.leases.take("another")
    with pytest.raises(LeaseHeld, match="another holds the lease"):
        recovery.failover(patience=5, observer=(watching := Watching(recovery)))
    assert [round(seconds) for _, seconds in watching.waited] == [5, 4, 3, 2]


def test_what_the_other_process_wrote_while_its_lease_was_waited_for_is_told_before_this_one_begins(
    aws: FakeAws,
) -> None:
    """The command goes on from steps that whoever reads it never saw."""
    recovery, other = recovery_of(aws), recovery_of(aws).context.ledger
    aws.dark.add("us-east-1")
    held = other.leases.take("recover in Lambda")
    other.open_run("20260101-failover", "failover", held)
    line, sleep = Entry("promote-registry", PROVEN, "2026-01-01T00:00:00.000Z", held.epoch), aws.clock.sleep

    def writes_and_ends(seconds: float) -> None:
        sleep(seconds)
        aws.clock.sleep = sleep  # type: ignore[method-assign]
        other.append("20260101-failover", line, 0, held)
        other.leases.release(held)

    aws.clock.sleep = writes_and_ends  # type: ignore[method-assign]
    recovery.failover(observer=(watching := Watching(recovery)))
    assert watching.heard[0] == line
