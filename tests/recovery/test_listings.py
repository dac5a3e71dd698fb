"""What a user loses when one of these fails: an object that two listings tell of, and that nobody called missing."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pilotlight.runtime.aws.wrappers import Wrapper
from pilotlight.runtime.clock import FakeClock, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import NotCopied
from pilotlight.runtime.kinds.buckets import backfill, observe
from pilotlight.runtime.kinds.buckets.backfill import bring, prove
from pilotlight.runtime.kinds.buckets.listing import (
    CHECKSUM,
    DIFFERENT,
    ETAG,
    SIZE,
    VERSION,
    Bucket,
    Current,
    current,
    joined,
    settled,
    stays,
    strength,
)
from pilotlight.runtime.kinds.buckets.observe import NAMED_MAX, Comparison, Rules
from pilotlight.runtime.kinds.buckets.proofs import resolved
from pilotlight.runtime.kinds.buckets.rule import Rule
from pilotlight.runtime.records.point import Part
from support.fake_aws import CORPUS, CORPUS_COPY, PRIMARY, STANDBY, FakeAws, inventory, recovery_of

HERE, THERE = Bucket(PRIMARY, CORPUS), Bucket(STANDBY, CORPUS_COPY)
ASSET = inventory().datasets[0]


def item(version: str = "v1", modified: float = 10.0, **told: Any) -> Current:
    return Current(**({"key": "k", "version": version, "modified": modified, "size": 1} | told))


class Pages:
    """Listings page by page, as S3 gives them."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.given, self.asked = pages, dict[str, Any]()

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        self.asked = parameters
        yield from self.given


def listed(key: str, version: str, second: int, latest: bool, size: int | None = 1) -> dict[str, Any]:
    told = {"Key": key, "VersionId": version, "IsLatest": latest, "LastModified": datetime.fromtimestamp(second, UTC)}
    return told if size is None else told | {"Size": size, "ETag": f'"{version}"'}


def test_of_every_key_the_newest_state_comes_first_and_its_past_behind_it() -> None:
    """A marker and a version of one second are told apart by what S3 calls the latest."""
    pages = (
        {
            "Versions": [listed("a", "a2", 20, False), listed("a", "a1", 10, False), listed("b", "b3", 30, True)],
            "DeleteMarkers": [listed("a", "am", 20, True, None)],
        },
        {"Versions": [listed("b", "b2", 30, False), listed("b", "b1", 10, False), listed("é", "e1", 5, True)]},
        {},
    )
    client = Pages(*pages)
    found = list(current(client, Bucket(PRIMARY, "x", "p/")))  # type: ignore[arg-type]
    assert [(each.key, each.version, each.deleted) for each in found] == [
        ("a", "am", True),
        ("b", "b3", False),
        ("é", "e1", False),
    ]
    assert [[one.version for one in each.older] for each in found] == [["a2", "a1"], ["b2", "b1"], []]
    assert (found[1].modified, found[1].size, found[1].etag) == (30.0, 1, '"b3"')
    assert client.asked == {"Bucket": "x", "Prefix": "p/"}
    list(current(client, Bucket(PRIMARY, "x"), "b"))  # type: ignore[arg-type]
    assert client.asked == {"Bucket": "x", "Prefix": "", "KeyMarker": "b"}
    assert list(current(Pages({}), HERE)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("copy", "wanted"),
    [
        (item("v1", 5.0, etag='"of-another-kms-key"'), VERSION),
        (item("v1", 5.0, size=9), DIFFERENT),
        (item("v2", 10.0), SIZE),
        (item("v2", 9.0), DIFFERENT),
        (item("v2", 20.0, size=2), DIFFERENT),
        (item("v2", 5.0, etag='"e"'), ETAG),
        (item("v0", 20.0), DIFFERENT),
        (item("v0", 5.0, etag='"e"'), ETAG),
    ],
)
def test_a_copy_is_as_good_as_what_proves_it(copy: Current, wanted: str) -> None:
    assert strength(item(etag='"e"', older=(item("v0", 1.0),)), copy) == wanted


