"""What the standby region holds of a volume group: the newest scheduled run all of whose copies are completed there.

A run that is on its way is passed over for the one before. A run that was whole once and is no more was damaged: then
nothing is proven, and each volume that lacks its copy is named. So is what is selected now and in no run yet, where
the primary answers; where it does not, tags and rosters say what has to be there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.volumes.reference import Unassigned, VolumeReference, VolumeSet
from pilotlight.runtime.kinds.volumes.schedule import COPIES_MAX, to_complete
from pilotlight.runtime.kinds.volumes.selection import IN_THE_WAY, WHY, Selection, selected
from pilotlight.runtime.kinds.volumes.snapshots import COMPLETED, ERROR, UNASSIGNED, Snapshot, SnapshotRun, listed, runs
from pilotlight.runtime.records.inventory import Inventory, Volumes
from pilotlight.runtime.records.point import Part
from pilotlight.runtime.store import rosters
from pilotlight.runtime.store.rosters import Place, Roster

ABSENT = "not there"
SNAPSHOT, TURN, COPY = "snapshot", "turn", "copy"
"""What a volume of a run on its way waits for: that its snapshot is made, that the region has room for one more copy,
that its copy is made."""


@dataclass(frozen=True)
class Seen:
    """All that is looked at of one group; `selection` is None where the primary does not answer."""

    copies: tuple[SnapshotRun, ...]
    rosters: tuple[Roster, ...]
    selection: Selection | None = None
    mounted: bool = False
    """Whether instances mount its volumes, so that each needs a place."""
    sources: tuple[Snapshot, ...] = ()
    """The primary's snapshots; none where it does not answer."""


def look(context: RecoveryContext, asset: Volumes, primary_answers: bool) -> Seen:
    """Ask for it: the standby region first."""
    inventory = context.inventory
    copies = runs(listed(context.client, inventory.standby, inventory.workload, asset.name))
    known = tuple(context.ledger.rosters(asset.name))
    mounted = any(asset.name in each.volumes for each in inventory.computes)
    if not primary_answers:
        return Seen(tuple(copies), known, None, mounted)
    selection = selected(context.client, inventory.primary, asset)
    sources = listed(context.client, inventory.primary, inventory.workload, asset.name)
    return Seen(tuple(copies), known, selection, mounted, tuple(sources))


def part(inventory: Inventory, asset: Volumes, seen: Seen, now: float) -> Part:
    """The part of a volume group in a point (pure)."""
    region = inventory.standby
    bare = Part(asset.name, asset.kind, asset.mechanism, False, "")
    taken = chosen(seen)
    if taken is None:
        return replace(bare, missing=_nothing(seen, region), evidence=_waiting_for(seen))
    copies = _placed(taken, _roster(seen.rosters, taken.id))
    reference = _reference(asset, taken, copies)
    missing = (*_lacking(seen, taken, region), *_unseen(seen, taken, copies), *_in_the_way(seen, copies))
    found = replace(bare, reference=reference, evidence=_evidence(seen, copies, now), missing=missing)
    return found if missing else replace(found, proven=True, as_of=taken.as_of)


def chosen(seen: Seen) -> SnapshotRun | None:
    """The newest run that is complete, or was: what is newer is on its way (pure)."""
    here = {each.id: each for each in seen.copies}
    lost = [SnapshotRun(each.run, len(each.places), each.as_of, ()) for each in seen.rosters if each.run not in here]
    proven = {each.run for each in seen.rosters if each.proven}
    settled = [each for each in (*seen.copies, *lost) if each.complete or each.id in proven]
    return max(settled, key=lambda each: (each.as_of, each.id), default=None)


def to_prove(seen: Seen) -> list[Roster]:
    """Rosters of runs that are complete and not yet known to have been (pure)."""
    complete = {each.id for each in seen.copies if each.complete}
    return [replace(each, proven=True) for each in seen.rosters if each.run in complete and not each.proven]


def _roster(known: Iterable[Roster], run: str) -> Roster | None:
    return next((each for each in known if each.run == run), None)


def _placed(run: SnapshotRun, roster: Roster | None) -> list[Snapshot]:
    """Its completed copies, one of each volume; runs of older editions have their instances in the order of the ids."""
    by_member = {each.member: each for each in run.done}
    if any(each.run_size for each in by_member.values()):
        return sorted(by_member.values(), key=lambda each: (each.index, each.device, each.volume))
    order = sorted({each.instance for each in by_member.values()})
    return [replace(each, index=order.index(each.instance)) for each in by_member.values()]


# -- what the point names --------------------------------------------------------------------------------------


def _reference(asset: Volumes, run: SnapshotRun, copies: list[Snapshot]) -> VolumeReference:
    indexes = sorted({each.index for each in copies if each.index != UNASSIGNED})
    return VolumeReference(
        assign=next((each.assign for each in copies), asset.assign).partition(":")[0],
        run=run.id,
        sets=tuple(_set(index, [each for each in copies if each.index == index]) for index in indexes),
        unassigned=tuple(
            Unassigned(each.member, each.id, each.device, each.as_of) for each in copies if each.index == UNASSIGNED
        ),
    )


def _set(index: int, copies: list[Snapshot]) -> VolumeSet:
    """What one instance gets; volumes that were detached may have been snapshot beside those of an instance."""
    first = max(copies, key=lambda each: (bool(each.launched_at), len([c for c in copies if c.set == each.set])))
    return VolumeSet(
        index=index,
        instance=first.instance,
        label=first.label,
        set=first.set,
        as_of=min(each.as_of for each in copies),
        snapshots={each.device: each.id for each in sorted(copies, key=lambda each: each.device)},
    )


