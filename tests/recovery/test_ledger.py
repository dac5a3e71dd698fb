"""What a user loses when one of these fails: the certainty that only one process at a time acts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.clock import FakeClock, SystemClock, stamp
from pilotlight.runtime.errors import CallRefused, EpochStale, LeaseHeld, PilotlightError, RegionUnreachable
from pilotlight.runtime.records.runs import PROVEN, SUPERSEDED, WITHDRAWN, Entry
from pilotlight.runtime.store import ledger as ledgers
from pilotlight.runtime.store.lease import (
    ACT_SECONDS,
    LEASE_SECONDS,
    LOOKS_SECONDS,
    PROTECT,
    RENEW_SECONDS,
    Held,
    Leases,
)
from pilotlight.runtime.store.ledger import (
    CUT,
    EVIDENCE_BYTES_MAX,
    FAILING_OVER,
    LINE_BYTES,
    LINES_MAX,
    SERVING,
    TRANSACTION_BYTES_MAX,
    LateAct,
    Ledger,
    PointLine,
)
from pilotlight.runtime.store.table import Change, Check, Put, Table
from support.fake_aws import PRIMARY, STANDBY


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
        client = BotoClient()
        client.call(
            "dynamodb",
            "create_table",
            STANDBY,
            TableName="journal",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        )
        yield Ledger(Table(client, STANDBY, "journal"), "inference", clock)


def test_a_lease_that_is_gone_by_the_time_its_holder_is_asked_for_is_held_all_the_same(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was another's a moment ago: the person waits, and reads no traceback."""
    ledger.leases.take("one")
    monkeypatch.setattr(Table, "get", lambda *given, **more: None)
    with pytest.raises(LeaseHeld, match="another"):
        ledger.leases.take("two")


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
    ledger.claim(old, PRIMARY)
    ledger.set_active(STANDBY, FAILING_OVER, "run", old.epoch, old.epoch)
    clock.sleep(LEASE_SECONDS + 1)
    new = ledger.leases.take("b")
    ledger.claim(new, PRIMARY)
    with pytest.raises(EpochStale):
        ledger.claim(old, PRIMARY)
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
    item = BotoClient().call(
        "dynamodb",
        "get_item",
        STANDBY,
        TableName="journal",
        Key={"pk": {"S": "active"}, "sk": {"S": "active"}},
    )["Item"]
    assert item["region"] == {"S": PRIMARY} and item["epoch"] == {"N": "1"}
    assert item.keys() >= {"region", "epoch", "since", "run"}


def test_a_journal_comes_back_in_the_order_in_which_it_was_written(ledger: Ledger, clock: FakeClock) -> None:
    held = ledger.leases.take("a")
    ledger.open_run("r", "failover", held)
    for number, step in enumerate(["fence", "choose", "adopt"]):
        ledger.append("r", Entry(step, PROVEN, "2026-01-01T00:00:00.000Z", 2, {"seen": number}), number, held)
    journal = ledger.journal("r")
    assert journal is not None
    assert [(entry.step, entry.evidence) for entry in journal.entries] == [
        ("fence", {"seen": 0}),
        ("choose", {"seen": 1}),
        ("adopt", {"seen": 2}),
    ]
    assert {number: entry.step for number, entry in ledger.lines("r", 0).items()} == {1: "choose", 2: "adopt"}
    assert list(ledger.lines("r")) == [0, 1, 2]
    assert ledger.newest_run() == ("r", "running")


def test_a_run_that_is_taken_up_again_keeps_its_beginning_and_loses_its_failure(
    ledger: Ledger, clock: FakeClock
) -> None:
    held = ledger.leases.take("a")
    ledger.open_run("r", "failover", held)
    ledger.close_run("r", "failover", held, "failed", "why")
    begun = ledger.journal("r")
    clock.sleep(60)
    ledger.open_run("r", "failover", ledger.leases.take("b"))
    journal = ledger.journal("r")
    assert journal is not None and begun is not None
    assert (journal.started_at, journal.epoch, journal.state, journal.reason) == (begun.started_at, 3, "running", "")