@pytest.mark.parametrize("version", ["", "null"])
def test_versions_without_a_name_of_their_own_prove_nothing(version: str) -> None:
    """Every object of a bucket without versioning has the same."""
    assert strength(item(version, size=1), item(version, size=2)) == DIFFERENT
    assert strength(item(version), item(version)) == SIZE
    assert strength(item("v1", etag=""), item("v2", etag="")) == SIZE, "no tag is not the same tag"


def test_a_deletion_has_arrived_where_nothing_of_the_key_is_left() -> None:
    gone = item("m", deleted=True)
    assert settled(gone, None) == VERSION == settled(gone, item("m2", deleted=True))
    assert settled(gone, item()) == DIFFERENT
    assert settled(item(), None) == DIFFERENT == settled(item(), item("m", deleted=True))


@pytest.mark.parametrize(
    ("ours", "theirs", "wanted"),
    [
        (item("v1", 10.0), None, False),
        (item("v1", 10.0), item("v2", 20.0, older=(item("v1"),)), True),
        (item("v1", 30.0), item("v2", 20.0, older=(item("v1"),)), True),
        (item("v1", 10.0), item("v2", 20.0), True),
        (item("v1", 20.0), item("v2", 20.0), False),
        (item("v1", 30.0), item("v2", 20.0), False),
        (item("v1", 10.0), item("v2", 50.0), False),
        (item("v1", 10.0), item("v2", 49.0), True),
        (item("v3", 10.0, older=(item("v2"),)), item("v2", 20.0), False),
        (item("null", 30.0), item("v2", 20.0, older=(item("null"),)), False),
    ],
)
def test_what_the_region_that_is_returned_to_has_stays_where_it_went_on_from_it_or_is_newer(
    ours: Current, theirs: Current | None, wanted: bool
) -> None:
    """Fenced at 50: what came after that was brought."""
    assert stays(ours, theirs, 50.0) is wanted


def counted(source: list[Current], copy: list[Current], before: float = 0.0, **more: Any) -> Comparison:
    rules, found = Rules(before, **more), Comparison()
    for pair in joined(source, copy):
        rules.pair(found, *pair)
    return rules.settle(found)


def test_what_waits_is_overdue_from_the_moment_on_that_it_should_have_arrived() -> None:
    for modified, overdue in ((10.0, 0), (9.9, 1)):
        found = counted([item("v1", modified)], [], 10.0)
        assert (found.waiting, found.overdue, found.oldest_waiting) == (1, overdue, modified)
    for modified, overdue in ((10.0, 0), (9.9, 1)):
        found = counted([item("v1", modified)], [], 0.0, rule_since=10.0)
        assert (found.overdue, found.before_rule, found.overdue_keys) == (overdue, overdue, ["k"] * overdue)


def keys(count: int, **told: Any) -> list[Current]:
    return [item(key=f"{number:02d}", **told) for number in range(count)]


def test_every_object_is_counted_and_the_first_are_named() -> None:
    missing = counted(keys(25), [], 20.0)
    assert (missing.overdue, len(missing.overdue_keys), missing.overdue_keys[-1]) == (25, 20, "19")
    extra = counted([], keys(25))
    assert (extra.extra, len(extra.extra_keys)) == (25, 20)
    kept = counted(keys(25), [], stays=lambda ours, theirs: True)
    assert (kept.kept, len(kept.kept_keys), kept.waiting) == (25, 20, 0)
    equal = counted([item("v1")], [item("v1")], stays=lambda ours, theirs: True)
    assert (equal.kept, equal.settled) == (0, 1), "what is equal has arrived, and nothing has to stay"
    assert counted([], [item(deleted=True)]).extra == 0, "what is deleted on the other side is not there"


