"""What a user loses when one of these fails: a long bucket that no scheduled run gets to the end of, so that it is
never proven; a bill for listing a hundred million objects every five minutes; a watermark newer than the truth."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pilotlight.runtime.clock import FakeClock, parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.buckets import comparisons, events
from pilotlight.runtime.kinds.buckets.backfill import backfill
from pilotlight.runtime.kinds.buckets.observe import Comparison
from pilotlight.runtime.kinds.kind import PROTECTED
from pilotlight.runtime.points.protect import FURTHER_LOOKS_MAX
from pilotlight.runtime.readiness.standing import UNKNOWN, Known, standings
from pilotlight.runtime.records.inventory import Datasets, Inventory, Lock
from pilotlight.runtime.records.point import COMPLETE, PARTIAL, RecoveryPoint
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.ledger import SERVING
from support.fake_aws import CORPUS, CORPUS_COPY, FakeAws, inventory
from support.fake_sqs import Message

PAGE_KEYS = 5
DEADLINE_SECONDS = 875.0
ASSET = Datasets("corpus", "dataset", CORPUS, CORPUS_COPY)
LISTINGS = "list_object_versions"
HOUR = 3600.0


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is long here: more than twenty objects, of pages of five."""
    monkeypatch.setattr(comparisons, "EACH_RUN_OBJECTS", 20)
    monkeypatch.setattr(comparisons, "INLINE_PAGES", 12)
    monkeypatch.setattr(comparisons, "TURN_PAGES", 40)


class Cloud(FakeAws):
    """One replicated bucket; counts the listings of it."""

    def __init__(self, objects: int, arrived: bool = True) -> None:
        super().__init__(FakeClock())
        self.s3.page_keys, self.listings = PAGE_KEYS, 0
        for number in range(objects):
            self.s3.write(CORPUS, f"part-{number:05}", b"x", replicate=arrived)
        self.clock.sleep(60)

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        self.listings += operation == LISTINGS
        return super().call(service, operation, region, **parameters)


def workload(**changes: Any) -> Inventory:
    alone: dict[str, Any] = {"datasets": (ASSET,), "volumes": (), "databases": (), "computes": (), "traffic": None}
    return inventory(every_seconds=300.0, **(alone | changes))


def run(aws: FakeAws, of: Inventory | None = None, deadline: float | None = DEADLINE_SECONDS) -> RecoveryPoint:
    until = None if deadline is None else aws.clock.now() + deadline
    made = Recovery(RecoveryContext(aws, of or workload(), aws.clock, aws.fetch), "protect").protect(until)
    assert made is not None
    return made


def until_complete(aws: FakeAws, of: Inventory | None = None) -> RecoveryPoint:
    for _ in range(10):
        aws.clock.sleep(300)
        made = run(aws, of)
        if made.status == COMPLETE:
            return made
    raise AssertionError("never complete")


def test_what_s3_says_has_failed_is_overdue_at_once_and_looked_at_until_it_is_there() -> None:
    aws = Cloud(100)
    until_complete(aws)
    aws.clock.sleep(10)
    version = aws.s3.write(CORPUS, "part-00042", b"new", replicate=False)
    aws.sqs.tell(CORPUS, "part-00042", "OperationFailedReplication")
    aws.sqs.tell(CORPUS, "part-00043", "OperationFailedReplication")
    aws.clock.sleep(20)
    made = run(aws)
    assert made.status == PARTIAL and "part-00042 has not arrived" in made.parts[0].missing[0]
    assert made.parts[0].evidence["overdue"] == 1 and not aws.sqs.messages
    aws.s3.objects[CORPUS_COPY]["part-00042"].append(version)
    aws.clock.sleep(300)
    assert run(aws).status == COMPLETE


