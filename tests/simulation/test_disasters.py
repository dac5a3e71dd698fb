"""What a user loses when one of these fails: a disaster that recovery does not survive, or a simulation that would not
see it. `make simulate` plays many more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import simulate
from disasters import play
from judging import FENCED, INVARIANTS, NEEDED
from plans import ALARM, FAILBACK, FAILOVER, FROZEN, PRIMARY, Actor, Fault, Loss, Plan, plan_of
from shrinking import breaks, shrink, story

from pilotlight.runtime.aws.wrappers import Fenced
from pilotlight.runtime.runs import run as runs

SEEDS_QUICK = range(1, 13)
FROZEN_AT = range(33, 40)
"""Calls of a failback at which it has fences to build in the primary region."""


def duel(nth: int) -> Plan:
    """A failback that is frozen for longer than its lease, and another that takes over meanwhile."""
    others = (Actor("first", FAILBACK, 8.0), Actor("second", FAILBACK, 60.0), Actor("late", FAILBACK, 200.0))
    return Plan(1, "failed-over", actors=others, faults=(Fault("first", nth, FROZEN, 115.0),))


def test_disasters_end_with_one_region_that_serves_whole_and_nothing_lost() -> None:
    for seed in SEEDS_QUICK:
        outcome = play(plan_of(seed))
        assert not outcome.broken, f"seed {seed}\n{story(outcome)}"


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_seed_that_broke_something_breaks_it_again_to_the_byte(hash_seed: str) -> None:
    told = "from disasters import play\nfrom plans import plan_of\nfrom shrinking import story\n"
    told += "print(story(play(plan_of(3))))"
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent), *sys.path])
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": paths}
    found = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout == story(play(plan_of(3))) + "\n"


def test_a_run_that_acts_after_its_lease_is_lost_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def let_through(self: Fenced, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        return self.inner.call(service, operation, region, **parameters)

    monkeypatch.setattr(Fenced, "call", let_through)
    found = next((plan for plan in map(duel, FROZEN_AT) if breaks(play(plan), FENCED)), None)
    assert found is not None, "a fence that lets everything through changed nothing that the simulation sees"
    small = shrink(found, FENCED)
    assert breaks(play(small), FENCED)
    assert small.size < found.size and len(small.actors) == 2, "what a person reads holds what it takes, and no more"


def test_an_alarm_that_is_over_and_fails_over_all_the_same_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "is_over", lambda context, region, kind, seen: False)
    actors = (Actor("person", FAILOVER, 20.0), Actor("alarm", ALARM, 35.0, late=20.0))
    outcome = play(Plan(1, losses=(Loss(10.0, PRIMARY, 400.0),), actors=actors))
    assert breaks(outcome, NEEDED), story(outcome)


def test_the_same_disasters_break_nothing_where_nothing_is_planted() -> None:
    for plan in map(duel, FROZEN_AT):
        outcome = play(plan)
        assert not outcome.broken, story(outcome)


def test_what_is_never_reached_is_named() -> None:
    tally = simulate.Tally()
    tally.add(1, play(plan_of(1)))
    named = tally.unreached()
    assert any(each.startswith("fault ") for each in named), "one disaster cannot have met every fault"
    assert set(simulate.MUST_REACH) & set(named)
    assert all(invariant in simulate.table(tally) for invariant in INVARIANTS)