def test_what_is_settled_is_kept_and_told_by_what_proves_it() -> None:
    source = [item(key="a"), item(key="b", etag='"e"'), item("m", key="c", deleted=True)]
    copy = [item(key="a"), item("v2", key="b", etag='"e"')]
    rules, found = Rules(0.0), Comparison()
    held = [kept for pair in joined(source, copy) if (kept := rules.pair(found, *pair))]
    assert found.settled == 3 and found.strengths == {VERSION: 2, ETAG: 1}
    assert held == copy, "a deletion leaves nothing to keep"


def test_pairs_of_one_size_are_looked_at_closer_where_that_is_asked() -> None:
    pairs = [item("v1")], [item("v2", 20.0)]
    assert counted(*pairs).strengths == {SIZE: 1}
    assert counted(*pairs, certain=lambda ours, theirs: CHECKSUM).strengths == {CHECKSUM: 1}
    assert counted(*pairs, certain=lambda ours, theirs: DIFFERENT).waiting == 1
    known = [item("v1")], [item("v1")]
    assert counted(*known, certain=lambda ours, theirs: DIFFERENT).waiting == 0, "what is known is not asked for"


def test_a_key_that_is_overwritten_all_the_time_waits_since_its_newest_version_where_no_version_arrives() -> None:
    source = [item("v3", 30.0, older=(item("v2", 20.0), item("v1", 10.0)))]
    assert counted(source, [], 15.0, with_past=False).oldest_waiting == 30.0
    assert counted(source, [], 0.0).oldest_waiting == 10.0


def test_the_oldest_of_what_waits_holds_the_watermark_back() -> None:
    found = counted([item(key="a", modified=30.0), item(key="b", modified=20.0), item(key="c", modified=25.0)], [])
    assert found.oldest_waiting == 20.0


def part(aws: FakeAws, rule: Rule = observe.ALWAYS) -> Part:
    return observe.observe(aws, inventory(), ASSET, aws.clock, rule=rule)


def test_the_watermark_is_the_second_of_the_look_or_of_what_waits() -> None:
    aws = FakeAws(FakeClock(1_700_000_000.7))
    assert part(aws).as_of == stamp(1_700_000_000)
    aws.s3.write(CORPUS, "late", b"x", replicate=False)
    aws.clock.sleep(30)
    found = part(aws)
    assert (found.proven, found.as_of, found.missing) == (True, stamp(1_700_000_000), ())
    aws.clock.sleep(60)
    found = part(aws)
    assert not found.proven and found.missing == (f"s3://{CORPUS}/late has not arrived",)
    assert found.evidence["overdue_keys"] == ["late"] and "rule" not in found.evidence
    untold = part(aws, Rule(math.inf, "it is gone"))
    assert untold.evidence["rule"] == "it is gone" and untold.evidence["before_rule"] == 1


def test_objects_that_are_not_named_are_counted_in_a_sentence() -> None:
    aws = FakeAws(FakeClock())
    for number in range(22):
        aws.s3.write(CORPUS, f"late-{number:02d}", b"x", replicate=False)
    aws.clock.sleep(100)
    missing = part(aws).missing
    assert len(missing) == 21 and missing[-1] == f"and 2 more of s3://{CORPUS} have not arrived"


def test_while_the_primary_is_silent_what_an_earlier_point_proved_counts_and_no_more() -> None:
    proven = Part("corpus", "dataset", "replication", True, "2026-01-01T00:00:00.000Z", evidence={"settled": 3})
    for last in (None, Part("corpus", "dataset", "replication", False, "2026-01-01T00:00:00.000Z")):
        found = observe.observe_alone(ASSET, last)
        assert not found.proven and found.as_of == "" and "proved this part" in found.missing[0]
    found = observe.observe_alone(ASSET, proven)
    assert (found.proven, found.as_of, found.evidence["compared"]) == (True, proven.as_of, False)


# -- brought, and proven ---------------------------------------------------------------------------------------


def both(aws: FakeAws, key: str, here: bytes, there: bytes) -> None:
    aws.s3.write(CORPUS, key, here, replicate=False)
    aws.s3.write(CORPUS_COPY, key, there, replicate=False)