def test_evidence_too_long_for_an_item_is_cut_and_says_so(ledger: Ledger) -> None:
    held = ledger.leases.take("a")
    ledger.open_run("r", "failover", held)
    ledger.append("r", Entry("s", PROVEN, "t", 2, {"all": "x" * (EVIDENCE_BYTES_MAX + 1)}), 1, held)
    journal = ledger.journal("r")
    assert journal is not None and journal.entries[0].evidence["keys"] == ["all"]


def test_points_are_listed_newest_first_and_one_that_is_let_go_is_remembered_until_it_is_forgotten(
    ledger: Ledger,
) -> None:
    held = ledger.leases.take("a", PROTECT)
    for day in ("20260101", "20260103", "20260102"):
        ledger.index_point(PointLine(day, "complete", day, ("set",)), held)
    assert [line.id for line in ledger.points()] == ["20260103", "20260102", "20260101"]
    assert ledger.points()[0].sets == ("set",)
    ledger.let_go(ledger.points()[0])
    assert ledger.points()[0].id == "20260102"
    assert [(line.id, line.sets) for line, _ in ledger.gone_points()] == [("20260103", ("set",))]
    ledger.forget_point("20260103")
    assert not ledger.gone_points()


def test_a_scheduled_run_that_lost_its_lease_lists_nothing(ledger: Ledger, clock: FakeClock) -> None:
    """The next scheduled run may have deleted what this point stands on: every failover after that would choose it."""
    lost = ledger.leases.take("a", PROTECT)
    clock.sleep(LEASE_SECONDS + 1)
    ledger.leases.take("b", PROTECT)
    with pytest.raises(EpochStale):
        ledger.index_point(PointLine("20260101", "complete", "20260101"), lost)
    assert not ledger.points()


def test_who_lost_the_lease_opens_writes_and_closes_no_journal(ledger: Ledger, clock: FakeClock) -> None:
    """A process that slept through its run's end would call it failed, or write a proof into the newer one."""
    lost = ledger.leases.take("a")
    ledger.open_run("r", "failover", lost)
    clock.sleep(LEASE_SECONDS + 1)
    held = ledger.leases.take("b")
    ledger.open_run("r", "failover", held)
    line = Entry("fence", PROVEN, "2026-01-01T00:00:00.000Z", lost.epoch)
    for act in (
        lambda: ledger.open_run("r", "failover", lost),
        lambda: ledger.open_run("another", "failover", lost),
        lambda: ledger.append("r", line, 1, lost),
        lambda: ledger.close_run("r", "failover", lost, "failed", "why"),
    ):
        with pytest.raises(EpochStale):
            act()
    journal = ledger.journal("r")
    assert journal is not None and (journal.state, journal.epoch, journal.entries) == ("running", held.epoch, ())
    assert ledger.journal("another") is None


def test_runs_that_nobody_is_at_any_more_are_closed_as_superseded(ledger: Ledger, clock: FakeClock) -> None:
    """One that died before its fence would be shown as running for ever."""
    held = ledger.leases.take("a")
    ledger.open_run("1-failover", "failover", held)
    clock.sleep(LEASE_SECONDS + 1)
    held = ledger.leases.take("b")
    ledger.open_run("2-failback", "failback", held)
    ledger.supersede("2-failback", held, "a newer one began")
    found = {each.run: each.state for each in ledger.runs()}
    assert found == {"1-failover": SUPERSEDED, "2-failback": "running"}


def test_a_lease_with_little_time_left_is_renewed_before_an_act_and_a_lost_one_is_told(
    ledger: Ledger, clock: FakeClock
) -> None:
    held = ledger.leases.take("a")
    clock.sleep(LEASE_SECONDS - 1)
    ledger.leases.confirm(held)
    assert ledger.leases.holder()[1] == clock.now() + LEASE_SECONDS
    clock.sleep(LEASE_SECONDS + 1)
    ledger.leases.take("b")
    with pytest.raises(EpochStale):
        ledger.leases.confirm(held)


