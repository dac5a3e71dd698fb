"""A Report made of a Journal: what a real run did, measured by its own lines, and what it lost at most.

Nobody numbered the data of a real workload, so loss is a bound: the time from what called for the run to the newest
moment that the copy in use is known to hold. Everything here is in the journal and the point; nothing is asked (pure).
"""

from __future__ import annotations

from collections.abc import Iterable

from pilotlight.report.record import (
    BOUND,
    FAILBACK,
    HOMEWARD,
    AssetFigures,
    Check,
    CheckpointFigures,
    FailbackFigures,
    Moment,
    ObjectiveFigures,
    Report,
)
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.kinds.registry import in_order, kind_of
from pilotlight.runtime.records.evidence import Chosen, ChosenCheckpoint
from pilotlight.runtime.records.inventory import Asset, Inventory
from pilotlight.runtime.records.point import Part, RecoveryPoint
from pilotlight.runtime.records.runs import CHOSEN, FAILED, INTENDED, PROVEN, SUCCEEDED, Journal

STOPPED = "quiesce"
"""The step of a failback from which nothing can be written in the standby region."""
LANES = {"failover": "recovery", FAILBACK: FAILBACK}
SECONDS_PER_HOUR = 3600


def of_run(
    journal: Journal, inventory: Inventory, point: RecoveryPoint | None, began_at: str = "", file: str = "workload.yaml"
) -> Report:
    """`began_at` is when that was seen which called for the run, where anybody kept it; else when the run began."""
    lost_at, back_at = _span(journal, began_at)
    seconds = max(0.0, parse_stamp(back_at) - parse_stamp(lost_at))
    entry = journal.proven(CHOSEN)
    chosen = entry.read(Chosen) if entry else Chosen()
    home = journal.kind in HOMEWARD
    assets = () if home else tuple(_figures(each, point, chosen, lost_at, inventory) for each in _stateful(inventory))
    wanted = ObjectiveFigures(inventory.rpo_seconds, inventory.rto_seconds)
    return Report(
        workload=inventory.workload,
        primary=inventory.primary,
        standby=inventory.standby,
        seed=0,
        objectives=wanted,
        disaster_at=lost_at,
        detected_at=journal.started_at,
        recovered_at=back_at,
        rto_seconds=round(seconds, 3),
        assets=assets,
        checkpoint=_checkpoint(chosen),
        calls_during_failover=None,
        answers=None,
        failback=_failback(journal) if home else None,
        second_up_changes=None,
        up_after_failover_changes=None,
        phases_seconds=_phases(journal),
        timeline=tuple(_timeline(journal, lost_at)),
        checks=tuple(_checks(journal, assets, seconds, wanted)),
        evidence={each.step: each.evidence for each in journal.entries if each.state == PROVEN and each.evidence},
        kind=journal.kind,
        run=journal.run,
        state=journal.state,
        point=chosen.point,
        next=_next(journal, inventory, file),
    )


def _span(journal: Journal, began_at: str) -> tuple[str, str]:
    """From when nothing was served to when it was again; to the last line, where it is not yet."""
    last = journal.entries[-1].at if journal.entries else journal.started_at
    served = [_proven_at(journal, name) for name in ("commit", "traffic")]
    back = next((at for at in served if at), last)
    first = _proven_at(journal, STOPPED) if journal.kind in HOMEWARD else began_at
    return first or journal.started_at, back


def _proven_at(journal: Journal, step: str) -> str:
    entry = journal.proven(step)
    return entry.at if entry else ""


def _stateful(inventory: Inventory) -> list[Asset]:
    return [asset for kind, asset in in_order(inventory) if kind.holds_state]


def _figures(
    asset: Asset,
    point: RecoveryPoint | None,
    chosen: Chosen,
    lost_at: str,
    inventory: Inventory,
) -> AssetFigures:
    part = point.part(asset.name) if point else None
    taken = chosen.checkpoints.get(asset.name)
    as_of = (taken.written_at if taken else "") or (part.as_of if part else "")
    seconds = round(max(0.0, parse_stamp(lost_at) - parse_stamp(as_of)), 3) if as_of else None
    gpus = kind_of(asset).gpus(asset)
    return AssetFigures(
        name=asset.name,
        kind=asset.kind,
        mechanism=asset.mechanism,
        rpo_seconds=seconds,
        lost_items=None,
        kept_items=None,
        objective_seconds=asset.rpo_seconds or inventory.rpo_seconds,
        basis=f"{BOUND} {point.id}" if point and part else "nothing is known of it",
        lost_steps=_steps(taken, part),
        lost_gpu_hours=round(seconds / SECONDS_PER_HOUR * gpus, 3) if gpus and seconds is not None else None,
    )