class Heads(Wrapper):
    """S3 tells other tags than those of the bytes, and these checksums by region."""

    def __init__(self, inner: FakeAws, here: dict[str, str], there: dict[str, str]) -> None:
        super().__init__(inner)
        self.told, self.conditions = {PRIMARY: here, STANDBY: there}, list[str | None]()

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        if operation == "head_object":
            self.conditions.append(parameters.get("IfMatch"))
            return dict(self.told[region])
        return super().call(service, operation, region, **parameters)


@pytest.mark.parametrize(
    ("here", "there", "wanted"),
    [
        ({"ChecksumSHA256": "a"}, {"ChecksumSHA256": "a"}, CHECKSUM),
        ({"ChecksumSHA256": "a"}, {"ChecksumSHA256": "b"}, DIFFERENT),
        ({"ChecksumSHA256": "a"}, {"ChecksumSHA1": "a"}, SIZE),
        ({"ChecksumSHA256": "a", "ChecksumCRC32": "x"}, {"ChecksumSHA256": "a", "ChecksumCRC32": "y"}, DIFFERENT),
        ({"ChecksumSHA256": "a", "ChecksumSHA1": "x"}, {"ChecksumSHA256": "a", "ChecksumCRC32": "y"}, CHECKSUM),
        ({}, {"ChecksumSHA256": "a"}, SIZE),
        ({"ChecksumSHA256": "a", "ChecksumType": "COMPOSITE"}, {"ChecksumSHA256": "a"}, SIZE),
        ({"ChecksumSHA256": "a", "ChecksumType": "FULL_OBJECT"}, {"ChecksumSHA256": "a"}, CHECKSUM),
    ],
)
def test_where_only_sizes_are_known_checksums_of_all_bytes_decide(
    here: dict[str, str], there: dict[str, str], wanted: str
) -> None:
    aws = FakeAws(FakeClock())
    context = RecoveryContext(Heads(aws, here, there), inventory(), aws.clock, aws.fetch)
    assert resolved(context.client, HERE, THERE, item("v1"), item("v2", 20.0)) == wanted


def test_what_was_listed_is_asked_for_its_checksums_and_nothing_that_came_after_it() -> None:
    aws = FakeAws(FakeClock())
    client = Heads(aws, {}, {})
    resolved(client, HERE, THERE, item("v1", etag='"a"'), item("v2", 20.0, etag='"b"'))
    assert client.conditions == ['"a"', '"b"']
    client.conditions.clear()
    assert resolved(client, HERE, THERE, item("v1"), item("v1")) == VERSION
    assert resolved(client, HERE, THERE, item("v1"), None) == DIFFERENT
    assert client.conditions == [], "what is known already is not asked for"


def test_what_is_younger_than_the_objective_and_the_rule_may_still_be_on_its_way() -> None:
    aws = FakeAws(FakeClock())
    now = aws.clock.now()
    context = recovery_of(aws).context
    for at, rule, wanted in (
        (now - 60, -math.inf, (1, 0, 0)),
        (now - 61, -math.inf, (0, 1, 0)),
        (now - 10, now - 10, (1, 0, 0)),
        (now - 10, now - 9, (0, 1, 1)),
        (now - 61, now - 9, (0, 1, 1)),
    ):
        aws.s3.objects[CORPUS].clear()
        aws.s3.write(CORPUS, "k", b"x", replicate=False, at=at)
        proof = prove(context, ASSET, Rule(rule))
        assert (proof.waiting, proof.missing, proof.before_rule) == wanted
        assert proof.protected is (wanted[1] == 0) and proof.missing_keys == ["k"] * wanted[1]


def test_every_missing_object_is_counted_and_the_first_are_named() -> None:
    aws = FakeAws(FakeClock())
    for number in range(NAMED_MAX + 3):
        aws.s3.write(CORPUS, f"{number:02d}", b"x", replicate=False, at=0.0)
    aws.s3.write(CORPUS_COPY, "extra", b"x", replicate=False)
    both(aws, "same", b"x", b"x")
    proof = prove(recovery_of(aws).context, ASSET)
    assert (proof.missing, len(proof.missing_keys), proof.proven, proof.strengths) == (23, NAMED_MAX, 1, {ETAG: 1})


