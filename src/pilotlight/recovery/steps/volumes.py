"""Volumes come up through the launch template's block devices: versions of the run's own template, with the point's
snapshots in them, which the group is pointed at; and the stack's template again when the standby is at rest.

No CreateVolume and no AttachVolume, whose token buckets alone would cost minutes for a large fleet. The stack's own
template is never written: its newest version is what deployments compare with (recovery/launching.py).
"""

from __future__ import annotations

from typing import Any

from pilotlight.recovery import launching
from pilotlight.recovery.observe.compute import group
from pilotlight.recovery.snapshots import unusable
from pilotlight.recovery.steps.action import Absent, Answer, Proven, Wait, Work

LATEST = "$Latest"


class RestoreVolumes:
    """The group launches from versions of the run's template that have the chosen snapshots behind their devices."""

    wait = Wait(60, 1, "a few writes; versions are there when the call returns")

    def ask(self, work: Work) -> Answer:
        """Every version is there, and the group names one of them."""
        layout, name = chosen(work), template_of(work)
        made = launching.made_by(work.run, launching.versions_of(work.door, work.region, name), layout)
        if len(made) < len(layout.devices):
            return Absent(f"{len(made)} of {len(layout.devices)} versions of launch template {name} are there")
        named = launching.specification(standby_group(work))
        if (named.get("LaunchTemplateName"), named.get("Version")) not in {(name, str(each)) for each in made.values()}:
            return Absent(f"the group names version {named.get('Version')} of {named.get('LaunchTemplateName')}")
        versions = [made[index] for index in range(len(layout.devices))]
        return Proven(
            {"template": name, "versions": versions, "snapshots": list(layout.devices), "left": list(layout.left)}
        )

    def act(self, work: Work) -> None:
        """The versions that are missing, after the snapshots were seen completed; then the group."""
        layout, name = chosen(work), template_of(work)
        self._require_completed(work, layout.snapshots)
        made = launching.made_by(work.run, launching.versions_of(work.door, work.region, name), layout)
        for index, devices in enumerate(layout.devices):
            if index not in made:
                launching.add_version(work.door, work.inventory, work.compute(), work.run, index, devices)
        made = launching.made_by(work.run, launching.versions_of(work.door, work.region, name), layout)
        if 0 in made:
            launching.point(work.door, work.region, standby_group(work), name, str(made[0]))

    def _require_completed(self, work: Work, snapshots: list[str]) -> None:
        found = unusable(work.door, work.region, snapshots)
        if found:
            raise work.failed("; ".join(f"snapshot {each} is {state}" for each, state in found.items()))


class ForgetVolumes:
    """The group names the stack's template again, may launch, and the run's template is gone."""

    wait = Wait(60, 1, "a few writes")

    def ask(self, work: Work) -> Answer:
        """Whether anything of the run's is left."""
        found, name = standby_group(work), template_of(work)
        named = launching.specification(found)
        if named.get("LaunchTemplateName") == name or not launching.launches(found):
            return Absent(f"the group names {named.get('LaunchTemplateName')}")
        if launching.versions_of(work.door, work.region, name):
            return Absent(f"launch template {name} is there")
        return Proven({"template": named.get("LaunchTemplateName", ""), "version": named.get("Version", "")})

    def act(self, work: Work) -> None:
        """First the group, which needs a template at any time; the run's is deleted last."""
        found, name = standby_group(work), template_of(work)
        if launching.specification(found).get("LaunchTemplateName") == name:
            launching.point(work.door, work.region, found, work.compute().standby_launch_template, LATEST)
        if not launching.launches(found):
            launching.let_launch(work.door, work.region, found, True)
        if launching.versions_of(work.door, work.region, name):
            work.door.call("ec2", "delete_launch_template", work.region, LaunchTemplateName=name)


def chosen(work: Work) -> launching.Layout:
    """What the point gives each instance; StepFailed where a device would come up blank."""
    found = launching.layout(work.inventory, work.compute(), work.evidence_of("choose-point")["volumes"])
    if found.problems:
        raise work.failed("; ".join(found.problems))
    return found


def template_of(work: Work) -> str:
    """Name of the run's template of the step's compute group."""
    return work.inventory.names.run_template(work.compute().name)


def standby_group(work: Work) -> dict[str, Any]:
    """The group in the standby region; StepFailed where there is none."""
    name = work.compute().standby_group
    found = group(work.door, work.inventory.standby, name)
    if not found:
        raise work.failed(f"there is no Auto Scaling group {name}")
    return found
