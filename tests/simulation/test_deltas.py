"""What a user loses when one of these fails: an hour of data that a point calls safe, because a listing was spared."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import deltas
import pytest
from simulate import HISTORIES_REACH

from pilotlight.runtime.kinds.buckets import comparisons, events

SEEDS = range(40)


def test_no_point_between_two_full_comparisons_says_more_than_is_there_whatever_events_are_lost() -> None:
    outcomes = [deltas.play(seed) for seed in SEEDS]
    reached = sum((each.reached for each in outcomes), Counter[str]())
    assert {each.seed: each.wrong for each in outcomes if each.wrong} == {}
    assert sum(each.points for each in outcomes) > 10 * len(SEEDS)
    assert [each for each in HISTORIES_REACH if not reached[each]] == []


@pytest.mark.long
def test_no_point_says_more_than_is_there_in_many_histories() -> None:
    assert [outcome.seed for outcome in map(deltas.play, range(1_000, 2_500)) if outcome.wrong] == []


def test_a_watermark_that_events_move_forward_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    between = comparisons._between

    def believing(context, asset, rule, full):  # type: ignore[no-untyped-def]
        return replace(between(context, asset, rule, full), begun=context.clock.now())

    monkeypatch.setattr(comparisons, "_between", believing)
    assert any(deltas.play(seed).wrong for seed in range(20))


def test_a_failure_that_nobody_hears_of_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "take_in", lambda context: ())
    assert any(deltas.play(seed).wrong for seed in range(20))
