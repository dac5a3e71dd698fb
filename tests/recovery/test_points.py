"""What a user loses when one of these fails: a point that was sound once, is not any more, and still says so."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import pytest

from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import NoSuchPoint, RecordUnreadable, RegionUnreachable, StepFailed
from pilotlight.runtime.kinds.action import StepContext
from pilotlight.runtime.kinds.buckets.content import UNDECIDED, Compared
from pilotlight.runtime.kinds.buckets.rereading import PROBLEMS_MAX, Reread
from pilotlight.runtime.naming import RECORD_MANIFESTS, RECORD_POINTS
from pilotlight.runtime.points.prune import GRACE_SECONDS
from pilotlight.runtime.points.retention import RECENT
from pilotlight.runtime.readiness import people
from pilotlight.runtime.records.codec import encode
from pilotlight.runtime.records.inventory import Datasets, Keep, Lock
from pilotlight.runtime.records.point import COMPLETE, REFUSED, RecoveryPoint
from pilotlight.runtime.records.runs import WITHDRAWN, Step
from pilotlight.runtime.recovery import Recovery
from pilotlight.runtime.runs.choosing import LOOKS_MAX
from pilotlight.runtime.runs.register import ACTIONS
from pilotlight.runtime.store.ledger import Ledger, PointLine
from support.fake_aws import CORPUS, CORPUS_COPY, MODELS_COPY, NAMES, PRIMARY, STANDBY, FakeAws, inventory, save
from support.inventories import changed


def problems(recovery: Recovery, deep: bool = False, point: str = "newest") -> dict[str, tuple[str, ...]]:
    """Asset -> what is wrong with it, for assets with something wrong."""
    found = recovery.verify(point, deep)
    assert found.holds == (not any(part.problems or part.undecided for part in found.parts))
    return {part.asset: part.problems for part in found.parts if part.problems}


@pytest.fixture
def sound(aws: FakeAws, recovery: Recovery) -> Recovery:
    """A point is complete and nothing has been written since."""
    point = recovery.protect()
    assert point is not None and point.status == COMPLETE
    aws.made.clear()
    return recovery


def test_a_sound_point_holds_and_verifying_it_changes_nothing(aws: FakeAws, sound: Recovery) -> None:
    assert problems(sound) == {} == problems(sound, deep=True)
    assert not aws.acts()


def test_an_object_deleted_in_the_standby_bucket_is_found(aws: FakeAws, sound: Recovery) -> None:
    aws.s3.delete_object(CORPUS_COPY, "shards/1")
    aws.s3.queue.clear()
    assert "shards/1 is covered by a delete marker" in problems(sound)["corpus"][0]


def test_an_object_whose_versions_are_all_gone_is_found(aws: FakeAws, sound: Recovery) -> None:
    del aws.s3.objects[CORPUS_COPY]["shards/2"]
    assert problems(sound)["corpus"] == ("shards/2 is gone from the standby bucket, with all its versions",)


def test_an_object_overwritten_in_the_standby_bucket_is_found(aws: FakeAws, sound: Recovery) -> None:
    aws.s3.write(CORPUS_COPY, "shards/0", b"other", replicate=False)
    assert "that the primary never had" in problems(sound)["corpus"][0]


def test_what_replication_wrote_since_is_no_damage(aws: FakeAws, sound: Recovery) -> None:
    aws.s3.write(CORPUS, "shards/0", b"newer data")
    aws.s3.delete_object(CORPUS, "shards/1")
    aws.s3.write(CORPUS, "shards/9", b"new")
    aws.clock.sleep(5)
    aws.s3.arrive()
    assert problems(sound) == {}


def test_what_covers_an_object_cannot_be_judged_while_the_primary_is_silent(aws: FakeAws, sound: Recovery) -> None:
    aws.s3.write(CORPUS_COPY, "shards/0", b"other", replicate=False)
    aws.dark.add(PRIMARY)
    assert "cannot be told" in problems(sound)["corpus"][0]


def test_bytes_changed_behind_the_same_version_are_found_only_by_reading_them(aws: FakeAws, sound: Recovery) -> None:
    kept = aws.s3.objects[CORPUS_COPY]["shards/1"]
    rotten = dataclasses.replace(kept[-1], body=b"DATA 1", told_etag=kept[-1].etag)
    kept[-1] = rotten
    assert problems(sound) == {}
    assert "they are not what was written" in problems(sound, deep=True)["corpus"][0]


def test_a_snapshot_copy_that_was_removed_is_found(aws: FakeAws, sound: Recovery) -> None:
    index = next(part for part in sound.point("newest").parts if part.asset == "index")
    wanted = encode(index.reference)["sets"][0]["snapshots"]
    del aws.snapshots[STANDBY][wanted["/dev/sdg"]]
    assert problems(sound)["index"] == (f"snapshot copy {wanted['/dev/sdg']} of /dev/sdg of i-1 is gone in {STANDBY}",)


def test_a_checkpoint_that_lost_a_shard_is_found(aws: FakeAws, sound: Recovery) -> None:
    del aws.s3.objects[MODELS_COPY]["checkpoints/step-000040/model-00002-of-00002.safetensors"]
    assert "model-00002-of-00002.safetensors: missing" in problems(sound)["checkpoints"][0]


SHARD = "checkpoints/step-000040/model-00002-of-00002.safetensors"


def test_weights_overwritten_in_the_standby_bucket_are_found_though_the_file_is_whole(
    aws: FakeAws, sound: Recovery
) -> None:
    body = aws.s3.objects[MODELS_COPY][SHARD][-1].body
    aws.s3.write(MODELS_COPY, SHARD, body[:-1] + b"\xff", replicate=False)
    assert problems(sound)["checkpoints"] == (
        f"{SHARD} is covered by a version ({aws.s3.objects[MODELS_COPY][SHARD][-1].id}) that the primary never had: "
        "made in the standby bucket",
    )


def test_weights_that_rot_behind_the_same_version_are_found_by_reading_them(aws: FakeAws, sound: Recovery) -> None:
    kept = aws.s3.objects[MODELS_COPY][SHARD]
    kept[-1] = dataclasses.replace(kept[-1], body=kept[-1].body[:-1] + b"\xff", told_etag=kept[-1].etag)
    assert problems(sound) == {}
    assert "they are not what was written" in problems(sound, deep=True)["checkpoints"][0]


def test_a_part_that_may_not_be_read_does_not_hold(aws: FakeAws, sound: Recovery) -> None:
    aws.denied.add("rds:describe_global_clusters")
    assert problems(sound) == {}, "nothing is known to be wrong with it"
    found = sound.verify("newest", deep=False)
    (reason,) = next(part.undecided for part in found.parts if part.asset == "registry")
    assert "AccessDenied" in reason and not found.holds


def test_objects_that_may_not_be_read_are_undecided_and_the_point_does_not_hold(aws: FakeAws, sound: Recovery) -> None:
    found = Reread()
    for at in range(PROBLEMS_MAX + 7):
        found.read(Compared(UNDECIDED, f"{at} could not be read"))
    assert len(found.undecided) == PROBLEMS_MAX and found.unread == PROBLEMS_MAX + 7

    class Refusing(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "get_object" and parameters["Bucket"] == CORPUS_COPY:
                raise refused(service, operation, region, "AccessDenied", "AccessDenied: not allowed")
            return super().call(service, operation, region, **parameters)

    recovery = Recovery(RecoveryContext(Refusing(aws), inventory(), aws.clock, aws.fetch), "test")
    verified = recovery.verify("newest", deep=True)
    assert not verified.holds and not any(part.problems for part in verified.parts)
    assert {part.asset for part in verified.parts if part.undecided} == {"corpus"}


def test_a_point_that_was_read_whole_says_by_which_checksums(aws: FakeAws, sound: Recovery) -> None:
    told = {part.asset: part.compared for part in sound.verify("newest", deep=True).parts if part.compared}
    assert set(told) == {"corpus", "checkpoints"} and all(set(each) == {"ChecksumCRC32"} for each in told.values())
    assert not any(part.compared for part in sound.verify("newest", deep=False).parts)


def test_a_point_is_found_by_the_beginning_of_its_name(sound: Recovery) -> None:
    newest = sound.points()[0]
    assert sound.point(newest.id[:-1]).id == newest.id == sound.point("newest").id
    with pytest.raises(NoSuchPoint, match="begin with it"):
        sound.point("20")
    with pytest.raises(NoSuchPoint, match="the newest is"):
        sound.point("none of them")


# -- refusing --------------------------------------------------------------------------------------------------


def test_a_refused_point_takes_with_it_all_that_name_its_checkpoint(aws: FakeAws, sound: Recovery) -> None:
    before = {point.id: point for point in sound.points() if point.status == COMPLETE}
    fallen = sound.refuse("newest", "loss spiked at 40", "kim")
    assert len(fallen) >= 2 and set(before) <= set(fallen)
    for point in sound.points():
        if point.id in fallen:
            assert point.status == REFUSED and "refused by kim" in point.problems[0]
    assert sound.context.records.point(fallen[0]).status == before[fallen[0]].status, "the record is as it was written"


def test_after_a_refusal_the_newest_sound_checkpoint_is_taken(aws: FakeAws, sound: Recovery) -> None:
    sound.refuse("newest", "loss spiked at 40", "kim")
    aws.clock.sleep(1)
    point = sound.protect()
    assert point is not None and point.status == COMPLETE
    part = point.part("checkpoints")
    assert part is not None and encode(part.reference)["step"] == 20
    assert "loss spiked at 40" in part.evidence["passed_over"][0]["why"]
    aws.dark.add(PRIMARY)
    assert sound.failover() is not None
    assert aws.parameters[STANDBY, NAMES.parameter("checkpoints")].endswith("step-000020/")


def declared(recovery: Recovery, *datasets: Datasets) -> Recovery:
    """The same workload, where the declaration has these buckets now."""
    taken = changed(recovery.context.inventory, datasets=datasets)
    return dataclasses.replace(recovery, context=dataclasses.replace(recovery.context, inventory=taken))


def test_a_poisoned_point_can_be_refused_after_its_checkpoints_left_the_declaration(sound: Recovery) -> None:
    left = [each for each in sound.context.inventory.datasets if each.name != "checkpoints"]
    fallen = declared(sound, *left).refuse("newest", "loss spiked at 40", "kim")
    assert fallen and {point.status for point in sound.points() if point.id in fallen} == {REFUSED}


def test_verifying_says_what_left_the_declaration_and_what_came_after_the_point(sound: Recovery) -> None:
    corpus, *others = sound.context.inventory.datasets
    now = declared(sound, dataclasses.replace(corpus, name="later"), *others)
    told = {part.asset: part.remarks for part in now.verify("newest", deep=False).parts}
    assert "no part of the workload any more" in told[corpus.name][0]
    assert "declared after this point" in told["later"][0]


def test_a_step_about_an_asset_that_left_the_declaration_fails_by_its_name(sound: Recovery) -> None:
    step = Step("fence", "fence", asset="gone")
    work = StepContext(step, "failover", "r1", 1, sound.context, lambda _: {}, None, lambda: None)
    for look in (work.datasets, work.database, work.compute):
        with pytest.raises(StepFailed, match="gone is no asset of the inventory any more"):
            look()


# -- records ----------------------------------------------------------------------------------------------------


def manifests(aws: FakeAws) -> list[str]:
    return [key for key in aws.s3.current(NAMES.vault_bucket) if key.startswith(RECORD_MANIFESTS)]


def test_points_of_an_unchanged_dataset_share_one_manifest_and_it_goes_with_the_last(
    aws: FakeAws, recovery: Recovery
) -> None:
    recovery.protect()
    assert len(manifests(aws)) == 2, "one of the corpus, one of the checkpoint"
    aws.s3.write(CORPUS, "new", b"new")
    aws.clock.sleep(5)
    for _ in range(30):
        aws.clock.sleep(3600)
        recovery.protect()
    named = {key for line in recovery.context.ledger.points() for key in line.manifests}
    assert set(manifests(aws)) == named


def test_where_the_declaration_asks_for_it_points_and_manifests_are_locked(aws: FakeAws) -> None:
    whole = inventory(lock=Lock("compliance", 86_400.0))
    recovery = Recovery(RecoveryContext(aws, whole, aws.clock, aws.fetch), "test")
    recovery.protect()
    for start in (RECORD_POINTS, RECORD_MANIFESTS):
        locks = [more for (bucket, key), more in aws.s3.locks.items() if key.startswith(start) and more]
        assert locks and all(each["ObjectLockMode"] == "COMPLIANCE" for each in locks)
        until = locks[-1]["ObjectLockRetainUntilDate"].timestamp()
        assert until == pytest.approx(aws.clock.now() + 86_400, abs=10)


@pytest.mark.acts_alone
def test_a_record_is_never_written_over(aws: FakeAws, sound: Recovery) -> None:
    save(aws, 80)
    with pytest.raises(Exception, match="it is there already"):
        sound.context.records.write_point(sound.point("newest"), {})


def test_where_the_newest_points_copies_were_deleted_the_next_whole_one_is_taken_and_the_others_are_named(
    aws: FakeAws, sound: Recovery
) -> None:
    """On the day nobody is there to refuse one point after the other by hand."""
    newest, before = _by_run(aws, sound)
    _delete_copies(aws, newest[0])
    aws.dark.add(PRIMARY)
    journal = sound.failover()
    assert journal is not None and journal.state == "succeeded"
    for step in ("preflight", "choose-point"):
        evidence = journal.proven(step)
        assert evidence is not None and evidence.evidence["point"] == before[0].id
        passed = evidence.evidence["passed_over"]
        assert {each["point"] for each in passed} == {each.id for each in newest}
        assert all("is gone in us-west-2" in each["why"] for each in passed)
    assert [each for each in people.cautions(journal) if newest[0].id in each]


@pytest.mark.parametrize("carried_out", [False, True])
def test_a_chosen_point_whose_copies_vanish_before_a_launch_is_withdrawn_for_the_next_one(
    aws: FakeAws, sound: Recovery, carried_out: bool
) -> None:
    """A resumed run went on with the same choice for ever, though an older complete point was listed."""
    newest, before = _by_run(aws, sound)
    aws.dark.add(PRIMARY)

    class Deleting(Wrapper):
        """Somebody deletes the copies right after the choice."""

        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "create_launch_template" and newest:
                _delete_copies(aws, newest[0])
                newest.clear()
                if carried_out:
                    super().call(service, operation, region, **parameters)
                raise RegionUnreachable(region=region, service=service, operation=operation)
            return super().call(service, operation, region, **parameters)

    recovery = Recovery(replace(sound.context, client=Deleting(aws)), "another")
    journal = recovery.failover()
    assert journal is not None and journal.state == "succeeded"
    chosen = journal.proven("choose-point")
    assert chosen is not None and chosen.evidence["point"] == before[0].id
    withdrawn = {each.step for each in journal.entries if each.state == WITHDRAWN}
    assert {"choose-point", "restore-fleet"} <= withdrawn


def test_a_point_that_a_run_has_chosen_stays_until_the_run_has_ended(aws: FakeAws, sound: Recovery) -> None:
    """Retention took the point from under a run: it failed with a snapshot that was not there, on every resume."""
    context = replace(sound.context, inventory=inventory(keep=Keep(1, 0, 0)))
    ledger, chosen = context.ledger, sound.point("newest")
    held = ledger.leases.take("a run")
    ledger.open_run("1-failover", "failover", held)
    ledger.choose_point("1-failover", chosen.id)
    few = Recovery(context, "few")
    for _ in range(GRACE_FIRINGS):
        aws.clock.sleep(60)
        ledger.leases.renew(held)
        few.protect()
    assert chosen.id not in {each.id for each in ledger.points()}
    assert sound.context.records.point(chosen.id) == chosen
    assert copies(chosen) <= set(aws.snapshots[STANDBY])
    ledger.close_run("1-failover", "failover", held, "failed", "it died before its fence")
    aws.clock.sleep(60)
    few.protect()
    with pytest.raises(RecordUnreadable):
        sound.context.records.point(chosen.id)


GRACE_FIRINGS = int(GRACE_SECONDS / 60) + RECENT + 2
"""Scheduled runs of a minute after which whatever no run has chosen is gone."""


def copies(point: RecoveryPoint) -> set[str]:
    part = point.part("index")
    assert part is not None
    return set(part.reference.copies)


def _by_run(aws: FakeAws, recovery: Recovery) -> tuple[list[RecoveryPoint], list[RecoveryPoint]]:
    """(complete points of the newest snapshots, those of the ones before)."""
    for _ in range(8):
        aws.clock.sleep(30)
        recovery.protect()
    by_run: dict[str, list[RecoveryPoint]] = {}
    for point in (each for each in recovery.points(20) if each.status == COMPLETE):
        part = point.part("index")
        assert part is not None
        by_run.setdefault(str(encode(part.reference)["run"]), []).append(point)
    newest, before = list(by_run.values())[:2]
    return newest, before


def _delete_copies(aws: FakeAws, point: RecoveryPoint) -> None:
    for each in copies(point):
        del aws.snapshots[STANDBY][each]


@pytest.mark.acts_alone
def test_points_that_are_let_go_of_as_often_as_they_are_chosen_are_named_for_that(
    aws: FakeAws, sound: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person would read that a point cannot be recovered from, and no reason."""
    (line, *_), looks = sound.context.ledger.points(), list[int]()

    def points(ledger: Ledger) -> list[PointLine]:
        looks.append(1)
        return [line] if len(looks) % 2 else []

    monkeypatch.setattr(Ledger, "points", points)
    work = StepContext(Step("c", "choose-point"), "failover", "run", 1, sound.context, lambda n: {}, None, lambda: None)
    with pytest.raises(StepFailed, match=rf"none of 1 points .*\(point {line.id}: it is not listed any more\)"):
        ACTIONS["choose-point"].act(work)
    assert len(looks) == 2 * LOOKS_MAX


@pytest.mark.acts_alone
def test_points_that_stay_listed_and_cannot_be_used_are_looked_at_once(
    aws: FakeAws, sound: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minutes of an outage for the same answer, over and over."""
    (line, *_), looks = sound.context.ledger.points(), list[int]()
    _delete_copies(aws, sound.point(line.id))

    def points(ledger: Ledger) -> list[PointLine]:
        looks.append(1)
        return [line]

    monkeypatch.setattr(Ledger, "points", points)
    work = StepContext(Step("c", "choose-point"), "failover", "run", 1, sound.context, lambda n: {}, None, lambda: None)
    with pytest.raises(StepFailed, match=r"none of 1 points"):
        ACTIONS["choose-point"].act(work)
    assert len(looks) == 2
