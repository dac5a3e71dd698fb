"""What a user loses when one of these fails: a copy of the same size with other bytes, in a bucket called protected."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.errors import NotProtected
from pilotlight.runtime.kinds.buckets import backfill, proofs
from pilotlight.runtime.kinds.buckets.arrival import waiting_since
from pilotlight.runtime.kinds.buckets.listing import CHECKSUM, CONTENT, Current
from pilotlight.runtime.kinds.kind import PROTECTED, UNPROTECTED
from pilotlight.runtime.records.point import COMPLETE, PARTIAL, RecoveryPoint
from pilotlight.runtime.recovery import Recovery
from support.fake_aws import CORPUS, CORPUS_COPY, FakeAws, inventory
from support.fake_s3 import Version

ASSET = inventory().datasets[0]
KEY = "by-hand/0"


def by_hand(aws: FakeAws, body: bytes, copied: bytes, etag: str = '"of-parts-2"', checksum: bool = True) -> None:
    """An object, and a copy of it that somebody made: a version and an entity tag of its own, as of parts or of KMS."""
    aws.s3.write(CORPUS, KEY, body, replicate=False)
    aws.clock.sleep(1)
    aws.s3.write(CORPUS_COPY, KEY, copied, replicate=False)
    _last(aws, CORPUS_COPY, told_etag=etag, has_checksum=checksum)
    _last(aws, CORPUS, told_etag='"whole"', has_checksum=checksum)
    aws.clock.sleep(100)


def _last(aws: FakeAws, bucket: str, **changes: object) -> Version:
    kept = aws.s3.objects[bucket][KEY]
    kept[-1] = replace(kept[-1], **changes)  # type: ignore[arg-type]
    return kept[-1]


def made(recovery: Recovery) -> RecoveryPoint:
    point = recovery.protect()
    assert point is not None
    return point


def evidence(point: RecoveryPoint) -> dict[str, object]:
    part = point.part(ASSET.name)
    assert part is not None
    return part.evidence


def heads(aws: FakeAws) -> int:
    return sum(operation == "head_object" for _, operation, _ in aws.made)


@pytest.mark.acts_alone
def test_a_copy_of_the_same_size_with_other_bytes_is_missing(aws: FakeAws, recovery: Recovery) -> None:
    by_hand(aws, b"right", b"wrong")
    point = made(recovery)
    assert point.status == PARTIAL
    assert evidence(point)["overdue_keys"] == [KEY]
    assert recovery.protections()[ASSET.name].state == UNPROTECTED
    assert recovery.backfill(ASSET).copied == 1
    assert aws.s3.current(CORPUS_COPY)[KEY] == b"right"


def test_one_of_the_same_bytes_is_proven_once_and_the_proof_is_kept(aws: FakeAws, recovery: Recovery) -> None:
    by_hand(aws, b"right", b"right")
    point = made(recovery)
    assert point.status == COMPLETE and evidence(point)["strengths"][CHECKSUM] == 1  # type: ignore[index]
    assert recovery.protections()[ASSET.name].by == "1 by checksum, 3 by version"
    told = next(each for each in recovery.status().assets if each.name == ASSET.name)
    assert (told.state, told.by) == (PROTECTED, "1 by checksum, 3 by version")
    asked = heads(aws)
    assert asked == 2
    aws.clock.sleep(60)
    assert evidence(made(recovery))["strengths"][CHECKSUM] == 1  # type: ignore[index]
    assert heads(aws) == asked, "what was proven is not asked for again"


def test_a_proof_is_of_these_versions_and_no_others(aws: FakeAws, recovery: Recovery) -> None:
    by_hand(aws, b"right", b"right")
    made(recovery)
    aws.s3.write(CORPUS_COPY, KEY, b"wrong", replicate=False)
    _last(aws, CORPUS_COPY, told_etag='"of-parts-3"', has_checksum=True)
    aws.clock.sleep(60)
    point = made(recovery)
    assert point.status == PARTIAL and evidence(point)["overdue_keys"] == [KEY]


def test_what_no_checksum_proves_is_not_settled_and_is_told_as_such(aws: FakeAws, recovery: Recovery) -> None:
    by_hand(aws, b"right", b"right", checksum=False)
    point = made(recovery)
    assert point.status == PARTIAL and evidence(point)["unproven"] == 1
    assert any("no checksum tells whether of its bytes" in each for each in point.problems)
    protection = recovery.protections()[ASSET.name]
    assert protection.state == UNPROTECTED and "`pilotlight backfill --read` compares them" in protection.why
    with pytest.raises(NotProtected):
        recovery.backfill(ASSET)


@pytest.mark.acts_alone
@pytest.mark.parametrize(("copied", "state"), [(b"right", PROTECTED), (b"wrong", UNPROTECTED)])
def test_reading_both_proves_what_no_checksum_does(
    aws: FakeAws, recovery: Recovery, monkeypatch: pytest.MonkeyPatch, copied: bytes, state: str
) -> None:
    monkeypatch.setattr(proofs, "PIECE_BYTES", 2)
    by_hand(aws, b"right", copied, checksum=False)
    if state == PROTECTED:
        assert recovery.backfill(ASSET, reads=True).strengths[CONTENT] == 1
        assert made(recovery).status == COMPLETE, "it was read once, and is known since"
    else:
        with pytest.raises(NotProtected):
            recovery.backfill(ASSET, reads=True)
    assert recovery.protections()[ASSET.name].state == state


def test_more_than_one_look_can_ask_for_are_proven_by_the_next(
    aws: FakeAws, recovery: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "ASKED_MAX", 2)
    for number in range(5):
        key = f"by-hand/{number}"
        for bucket, etag in ((CORPUS, '"whole"'), (CORPUS_COPY, '"parts-2"')):
            aws.s3.write(bucket, key, b"right", replicate=False)
            kept = aws.s3.objects[bucket][key]
            kept[-1] = replace(kept[-1], told_etag=etag, has_checksum=True)
            aws.clock.sleep(1)
    aws.clock.sleep(100)
    left = []
    for _ in range(3):
        left.append(evidence(made(recovery)).get("unproven", 0))
        aws.clock.sleep(60)
    assert left == [3, 1, 0]


def test_an_object_that_is_overwritten_while_it_is_asked_for_stays_unproven(
    aws: FakeAws, recovery: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand(aws, b"right", b"right")
    whole = aws.s3.head_object

    def head_object(**asked: str) -> dict[str, object]:
        if asked["Bucket"] == CORPUS and asked["Key"] == KEY and len(aws.s3.objects[CORPUS][KEY]) == 1:
            aws.s3.write(CORPUS, KEY, b"newer", replicate=False)
        return whole(**asked)

    monkeypatch.setattr(aws.s3, "head_object", head_object)
    assert evidence(made(recovery))["unproven"] == 1


def test_what_is_missing_is_told_beside_what_is_unproven(aws: FakeAws, recovery: Recovery) -> None:
    """One does not hide the other, and the first that is named is one that never came."""
    by_hand(aws, b"right", b"right", checksum=False)
    aws.s3.write(CORPUS, "late/0", b"x", replicate=False)
    aws.clock.sleep(100)
    point = made(recovery)
    assert (evidence(point)["overdue"], evidence(point)["overdue_keys"], evidence(point)["unproven_keys"]) == (
        2,
        ["late/0"],
        [KEY],
    )
    why = recovery.protections()[ASSET.name].why
    assert (
        "1 object(s) have a copy of the same size" in why and "1 object(s) did not arrive in time; first late/0" in why
    )


def test_an_older_version_of_the_copys_size_is_not_the_copy() -> None:
    """The watermark would lie behind a version that nobody knows to be there."""
    older = Current("k", "v2", 20.0, 1, '"a"')
    newest = Current("k", "v3", 30.0, 2, '"b"', older=(older,))
    assert waiting_since(newest, Current("k", "x", 25.0, 1, '"c"'), 0.0) == 20.0
    assert waiting_since(newest, Current("k", "x", 25.0, 1, '"a"'), 0.0) == 30.0


def test_a_copy_that_nothing_proves_yet_is_waited_for_as_long_as_any_other(aws: FakeAws, recovery: Recovery) -> None:
    """Each upload would make a point partial that is whole a moment later."""
    by_hand(aws, b"right", b"right", checksum=False)
    young = aws.clock.now() - 10
    for bucket in (CORPUS, CORPUS_COPY):
        kept = aws.s3.objects[bucket][KEY]
        kept[-1] = replace(kept[-1], at=young)
    point = made(recovery)
    assert point.status == COMPLETE and evidence(point)["waiting"] == 1
    assert "unproven" not in evidence(point)


@pytest.mark.acts_alone
def test_the_last_word_of_a_backfill_counts_what_was_copied_by_its_checksum(aws: FakeAws, recovery: Recovery) -> None:
    """Whoever watches would read that nothing was copied."""
    by_hand(aws, b"right", b"wrong")
    seen = list[int]()
    recovery.backfill(ASSET, lambda brought: seen.append(brought.copied))
    assert seen[-1] == 1


def test_nothing_is_read_byte_by_byte_unless_it_was_asked_for(aws: FakeAws, recovery: Recovery) -> None:
    """Terabytes would be read of both regions, and paid for, at a look."""
    by_hand(aws, b"right", b"right", checksum=False)
    acts: tuple[Callable[[], object], ...] = (
        lambda: backfill.prove(recovery.context, ASSET),
        lambda: backfill.prove_and_keep(recovery.context, ASSET),
        lambda: backfill.require(recovery.context, ASSET),
        lambda: backfill.backfill(recovery.context, ASSET),
        lambda: recovery.backfill(ASSET),
    )
    read = list[str]()

    class Reading(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "get_object" and parameters["Key"] == KEY:
                read.append(parameters["Bucket"])
            return super().call(service, operation, region, **parameters)

    recovery = Recovery(recovery.context.through(Reading(aws)), "test")
    for act in acts:
        with contextlib.suppress(NotProtected):
            act()
    assert read == []
