"""Scheduled runs over volumes: one run snapshots every selected volume of every instance, and its copies follow.

The roster is written first, so that what belongs to a run is known however it ends. Copies are begun for all groups
in turn, within the limit of the region, and further ones as those end; a run whose copies were begun is finished before
a newer one is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest

from pilotlight.runtime.aws.client import aws_code
from pilotlight.runtime.clock import parse_stamp, stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.kind import remarked
from pilotlight.runtime.kinds.volumes import snapshots
from pilotlight.runtime.kinds.volumes.selection import IN_THE_WAY, USABLE, Instance, Places, Selection, places, selected
from pilotlight.runtime.kinds.volumes.snapshots import ERROR, PENDING, UNASSIGNED, Snapshot, SnapshotRun
from pilotlight.runtime.naming import TAG_ASSET, TAG_WORKLOAD
from pilotlight.runtime.records.inventory import Volumes
from pilotlight.runtime.store import rosters
from pilotlight.runtime.store.rosters import Place, Roster

DUE_SHARE = 0.75
"""A run is due when this share of the interval has passed: scheduled runs are never exactly on time."""
UNFINISHED_RUNS_MAX = 3
"""Runs under way at once; when copies take longer than the interval, more of them would only slow all down."""
COPIES_MAX = 20
"""EBS User Guide, "Copy an Amazon EBS snapshot": concurrent copies of an account to one destination region, not
adjustable."""
TOO_MANY_COPIES = "ResourceLimitExceeded"
"""EC2 API Reference, "Error codes": what CopySnapshot answers beyond it."""


@dataclass(frozen=True)
class Planned:
    """One set to make: the volumes of one instance, or volumes that no instance has."""

    id: str
    instance: Instance | None
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Waiting:
    """Snapshots that can be copied now, in turn; whether more is on its way; and how long the last copies took."""

    copies: tuple[tuple[Volumes, Snapshot], ...]
    coming: bool
    took_seconds: float


def keep_up(context: RecoveryContext, assets: Iterable[Volumes]) -> tuple[str, ...]:
    """Begin the runs that are due; remarks about what could not be."""
    remarks: list[str] = []
    for asset in assets:
        with remarked(asset.name, remarks):
            _keep_up_one(context, asset, remarks)
    return tuple(remarks)


def _keep_up_one(context: RecoveryContext, asset: Volumes, remarks: list[str]) -> None:
    """A run is begun where one is due."""
    inventory, client = context.inventory, context.client
    runs_there = snapshots.runs(snapshots.listed(client, inventory.standby, inventory.workload, asset.name))
    runs_here = snapshots.runs(snapshots.listed(client, inventory.primary, inventory.workload, asset.name))
    last, selection = rosters.newest(context.ledger.rosters(asset.name)), selected(client, inventory.primary, asset)
    fresh, now = bool(uncovered(asset, selection, last)), context.clock.now()
    due = is_due(runs_here, runs_there, now, inventory.every_seconds, fresh)
    if not due and is_late(runs_here, runs_there, now, inventory.every_seconds):
        remarks.append(f"{asset.name}: {UNFINISHED_RUNS_MAX} scheduled runs are being copied; no further one is begun.")
    if due and any(each.state in USABLE for each in selection.volumes):
        _begin(context, asset, selection, last)


def is_due(
    sources: list[SnapshotRun], copies: list[SnapshotRun], now: float, every_seconds: float, uncovered: bool = False
) -> bool:
    """Whether a new run is begun now; what no run has is not made to wait for the interval (pure)."""
    if not sources:
        return True
    old = now - parse_stamp(sources[0].as_of) >= every_seconds * DUE_SHARE
    return under_way(sources, copies) < UNFINISHED_RUNS_MAX and (uncovered or old)


def is_late(sources: list[SnapshotRun], copies: list[SnapshotRun], now: float, every_seconds: float) -> bool:
    """Whether a whole interval has passed without a new run, because others are under way (pure)."""
    newest = sources[0].as_of if sources else ""
    return bool(newest) and now - parse_stamp(newest) > every_seconds and under_way(sources, copies) > 0


def under_way(sources: list[SnapshotRun], copies: list[SnapshotRun]) -> int:
    """Runs that can be whole in the standby region and are newer than the newest that is (pure)."""
    done = {each.id for each in copies if each.complete}
    newest = snapshots.newest_complete(copies)
    return sum(each.whole and each.id not in done and each.as_of > newest for each in sources)


def uncovered(asset: Volumes, selection: Selection, last: Roster | None) -> list[str]:
    """Selected volumes that can be snapshot and that no run has, or has without a place that they have now (pure)."""
    if last is None:
        return [each.volume for each in selection.volumes if each.state in USABLE]
    had = {each.volume for each in last.places if each.why in IN_THE_WAY}
    cured = {each.volume for each in places(asset, selection, last.places).places if not each.why} & had
    new = {each.volume for each in selection.volumes if each.state in USABLE and not last.has(each.volume)}
    return sorted(new | cured)


# -- making ----------------------------------------------------------------------------------------------------


def _begin(context: RecoveryContext, asset: Volumes, selection: Selection, last: Roster | None) -> Roster:
    now = context.clock.now()
    usable = replace(selection, volumes=tuple(each for each in selection.volumes if each.state in USABLE))
    found = places(asset, usable, last.places if last else ())
    gone = rosters.gone(last, selection.ids(), now)
    roster = Roster(run_id(stamp(now)), stamp(now), found.places, found.represented, gone)
    context.ledger.keep_roster(asset.name, roster)
    for each in planned(roster.run, selection, found):
        _make(context, asset, roster, each, selection)
    return roster


def run_id(moment: str) -> str:
    """Sorts as the moments do: 2026-01-02T03:04:05.678Z -> 20260102T030405678Z."""
    return "".join(letter for letter in moment if letter not in "-:.")


def planned(run: str, selection: Selection, found: Places) -> list[Planned]:
    """One set for each instance and index, and one for each index of what no instance has (pure)."""
    having = {volume: each for each in selection.instances for volume in each.mounted}
    sets: dict[tuple[str, int], list[Place]] = {}
    for place in found.places:
        owner = having[place.volume].id if place.volume in having else ""
        sets.setdefault((owner, place.index), []).append(place)
    return [
        Planned(_set_id(run, owner, index, several=len([key for key in sets if key[0] == owner]) > 1),
                next((each for each in selection.instances if each.id == owner), None), tuple(members))
        for (owner, index), members in sorted(sets.items(), key=lambda each: (each[0][1] < 0, each[0][1], each[0][0]))
    ]  # fmt: skip


def _set_id(run: str, owner: str, index: int, several: bool) -> str:
    of = owner or "detached"
    return f"{run}-{of}-{'none' if index == UNASSIGNED else index}" if several or not owner else f"{run}-{of}"


def _make(context: RecoveryContext, asset: Volumes, roster: Roster, each: Planned, selection: Selection) -> None:
    region, moment = context.inventory.primary, stamp(context.clock.now())
    like = Snapshot("", "", "", each.id, len(each.places), moment, "", "", roster.run, len(roster.places))
    first = each.places[0]
    like = replace(like, index=first.index, label=first.label, instance=first.instance, assign=asset.assign)
    ours = tags_of(context.inventory.workload, asset.name)
    if each.instance is None:
        for place in each.places:
            one = replace(like, volume=place.volume, device=place.device, instance=place.instance)
            snapshots.create_of_volume(context.client, region, ours, replace(one, as_of=stamp(context.clock.now())))
        return
    mine, mounted = {place.volume for place in each.places}, each.instance.mounted
    snapshots.create_of_instance(
        context.client,
        region,
        ours,
        replace(like, instance=each.instance.id, launched_at=each.instance.launched_at),
        tuple(sorted(mounted.keys() - mine - {each.instance.root})),
        each.instance.root in mine,
    )


def tags_of(workload: str, asset: str) -> dict[str, str]:
    """The tags by which every snapshot of a group is found."""
    return {TAG_WORKLOAD: workload, TAG_ASSET: asset}


# -- copying ---------------------------------------------------------------------------------------------------


def copy_in_turns(context: RecoveryContext, assets: Iterable[Volumes]) -> Iterator[tuple[str, ...]]:
    """Each turn begins the copies that the region has room for, and tells how many wait; the last has seen all of them
    completed. A snapshot whose copy failed is tried again by the next scheduled run, not by this one."""
    assets, tried = tuple(assets), set[str]()
    while True:
        remarks = list[str]()
        found = _waiting(context, assets, remarks)
        copies = [each for each in found.copies if each[1].id not in tried]
        if not copies and not found.coming:
            break
        while copies:
            begun = _copy(context, copies)
            tried |= {source.id for _, source in copies[:begun]}
            del copies[:begun]
            if copies:
                yield (*remarks, waits(len(copies), context.inventory.standby, context.clock.now(), found.took_seconds))
        yield tuple(remarks)
    if remarks:
        yield tuple(remarks)


def _waiting(context: RecoveryContext, assets: Iterable[Volumes], remarks: list[str]) -> Waiting:
    """Of all groups, as both regions have it now."""
    by_group, coming, there = list[list[tuple[Volumes, Snapshot]]](), False, list[Snapshot]()
    for asset in assets:
        with remarked(asset.name, remarks):
            sources, copies = _both(context, asset)
            by_group.append([(asset, each) for each in to_copy(sources, copies)])
            coming = coming or is_coming(sources, copies)
            there += copies
    return Waiting(tuple(_in_turn(by_group)), coming, pace(there))


def pace(copies: Iterable[Snapshot]) -> float:
    """Seconds that the newest completed copies took, in the mean; 0 where none is known (pure)."""
    known = sorted((each for each in copies if each.took_seconds), key=lambda each: each.as_of)[-COPIES_MAX:]
    return sum(each.took_seconds for each in known) / len(known) if known else 0.0


def _both(context: RecoveryContext, asset: Volumes) -> tuple[list[Snapshot], list[Snapshot]]:
    """(the snapshots of a group, with their places; their copies)."""
    inventory, client = context.inventory, context.client
    copies = snapshots.listed(client, inventory.standby, inventory.workload, asset.name)
    sources = snapshots.listed(client, inventory.primary, inventory.workload, asset.name)
    known = context.ledger.rosters(asset.name)
    return placed(sources, known, _devices(context, asset, sources, known)), copies


def _devices(
    context: RecoveryContext, asset: Volumes, sources: Iterable[Snapshot], known: Iterable[Roster]
) -> Mapping[str, str]:
    """Asked for only where a snapshot is of an older edition's run, which has no roster."""
    if {each.run for each in sources} <= {each.run for each in known}:
        return {}
    return devices(asset, selected(context.client, context.inventory.primary, asset))


