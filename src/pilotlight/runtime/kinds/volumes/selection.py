"""The volumes that a tag selects, as the primary region has them now, and the place that each has.

A place is an index and a device: at a failover the first instance that is launched gets what index 0 has. The rule is
the declaration's (`assign`). A volume that no instance has now keeps the place it had, unless another has taken it.
Everything that is selected gets a place or a reason why it has none; nothing is dropped (pure but for `selected`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import stamp
from pilotlight.runtime.kinds.volumes.snapshots import TAG_DEVICE, UNASSIGNED
from pilotlight.runtime.records.inventory import SHARED, Volumes
from pilotlight.runtime.store.rosters import Place

GOING = ("deleting", "deleted")
USABLE = ("available", "in-use")
"""States of a volume that can be snapshot (EC2 API, Volume)."""

TAKEN = "taken"
CLASH = "clash"
NO_DEVICE = "no-device"
NO_LABEL = "no-label"
WHY = {
    TAKEN: "another volume has its place now; its copy is kept and comes up nowhere by itself",
    CLASH: "another volume has the same device at the same index, so that it cannot come up; tag each its own",
    NO_DEVICE: f"it is attached to no instance and its device is not known; attach it, or tag it {TAG_DEVICE}=/dev/...",
    NO_LABEL: "it lacks the tag that says which instance gets it; tag it",
}
"""Why a volume has no place."""
IN_THE_WAY = (CLASH, NO_DEVICE, NO_LABEL)
"""Reasons for which a group that instances mount would not come up whole."""


@dataclass(frozen=True)
class Selected:
    """One selected volume; `instance` is the first that has it, in the order of launch; empty where none has."""

    volume: str
    state: str = "in-use"
    instance: str = ""
    device: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    attached_to: int = 1


@dataclass(frozen=True)
class Instance:
    """An instance that has selected volumes: device by volume id of all it has, and which of them is its root."""

    id: str
    launched_at: str
    mounted: Mapping[str, str]
    root: str = ""


@dataclass(frozen=True)
class Selection:
    """Everything that is selected now; instances in the order of their launch."""

    volumes: tuple[Selected, ...]
    instances: tuple[Instance, ...] = ()

    def ids(self) -> set[str]:
        """Of its volumes."""
        return {each.volume for each in self.volumes}


@dataclass(frozen=True)
class Places:
    """The place of every volume that is to be snapshot, and those that another stands for, where one set is for all."""

    places: tuple[Place, ...]
    represented: tuple[Place, ...] = ()


def selected(client: AwsClient, region: str, asset: Volumes) -> Selection:
    """Ask for the volumes and for the instances that have them."""
    filters = [{"Name": f"tag:{asset.tag_key}", "Values": [asset.tag_value]}]
    items = [v for page in client.pages("ec2", "describe_volumes", region, Filters=filters) for v in page["Volumes"]]
    items = [each for each in items if each.get("State") not in GOING]
    owners = sorted({where["InstanceId"] for each in items for where in each.get("Attachments", [])})
    instances = instances_of(client, region, owners) if owners else ()
    return Selection(tuple(volume_of(each, instances) for each in items), instances)


INSTANCES_MAX = 1000
"""EC2 API Reference, DescribeInstances: an answer has up to 1,000."""


def instances_of(client: AwsClient, region: str, ids: list[str]) -> tuple[Instance, ...]:
    """These instances in the order of their launch; of one moment, in the order of their ids."""
    asked = (ids[start : start + INSTANCES_MAX] for start in range(0, len(ids), INSTANCES_MAX))
    pages = (page for some in asked for page in client.pages("ec2", "describe_instances", region, InstanceIds=some))
    items = [i for page in pages for reservation in page["Reservations"] for i in reservation["Instances"]]
    return tuple(sorted((_instance(each) for each in items), key=lambda each: (each.launched_at, each.id)))


def _instance(item: dict[str, Any]) -> Instance:
    mounted = {each["Ebs"]["VolumeId"]: each["DeviceName"] for each in item.get("BlockDeviceMappings", [])}
    launched = item.get("LaunchTime")
    root = next((volume for volume, device in mounted.items() if device == item.get("RootDeviceName")), "")
    return Instance(item["InstanceId"], stamp(launched.timestamp()) if launched else "", mounted, root)


def volume_of(item: dict[str, Any], instances: tuple[Instance, ...]) -> Selected:
    """One volume of a listing; who has it is told by the instances (pure)."""
    id, tags = item["VolumeId"], {each["Key"]: each["Value"] for each in item.get("Tags", [])}
    owner = next((each for each in instances if id in each.mounted), None)
    state = str(item.get("State", "in-use"))
    if owner is None:
        return Selected(id, state, tags=tags, attached_to=0)
    return Selected(id, state, owner.id, owner.mounted[id], tags, len(item.get("Attachments", [])))


# -- places ----------------------------------------------------------------------------------------------------


def places(asset: Volumes, selection: Selection, last: Iterable[Place] = ()) -> Places:
    """The place of every selected volume; `last` are the places of the newest scheduled run (pure)."""
    known = {each.volume: each for each in last}
    order = {each.id: number for number, each in enumerate(selection.instances)}
    attached = [each for each in selection.volumes if each.instance]
    attached.sort(key=lambda each: (order[each.instance], each.device, each.volume))
    loose = [each for each in selection.volumes if not each.instance]
    board = _Board(asset, order, _labels(asset, selection.volumes))
    for each in attached:
        board.attached(each)
    moved = _indexes_of_ended(order, [known[each.volume] for each in loose if each.volume in known], known.values())
    for each in sorted(loose, key=lambda each: (each.volume not in known, each.volume)):
        board.loose(each, known.get(each.volume), moved)
    return Places(tuple(board.found), tuple(board.represented))


def _labels(asset: Volumes, volumes: Iterable[Selected]) -> dict[str, int]:
    """Value of the deciding tag -> index: numbers by their size, other words by their bytes."""
    key = asset.tag_of_index
    values = {each.tags[key] for each in volumes if each.tags.get(key)} if key else set()
    numbers = all(each.isdecimal() for each in values)
    ordered = sorted(values, key=lambda each: (int(each) if numbers else 0, each))
    return {label: number for number, label in enumerate(ordered)}


def _indexes_of_ended(order: Mapping[str, int], loose: list[Place], last: Iterable[Place]) -> dict[int, int]:
    """Former index -> index now, of what instances had that have none of it any more.

    When an instance ends, those after it move up; what it leaves takes the index that became free at the end.
    """
    bound = max((each.index for each in last), default=UNASSIGNED) + 1
    moved: dict[int, int] = {}
    for index in sorted({each.index for each in loose if each.index != UNASSIGNED and each.instance not in order}):
        used = {*order.values(), *moved.values()}
        free = (number for number in (index, *range(bound)) if number not in used)
        moved[index] = next(free, UNASSIGNED)
    return moved


class _Board:
    """Which places are taken, while volumes are put into them one by one."""

    def __init__(self, asset: Volumes, order: Mapping[str, int], labels: Mapping[str, int]) -> None:
        self._asset, self._order, self._labels = asset, order, labels
        self._taken: set[tuple[int, str]] = set()
        self.found: list[Place] = []
        self.represented: list[Place] = []

    def attached(self, volume: Selected) -> None:
        """A volume that an instance has: its device is known, and under most rules its index."""
        label = self._label(volume)
        index = self._labels[label] if label else self._order[volume.instance]
        place = Place(volume.volume, volume.device, volume.instance, index, label)
        self._put(replace(place, why=NO_LABEL) if self._asset.tag_of_index and not label else place, CLASH)

    def loose(self, volume: Selected, last: Place | None, moved: Mapping[int, int]) -> None:
        """A volume that no instance has: where a person's tag says, or where it was."""
        said, label = volume.tags.get(TAG_DEVICE, ""), self._label(volume)
        device, instance = said or (last.device if last else ""), last.instance if last else ""
        if self._asset.tag_of_index and not label:
            why, index = NO_LABEL, UNASSIGNED
        elif not device:
            why, index = NO_DEVICE, UNASSIGNED
        else:
            why, index = "", self._labels[label] if label else self._loose_index(device, bool(said), last, moved)
        self._put(Place(volume.volume, device, instance, index, label, why), TAKEN)

    def _label(self, volume: Selected) -> str:
        return volume.tags.get(self._asset.tag_of_index, "") if self._asset.tag_of_index else ""

    def _loose_index(self, device: str, told: bool, last: Place | None, moved: Mapping[int, int]) -> int:
        """Where its instance is; else where what that instance had has moved to; else the first free place."""
        if last and last.instance in self._order:
            return self._order[last.instance]
        if last and last.index != UNASSIGNED:
            return moved[last.index]
        if last and not told:
            return UNASSIGNED
        free = next(number for number in range(len(self._taken) + 1) if (number, device) not in self._taken)
        return free if not self._order or free < len(self._order) else UNASSIGNED

    def _put(self, place: Place, otherwise: str) -> None:
        if self._asset.assign == SHARED and not place.why:
            place = replace(place, index=0)
        if place.why:
            self.found.append(replace(place, index=UNASSIGNED))
        elif place.index != UNASSIGNED and (place.index, place.device) not in self._taken:
            self._taken.add((place.index, place.device))
            self.found.append(place)
        elif self._asset.assign == SHARED:
            self.represented.append(place)
        else:
            self.found.append(replace(place, index=UNASSIGNED, why=otherwise))
