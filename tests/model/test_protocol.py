"""What a user loses when one of these fails: two runs that undo each other's work, found by trying every order."""

from __future__ import annotations

import time

import pytest
from exploring import explored
from figures import STATES, keep
from protocol import AWAY, FIRST, HOMEWARD, SERVING, Bounds, Weak, World, wounds

WEAKENED: dict[str, tuple[Weak, World, str]] = {
    "fence_outside_retries": (Weak(timely=True, fence_outside_retries=True), FIRST, "nothing_late"),
    "fence_without_time_left": (Weak(timely=True, fence_without_time_left=True), FIRST, "nothing_late"),
    "no_claim": (Weak(no_claim=True), FIRST, "newest_says"),
    "no_look_again": (Weak(no_look_again=True), HOMEWARD, "commit_is_whole"),
    "unfenced_journal": (Weak(unfenced_journal=True), FIRST, "journal_of_holder"),
    "keeps_epoch": (Weak(keeps_epoch=True), FIRST, "journal_of_holder"),
    "automatic_out_of_switching": (Weak(automatic_out_of_switching=True), HOMEWARD, "person_leaves_switching"),
}
"""Protocol that goes without one protection -> where it begins, and what is lost."""


def bounds_of(first: World) -> Bounds:
    """Homeward begins with two runs; one more loss, and no third run, lets it be explored to its end."""
    return Bounds(epochs=3, losses=1, words=0) if first is HOMEWARD else Bounds(epochs=first.epoch + 2)


ORDERS = {
    "first": (FIRST, False),
    "first, calls end in time": (FIRST, True),
    "away": (AWAY, False),
    "away, calls end in time": (AWAY, True),
    "homeward": (HOMEWARD, False),
}
"""Beginning -> whether calls are assumed to end in time; in `homeward` one has not."""


@pytest.mark.parametrize("name", ORDERS)
def test_no_order_of_two_runs_gives_two_writers_or_a_commit_of_what_cannot_serve(name: str) -> None:
    first, timely = ORDERS[name]
    began = time.monotonic()
    found = explored(Weak(timely=timely), bounds_of(first), first, STATES)
    assert not found.violation, "\n".join((found.violation, *found.trace))
    assert found.cut == (first is not HOMEWARD), "homeward goes on to its end, past the commit"
    if first is HOMEWARD:
        keep(states=found.states, depth=found.depth, violations=0, cut=found.cut)
    print(found.states, found.depth, found.cut, round(time.monotonic() - began, 1))


@pytest.mark.parametrize("name", WEAKENED)
def test_every_protection_is_needed(name: str) -> None:
    weak, first, lost = WEAKENED[name]
    bounds = Bounds(epochs=5) if weak.automatic_out_of_switching else bounds_of(first)
    found = explored(weak, bounds, first, STATES)
    print(name, found.states, *found.trace, sep="\n    ")
    assert found.violation == lost, f"{name}: {found.violation or 'nothing'} after {found.states} states"
    keep(weakened={name: {"violation": found.violation, "trace_length": len(found.trace)}})


def test_what_lands_after_the_last_look_is_only_what_somebody_looks_at() -> None:
    """Nothing can keep a process that stood still from acting after the commit. This is all that it changes there: a
    bucket that denies writing, which every scheduled run that protects looks for (fence_returned.py, fences_left)."""
    found = explored(Weak(), bounds_of(HOMEWARD), HOMEWARD)
    seen = {wounds(world) for world in found.order if world.state == SERVING and not world.unfinished}
    assert not found.cut and not found.violation
    assert seen == {(), ("bucket",)}


def test_a_run_that_is_begun_can_be_ended_as_long_as_somebody_may_ask_for_it() -> None:
    """Whoever died and whatever landed late: with the region back, asking again is in vain in no state."""
    bounds = Bounds(epochs=HOMEWARD.epoch + 1, losses=1, words=0, lates=0)
    found = explored(Weak(), bounds, HOMEWARD, graph=True)
    stuck = found.cannot_reach(lambda world: not world.unfinished or world.epoch >= bounds.epochs)
    print(found.states, found.depth, len(stuck))
    assert not found.cut and not found.violation
    assert stuck == []
    keep(ends={"states": found.states, "depth": found.depth, "stuck": len(stuck)})