def test_what_nobody_knows_in_the_queue_harms_nothing() -> None:
    aws = Cloud(10)
    for body in (
        "",
        "[]",
        "{",
        '{"Event": "s3:TestEvent"}',
        '{"Records": [{"eventName": "x:OperationFailedReplication"}]}',
    ):
        aws.sqs.messages.append(Message(body, 0.0))
    aws.sqs.tell("somebody-elses", "part-00001", "OperationFailedReplication")
    assert run(aws).status == COMPLETE and not aws.sqs.messages


def test_a_workload_without_its_queue_is_told_to_run_up() -> None:
    aws = Cloud(10)
    aws.sqs.gone = True
    assert any("run `pilotlight up`" in each for each in run(aws).problems)


def test_a_bucket_that_one_run_cannot_read_is_compared_by_several_and_then_proven() -> None:
    aws = Cloud(400)
    first = run(aws)
    assert first.status == PARTIAL and "full comparison goes on" in first.parts[0].missing[0]
    made = until_complete(aws)
    assert made.parts[0].evidence["settled"] == 400


@pytest.mark.parametrize("waiting", [0, 7])
def test_a_run_between_two_full_comparisons_costs_the_same_however_long_the_bucket_is(waiting: int) -> None:
    spent = set()
    for objects in (30, 1_000_000, 100_000_000):
        aws = Cloud(waiting, arrived=False)
        context = RecoveryContext(aws, workload(), aws.clock, aws.fetch)
        now = stamp(aws.clock.now())
        found = Comparison(settled=objects, waiting=waiting, awaited=[f"part-{number:05}" for number in range(waiting)])
        comparisons._keep(context, ASSET, comparisons.State(comparisons.Full(now, now, found)))
        run(aws)
        before, listings = len(aws.made), aws.listings
        aws.clock.sleep(300)
        run(aws)
        spent.add((len(aws.made) - before, aws.listings - listings))
    (calls, listings), *others = spent
    assert not others and listings <= 2 * waiting * (1 + FURTHER_LOOKS_MAX) and calls - listings < 60


def test_what_was_written_since_is_not_proven_before_the_next_full_comparison() -> None:
    aws = Cloud(100)
    begun = parse_stamp(until_complete(aws).parts[0].as_of)
    aws.clock.sleep(300)
    aws.s3.write(CORPUS, "part-00050", b"another", replicate=False)
    aws.clock.sleep(300)
    assert parse_stamp(run(aws).parts[0].as_of) == begun
    aws.clock.sleep(HOUR)
    made = run(aws)
    assert made.status == PARTIAL and "part-00050 has not arrived" in made.parts[0].missing[0]


def test_a_short_bucket_is_compared_by_every_run() -> None:
    aws = Cloud(10)
    for _ in range(3):
        made = run(aws)
        assert made.status == COMPLETE and parse_stamp(made.parts[0].as_of) == math.floor(aws.clock.now())
        aws.clock.sleep(300)


def test_a_person_who_asks_for_a_point_gets_the_whole_comparison() -> None:
    aws = Cloud(400)
    assert run(aws, deadline=None).parts[0].evidence["settled"] == 400


def test_what_was_awaited_is_looked_at_key_by_key_until_it_arrives() -> None:
    aws = Cloud(100)
    until_complete(aws)
    aws.clock.sleep(HOUR)
    aws.s3.lag_seconds = 400
    aws.s3.write(CORPUS, "part-00007", b"late")
    aws.clock.sleep(30)
    written = aws.clock.now() - 30
    made = run(aws)
    assert parse_stamp(made.parts[0].as_of) <= written and made.parts[0].evidence["waiting"] == 1
    aws.clock.sleep(300)
    overdue, before = run(aws), aws.listings
    assert overdue.status == PARTIAL and "part-00007" in overdue.parts[0].missing[0]
    aws.clock.sleep(300)
    arrived = run(aws)
    assert arrived.status == COMPLETE and parse_stamp(arrived.parts[0].as_of) > written
    assert aws.listings - before <= 2 * len(["part-00007"]), "nothing but the key that was awaited"


