"""A failing plan made small: whatever it fails without is left out, for as long as the same invariant breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from disasters import Outcome, play
from plans import Plan

PLAYS_MAX = 400
"""Plays that one shrinking may take: some twenty seconds."""


def shrink(plan: Plan, invariant: str, played: Callable[[Plan], Outcome] = play) -> Plan:
    """The smallest plan that was found which breaks the same invariant; nothing can be left out of it."""
    left, smaller = PLAYS_MAX, True
    while smaller and left > 0:
        smaller = False
        for candidate in _smaller(plan):
            left -= 1
            if breaks(played(candidate), invariant):
                plan, smaller = candidate, True
                break
            if left <= 0:
                break
    return plan


def breaks(outcome: Outcome, invariant: str) -> bool:
    """Whether this one broke."""
    return any(each.invariant == invariant for each in outcome.broken)


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Actors first, who take their faults with them; then losses, faults, and what is odd about clocks and pace."""
    for part in (*plan.actors, *plan.losses, *plan.faults):
        yield plan.without(part)
    if plan.pace:
        yield replace(plan, pace=0)
    if plan.manual:
        yield replace(plan, manual=False)
    if plan.copies_lost_at is not None:
        yield replace(plan, copies_lost_at=None)
    if plan.copies_lost_when_chosen:
        yield replace(plan, copies_lost_when_chosen=False)
    for actor in plan.actors:
        if actor.skew:
            plain = replace(actor, skew=0.0)
            yield replace(plan, actors=tuple(plain if each is actor else each for each in plan.actors))


def story(outcome: Outcome) -> str:
    """Who did what at which virtual second, and what was wrong then."""
    lines = [f"{each.at:9.2f} s  {each.who:<14} {each.what}" for each in outcome.story]
    wrong = [f"  BROKEN {each.invariant} at {each.at} s: {each.what}" for each in outcome.broken]
    return "\n".join([f"  {outcome.plan}", *lines, *wrong])