def test_a_lease_is_kept_while_one_act_lasts_longer_than_it(ledger: Ledger) -> None:
    """A copy of 40 seconds lost the lease, and a second run began beside the first."""

    times = 15  # a lease is two seconds then, which a busy machine does not take from a thread

    class Fast(SystemClock):
        def now(self) -> float:
            return super().now() * times

    leases = Leases(ledger._table, "inference", Fast())
    held = leases.take("a")
    with leases.kept(held):
        time.sleep(2.5 * LEASE_SECONDS / times)
        with pytest.raises(LeaseHeld):
            leases.take("b")
    time.sleep(1.1 * LEASE_SECONDS / times)
    assert leases.take("b").epoch == held.epoch + 1


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
    held = ledger.leases.take("a")
    for name in names:
        ledger.open_run(name, "failover", held)
    assert [each.run for each in ledger.runs()] == names[::-1]
    ledger._table.put("runs", "20260103T000000000Z-failover", {"kind": "failover"})
    assert [each.run for each in ledger.runs(limit=1)] == [names[-1]]


def test_a_journal_keeps_its_order_where_the_machine_that_goes_on_has_a_clock_behind(ledger: Ledger) -> None:
    """By time a proof would come before what withdrew it; counted, a line that was lost would be written over."""
    held = ledger.leases.take("a")
    ledger.open_run("r", "failover", held)
    ledger.append("r", Entry("s", PROVEN, "2026-01-01T00:01:00.000Z", 2), 0, held)
    ledger.append("r", Entry("s", WITHDRAWN, "2026-01-01T00:00:30.000Z", 3), 2, held)
    journal = ledger.journal("r")
    assert journal is not None and [each.state for each in journal.entries] == [PROVEN, WITHDRAWN]
    assert journal.proven("s") is None and ledger.next_line("r") == 3


