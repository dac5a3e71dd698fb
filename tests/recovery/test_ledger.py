"""What a user loses when one of these fails: the certainty that only one process at a time acts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from doors import PRIMARY, STANDBY
from pilotlight.clock import FakeClock
from pilotlight.cloud.aws import AwsDoor
from pilotlight.errors import EpochStale, LeaseHeld
from pilotlight.records.runs import PROVEN, Entry
from pilotlight.recovery.lease import LEASE_SECONDS
from pilotlight.recovery.ledger import EVIDENCE_BYTES_MAX, FAILING_OVER, SERVING, Ledger, PointLine
from pilotlight.recovery.table import Table


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Iterator[Ledger]:
    """The real DynamoDB expressions, evaluated by moto."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        door = AwsDoor()
        door.call(
            "dynamodb",
            "create_table",
            STANDBY,
            TableName="journal",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        )
        yield Ledger(Table(door, STANDBY, "journal"), "inference", clock)


def test_the_lease_is_held_by_one_and_its_epoch_only_rises(ledger: Ledger, clock: FakeClock) -> None:
    first = ledger.leases.take("a")
    with pytest.raises(LeaseHeld, match="a holds the lease until"):
        ledger.leases.take("b")
    clock.sleep(LEASE_SECONDS + 1)
    second = ledger.leases.take("b")
    again = ledger.leases.take("b")
    assert 1 < first.epoch < second.epoch < again.epoch
    assert ledger.leases.epoch() == again.epoch


def test_a_lease_that_is_renewed_does_not_expire(ledger: Ledger, clock: FakeClock) -> None:
    held = ledger.leases.take("a")
    for _ in range(5):
        clock.sleep(LEASE_SECONDS / 2)
        ledger.leases.renew(held)
    with pytest.raises(LeaseHeld):
        ledger.leases.take("b")
    ledger.leases.release(held)
    assert ledger.leases.take("b").epoch == held.epoch + 1


def test_a_lease_that_was_lost_can_be_neither_renewed_nor_released(ledger: Ledger, clock: FakeClock) -> None:
    lost = ledger.leases.take("a")
    clock.sleep(LEASE_SECONDS + 1)
    taken = ledger.leases.take("b")
    for act in (ledger.leases.renew, ledger.leases.release):
        with pytest.raises(EpochStale):
            act(lost)
    with pytest.raises(LeaseHeld):
        ledger.leases.take("c")
    ledger.leases.renew(taken)


def test_leases_of_different_purposes_do_not_stop_one_another(ledger: Ledger) -> None:
    ledger.leases.take("a", "protect")
    assert ledger.leases.take("b").epoch == 2


def test_only_the_newest_epoch_says_who_serves(ledger: Ledger, clock: FakeClock) -> None:
    ledger.initialise(PRIMARY)
    old = ledger.leases.take("a")
    ledger.set_active(STANDBY, FAILING_OVER, "run", old.epoch, old.epoch)
    clock.sleep(LEASE_SECONDS + 1)
    new = ledger.leases.take("b")
    with pytest.raises(EpochStale):
        ledger.set_active(PRIMARY, SERVING, "run", old.epoch, old.epoch)
    assert ledger.active(PRIMARY).region == STANDBY
    ledger.set_active(STANDBY, SERVING, "run", new.epoch, new.epoch)
    assert (ledger.active(PRIMARY).epoch, ledger.active(PRIMARY).state) == (new.epoch, SERVING)


def test_the_first_active_record_is_written_once(ledger: Ledger, clock: FakeClock) -> None:
    assert ledger.active(PRIMARY).epoch == 1
    first = ledger.initialise(PRIMARY)
    clock.sleep(10)
    assert ledger.initialise(STANDBY) == first


def test_applications_find_the_active_record_as_they_were_promised(ledger: Ledger) -> None:
    ledger.initialise(PRIMARY)
    item = AwsDoor().call(
        "dynamodb",
        "get_item",
        STANDBY,
        TableName="journal",
        Key={"pk": {"S": "active"}, "sk": {"S": "active"}},
    )["Item"]
    assert item["region"] == {"S": PRIMARY} and item["epoch"] == {"N": "1"}
    assert item.keys() >= {"region", "epoch", "since", "run"}


def test_a_journal_comes_back_in_the_order_in_which_it_was_written(ledger: Ledger, clock: FakeClock) -> None:
    ledger.open_run("r", "failover", 2)
    for number, step in enumerate(["fence", "choose", "adopt"]):
        ledger.append("r", Entry(step, PROVEN, "2026-01-01T00:00:00.000Z", 2, {"seen": number}), number)
    journal = ledger.journal("r")
    assert journal is not None
    assert [(entry.step, entry.evidence) for entry in journal.entries] == [
        ("fence", {"seen": 0}),
        ("choose", {"seen": 1}),
        ("adopt", {"seen": 2}),
    ]


def test_a_run_that_is_taken_up_again_keeps_its_beginning_and_loses_its_failure(
    ledger: Ledger, clock: FakeClock
) -> None:
    ledger.open_run("r", "failover", 2)
    ledger.close_run("r", "failed", "why")
    begun = ledger.journal("r")
    clock.sleep(60)
    ledger.open_run("r", "failover", 3)
    journal = ledger.journal("r")
    assert journal is not None and begun is not None
    assert (journal.started_at, journal.epoch, journal.state, journal.reason) == (begun.started_at, 3, "running", "")


def test_evidence_too_long_for_an_item_is_cut_and_says_so(ledger: Ledger) -> None:
    ledger.open_run("r", "failover", 2)
    ledger.append("r", Entry("s", PROVEN, "t", 2, {"all": "x" * (EVIDENCE_BYTES_MAX + 1)}), 1)
    journal = ledger.journal("r")
    assert journal is not None and journal.entries[0].evidence["keys"] == ["all"]


def test_points_are_listed_newest_first_and_can_be_forgotten(ledger: Ledger) -> None:
    for day in ("20260101", "20260103", "20260102"):
        ledger.index_point(PointLine(day, "complete", day, ("set",)))
    assert [line.id for line in ledger.points()] == ["20260103", "20260102", "20260101"]
    assert ledger.points()[0].sets == ("set",)
    ledger.forget_point("20260103")
    assert ledger.points()[0].id == "20260102"


def test_a_word_given_for_one_run_counts_for_that_run_alone(ledger: Ledger) -> None:
    ledger.ask_for_approval("alarm")
    approved = ledger.approve("somebody")
    assert (approved.reason, approved.approved_by, approved.run) == ("alarm", "somebody", "")
    ledger.settle_request("r")
    again = ledger.ask_for_approval("another alarm")
    assert (again.approved_by, again.reason) == ("", "another alarm")
    stored = ledger.request()
    assert stored is not None and stored.approved_by == "" and stored.run == ""


def test_runs_are_listed_whole_and_one_that_died_before_its_journal_hides_none(ledger: Ledger) -> None:
    """A cut list, or an empty newest run, would say "no run yet" of a workload that had failed over."""
    names = [f"2026010{day}T{hour:02d}0000000Z-failover" for day in (1, 2) for hour in range(12)]
    for name in names:
        ledger.open_run(name, "failover", 1)
    assert [each.run for each in ledger.runs()] == names[::-1]
    ledger._table.put("runs", "20260103T000000000Z-failover", {"kind": "failover"})
    assert [each.run for each in ledger.runs(limit=1)] == [names[-1]]
