"""What a user loses when one of these fails: a point that says complete and is not, or no point at all."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.runtime.clock import FakeClock, parse_stamp, stamp
from pilotlight.runtime.errors import CallRefused, LeaseHeld
from pilotlight.runtime.kinds.volumes import schedule, snapshots
from pilotlight.runtime.kinds.volumes.pruning import unneeded_copies, unneeded_sources
from pilotlight.runtime.points import choose, protect
from pilotlight.runtime.points.prune import GRACE_SECONDS
from pilotlight.runtime.points.retention import DAY_SECONDS, HOUR_SECONDS, RECENT, kept
from pilotlight.runtime.records.codec import encode
from pilotlight.runtime.records.inventory import Keep
from pilotlight.runtime.records.point import COMPLETE, PARTIAL, Part, RecoveryPoint
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.store.ledger import PointLine
from support.fake_aws import (
    CORPUS,
    CORPUS_COPY,
    MODELS_COPY,
    NAMES,
    PRIMARY,
    STANDBY,
    FakeAws,
    inventory,
    recovery_of,
    save,
)


def part(point: RecoveryPoint | None, asset: str) -> Part:
    assert point is not None
    found = point.part(asset)
    assert found is not None
    return found


def test_a_point_is_complete_only_once_every_copy_is_completed_in_the_standby_region() -> None:
    aws = FakeAws(FakeClock())
    recovery = recovery_of(aws)
    aws.s3.write(CORPUS, "a", b"a")
    save(aws, 20)
    aws.clock.sleep(2)
    statuses = []
    for _ in range(4):
        point = recovery.protect()
        assert point is not None
        statuses.append((point.status, any("index" in problem for problem in point.problems)))
        aws.clock.sleep(15)
    assert statuses == [(PARTIAL, True), (PARTIAL, True), (COMPLETE, False), (COMPLETE, False)]


def test_all_selected_volumes_of_an_instance_are_in_one_call_and_no_other_volume(aws: FakeAws) -> None:
    creations = [each for each in aws.snapshots[PRIMARY].values()]
    assert {each["VolumeId"] for each in creations} == {"vol-1", "vol-2"}
    runs = snapshots.runs(snapshots.listed(aws, PRIMARY, "inference", "index"))
    assert all(len(each.snapshots) == each.size == 2 for each in runs)


def test_copies_carry_device_set_and_the_moment_at_which_they_were_true(aws: FakeAws, recovery: Recovery) -> None:
    index = part(recovery.points()[0], "index")
    (held,) = encode(index.reference)["sets"]
    assert set(held["snapshots"]) == {"/dev/sdf", "/dev/sdg"}
    copies = snapshots.runs(snapshots.listed(aws, STANDBY, "inference", "index"))
    run = next(each for each in copies if each.id == encode(index.reference)["run"])
    assert index.as_of == held["as_of"] == run.as_of


def test_an_object_that_has_not_arrived_holds_the_watermark_back(aws: FakeAws, recovery: Recovery) -> None:
    aws.s3.lag_seconds = 30
    late = aws.s3.write(CORPUS, "late", b"late")
    aws.clock.sleep(10)
    corpus = part(recovery.protect(), "corpus")
    assert corpus.proven and parse_stamp(corpus.as_of) == late.at
    assert corpus.evidence["waiting"] == 1


def test_an_object_that_is_overdue_makes_the_point_partial_and_is_named(aws: FakeAws, recovery: Recovery) -> None:
    aws.s3.write(CORPUS, "never", b"never", replicate=False)
    aws.clock.sleep(100)
    point = recovery.protect()
    assert point is not None and point.status == PARTIAL
    assert any(f"s3://{CORPUS}/never has not arrived" in problem for problem in point.problems)
    assert aws.metrics["UnreplicatedObjects"][-1] == 1


def test_a_key_that_is_always_being_overwritten_holds_the_watermark_at_its_oldest_version_that_lacks(
    aws: FakeAws, recovery: Recovery
) -> None:
    aws.s3.lag_seconds = 30
    first = aws.s3.write(CORPUS, "shards/0", b"first")
    for number in range(3):
        aws.clock.sleep(5)
        aws.s3.write(CORPUS, "shards/0", f"{number}".encode())
    corpus = part(recovery.protect(), "corpus")
    assert parse_stamp(corpus.as_of) == first.at, "the newest version is young, but the state of this key is not"


def test_a_key_that_came_and_went_before_it_arrived_holds_the_watermark_back(aws: FakeAws, recovery: Recovery) -> None:
    aws.s3.lag_seconds = 30
    came = aws.s3.write(CORPUS, "shards/9", b"read by step 80")
    aws.clock.sleep(5)
    aws.s3.delete_object(CORPUS, "shards/9")
    aws.clock.sleep(3)
    assert parse_stamp(part(recovery.protect(), "corpus").as_of) == came.at, (
        "gone from both sides is not the same on both"
    )
    aws.s3.queue.clear()
    aws.clock.sleep(100)
    assert parse_stamp(part(recovery.protect(), "corpus").as_of) > came.at, "what never comes is not waited for"


def test_an_older_version_that_arrives_late_is_not_taken_for_a_newer_one_of_the_same_size(
    aws: FakeAws, recovery: Recovery
) -> None:
    aws.s3.lag_seconds = 30
    aws.s3.write(CORPUS, "shards/0", b"first")
    aws.clock.sleep(10)
    newer = aws.s3.write(CORPUS, "shards/0", b"later")
    aws.clock.sleep(25)
    aws.s3.arrive()
    late = aws.s3.objects[CORPUS_COPY]["shards/0"]
    late[-1] = dataclasses.replace(late[-1], at=aws.clock.now())
    assert parse_stamp(part(recovery.protect(), "corpus").as_of) == newer.at


def test_a_watermark_is_a_whole_second_as_the_times_of_s3_are(aws: FakeAws, recovery: Recovery) -> None:
    aws.s3.arrive()
    aws.clock.sleep(10.7)
    before = aws.clock.now()
    watermark = parse_stamp(part(recovery.protect(), "corpus").as_of)
    assert watermark == int(watermark) and before - 1 <= watermark <= before


def test_an_object_deleted_from_the_standby_bucket_is_noticed(aws: FakeAws, recovery: Recovery) -> None:
    aws.s3.objects[CORPUS_COPY].pop("shards/1")
    aws.clock.sleep(100)
    assert not part(recovery.protect(), "corpus").proven


def test_a_checkpoint_newer_than_the_data_it_was_trained_on_is_not_taken(aws: FakeAws, recovery: Recovery) -> None:
    aws.s3.lag_seconds = 50
    aws.s3.write(CORPUS, "on its way", b"data of step 80")
    aws.clock.sleep(1)
    save(aws, 80, bucket=MODELS_COPY)
    point = recovery.protect()
    assert encode(part(point, "checkpoints").reference)["step"] == 40
    assert point is not None and point.status == COMPLETE


def test_a_checkpoint_has_arrived_only_with_the_files_that_no_format_knows(aws: FakeAws, recovery: Recovery) -> None:
    save(aws, 80, more={"tokenizer.model": b"words", "zz-trainer_state.json": b"{}"})
    aws.s3.queue = [each for each in aws.s3.queue if not each[2].endswith("tokenizer.model")]
    aws.clock.sleep(10)
    found = part(recovery.protect(), "checkpoints")
    assert encode(found.reference)["step"] == 40
    assert found.evidence["refused"][0]["problems"] == ["tokenizer.model: is in the primary region and has not arrived"]


def test_a_checkpoint_that_was_read_before_is_not_read_again(aws: FakeAws, recovery: Recovery) -> None:
    aws.made.clear()
    recovery.protect()
    reads = [made for made in aws.made if made[:2] == ("s3", "get_object")]
    assert len(reads) <= 2 + 4, "the last point, and the torn checkpoint that may have become complete"


def test_a_point_is_made_while_the_primary_is_silent_and_says_so(aws: FakeAws, recovery: Recovery) -> None:
    aws.s3.arrive()
    aws.dark.add(PRIMARY)
    before = part(recovery.points()[0], "corpus")
    point = recovery.protect()
    assert point is not None and point.status == COMPLETE
    assert protect.PRIMARY_SILENT in point.problems
    assert part(point, "corpus").as_of == before.as_of, "nothing newer can be known"
    assert {region for _, _, region in aws.acts()[-3:]} == {STANDBY}


def test_what_may_not_be_looked_at_is_not_proven_and_the_rest_is(aws: FakeAws, recovery: Recovery) -> None:
    aws.denied.add("rds:describe_db_clusters")
    point = recovery.protect()
    assert point is not None and point.status == PARTIAL
    assert [each.asset for each in point.parts if not each.proven] == ["registry"]
    assert "AccessDenied" in part(point, "registry").missing[0]


def test_a_scheduled_run_that_fails_says_why_to_whoever_looks(aws: FakeAws, recovery: Recovery) -> None:
    """The alarm tells that it failed; without the reason a person would have to find the function's log."""
    aws.denied.add("s3:put_object")
    with pytest.raises(CallRefused):
        recovery.protect()
    heartbeat = recovery.context.ledger.sightings.heartbeat()
    assert heartbeat is not None and len(heartbeat.troubles) == 1
    assert heartbeat.troubles[0].startswith("the scheduled run failed: ") and "put_object" in heartbeat.troubles[0]
    assert aws.metrics["ScheduledRunFailures"][-1] == 1