def test_a_backfill_that_is_cut_off_goes_on_behind_what_was_done_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every position that is remembered has all of its copies behind it."""
    monkeypatch.setattr(backfill, "POSITION_EVERY", 2)
    aws = FakeAws(FakeClock())
    aws.s3.page_keys = 3
    for number in range(8):
        aws.s3.write(CORPUS, f"{number}", b"x", replicate=False)
    aws.s3.write(CORPUS_COPY, "35", b"only there", replicate=False)
    seen = list[tuple[str, list[str]]]()
    brought = bring(
        recovery_of(aws).context,
        HERE,
        THERE,
        lambda done: seen.append((done.position, sorted(aws.s3.current(CORPUS_COPY)))),
    )
    positions = [position for position, _ in seen]
    assert positions == sorted(positions) and len(set(positions)) > 2
    for position, there in seen:
        assert {f"{number}" for number in range(8) if f"{number}" <= position} <= set(there)
    assert (brought.copied, brought.bytes, brought.removed) == (8, 8, 0)
    assert aws.s3.current(CORPUS_COPY)["35"] == b"only there", "what only the copy has stays"
    again = bring(recovery_of(aws).context, HERE, THERE, after="3")
    assert (again.compared, again.copied) == (5, 0)


def test_what_stays_is_not_brought_and_what_is_deleted_nowhere_is_not_deleted() -> None:
    aws = FakeAws(FakeClock())
    both(aws, "a", b"newer", b"old")
    context = recovery_of(aws).context
    assert bring(context, HERE, THERE, stays=lambda ours, theirs: True).copied == 0
    aws.s3.write(CORPUS, "gone", b"x", replicate=False)
    aws.s3.delete_object(CORPUS, "gone")
    aws.s3.queue.clear()
    found = bring(context, HERE, THERE)
    assert (found.copied, found.removed, found.compared) == (1, 0, 2)
    assert "gone" not in aws.s3.objects[CORPUS_COPY]


def test_objects_that_cannot_be_copied_stop_no_other_and_are_all_counted() -> None:
    aws = FakeAws(FakeClock())
    for number in range(30):
        aws.s3.write(CORPUS, f"{number:02d}", b"x", replicate=False)
    aws.s3.uncopyable = {f"{number:02d}": ("AccessDenied", "no") for number in range(25)}
    with pytest.raises(NotCopied) as problem:
        bring(recovery_of(aws).context, HERE, THERE)
    facts = problem.value.facts
    assert (facts["failed"], facts["copied"], len(facts["failures"])) == (25, 5, 20)
    assert set(aws.s3.current(CORPUS_COPY)) == {f"{number:02d}" for number in range(25, 30)}


def test_no_more_copies_are_begun_than_go_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket of a million objects would be a million waiting copies in a small function's memory."""
    monkeypatch.setattr(backfill, "COPIES_AT_ONCE", 8)
    aws, go_on = FakeAws(FakeClock()), threading.Event()
    for number in range(12):
        aws.s3.write(CORPUS, f"{number:02d}", b"x", replicate=False)

    class Slow(Wrapper):
        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if operation == "copy_object":
                go_on.wait(10)
            return super().call(service, operation, region, **parameters)

    context, begun = RecoveryContext(Slow(aws), inventory(), aws.clock, aws.fetch), list[int]()
    running = threading.Thread(target=lambda: bring(context, HERE, THERE, lambda done: begun.append(done.copied)))
    running.start()
    while len(begun) < 8:
        time.sleep(0.01)
    time.sleep(0.2)
    assert max(begun) == 8
    go_on.set()
    running.join(10)
    assert max(begun) == 12 and len(aws.s3.current(CORPUS_COPY)) == 12
