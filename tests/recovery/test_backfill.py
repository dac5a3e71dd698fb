"""What a user loses when one of these fails: objects from before the rule, under a bucket that is called protected."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.errors import NotCopied, NotProtected
from pilotlight.runtime.kinds.buckets import backfill
from pilotlight.runtime.kinds.buckets.copying import COPY_BYTES_MAX, PARTS_MAX, part_ranges
from pilotlight.runtime.kinds.buckets.listing import (
    DIFFERENT,
    ETAG,
    SIZE,
    VERSION,
    Bucket,
    Current,
    joined,
    settled,
    strength,
)
from support.fake_aws import CORPUS, CORPUS_COPY, MODELS, PRIMARY, STANDBY, FakeAws, inventory, older, recovery_of

ASSET = inventory().datasets[0]


def test_a_bucket_counts_as_protected_only_after_its_old_objects_are_proven() -> None:
    aws = older()
    recovery = recovery_of(aws)
    assert recovery.prove(ASSET).missing == 30
    done = recovery.backfill(ASSET)
    assert (done.copied, done.proven, done.strengths) == (30, 30, {ETAG: 30})
    assert recovery.prove(ASSET).protected
    assert aws.s3.current(CORPUS) == aws.s3.current(CORPUS_COPY)


def test_a_second_backfill_copies_nothing() -> None:
    recovery = recovery_of(older())
    recovery.backfill(ASSET)
    assert recovery.backfill(ASSET).copied == 0


def test_a_backfill_that_was_cut_off_goes_on_with_what_is_missing() -> None:
    aws = older()
    for number in range(12):
        aws.s3.write(CORPUS_COPY, f"old/{number:04d}", f"{number}".encode(), replicate=False)
    assert recovery_of(aws).backfill(ASSET).copied == 18


def test_bytes_changed_behind_the_same_key_are_copied_again() -> None:
    aws = older(3)
    aws.s3.write(CORPUS_COPY, "old/0001", b"other bytes", replicate=False)
    assert recovery_of(aws).backfill(ASSET).copied == 3
    assert aws.s3.current(CORPUS_COPY)["old/0001"] == b"1"


def test_an_object_deleted_in_the_source_is_not_brought_back() -> None:
    aws = older(3)
    aws.s3.write(CORPUS_COPY, "old/0002", b"2", replicate=False)
    aws.s3.objects[CORPUS]["old/0002"].append(type(aws.s3.write(CORPUS, "x", b""))("d", aws.clock.now(), deleted=True))
    done = recovery_of(aws).backfill(ASSET)
    assert done.removed == 1 and "old/0002" not in aws.s3.current(CORPUS_COPY)


@pytest.mark.parametrize("act", ["copy_object", "delete_object"])
def test_what_reaches_the_copy_after_it_was_compared_stays(act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica of newer bytes arrives between the look and the act: older bytes, or a deletion, must not hide it."""
    aws = older(3)
    aws.s3.write(CORPUS_COPY, "old/0001", b"other", replicate=False)
    if act == "delete_object":
        aws.s3.delete_object(CORPUS, "old/0001")
    made = getattr(aws.s3, act)

    def late(**given: str) -> object:
        if given["Key"] == "old/0001":
            aws.s3.write(CORPUS_COPY, "old/0001", b"newer", replicate=False)
        return made(**given)

    monkeypatch.setattr(aws.s3, act, late)
    source, target = Bucket(PRIMARY, CORPUS), Bucket(STANDBY, CORPUS_COPY)
    brought = backfill.bring(recovery_of(aws).context, source, target)
    assert aws.s3.current(CORPUS_COPY)["old/0001"] == b"newer"
    assert brought.removed == 0, "a delete marker that was not set is not counted"


def test_what_could_not_be_copied_leaves_the_bucket_unprotected() -> None:
    aws = older(5)
    aws.s3.copy_object = lambda **_: {}  # type: ignore[method-assign]
    with pytest.raises(NotProtected, match="5 object"):
        recovery_of(aws).backfill(ASSET)