def test_two_scheduled_runs_at_once_make_one_point(aws: FakeAws, recovery: Recovery) -> None:
    recovery.context.ledger.leases.take("another scheduled run", "protect")
    with pytest.raises(LeaseHeld):
        recovery.protect()


def test_a_scheduled_run_that_died_does_not_stop_a_run(aws: FakeAws, recovery: Recovery) -> None:
    recovery.context.ledger.leases.take("another scheduled run", "protect")
    aws.dark.add(PRIMARY)
    assert recovery.failover() is not None


def test_pruning_never_deletes_what_a_kept_point_stands_on(aws: FakeAws, recovery: Recovery) -> None:
    for _ in range(45):
        aws.clock.sleep(60)
        recovery.protect()
    listed = recovery.context.ledger.points()
    assert len(listed) <= RECENT + 3, "a point a minute is not kept for ever"
    held = set(aws.snapshots[STANDBY])
    for line in listed:
        assert set(part(recovery.context.records.point(line.id), "index").reference.copies) <= held
    assert len(held) < 2 * (RECENT + 5 + GRACE_SECONDS / 60)
    assert len(aws.snapshots[PRIMARY]) <= 8, "sources are let go once their copies are there"


moments = st.lists(st.floats(1.6e9, 1.6e9 + 90 * DAY_SECONDS), max_size=60, unique=True)


