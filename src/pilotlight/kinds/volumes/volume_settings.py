"""How fast the protected volumes are: the standby's come up alike, or a person is told that they do not (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from pilotlight.runtime.records.inventory import Volumes
from pilotlight.runtime.records.settings import LeftOut, VolumeSettings
from pilotlight.stacks import settings
from pilotlight.stacks.settings_of_volume import UNLIKE, VOLUME

Properties = dict[str, Any]

WITH_IOPS = ("gp3", "io1", "io2")
"""Types that take a number of IOPS (EC2 API Reference, EbsBlockDevice); of others AWS tells what they have."""
WITH_THROUGHPUT = ("gp3",)


def with_settings(group: Volumes, items: Iterable[Properties]) -> Volumes:
    """The group with what each device comes up with, and what it lacks."""
    volumes = {each["VolumeId"]: each for each in items}
    alike: dict[str, VolumeSettings] = {}
    unlike: list[LeftOut] = []
    for device in group.size_gib:
        there = [volumes[each.devices[device]] for each in group.instances if device in each.devices]
        several = {settings_of(each) for each in there}
        if len(several) == 1:
            alike[device] = several.pop()
        else:
            unlike.append(LeftOut(f"volume: type and speed of {device}", UNLIKE.how, UNLIKE.advice))
    return replace(group, settings=alike, left_out=(*unlike, *_lost(volumes.values())))


def settings_of(volume: Properties) -> VolumeSettings:
    """As DescribeVolumes tells it; only what a launch takes for the type."""
    kind = str(volume.get("VolumeType") or "")
    return VolumeSettings(
        kind,
        int(volume.get("Iops") or 0) if kind in WITH_IOPS else 0,
        int(volume.get("Throughput") or 0) if kind in WITH_THROUGHPUT else 0,
    )


def _lost(volumes: Iterable[Properties]) -> Iterator[LeftOut]:
    """Each member once, with the volumes that have it."""
    having: dict[str, list[str]] = {}
    for volume in volumes:
        for each in settings.lost(VOLUME, volume):
            having.setdefault(each.member, []).append(volume["VolumeId"])
    for member, names in having.items():
        row = settings.row(VOLUME, member)
        said = f"volume: {member} of {', '.join(dict.fromkeys(names))}"
        yield LeftOut(said, row.how if row else settings.UNKNOWN, row.advice if row else settings.NEWER)