def test_a_write_that_only_met_another_at_the_same_moment_is_no_lost_lease() -> None:
    """DynamoDB API, TransactWriteItems: TransactionConflict says that somebody else wrote just then, and no more."""

    class Conflicting(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            raise refused(service, operation, region, "TransactionCanceledException", "[TransactionConflict, None]")

    with pytest.raises(CallRefused):
        Table(Conflicting(BotoClient()), STANDBY, "journal").together(Put("runs", "run", {"kind": "failover"}))


def test_a_lease_that_is_long_enough_for_an_act_is_not_written_again_before_it(
    ledger: Ledger, clock: FakeClock
) -> None:
    """Every act would cost a write to the journal's table."""
    held = ledger.leases.take("a")
    until = ledger.leases.holder()[1]
    clock.sleep(LEASE_SECONDS - ACT_SECONDS)
    ledger.leases.confirm(held)
    assert ledger.leases.holder() == ("a", until)
    clock.sleep(1)
    ledger.leases.confirm(held)
    assert ledger.leases.holder()[1] == clock.now() + LEASE_SECONDS
    ledger.leases.confirm(held, LEASE_SECONDS + 1)
    clock.sleep(LEASE_SECONDS + 1)
    ledger.leases.take("b")
    with pytest.raises(EpochStale):
        ledger.leases.confirm(held)


def test_where_time_stands_still_no_thread_keeps_a_lease_and_where_it_goes_on_one_does(
    ledger: Ledger, clock: FakeClock
) -> None:
    """A test of a run would be another one each time; a copy of an hour would lose its lease."""

    def keeping() -> bool:
        keepers = [each for each in threading.enumerate() if each.name == "lease"]
        assert all(each.daemon for each in keepers), "a command that was ended waits for no silent region"
        return bool(keepers)

    for flows in (False, True):
        clock.flows = flows
        held = ledger.leases.take("a")
        with ledger.leases.kept(held):
            assert keeping() is flows
        assert not keeping()


def test_whoever_waits_for_a_lease_is_told_who_has_it_and_for_how_long_it_waits(
    ledger: Ledger, clock: FakeClock
) -> None:
    ledger.leases.take("one")
    told, began = list[tuple[str, float]](), clock.now()
    with pytest.raises(LeaseHeld):
        ledger.leases.take_within("two", 3.0, waited=lambda holder, seconds: told.append((holder, seconds)))
    assert told == [("one", 3.0), ("one", 2.0)] and clock.now() - began == 2.0
    assert ledger.leases.take_within("two", LEASE_SECONDS + 5).holder == "two"
    assert clock.now() - began > LEASE_SECONDS


def test_before_the_first_record_the_primary_serves_and_an_older_edition_says_nothing_of_who_wrote(
    ledger: Ledger,
) -> None:
    first = ledger.active(PRIMARY)
    assert (first.region, first.epoch, first.since, first.run, first.state) == (PRIMARY, 1, "", "", SERVING)
    ledger._table.put("active", "active", {"region": STANDBY, "epoch": 3, "since": "s", "run": "r"})
    older = ledger.active(PRIMARY)
    assert (older.state, older.away) == (SERVING, True), "the standby may have written: nothing is left behind"


def test_a_claim_keeps_what_is_said_of_who_serves_and_lets_no_older_one_in(ledger: Ledger, clock: FakeClock) -> None:
    old = ledger.leases.take("a")
    ledger.claim(old, PRIMARY)
    assert ledger.active(PRIMARY).region == PRIMARY and ledger.active(PRIMARY).state == SERVING
    ledger.set_active(STANDBY, FAILING_OVER, "r", old.epoch, old.epoch, away=True)
    clock.sleep(LEASE_SECONDS + 1)
    new = ledger.leases.take("b")
    ledger.claim(new, PRIMARY)
    active = ledger.active(PRIMARY)
    assert (active.region, active.state, active.run, active.away) == (STANDBY, FAILING_OVER, "r", True)
    with pytest.raises(EpochStale):
        ledger.claim(new, PRIMARY)
    ledger.set_active(PRIMARY, SERVING, "r", new.epoch, new.epoch, away=False)
    assert ledger.active(PRIMARY).away is False
    ledger.set_active(STANDBY, SERVING, "r", new.epoch, new.epoch)
    assert ledger.active(PRIMARY).away is False, "nothing is said of it"


def test_lines_of_a_journal_are_counted_from_the_first_and_go_on_behind_the_last(ledger: Ledger) -> None:
    held = ledger.leases.take("a")
    ledger.open_run("r", "failover", held)
    assert ledger.next_line("r") == 0 and ledger.lines("r") == {}
    for number in (0, 1, 2):
        ledger.append("r", Entry(f"s{number}", PROVEN, "t", 2), number, held)
    assert ledger.next_line("r") == 3
    assert list(ledger.lines("r", 1)) == [2] and list(ledger.lines("r", 2)) == []


def test_runs_are_told_by_their_kind_and_whether_they_are_open(ledger: Ledger) -> None:
    held = ledger.leases.take("a")
    assert ledger.newest_run() is None and ledger.open_runs() == {}
    ledger.open_run("1-failover", "failover", held)
    ledger.open_run("2-failback", "failback", held)
    assert ledger.open_runs() == {"1-failover": "failover", "2-failback": "failback"}
    ledger.close_run("2-failback", "failback", held, "failed", "why")
    assert ledger.open_runs() == {"1-failover": "failover"}
    assert ledger.newest_run() == ("2-failback", "failed")
    assert [each.run for each in ledger.runs("failover")] == ["1-failover"]
    assert [each.run for each in ledger.runs(limit=1)] == ["2-failback"] and ledger.journal("3") is None


def test_evidence_is_kept_whole_up_to_what_an_item_takes(ledger: Ledger) -> None:
    held = ledger.leases.take("a")
    ledger.open_run("r", "failover", held)
    frame = len('{"all": ""}')
    for number, more in enumerate((0, 1)):
        ledger.append("r", Entry("s", PROVEN, "t", 2, {"all": "x" * (EVIDENCE_BYTES_MAX - frame + more)}), number, held)
    journal = ledger.journal("r")
    assert journal is not None
    assert [CUT in each.evidence for each in journal.entries] == [False, True]


def test_late_acts_are_those_that_were_found_at_this_epoch_or_later(ledger: Ledger) -> None:
    for current in (2, 3, 4):
        ledger.note_late(LateAct(f"2026-01-0{current}", "r", 1, current, "s3:put_object", PRIMARY))
    assert [each.current for each in ledger.late_acts(3)] == [3, 4] and ledger.late_acts(5) == []


def test_a_request_waits_for_its_own_alarm_and_ends_with_it(ledger: Ledger, clock: FakeClock) -> None:
    assert ledger.request() is None is ledger.open_request() and ledger.end_request("2026-01-02") is None
    first = ledger.ask_for_approval("one", "2026-01-02")
    clock.sleep(60)
    for alarm in ("", "2026-01-01", "2026-01-02"):
        assert ledger.ask_for_approval("again", alarm).requested_at == first.requested_at
    second = ledger.ask_for_approval("two", "2026-01-03")
    assert second.requested_at > first.requested_at
    assert ledger.end_request("2026-01-02") is None, "the end of an earlier alarm"
    assert ledger.open_request() is not None
    ended = ledger.end_request("2026-01-03")
    assert ended is not None and not ended.is_open and ledger.open_request() is None
    ledger.ask_for_approval("by hand")
    assert ledger.end_request("2026-01-09") is None, "no alarm is behind it"


def test_a_word_that_was_given_after_an_alarm_went_off_is_for_that_one_too(ledger: Ledger, clock: FakeClock) -> None:
    ledger.approve("somebody")
    given = ledger.request()
    assert given is not None and given.approved_by == "somebody"
    assert ledger.ask_for_approval("alarm", stamp(clock.now() - 1)).approved_by == "somebody"
    assert ledger.ask_for_approval("alarm", stamp(clock.now() + 1)).approved_by == ""
    ledger.told()
    told = ledger.request()
    assert told is not None and told.told_at == stamp(clock.now())


def test_a_request_that_was_never_made_is_carried_out_by_nobody(ledger: Ledger) -> None:
    ledger.settle_request("r")
    assert ledger.request() is None


def test_a_bucket_is_protected_since_its_state_last_changed(ledger: Ledger, clock: FakeClock) -> None:
    assert ledger.protection("corpus") is None
    first = ledger.set_protection("corpus", "PROTECTED", "", 3)
    clock.sleep(60)
    again = ledger.set_protection("corpus", "PROTECTED", "", 4)
    assert (again.since, again.compared_at > first.compared_at, again.objects) == (first.since, True, 4)
    clock.sleep(60)
    other = ledger.set_protection("corpus", "UNPROTECTED", "one is missing", 4)
    assert other.since == other.compared_at and ledger.protection("corpus") == other


def test_since_when_a_bucket_is_fenced_stays_what_it_was_until_it_is_fenced_anew(
    ledger: Ledger, clock: FakeClock
) -> None:
    assert ledger.fenced_at("corpus") is None
    ledger.keep_fence("corpus", anew=False)
    began = clock.now()
    clock.sleep(60)
    ledger.keep_fence("corpus", anew=False)
    assert ledger.fenced_at("corpus") == began
    ledger.keep_fence("corpus", anew=True)
    assert ledger.fenced_at("corpus") == began + 60
    ledger.forget_fence("corpus")
    assert ledger.fenced_at("corpus") is None


def test_what_is_kept_of_one_asset_is_nothing_of_another(ledger: Ledger) -> None:
    ledger.set_position("a", "key")
    ledger.keep_job("a", "token", "")
    ledger.reject_checkpoint("a", "step-1/", "it diverged", "somebody")
    ledger.reject_checkpoint("ab", "step-2/#", "too", "another")
    ledger.know_complete("a", ["2", "1"])
    ledger.choose_point("run", "point")
    assert (ledger.position("a"), ledger.position("b")) == ("key", "")
    assert (ledger.job("a"), ledger.job("b")) == (("token", ""), ("", ""))
    assert ledger.rejections("a") == {"step-1/": "refused by somebody: it diverged"}
    assert ledger.rejections("ab") == {"step-2/#": "refused by another: too"}
    assert (list(ledger.known_complete("a")), list(ledger.known_complete("b"))) == (["2", "1"], [])
    assert (ledger.chosen_point("run"), ledger.chosen_point("other")) == ("point", "")
    assert ledger.choices() == {"run": "point"}
    ledger.forget_job("a")
    ledger.forget_choice("run")
    assert ledger.job("a") == ("", "") and ledger.choices() == {}


def test_a_point_that_is_refused_keeps_what_it_stands_on(ledger: Ledger) -> None:
    held = ledger.leases.take("a", PROTECT)
    ledger.index_point(PointLine("1", "complete", "1", ("set",), ("list",), ("c#p/",), outdated=True), held)
    ledger.refuse_point("1", "it diverged")
    (line,) = ledger.points()
    assert (line.status, line.why, line.sets, line.manifests, line.checkpoints, line.outdated) == (
        "refused",
        "it diverged",
        ("set",),
        ("list",),
        ("c#p/",),
        True,
    )


def test_a_record_that_is_there_is_not_written_over_where_it_is_to_be_new(ledger: Ledger) -> None:
    table = ledger._table
    table.put("p", "s", {"value": 1}, new=True)
    table.put("p", "s", {"value": 2}, new=True)
    assert (table.get("p", "s") or {})["value"] == 1
    table.put("p", "s", {"value": 3})
    assert (table.get("p", "s") or {})["value"] == 3
    assert table.update("p", "s", "#value = :value", {"value": 4, "was": 1}, "#value = :was") is None
    assert (table.update("p", "s", "#value = :value", {"value": 4, "was": 3}, "#value = :was") or {})["value"] == 4
    assert not table.together(Check("p", "s", "#value = :was", {"was": 3}), Put("p", "t", {"value": 1}))
    assert table.together(Check("p", "s", "#value = :was", {"was": 4}), Put("p", "t", {"value": 1}))
    assert table.together(Change("p", "t", "#value = :value", {"value": 7}))
    assert table.together(Check("p", "v", "attribute_not_exists(pk)"), Put("p", "u", {"value": 9}))
    assert [each["value"] for each in table.query("p")] == [4, 7, 9]
    assert [each["value"] for each in table.query("p", newest_first=True)] == [9, 7, 4]
    assert [each["value"] for each in table.query("p", after="s")] == [7, 9]
    table.delete("p", "s")
    table.delete("p", "s")
    assert table.get("p", "s") is None


def test_a_refused_write_is_raised_whatever_it_was_for() -> None:
    """It would be taken for "another was first"."""

    class Denied(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            raise refused(service, operation, region, "AccessDeniedException", "no")

    table = Table(Denied(BotoClient()), STANDBY, "journal")
    for act in (
        lambda: table.put("p", "s", {}, new=True),
        lambda: table.update("p", "s", "#a = :a", {"a": 1}),
        lambda: table.together(Put("p", "s", {})),
        lambda: table.get("p", "s"),
        lambda: table.delete("p", "s"),
        lambda: list(table.query("p")),
    ):
        with pytest.raises(CallRefused):
            act()


def test_a_lease_that_nobody_ever_took_is_held_by_nobody_and_lost_by_whoever_says_so(ledger: Ledger) -> None:
    assert (ledger.leases.epoch("other"), ledger.leases.holder("other")) == (1, ("", 0.0))
    with pytest.raises(EpochStale) as problem:
        ledger.leases.confirm(Held("other", "me", 7))
    assert (problem.value.facts["held"], problem.value.facts["current"]) == (7, 1)


class Keeping(Leases):
    """Remembers when it renewed; `fails` are the errors of the next renewals."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.renewed, self.fails = list[float](), list[PilotlightError]()

    def renew(self, held: Held) -> None:
        self.renewed.append(self._clock.now())
        if self.fails:
            raise self.fails.pop(0)
        super().renew(held)


class Looks:
    """The event that ends the keeping of a lease, after so many looks at the clock."""

    def __init__(self, clock: FakeClock, count: float) -> None:
        self.clock, self.left = clock, count

    def wait(self, seconds: float) -> bool:
        self.clock.sleep(seconds)
        self.left -= 1
        return self.left < 0


def test_a_lease_that_is_kept_is_written_each_time_it_is_due_and_not_at_every_look(
    ledger: Ledger, clock: FakeClock
) -> None:
    """Five writes a second for as long as a copy takes."""
    leases, began = Keeping(ledger._table, "inference", clock), clock.now()
    looks = Looks(clock, (2.5 * RENEW_SECONDS) // LOOKS_SECONDS)
    leases._keep(leases.take("a"), looks)  # type: ignore[arg-type]
    assert [round((at - began) / RENEW_SECONDS) for at in leases.renewed] == [1, 2]
    assert leases.holder()[1] == pytest.approx(leases.renewed[-1] + LEASE_SECONDS)


def test_a_renewal_without_an_answer_is_tried_again_and_a_lost_lease_is_kept_no_longer(
    ledger: Ledger, clock: FakeClock
) -> None:
    leases = Keeping(ledger._table, "inference", clock)
    held = leases.take("a")
    leases.fails = [RegionUnreachable(region=STANDBY, service="dynamodb", operation="update_item")]
    leases._keep(held, Looks(clock, (2.5 * RENEW_SECONDS) // LOOKS_SECONDS))  # type: ignore[arg-type]
    assert len(leases.renewed) == 2 and leases.holder()[1] > clock.now(), "one lost answer loses no lease"
    clock.sleep(LEASE_SECONDS + 1)
    leases.take("b")
    leases._keep(held, Looks(clock, (5 * RENEW_SECONDS) // LOOKS_SECONDS))  # type: ignore[arg-type]
    assert len(leases.renewed) == 3, "whoever has it now is not asked for it again and again"


def test_lines_too_long_for_one_write_are_written_as_far_as_it_takes_them(ledger: Ledger) -> None:
    """DynamoDB refuses a transaction of more than four megabytes: no line of any step would be written."""
    held = ledger.leases.take("a")
    ledger.open_run("r", "failover", held)
    long = {"evidence": "x" * (EVIDENCE_BYTES_MAX - 100)}
    lines = [Entry(f"step-{number}", PROVEN, "2026-01-01T00:00:00.000Z", 2, long) for number in range(10)]
    count = ledger.append_first("r", lines, 0, held)
    assert count == TRANSACTION_BYTES_MAX // (EVIDENCE_BYTES_MAX + LINE_BYTES)
    journal = ledger.journal("r")
    assert journal is not None and [each.step for each in journal.entries] == [each.step for each in lines[:count]]


def test_more_lines_than_one_transaction_takes_are_left_for_the_next(ledger: Ledger) -> None:
    held = ledger.leases.take("a")
    ledger.open_run("r", "failover", held)
    lines = [Entry(f"step-{number}", PROVEN, "2026-01-01T00:00:00.000Z", 2) for number in range(LINES_MAX + 1)]
    assert ledger.append_first("r", lines, 0, held) == LINES_MAX
    assert ledger.append_first("r", lines[LINES_MAX:], LINES_MAX, held) == 1
    journal = ledger.journal("r")
    assert journal is not None and [each.step for each in journal.entries] == [each.step for each in lines]


def test_no_more_states_are_remembered_as_complete_than_one_item_takes(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB refuses an item of more than 400 kB: every checkpoint would be read anew at every schedule."""
    monkeypatch.setattr(ledgers, "KNOWN_MAX", 2)
    ledger.know_complete("checkpoints", ("a", "b", "c"))
    assert set(ledger.known_complete("checkpoints")) == {"a", "b"}
