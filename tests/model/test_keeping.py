"""What a user loses when one of these fails: the copies that their recovery goes by, deleted while it does."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from explore import Explored, explore
from figures import keep
from keeping import ALWAYS, OVER, TABLE, Weak, World, first

WEAKENED = {
    "lists_without_lease": "listed_is_there",
    "chooses_unregistered": "used_is_there",
    "looks_before_it_registers": "used_is_there",
    "reads_choices_first": "used_is_there",
    "no_grace": "read_is_there",
}
"""Protection left out -> what is lost."""


STATES_MAX = int(os.environ.get("STATES", 500_000))
"""More than two scheduled runs have; of three it is as far as a gigabyte of memory goes."""


def explored(weak: Weak, scheduled: int, graph: bool = False) -> Explored:
    """Every order of what protect, a run and a reader do."""

    def successors(world: World) -> Iterator[tuple[str, World, str]]:
        for name, moves in TABLE:
            for after in moves(world, weak):
                yield name, after, next((each.__name__ for each in ALWAYS if not each(after)), "")

    return explore(first(scheduled), successors, STATES_MAX, graph)


@pytest.fixture(scope="module")
def whole() -> Explored:
    return explored(Weak(), 2, graph=True)


def test_no_order_of_two_scheduled_runs_deletes_what_somebody_goes_by(whole: Explored) -> None:
    assert not whole.violation, "\n".join((whole.violation, *whole.trace))
    print(whole.states, whole.depth, whole.cut)
    keep(retention={"states": whole.states, "depth": whole.depth, "violations": 0, "cut": whole.cut})


@pytest.mark.parametrize("name", WEAKENED)
def test_every_protection_of_points_is_needed(name: str) -> None:
    found = explored(Weak(**{name: True}), 2)
    print(name, found.states, *found.trace, sep="\n    ")
    assert found.violation == WEAKENED[name], f"{name}: {found.violation or 'nothing'} after {found.states} states"
    keep(weakened={name: {"violation": found.violation, "trace_length": len(found.trace)}})


def test_a_run_can_end_whatever_was_let_go_meanwhile(whole: Explored) -> None:
    assert not whole.cut
    assert whole.cannot_reach(lambda world: world.run == OVER) == []


@pytest.mark.long
def test_no_order_of_three_scheduled_runs_deletes_what_somebody_goes_by() -> None:
    found = explored(Weak(), 3)
    assert not found.violation, "\n".join((found.violation, *found.trace))
    print(found.states, found.depth, found.cut)
