"""Disasters that broke something once, as small as they could be made: each says what a user lost."""

from __future__ import annotations

import pytest

from disasters import play
from plans import FAILBACK, FROZEN, Actor, Fault, Plan
from shrinking import story

FOUND = {
    "a fence of a run that was frozen came after another had started the primary's group, which then replaced no "
    "instance that died": Plan(
        pace=107,
        start="failed-over",
        actors=(Actor("failback-1", FAILBACK, 9.650404716014638), Actor("failback-2", FAILBACK, 89.88657242773729)),
        faults=(Fault("failback-1", 33, FROZEN, 114.9),),
    ),
}


@pytest.mark.parametrize("lost", FOUND)
def test_it_does_not_happen_again(lost: str) -> None:
    outcome = play(FOUND[lost])
    assert not outcome.broken, story(outcome)
