"""The runs' table explored: successors of a state, with what each transition breaks."""

from __future__ import annotations

from collections.abc import Iterator

from explore import Explored, explore
from protocol import ALWAYS, FIRST, IN_TIME, RUNBOOKS, TABLE, Bounds, Rule, Weak, World

STATES_MAX = 2_000_000


def explored(
    weak: Weak, bounds: Bounds, first: World = FIRST, states_max: int = STATES_MAX, graph: bool = False
) -> Explored:
    """The whole protocol, or one with less, within the bounds."""
    properties = IN_TIME if weak.timely else ALWAYS

    def successors(world: World) -> Iterator[tuple[str, World, str]]:
        for rule in TABLE:
            for i in (0, 1):
                if not rule.guard(world, i, weak, bounds):
                    continue
                after = rule.effect(world, i, weak, bounds)
                if after == world:
                    continue
                broken = next((each.__name__ for each in properties if not each(world, rule, i, after)), "")
                yield _label(world, rule, i, after), after, broken

    return explore(first, successors, states_max, graph)


def _label(world: World, rule: Rule, i: int, after: World) -> str:
    runner = world.runners[i] if world.runners[i].at else after.runners[i]
    if rule.actor != "runner":
        return rule.name
    runbook = RUNBOOKS[runner.kind]
    new = after.runners[i].mask & ~runner.mask
    step = new.bit_length() - 1 if new and rule.name == "proves" else after.runners[i].aim or runner.aim
    what = (
        f" {runbook[step].name}" if rule.name in ("proves", "intends", "passes the fence", "acts", "acts, late") else ""
    )
    kind = ("failover", "failback")[runner.kind]
    ended = (
        " and ends" if rule.name not in ("closes", "fails", "dies or is stopped") and after.runners[i].at == 0 else ""
    )
    return f"runner {i + 1} ({kind}, epoch {max(runner.epoch, after.runners[i].epoch)}) {rule.name}{what}{ended}"
