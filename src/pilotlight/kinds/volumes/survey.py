"""The survey of volume groups: every selected volume, by instance and device, as a scheduled run will take them.

The places are those of runtime/kinds/volumes/selection.py, so that what is surveyed is what is snapshot. A group may be
at zero now: volumes that no instance has keep the place that the tags of their snapshot copies tell, or a tag of their
own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pilotlight.kinds.volumes import volume_settings
from pilotlight.kinds.volumes.declare import Volumes
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.volumes import selection as chosen
from pilotlight.runtime.kinds.volumes import snapshots
from pilotlight.runtime.kinds.volumes.selection import CLASH, NO_LABEL, WHY, Instance, Places, Selection
from pilotlight.runtime.kinds.volumes.snapshots import UNASSIGNED
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records import inventory as record
from pilotlight.runtime.store.rosters import VOLUMES_MAX, Place
from pilotlight.survey.findings import Findings
from pilotlight.survey.kind import KindSurvey, Look

REFUSED = (CLASH, NO_LABEL)
"""What a person has to decide before anything is built; an unknown device is told by the points."""


class VolumeSurvey(KindSurvey):
    """Of volume groups."""

    def survey(self, look: Look, name: str, asset: Any) -> record.Volumes:
        """Every volume that carries the tag, by instance and device."""
        return _group(look, name, asset)


def _group(look: Look, name: str, asset: Volumes) -> record.Volumes:
    findings, names = look.findings, look.names
    key, _, value = asset.select.tag.partition("=")
    bare = record.Volumes(
        name=name,
        tag_key=key,
        tag_value=value,
        devices={},
        size_gib={},
        rpo_seconds=look.rpo_seconds(asset),
        uses=tuple(asset.uses),
        assign=asset.assign,
    )
    filters = [{"Name": f"tag:{key}", "Values": [value]}]
    items = findings.all(name, "volumes", "Volumes", "ec2", "describe_volumes", Filters=filters)
    items = [each for each in items if each.get("State") not in chosen.GOING]
    for each in items:
        findings.met_key(name, f"volume {each['VolumeId']}", each.get("KmsKeyId"))
    if not items:
        findings.add(name, f"no volume carries the tag {key}={value}; tag the volumes to protect")
    if len(items) > VOLUMES_MAX:
        findings.add(name, f"{len(items)} volumes carry the tag {key}={value}, at most {VOLUMES_MAX} can be one asset")
    selection = _selection(findings, name, items)
    found = chosen.places(bare, selection, _last(findings, names, name, selection))
    _check(findings, bare, selection, found)
    group = _with(bare, found, {each["VolumeId"]: int(each["Size"]) for each in items})
    return volume_settings.with_settings(group, items)


def _selection(findings: Findings, name: str, items: list[dict[str, Any]]) -> Selection:
    instances = _instances(findings, name, items)
    return Selection(tuple(chosen.volume_of(each, instances) for each in items), instances)


def _instances(findings: Findings, name: str, items: list[dict[str, Any]]) -> tuple[Instance, ...]:
    """In the order of their launch; one alone needs not be asked for."""
    mounted: dict[str, dict[str, str]] = {}
    for each in items:
        for where in each.get("Attachments", []):
            mounted.setdefault(where["InstanceId"], {})[each["VolumeId"]] = where["Device"]
    if len(mounted) < 2:
        return tuple(Instance(id, "", devices) for id, devices in mounted.items())
    try:
        return chosen.instances_of(findings.client, findings.region, sorted(mounted))
    except CallRefused as refusal:
        findings.add(name, f"instances {', '.join(sorted(mounted))} cannot be read ({refusal.facts['reason']})")
        return ()


def _last(findings: Findings, names: Names, name: str, selection: Selection) -> tuple[Place, ...]:
    """The places that the newest snapshot copies tell; asked for only where a volume is detached."""
    if all(each.instance for each in selection.volumes):
        return ()
    try:
        copies = snapshots.runs(snapshots.listed(findings.client, names.standby, names.workload, name))
    except CallRefused as refusal:
        findings.add(name, f"its snapshot copies in {names.standby} cannot be read ({refusal.facts['reason']})")
        return ()
    told = {each.volume: each for run in reversed(copies) for each in run.snapshots if each.volume}
    return tuple(Place(each.volume, each.device, each.instance, each.index, each.label) for each in told.values())


def _check(findings: Findings, group: record.Volumes, selection: Selection, found: Places) -> None:
    for place in found.places:
        if place.why == NO_LABEL:
            findings.add(
                group.name, f"{place.said()} lacks the tag {group.tag_of_index}, which says who gets it; tag it"
            )
        elif place.why in REFUSED:
            findings.add(group.name, f"{place.said()}: {WHY[place.why]}")
    if group.assign == record.SHARED:
        _check_shared(findings, group, selection)


def _check_shared(findings: Findings, group: record.Volumes, selection: Selection) -> None:
    """One set for all fits only where all have the same devices."""
    devices: dict[str, set[str]] = {each.id: set() for each in selection.instances}
    for volume in selection.volumes:
        if volume.instance:
            devices[volume.instance].add(volume.device)
    first = next(iter(devices), "")
    for instance in devices:
        if devices[instance] != devices[first]:
            ours, theirs = (", ".join(sorted(devices[each])) or "none" for each in (instance, first))
            findings.add(
                group.name,
                f"is shared, but {instance} has {ours} and {first} has {theirs}; give all the same devices, or assign "
                "them otherwise",
            )


def _with(group: record.Volumes, found: Places, sizes: dict[str, int]) -> record.Volumes:
    """The group with its volumes by index, and the devices of all of them."""
    indexes = sorted({each.index for each in found.places if each.index != UNASSIGNED})
    instances = tuple(_instance([each for each in found.places if each.index == index], sizes) for index in indexes)
    devices: dict[str, str] = {}
    largest: dict[str, int] = {}
    for one in instances:
        devices = one.devices | devices
        largest |= {device: max(size, largest.get(device, 0)) for device, size in one.size_gib.items()}
    return replace(
        group,
        devices={device: devices[device] for device in sorted(devices)},
        size_gib={device: largest[device] for device in sorted(largest)},
        instances=instances,
        unassigned=tuple(sorted(each.volume for each in found.places if each.index == UNASSIGNED)),
    )


def _instance(members: list[Place], sizes: dict[str, int]) -> record.InstanceVolumes:
    ordered = sorted(members, key=lambda each: each.device)
    return record.InstanceVolumes(
        instance=next((each.instance for each in ordered if each.instance), ""),
        devices={each.device: each.volume for each in ordered},
        size_gib={each.device: sizes[each.volume] for each in ordered},
        label=ordered[0].label,
    )


KIND = VolumeSurvey()
