"""Breadth first through a table of guarded transitions: every state once, and a shortest trace to what must not be.

`Explored.graph` has each state's predecessors, so that it can be asked from which states an end is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Explored:
    """What an exploration found. `violation` is the property that broke first, `trace` a shortest way there; `cut` says
    that it stopped at `states_max`."""

    states: int = 0
    depth: int = 0
    violation: str = ""
    trace: tuple[str, ...] = ()
    cut: bool = False
    seconds: float = 0.0
    order: list[Any] = field(default_factory=list)
    predecessors: list[list[int]] = field(default_factory=list)

    def cannot_reach(self, ends: Callable[[Any], bool]) -> list[Any]:
        """The states from which no state with `ends` is reachable."""
        reached = [ends(state) for state in self.order]
        waiting = [number for number, ended in enumerate(reached) if ended]
        while waiting:
            for before in self.predecessors[waiting.pop()]:
                if not reached[before]:
                    reached[before] = True
                    waiting.append(before)
        return [self.order[number] for number, ended in enumerate(reached) if not ended]


Next = Callable[[Any], Iterable[tuple[str, Any, str]]]
"""State -> (label, next state, name of the property that this transition breaks, or nothing)."""


def explore(first: Any, successors: Next, states_max: int, graph: bool = False) -> Explored:
    """All states that are reachable from the first, nearest first, up to the first violation."""
    found = Explored(order=[first], predecessors=[[]])
    number = {first: 0}
    came = [(-1, "")]
    depths = [0]
    here = 0
    while here < len(found.order):
        for label, state, broken in successors(found.order[here]):
            if state not in number:
                number[state] = len(found.order)
                found.order.append(state)
                came.append((here, label))
                depths.append(depths[here] + 1)
                if graph:
                    found.predecessors.append([])
            if graph:
                found.predecessors[number[state]].append(here)
            if broken:
                found.violation, found.trace = broken, (*_trace(came, here), label)
                return _counted(found, depths)
        here += 1
        if len(found.order) > states_max:
            found.cut = True
            break
    return _counted(found, depths)


def _counted(found: Explored, depths: list[int]) -> Explored:
    found.states, found.depth = len(found.order), depths[-1]
    return found


def _trace(came: list[tuple[int, str]], number: int) -> list[str]:
    labels = []
    while number > 0:
        number, label = came[number]
        labels.append(label)
    return labels[::-1]
