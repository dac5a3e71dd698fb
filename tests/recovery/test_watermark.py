"""What a user loses when one of these fails: data that a point calls there, and that never reached the standby region.

One key with any history of writes and deletions, any of which have arrived: before the watermark that a comparison
gives, nothing of the primary may be missing in the copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.kinds.buckets.listing import Bucket
from pilotlight.runtime.kinds.buckets.observe import Rules, compare

SOURCE, COPY = Bucket("us-east-1", "source"), Bucket("us-west-2", "copy")
NOTHING_WAITS = 10**6


@dataclass(frozen=True)
class Written:
    """One version of the key, or with no bytes a delete marker; `second` counts from 1970."""

    second: int
    body: str | None
    arrived: bool = False

    def entry(self, number: int, is_latest: bool) -> dict[str, Any]:
        when = datetime.fromtimestamp(self.second, tz=UTC)
        told = {"Key": "shard-0", "VersionId": f"v{number}", "IsLatest": is_latest, "LastModified": when}
        return told if self.body is None else told | {"Size": len(self.body), "ETag": f'"{self.body}"'}


class Listings(AwsClient):
    """Answers list_object_versions as boto3 does: versions in one list, delete markers in another, newest first."""

    def __init__(self, history: list[Written]) -> None:
        self.history = history

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        assert operation == "list_object_versions", "only listings are asked for"
        there = [(number, one) for number, one in enumerate(self.history)]
        held = [(number, one) for number, one in there if one.arrived or parameters["Bucket"] == SOURCE.name]
        told = [(one, one.entry(number, number == held[-1][0])) for number, one in reversed(held)]
        return {
            "Versions": [entry for one, entry in told if one.body is not None],
            "DeleteMarkers": [entry for one, entry in told if one.body is None],
        }

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        raise AssertionError("a page at a time")


def watermark(history: list[Written], overdue_before: float = 0.0) -> float:
    found = compare(Listings(history), SOURCE, COPY, Rules(overdue_before))
    return NOTHING_WAITS if found.oldest_waiting is None else found.oldest_waiting


def missing(history: list[Written], before: float) -> Written | None:
    """The state of the key before that second, unless the copy holds it, its bytes, or a later one."""
    earlier = [number for number, one in enumerate(history) if one.second < before]
    if not earlier:
        return None
    state = history[earlier[-1]]
    held = [one.body for one in history if one.arrived] or [None]
    is_there = any(one.arrived for one in history[earlier[-1] :]) or held[-1] == state.body
    return None if is_there else state


bodies = st.sampled_from(["a", "b", "long"]) | st.none()
steps = st.tuples(st.integers(0, 2), bodies, st.booleans())


@st.composite
def histories(draw: st.DrawFn) -> list[Written]:
    second, found = 10, list[Written]()
    for wait, body, arrived in draw(st.lists(steps, min_size=1, max_size=7)):
        second += wait
        found.append(Written(second, body, arrived))
    return found


@given(histories())
@example([Written(13, "a"), Written(14, None), Written(14, "b")])
@example([Written(13, "a", arrived=True), Written(13, None), Written(14, "b")])
@example([Written(13, "a", arrived=True), Written(13, "b"), Written(14, "long")])
@example([Written(13, "a"), Written(13, "a", arrived=True), Written(13, None), Written(14, None)])
def test_no_state_of_a_key_from_before_the_watermark_is_missing_in_the_copy(history: list[Written]) -> None:
    assert missing(history, watermark(history)) is None


@given(histories())
def test_the_watermark_stands_at_something_that_has_not_arrived(history: list[Written]) -> None:
    found = watermark(history)
    assert found == NOTHING_WAITS or found in {one.second for one in history if not one.arrived}


@given(histories())
def test_what_has_arrived_as_a_whole_waits_for_nothing(history: list[Written]) -> None:
    there = [Written(one.second, one.body, arrived=True) for one in history]
    assert watermark(there) == NOTHING_WAITS


def test_what_was_deleted_long_ago_and_never_came_holds_nothing_back() -> None:
    history = [Written(13, "from before the rule"), Written(14, None), Written(50, "b")]
    assert watermark(history, overdue_before=20.0) == 50
