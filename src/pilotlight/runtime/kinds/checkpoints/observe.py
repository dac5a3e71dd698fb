"""The newest checkpoint to resume from that is complete in the standby bucket, found by reading it there.

Complete is not enough: one that is newer than the proven data it may refer to is passed over for the next older, and
so is one that its own metrics, or a person, call unhealthy. A marker file proves nothing here.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable

from pilotlight.runtime.checkpoints.format import Candidate, Problem, Verdict
from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.kinds.checkpoints.listing import Choice
from pilotlight.runtime.kinds.checkpoints.reference import CheckpointReference
from pilotlight.runtime.records.inventory import Datasets
from pilotlight.runtime.records.point import Part

CADENCE_SAVES = 20
"""How many of the newest checkpoints tell the usual time between two."""
CADENCE_SAVES_MIN = 4
"""Fewer tell nothing usual: three gaps are the least with a middle one."""
REFUSED_MAX = 10
"""How many incomplete checkpoints a record describes, the newest first."""
PROBLEMS_MAX = 5


def observe(asset: Datasets, choice: Choice, newest_begun_step: int | None) -> Part:
    """The part of checkpoints; `newest_begun_step` is the newest known of either region."""
    bucket = asset.standby_bucket
    facts = evidence(choice) | {"newest_started_step": newest_begun_step}
    if choice.taken is None:
        reason = f"no checkpoint below s3://{bucket}/{asset.prefix} is complete and may be used"
        return Part(asset.name, asset.kind, asset.mechanism, False, "", None, facts, (reason, *_reasons(choice)))
    written = choice.taken.written_at
    return Part(
        asset=asset.name,
        kind=asset.kind,
        mechanism=asset.mechanism,
        proven=True,
        as_of=stamp(parse_stamp(written)) if written else "",
        reference=reference(bucket, asset, choice.taken),
        evidence=facts,
    )


def reference(bucket: str, asset: Datasets, verdict: Verdict) -> CheckpointReference:
    """What a run needs to use a checkpoint."""
    return CheckpointReference(bucket, asset.prefix + verdict.path, verdict.step, verdict.format)


def evidence(choice: Choice) -> dict[str, object]:
    """What was looked at: steps, bytes, and what is wrong with those that were not taken."""
    taken = choice.taken
    return {
        "newest_started_step": choice.newest_begun_step,
        "newest_complete_step": choice.newest_complete_step,
        "bytes_total": taken.bytes_total if taken else 0,
        "bytes_read": taken.bytes_read if taken else 0,
        "refused": [
            {"path": each.path, "step": each.step, "problems": _said(each)} for each in _torn(choice)[:REFUSED_MAX]
        ],
        "undecided": [
            {"path": each.path, "step": each.step, "problems": _said(each)} for each in undecided(choice)[:REFUSED_MAX]
        ],
        "passed_over": [
            {"path": each.path, "step": each.step, "why": each.why, "unhealthy": each.unhealthy}
            for each in choice.passed_over[:REFUSED_MAX]
        ],
        "refused_count": len(_torn(choice)),
        "undecided_count": len(undecided(choice)),
        "passed_over_count": len(choice.passed_over),
    }


def undecided(choice: Choice) -> tuple[Verdict, ...]:
    """Newer ones of which it is not known whether they are whole: they could not be read, or not enough of them."""
    return tuple(each for each in choice.torn if each.undecided)


def caution(choice: Choice) -> str:
    """What going on with this choice may cost, where newer ones are undecided; empty where none is."""
    left = undecided(choice)
    if not left or choice.taken is None:
        return ""
    first = left[0]
    return (
        f"{len(left)} newer checkpoint(s) could not be judged, first {first.path} ({_told(first.problems[0])}); "
        f"{choice.taken.path} of step {choice.taken.step} is used: if a newer one is whole, what it holds more is lost"
    )


def _torn(choice: Choice) -> tuple[Verdict, ...]:
    return tuple(each for each in choice.torn if not each.undecided)


def _said(verdict: Verdict) -> list[str]:
    """What is wrong with one, the first few by name."""
    told = [_told(problem) for problem in verdict.problems[:PROBLEMS_MAX]]
    left = len(verdict.problems) - len(told)
    return [*told, f"and {left} more"] if left else told


def _told(problem: Problem) -> str:
    return f"{problem.file}: {problem.what}"


def _reasons(choice: Choice) -> tuple[str, ...]:
    torn = [f"{each.path} {_told(problem)}" for each in choice.torn[:REFUSED_MAX] for problem in each.problems[:1]]
    passed = [f"{each.path} {each.why}" for each in choice.passed_over[:REFUSED_MAX]]
    left = max(0, len(choice.torn) - REFUSED_MAX) + max(0, len(choice.passed_over) - REFUSED_MAX)
    return (*torn, *passed, *([f"and {left} more that are not named here"] if left else []))


def cadence(candidates: Iterable[Candidate]) -> tuple[float, str] | None:
    """(usual seconds between two checkpoints, when the newest was written); None where too few were saved (pure)."""
    written = (max((file.modified_at for file in each.files), default="") for each in candidates)
    moments = sorted(parse_stamp(each) for each in written if each)[-CADENCE_SAVES:]
    if len(moments) < CADENCE_SAVES_MIN:
        return None
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    return statistics.median(gaps), stamp(moments[-1])
