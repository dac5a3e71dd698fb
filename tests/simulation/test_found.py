"""Disasters that broke something once, as small as they could be made: each says what a user lost."""

from __future__ import annotations

import pytest
from disasters import play
from plans import FAILBACK, FAILOVER, FROZEN, LATE_ACT, PROTECT, Actor, Fault, Plan
from shrinking import story

FOUND = {
    "a fence of a run that was frozen came after another had started the primary's group, which then replaced no "
    "instance that died": Plan(
        pace=107,
        start="failed-over",
        actors=(Actor("failback-1", FAILBACK, 9.650404716014638), Actor("failback-2", FAILBACK, 89.88657242773729)),
        faults=(Fault("failback-1", 33, FROZEN, 114.9),),
    ),
    "a key that was rewritten in the standby region while its copy home was under way stayed as it was before": Plan(
        pace=0,
        actors=(Actor("failover", FAILOVER, 45.23543631669866), Actor("failback", FAILBACK, 1056.9829426777476)),
        faults=(Fault("failback", 80, LATE_ACT, 75.4),),
    ),
    "what the standby region had written was left there, as if it had never served, since a failover that began anew "
    "had died after its fence": Plan(
        pace=101,
        start="failed-over",
        actors=(
            Actor("failback-1", FAILBACK, 13.269412890601211, skew=-33.39645005685112),
            Actor("failback-2", FAILBACK, 62.318047139578574, skew=56.532714162452834),
            Actor("protect-3", PROTECT, 17.395796585798195),
            Actor("failover-4", FAILOVER, 60.0),
        ),
    ),
}


@pytest.mark.parametrize("lost", FOUND)
def test_it_does_not_happen_again(lost: str) -> None:
    outcome = play(FOUND[lost])
    assert not outcome.broken, story(outcome)