def _evidence(seen: Seen, copies: list[Snapshot], now: float) -> dict[str, Any]:
    moments = [parse_stamp(each.as_of) for each in copies]
    last = rosters.newest(seen.rosters)
    gone = _gone(seen, last, now)
    return {
        "copies": len(copies),
        "sources": {each.member: each.source for each in copies},
        "volumes": {each.id: each.member for each in copies},
        "skew_seconds": round(max(moments) - min(moments), 3) if moments else 0.0,
        "gone": [each.volume for each in gone],
        "remarks": [each.said() for each in gone] + _remarks(seen, last),
    } | _waiting_for(seen)


def _gone(seen: Seen, last: Roster | None, now: float) -> tuple[rosters.Gone, ...]:
    if seen.selection is None:
        return last.gone if last else ()
    return rosters.gone(last, seen.selection.ids(), now)


def _remarks(seen: Seen, last: Roster | None) -> list[str]:
    """What a person should know and what does not make the point partial."""
    told = [
        f"{each.said()}: {WHY[each.why]}"
        for each in (last.places if last else ())
        if each.why and not (seen.mounted and each.why in IN_THE_WAY)
    ]
    several = [each for each in (seen.selection.volumes if seen.selection else ()) if each.attached_to > 1]
    return told + [
        f"volume {each.volume} is attached to {each.attached_to} instances; its copy comes up at the first of them, "
        "or at each of its own with `assign: shared`"
        for each in several
    ]


# -- what is on its way --------------------------------------------------------------------------------------


def waiting(seen: Seen) -> dict[str, dict[str, str]]:
    """Scheduled run -> volume -> SNAPSHOT, TURN or COPY, of runs that are not complete in the standby region (pure)."""
    copies = [each for run in seen.copies for each in run.snapshots]
    there = {each.source: each.state for each in copies}
    found = dict[str, dict[str, str]]()
    for run in to_complete(list(seen.sources), copies):
        states = {each.member: _waits_for(each, there.get(each.id)) for each in run.snapshots}
        found[run.id] = {volume: state for volume, state in sorted(states.items()) if state}
    return found


def _waits_for(source: Snapshot, copy: str | None) -> str:
    if source.state != COMPLETED:
        return SNAPSHOT
    return {None: TURN, ERROR: TURN, COMPLETED: ""}.get(copy, COPY)


def _waiting_for(seen: Seen) -> dict[str, Any]:
    """Evidence: by run and by what is waited for, the volumes."""
    by_run = {
        run: {what: [volume for volume, each in states.items() if each == what] for what in sorted({*states.values()})}
        for run, states in waiting(seen).items()
    }
    return {"waiting": by_run} if by_run else {}


# -- what is missing -------------------------------------------------------------------------------------------


def _nothing(seen: Seen, region: str) -> tuple[str, ...]:
    """No run has ever been complete: how far the newest is."""
    newest = max((*seen.copies, *_unbegun(seen)), key=lambda each: (each.as_of, each.id), default=None)
    if newest is None:
        return (f"no snapshot copy has been begun in {region}", *_unseen(seen, None, []))
    count = f"{len({each.member for each in newest.done})} of {newest.size} copies of scheduled run {newest.id}"
    return (f"{count} are completed in {region}", *_lacking(seen, newest, region), *_unseen(seen, newest, []))


def _unbegun(seen: Seen) -> list[SnapshotRun]:
    begun = {each.id for each in seen.copies}
    return [SnapshotRun(each.run, len(each.places), each.as_of, ()) for each in seen.rosters if each.run not in begun]


def _lacking(seen: Seen, run: SnapshotRun, region: str) -> tuple[str, ...]:
    """Every volume of this run without a completed copy, by name; by number where no roster names it."""
    if run.complete:
        return ()
    roster = _roster(seen.rosters, run.id)
    done = {each.member for each in run.done}
    states = {each.member: each.state for each in run.snapshots}
    turn = {volume for volume, what in waiting(seen).get(run.id, {}).items() if what == TURN}
    why = f"{ABSENT} in {region}: it waits for one of the {COPIES_MAX} copies that {region} makes at once"
    if roster is None:
        return (f"{run.size - len(done)} of {run.size} copies of scheduled run {run.id} are not in {region}",)
    return tuple(
        f"the copy of {each.said()} in scheduled run {run.id} is "
        + (why if each.volume in turn else f"{states.get(each.volume, ABSENT)} in {region}")
        for each in roster.places
        if each.volume not in done
    )


def _unseen(seen: Seen, run: SnapshotRun | None, copies: list[Snapshot]) -> tuple[str, ...]:
    """Volumes that are selected now and that this run does not have, by name."""
    if seen.selection is None:
        return ()
    roster = _roster(seen.rosters, run.id) if run else None
    has = {each.member for each in copies} | {each.source for each in copies}
    devices = {(each.instance, each.device) for each in copies}
    return tuple(
        f"{Place(each.volume, each.device, each.instance, 0).said()} is selected ({each.state}) and in no complete "
        "scheduled run; the next one takes it"
        for each in seen.selection.volumes
        if not (roster and roster.has(each.volume))
        and each.volume not in has
        and (roster is not None or (each.instance, each.device) not in devices)
    )


def _in_the_way(seen: Seen, copies: list[Snapshot]) -> tuple[str, ...]:
    """Volumes that have no place though instances mount the group, by name and with what to do."""
    last = rosters.newest(seen.rosters)
    if not (seen.mounted and last):
        return ()
    held = {each.member for each in copies}
    return tuple(
        f"{each.said()}: {WHY[each.why]}" for each in last.places if each.why in IN_THE_WAY and each.volume in held
    )