@given(moments, st.data(), st.builds(Keep, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)))
def test_the_retention_policy_keeps_the_newest_complete_point_whatever_it_says(
    times: list[float], data: st.DataObject, keep: Keep
) -> None:
    statuses = data.draw(st.lists(st.sampled_from([COMPLETE, PARTIAL]), min_size=len(times), max_size=len(times)))
    lines = [PointLine(str(at), status, stamp(at)) for at, status in zip(times, statuses, strict=True)]
    stay = kept(lines, keep)
    complete = [line for line in lines if line.status == COMPLETE]
    if complete:
        assert max(complete, key=lambda line: line.created_at).id in stay
    assert len(stay) <= RECENT + 1 + keep.hourly + keep.daily + keep.weekly


def test_the_retention_policy_keeps_one_point_an_hour_then_one_a_day() -> None:
    lines = [PointLine(str(hour), COMPLETE, stamp(hour * HOUR_SECONDS)) for hour in range(24 * 10)]
    stay = sorted(int(each) for each in kept(lines, Keep(hourly=24, daily=7, weekly=0)))
    assert stay[-24:] == list(range(216, 240))
    assert stay[:-24] == [24 * day + 23 for day in range(3, 9)]


def snapshot(at: int, done: bool, source: str = "", device: str = "d") -> snapshots.Snapshot:
    state = snapshots.COMPLETED if done else "pending"
    name = f"set{at}"
    return snapshots.Snapshot(f"s{at}{source}", "v", state, name, 1, stamp(float(at)), device, source, run=name)


def test_a_set_that_a_point_stands_on_or_that_is_under_way_is_not_pruned() -> None:
    copies = [snapshot(1, True, "a"), snapshot(2, True, "b"), snapshot(3, True, "c"), snapshot(4, False, "d")]
    assert [each.set for each in unneeded_copies(copies, {"set1"})] == ["set2"]
    sources = [snapshot(at, True) for at in (1, 2, 3, 4)]
    assert [each.set for each in unneeded_sources(sources, copies)] == ["set1", "set2"]


def test_no_more_sets_are_begun_than_can_be_copied() -> None:
    sources = [snapshots.runs([snapshot(at, True)])[0] for at in (300, 200, 100)]
    assert not schedule.is_due(sources, [], 1000.0, 60)
    assert schedule.is_due(sources[1:], [], 1000.0, 60)
    assert not schedule.is_due(sources[1:], [], 210.0, 60)


def test_a_copy_that_is_begun_is_not_begun_again() -> None:
    assert not schedule.to_copy([snapshot(5, True)], [snapshot(5, False, source="s5")])
    failed = dataclasses.replace(snapshot(5, False, source="s5"), state=snapshots.ERROR)
    assert schedule.to_copy([snapshot(5, True)], [failed])


def test_an_edge_that_does_not_hold_is_a_sentence() -> None:
    corpus = Part("corpus", "dataset", "replication", True, "2026-01-01T00:00:00.000Z")
    models = Part("checkpoints", "checkpoints", "replication", True, "2026-01-01T00:00:05.000Z")
    made = choose.point(inventory(), "1", "2026-01-01T00:01:00.000Z", (corpus, models))
    assert made.status == PARTIAL and "checkpoints of 2026-01-01T00:00:05.000Z uses corpus" in made.problems[0]


def test_points_are_listed_only_once_their_record_is_written(aws: FakeAws, recovery: Recovery) -> None:
    for line in recovery.context.ledger.points():
        assert f"papers/points/{line.id}.json" in aws.s3.objects[NAMES.vault_bucket]


def test_snapshots_that_are_being_taken_are_not_pruned_because_some_are_not_there_yet() -> None:
    """The newest set is not whole while it is made: a scheduled run beside it would delete it under its maker's
    hands."""
    taking = dataclasses.replace(snapshot(9, False), set_size=2, run_size=2)
    died = dataclasses.replace(snapshot(5, False), set_size=2, run_size=2)
    assert unneeded_sources([taking], []) == []
    assert unneeded_sources([taking, died], []) == [died]