def test_a_comparison_that_aws_refuses_is_told_and_gone_on_with() -> None:
    aws = Cloud(400)
    run(aws)
    aws.denied.add(f"s3:{LISTINGS}")
    aws.clock.sleep(300)
    told = run(aws)
    assert told.status == PARTIAL and any(each.startswith("dataset: s3:list_object_versions") for each in told.problems)
    aws.denied.clear()
    assert until_complete(aws).parts[0].evidence["settled"] == 400


def test_a_region_that_served_meanwhile_ends_what_was_known() -> None:
    aws = Cloud(100)
    until_complete(aws)
    aws.clock.sleep(300)
    ledger = RecoveryContext(aws, workload(), aws.clock, aws.fetch).ledger
    with ledger.leases.during("failback", "run") as held:
        ledger.claim(held, workload().primary)
        ledger.set_active(workload().primary, SERVING, "r1", held.epoch, held.epoch)
    aws.clock.sleep(5)
    made = run(aws)
    assert made.status == PARTIAL and "moved since" in made.parts[0].missing[0]
    assert until_complete(aws).parts[0].evidence["settled"] == 100


def test_after_a_backfill_the_next_run_compares_anew() -> None:
    aws = Cloud(100, arrived=False)
    run(aws)
    aws.clock.sleep(300)
    assert run(aws).parts[0].evidence["overdue"] == 100
    context = RecoveryContext(aws, workload(), aws.clock, aws.fetch)
    backfill(context, ASSET)
    aws.clock.sleep(300)
    assert context.ledger.protection("corpus").state == PROTECTED  # type: ignore[union-attr]
    assert run(aws).status == COMPLETE
    assert context.ledger.protection("corpus").state == PROTECTED  # type: ignore[union-attr]


def test_a_point_between_two_comparisons_names_what_it_consists_of_and_keeps_it_locked() -> None:
    of = workload(lock=Lock("governance", 86_400.0))
    aws = Cloud(30)
    aws.s3.page_keys = 0
    first = until_complete(aws, of)
    aws.clock.sleep(300)
    second = run(aws, of)
    key = second.parts[0].reference.listed_in if second.parts[0].reference else ""
    assert key and key == first.parts[0].reference.listed_in  # type: ignore[union-attr]
    locks = [lock for (_, name), lock in aws.s3.locks.items() if name == key]
    until = max(each["ObjectLockRetainUntilDate"] for each in locks)
    assert until.timestamp() >= parse_stamp(second.created_at) + 86_000


@pytest.mark.parametrize(("seconds", "state"), [(0, PROTECTED), (2 * HOUR, PROTECTED), (4 * HOUR, UNKNOWN)])
def test_a_comparison_counts_for_three_of_its_intervals_and_no_longer(seconds: float, state: str) -> None:
    aws = Cloud(100)
    made = until_complete(aws)
    context = RecoveryContext(aws, workload(), aws.clock, aws.fetch)
    kept = context.ledger.protection("corpus")
    assert kept is not None
    active = context.ledger.active(workload().primary)
    known = Known(aws.clock.now() + seconds, active, {"corpus": kept}, made, None)
    assert standings(workload(), known)[0].state == state


def test_an_owner_who_took_our_notification_away_is_told_in_the_next_point() -> None:
    aws = Cloud(10)
    aws.s3.notifications.clear()
    assert any("corpus: S3 is not asked to tell" in each for each in run(aws).problems)


def test_more_events_than_are_kept_begin_one_comparison_and_do_not_begin_it_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would never come to its end."""
    monkeypatch.setattr(events, "INDEX_MAX", 2)
    monkeypatch.setattr(comparisons, "TURN_PAGES", 8)
    aws = Cloud(400)
    until_complete(aws)
    begun = set()
    for _ in range(12):
        for number in range(5):
            aws.sqs.tell(CORPUS, f"part-{number:05}", "OperationMissedThreshold")
        aws.clock.sleep(300)
        begun.add(run(aws, deadline=20.0).parts[0].as_of)
    assert len(begun) > 1, "none came to its end"
