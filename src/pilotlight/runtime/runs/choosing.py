"""Choosing what to recover from, before anything is promoted.

The point is the newest usable one of the journal - complete, or with software alone that is older than the primary's -
that can be recovered from at this moment: its snapshot copies and images are looked at, and one that has lost any is
passed over by name. Images and volumes come from that point; of checkpoints the newest that is complete and healthy in
the bucket at this moment is taken, by reading it there: it is at least as new as the point's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pilotlight.runtime.errors import NoRecoveryPoint, PilotlightError, RecordUnreadable
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Wait, Watch
from pilotlight.runtime.kinds.registry import in_order
from pilotlight.runtime.points import choose
from pilotlight.runtime.records.point import RecoveryPoint
from pilotlight.runtime.records.runs import PASSED

LEFT = (
    "copy what is missing back, or, while the primary answers, wait until the next scheduled run has made a whole one; "
    "`pilotlight points verify` says of each point what it has lost"
)
"""What a person does where points are listed and none of them can be recovered from."""
NAMED_MAX = 3
"""How many points a message says this of; the evidence names all."""


UNLISTED = "it is not listed any more"
LOOKS_MAX = 5
"""How often the list is read anew where a scheduled run has let go of points since it was read: it lists newer ones
first."""


@dataclass(frozen=True)
class Candidate:
    """A listed point as a recovery would use it; `problems` are what is missing of it at this moment."""

    id: str
    point: RecoveryPoint | None
    problems: tuple[str, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)
    """What its kinds say of it, for the choice."""


def candidates(work: StepContext) -> Iterator[Candidate]:
    """Every point that a run may use, the newest first, each looked at when it is asked for."""
    return (_looked_at(work, line.id) for line in choose.usable_newest_first(work.ledger.points()))


def _looked_at(work: StepContext, id: str) -> Candidate:
    try:
        point = work.context.records.point(id)
    except RecordUnreadable as problem:
        return Candidate(id, None, (problem.message,))
    problems, evidence = list[str](), dict[str, Any]()
    assets = list(in_order(work.inventory))
    usable = work.side_by_side([partial(kind.usable, work, asset, point) for kind, asset in assets])
    for (_, asset), found in zip(assets, usable, strict=True):
        problems += [f"{asset.name}: {each}" for each in found.problems]
        merge(evidence, found.evidence)
    return Candidate(id, point, tuple(problems), evidence)


def merge(evidence: dict[str, Any], more: Mapping[str, Any]) -> None:
    """What is said under one key of several assets stands beside one another (pure)."""
    for key, value in more.items():
        evidence[key] = evidence.get(key, {}) | value if isinstance(value, dict) else value


def _passed_over(looked_at: list[Candidate]) -> dict[str, Any]:
    """Evidence that newer points were there, and why they were not taken."""
    told = [{"point": each.id, "why": "; ".join(each.problems)} for each in looked_at]
    return {PASSED: told} if told else {}


def _none_left(work: StepContext, looked_at: list[Candidate]) -> PilotlightError:
    if not looked_at:
        return NoRecoveryPoint(workload=work.inventory.workload, region=work.inventory.standby)
    named = "; ".join(f"point {each.id}: {', '.join(each.problems)}" for each in looked_at[:NAMED_MAX])
    return work.failed(f"none of {len(looked_at)} points can be recovered from ({named}); {LEFT}")


class PointExists(Watch):
    """Nothing is fenced for a recovery that could not be carried out."""

    wait = Wait(1, 1, "nothing to wait for: a point that does not exist now is not made by waiting")

    def ask(self, work: StepContext) -> Answer:
        """The newest point, by name, with an image for every group and a snapshot for every device."""
        passed = list[Candidate]()
        for each in candidates(work):
            if each.point is None or each.problems:
                passed.append(each)
                continue
            older = [f"{part.asset}: {told}" for part in each.point.parts for told in part.outdated]
            evidence = {"point": each.id, "created_at": each.point.created_at} | _passed_over(passed)
            return Proven(evidence | ({"outdated": older} if older else {}))
        raise _none_left(work, passed)


class ChoosePoint:
    """The decision, kept in the journal: a run that is resumed goes on with the same. It is registered before it is
    looked at, so that no scheduled run lets go of it meanwhile."""

    wait = Wait(60, 1, "one write and reading")

    def ask(self, work: StepContext) -> Answer:
        """The point, its images and snapshots, and the newest complete checkpoint of every checkpoints asset."""
        chosen = work.ledger.chosen_point(work.run)
        if not chosen:
            return Absent("no point is chosen")
        listed = {each.id: each for each in work.ledger.points()}
        if chosen in listed and not listed[chosen].usable:
            return Absent(f"point {chosen} is {listed[chosen].status}")
        found = _looked_at(work, chosen)
        if found.point is None or found.problems:
            return Absent(f"point {chosen}: {'; '.join(found.problems)}")
        newer = (each for each in listed.values() if each.created_at > found.point.created_at)
        passed = [_looked_at(work, each.id) for each in choose.usable_newest_first(newer)]
        return Proven(_chosen(work, found.point, found.evidence) | _passed_over(_newer(passed)))

    def act(self, work: StepContext) -> None:
        """Register the newest that has everything; looked at only after it is, and the next one where it has lost
        any."""
        passed = list[Candidate]()
        for _ in range(LOOKS_MAX):
            passed, let_go = [], False
            for line in choose.usable_newest_first(work.ledger.points()):
                work.ledger.choose_point(work.run, line.id)
                found = _looked_at(work, line.id)
                listed = any(each.id == line.id and each.usable for each in work.ledger.points())
                if listed and not found.problems:
                    return
                let_go |= not listed
                passed.append(found if found.problems else replace(found, problems=(UNLISTED,)))
            if not let_go:
                break
        raise _none_left(work, passed)


def _chosen(work: StepContext, point: RecoveryPoint, found: dict[str, Any]) -> dict[str, Any]:
    evidence: dict[str, Any] = {"point": point.id, "created_at": point.created_at} | found
    choices = [partial(kind.choose, work, asset, point) for kind, asset in in_order(work.inventory)]
    for choice in work.side_by_side(choices):
        merge(evidence, choice)
    return evidence


def _newer(passed: list[Candidate]) -> list[Candidate]:
    """Those that were not taken though they are newer; one that has everything by now came after the choice."""
    return [each if each.problems else replace(each, problems=("it was listed after the choice",)) for each in passed]