def test_objects_on_their_way_are_not_missing_yet() -> None:
    aws = older(1)
    recovery = recovery_of(aws)
    recovery.backfill(ASSET)
    aws.s3.lag_seconds = 30
    aws.s3.write(CORPUS, "new", b"new")
    proof = recovery.prove(ASSET)
    assert (proof.waiting, proof.missing) == (1, 0)
    aws.s3.queue.clear()
    aws.clock.sleep(100)
    assert recovery.prove(ASSET).missing_keys == ["new"]


def test_progress_is_told() -> None:
    seen: list[tuple[int, int, int]] = []
    recovery_of(older(10)).backfill(ASSET, lambda done: seen.append((done.compared, done.copied, done.bytes)))
    assert seen[0] == (1, 1, 1) and seen[-1] == (10, 10, 10)


REFUSALS = {
    "old/0003": ("AccessDenied", "User is not authorized to perform: kms:Decrypt on the resource of the key"),
    "old/0007": ("InvalidObjectState", "Operation is not valid for the source object's storage class"),
    "old/0009": ("InvalidRequest", "The object was stored using a form of Server Side Encryption."),
    "old/0011": ("AccessDenied", "Access Denied"),
}


def test_objects_that_cannot_be_copied_do_not_stop_the_others_and_are_told_at_the_end() -> None:
    aws = older()
    aws.s3.uncopyable |= REFUSALS
    recovery = recovery_of(aws)
    with pytest.raises(NotCopied) as caught:
        recovery.backfill(ASSET)
    assert (caught.value.facts["failed"], caught.value.facts["copied"]) == (4, 26)
    why = {failure.key: failure.why for failure in caught.value.facts["failures"]}
    assert "KMS key may not be used" in why["old/0003"] and "archive class" in why["old/0007"]
    assert "SSE-C" in why["old/0009"] and "Access Denied" in why["old/0011"]
    found = recovery.protections()["corpus"]
    assert (found.state, found.objects) == ("UNPROTECTED", 26)


def test_what_was_mended_is_copied_by_the_next_backfill_and_the_bucket_is_protected() -> None:
    aws = older()
    aws.s3.uncopyable |= REFUSALS
    recovery = recovery_of(aws)
    with pytest.raises(NotCopied):
        recovery.backfill(ASSET)
    aws.s3.uncopyable.clear()
    assert recovery.backfill(ASSET).copied == 4
    assert recovery.protections()["corpus"].state == "PROTECTED"


def test_a_backfill_that_was_killed_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "POSITION_EVERY", 10)
    aws = older()
    aws.s3.page_keys = 10

    def killed(done: backfill.Brought) -> None:
        if done.compared == 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recovery_of(aws).backfill(ASSET, killed)
    compared = 0

    def count(done: backfill.Brought) -> None:
        nonlocal compared
        compared = done.compared

    assert recovery_of(aws).backfill(ASSET, count).proven == 30
    assert compared <= 20, "the first ten were done and remembered"
    assert recovery_of(aws).context.ledger.position("corpus") == ""


def test_a_bucket_is_unprotected_until_it_is_proven_and_again_when_objects_stay_out() -> None:
    aws = older()
    recovery = recovery_of(aws)
    recovery.initialise()
    assert recovery.protections()["corpus"].why == "never compared with its copy"
    recovery.protect()
    first = recovery.protections()["corpus"]
    assert first.state == "UNPROTECTED" and "30 object(s)" in first.why and "no rule has taken it up" in first.why
    recovery.backfill(ASSET)
    assert recovery.protections()["corpus"].state == "PROTECTED"
    aws.s3.write(CORPUS, "new/1", b"denied", replicate=False)
    aws.s3.statuses["new/1"] = "FAILED"
    aws.clock.sleep(1)
    recovery.protect()
    assert recovery.protections()["corpus"].state == "PROTECTED", "it may still be on its way"
    aws.clock.sleep(600)
    recovery.protect()
    fallen = recovery.protections()["corpus"]
    assert fallen.state == "UNPROTECTED" and "new/1 (replication FAILED)" in fallen.why
    assert aws.metrics["UnreplicatedObjects"][-1] == 1
    since = fallen.since
    aws.clock.sleep(60)
    recovery.protect()
    assert recovery.protections()["corpus"].since == since, "since when it is so, not when it was seen last"
    recovery.backfill(ASSET)
    assert recovery.protections()["corpus"].state == "PROTECTED"