def to_copy(sources: list[Snapshot], copies: list[Snapshot]) -> list[Snapshot]:
    """Completed snapshots that have no copy yet, of runs that are whole and newer than the newest one that is complete
    in the standby region; what was begun first, then the newest (pure)."""
    begun = {each.source for each in copies if each.state != ERROR}
    taken_up = {each.run for each in copies}
    wanted = to_complete(sources, copies)
    started = [each for each in wanted if each.id in taken_up]
    fresh = [each for each in wanted if each.id not in taken_up]
    return [snapshot for run in (*reversed(started), *fresh) for snapshot in run.done if snapshot.id not in begun]


def to_complete(sources: list[Snapshot], copies: list[Snapshot]) -> list[SnapshotRun]:
    """Runs that can be whole in the standby region and are newer than the newest that is, the newest first (pure)."""
    newest = snapshots.newest_complete(snapshots.runs(copies))
    return [each for each in snapshots.runs(sources) if each.whole and each.as_of > newest]


def is_coming(sources: list[Snapshot], copies: list[Snapshot]) -> bool:
    """Whether a snapshot or a copy of these runs is being made (pure)."""
    wanted = to_complete(sources, copies)
    ids = {each.id for each in wanted}
    made = [snapshot for run in wanted for snapshot in run.snapshots]
    return any(each.state == PENDING for each in (*made, *(each for each in copies if each.run in ids)))