def _steps(taken: ChosenCheckpoint | None, part: Part | None) -> int | None:
    if taken and taken.newest_started_step is not None and taken.step is not None:
        return max(0, taken.newest_started_step - taken.step)
    return part.loss.steps if part and part.loss else None


def _checkpoint(chosen: Chosen) -> CheckpointFigures | None:
    steps = [each.step for each in chosen.checkpoints.values() if each.step is not None]
    if not steps or chosen.newest_started_step is None or chosen.newest_complete_step is None:
        return None
    return CheckpointFigures(chosen.newest_started_step, chosen.newest_complete_step, steps[-1])


def _failback(journal: Journal) -> FailbackFigures:
    ended = journal.finished_at or (journal.entries[-1].at if journal.entries else journal.started_at)
    return FailbackFigures(None, round(parse_stamp(ended) - parse_stamp(journal.started_at), 3))


def _phases(journal: Journal) -> dict[str, float]:
    """How long each step took, from its intention to its proof; steps that were so already took nothing."""
    intended = {each.step: each.at for each in journal.entries if each.state == INTENDED}
    return {
        each.step: round(parse_stamp(each.at) - parse_stamp(intended[each.step]), 3)
        for each in journal.entries
        if each.state == PROVEN and each.step in intended
    }


def _timeline(journal: Journal, lost_at: str) -> Iterable[Moment]:
    zero, lane = parse_stamp(lost_at), LANES.get(journal.kind, "recovery")
    yield Moment(journal.started_at, _since(journal.started_at, zero), "detection", f"the {journal.kind} run begins")
    for entry in journal.entries:
        if entry.state in (PROVEN, FAILED):
            what = entry.step if entry.state == PROVEN else f"{entry.step} failed: {entry.evidence.get('reason', '')}"
            yield Moment(entry.at, _since(entry.at, zero), lane, what)


def _since(at: str, zero: float) -> float:
    return round(parse_stamp(at) - zero, 3)


def _checks(
    journal: Journal, assets: tuple[AssetFigures, ...], seconds: float, wanted: ObjectiveFigures
) -> Iterable[Check]:
    done = journal.state == SUCCEEDED
    yield Check(f"the {journal.kind} succeeded", done, journal.reason or journal.state)
    yield Check(
        "RTO is within its objective",
        done and seconds <= wanted.rto_seconds,
        f"{seconds:.1f} s, objective {wanted.rto_seconds:g} s",
    )
    for asset in assets:
        seconds_lost = asset.rpo_seconds
        seen = "not known" if seconds_lost is None else f"at most {seconds_lost:.2f} s"
        held = seconds_lost is not None and seconds_lost <= asset.objective_seconds
        yield Check(
            f"RPO of {asset.name} is within its objective", held, f"{seen}, objective {asset.objective_seconds:g} s"
        )


def _next(journal: Journal, inventory: Inventory, file: str) -> tuple[str, ...]:
    """What a person does after this run."""
    if journal.state != SUCCEEDED:
        return (
            f"Mend what is named above, then `pilotlight {journal.kind} {file}` again: "
            "it goes on from here, and proven steps are not repeated.",
        )
    if journal.kind in HOMEWARD:
        return (
            f"`pilotlight status {file}` says when every asset is PROTECTED again.",
            f"`pilotlight points verify newest {file}` reads the next recovery point anew.",
        )
    return (
        f"Start nothing in {inventory.primary} and write nothing there: it is fenced where it could be reached.",
        f"Nothing protects what {inventory.standby} writes from now on, until the workload is home again.",
        f"When {inventory.primary} answers: `pilotlight failback {file}`. Until then `pilotlight status {file}`.",
    )