def test_the_buckets_of_checkpoints_are_watched_too() -> None:
    aws = FakeAws(FakeClock())
    recovery = recovery_of(aws)
    recovery.initialise()
    aws.s3.write(MODELS, "checkpoints/step-000010/stray.bin", b"old", replicate=False)
    aws.clock.sleep(600)
    recovery.protect()
    assert "stray.bin" in recovery.protections()["checkpoints"].why


def test_a_silent_primary_changes_no_word_about_a_bucket() -> None:
    aws = older()
    recovery = recovery_of(aws)
    recovery.initialise()
    recovery.backfill(ASSET)
    aws.dark.add(PRIMARY)
    aws.clock.sleep(600)
    recovery.protect()
    assert recovery.protections()["corpus"].state == "PROTECTED"


keys = st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 2), max_size=12)


@given(keys, keys)
def test_every_key_of_either_side_is_compared_once(left: dict[str, int], right: dict[str, int]) -> None:
    def listing(of: dict[str, int]) -> list[Current]:
        ordered = sorted(of.items(), key=lambda item: item[0].encode("utf-8", "surrogatepass"))
        return [Current(key, "v", 0.0, size) for key, size in ordered]

    try:
        pairs = list(joined(listing(left), listing(right)))
    except UnicodeEncodeError:
        return
    assert sorted((ours or theirs).key for ours, theirs in pairs if ours or theirs) == sorted(
        left.keys() | right.keys()
    )
    for ours, theirs in pairs:
        assert ours is None or theirs is None or ours.key == theirs.key


def test_how_strongly_two_objects_are_known_to_be_equal() -> None:
    source = Current("k", "v1", 10.0, 5, '"a"')
    assert strength(source, Current("k", "v1", 10.0, 5, '"b"')) == VERSION
    assert strength(source, Current("k", "v2", 20.0, 5, '"a"')) == ETAG
    assert strength(source, Current("k", "v2", 20.0, 5, '"b"')) == SIZE
    assert strength(source, Current("k", "v2", 5.0, 5, '"b"')) == DIFFERENT, "older than its source"
    assert strength(source, Current("k", "v2", 20.0, 6, '"a"')) == DIFFERENT
    assert settled(Current("k", "v3", 30.0, deleted=True), source) == DIFFERENT
    assert settled(Current("k", "v3", 30.0, deleted=True), None) == VERSION


@pytest.mark.parametrize("size", [COPY_BYTES_MAX + 1, 10 * 1024**4, 48 * 1024**4])
def test_large_objects_are_copied_in_parts_that_cover_them_exactly(size: int) -> None:
    ranges = part_ranges(size)
    assert len(ranges) <= PARTS_MAX
    assert ranges[0][0] == 0 and ranges[-1][1] == size - 1
    assert all(after[0] == before[1] + 1 for before, after in itertools.pairwise(ranges))


def test_an_object_that_only_the_copy_has_stops_no_proof_and_counts_as_nothing() -> None:
    aws = older(3)
    recovery = recovery_of(aws)
    recovery.backfill(ASSET)
    aws.s3.write(CORPUS_COPY, "written-in-standby", b"b", replicate=False)
    proof = recovery.prove(ASSET)
    assert (proof.proven, proof.missing, proof.waiting) == (3, 0, 0) and proof.protected