def placed(sources: list[Snapshot], known: Iterable[Roster], devices: Mapping[str, str]) -> list[Snapshot]:
    """With what the roster of their run says of each volume, because CreateSnapshots tags all of an instance alike.

    A volume that was attached while the call was made is in the set and not in the roster: it is left for the next
    run. `devices` are of snapshots that older editions made, which have no roster (pure).
    """
    by_run = {each.run: {place.volume: place for place in each.places} for each in known}
    found = []
    for each in sources:
        place = by_run.get(each.run, {}).get(each.volume)
        if place is not None:
            found.append(_as_placed(each, place))
        elif each.run not in by_run:
            found.append(replace(each, device=each.device or devices.get(each.volume, "")))
    return found


def _as_placed(source: Snapshot, place: Place) -> Snapshot:
    return replace(source, device=place.device, index=place.index, label=place.label, instance=place.instance)


def devices(asset: Volumes, selection: Selection) -> dict[str, str]:
    """Volume -> device, as the inventory and the instances know it (pure)."""
    found = {volume: device for device, volume in asset.devices.items()}
    for each in selection.instances:
        found |= each.mounted
    return found


def _in_turn(waiting: list[list[tuple[Volumes, Snapshot]]]) -> Iterator[tuple[Volumes, Snapshot]]:
    """One of each group after the other, so that a large one keeps no other waiting."""
    return (each for row in zip_longest(*waiting) for each in row if each is not None)


def _copy(context: RecoveryContext, waiting: list[tuple[Volumes, Snapshot]]) -> int:
    """Begin as many as the region has room for, whoever makes the others; how many that were."""
    inventory = context.inventory
    room = max(0, COPIES_MAX - snapshots.copies_under_way(context.client, inventory.standby))
    for begun, (asset, source) in enumerate(waiting[:room]):
        ours = tags_of(inventory.workload, asset.name)
        try:
            snapshots.copy(
                context.client, source, (inventory.primary, inventory.standby), ours, inventory.names.key_alias
            )
        except CallRefused as refusal:
            if aws_code(refusal) != TOO_MANY_COPIES:
                raise
            return begun
    return min(room, len(waiting))


def waits(count: int, region: str, now: float, took_seconds: float) -> str:
    """The remark that copies take turns, and when they end at the pace of the last ones (pure)."""
    told = f"{count} snapshots wait for their copy: {region} makes at most {COPIES_MAX} at once, whoever asks"
    if not took_seconds:
        return f"{told}."
    ends = stamp(now + copying_seconds(count, took_seconds))
    return f"{told}; at {took_seconds:.0f} s a copy all are completed at {ends}."


def copying_seconds(waiting: int, took_seconds: float) -> float:
    """How long it takes until all are completed that wait behind as many as the region makes at once (pure)."""
    return (1 + math.ceil(waiting / COPIES_MAX)) * took_seconds
