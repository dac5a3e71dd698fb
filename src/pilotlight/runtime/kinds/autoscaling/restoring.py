"""A group launches what the point names: versions of the run's own template, with the point's image and its snapshots
behind the devices, which the group is pointed at; and the stack's template again when the standby is at rest.

No CreateVolume and no AttachVolume, whose token buckets alone would cost minutes for a large fleet. The stack's own
template is never written: its newest version is what deployments compare with (runtime/kinds/autoscaling/launching.py).
"""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.aws.absence import remove
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Wait
from pilotlight.runtime.kinds.autoscaling import launching
from pilotlight.runtime.kinds.autoscaling.launching import Layout, Version
from pilotlight.runtime.kinds.autoscaling.observe import group
from pilotlight.runtime.kinds.autoscaling.software import specification
from pilotlight.runtime.kinds.volumes.reference import VolumeReference
from pilotlight.runtime.kinds.volumes.snapshots import unusable
from pilotlight.runtime.records.point import read_reference

LATEST = "$Latest"


class Restore:
    """The group launches from versions of the run's template that have the chosen image, and the chosen snapshots
    behind their devices."""

    wait = Wait(60, 1, "a few writes; versions are there when the call returns")

    def ask(self, work: StepContext) -> Answer:
        """Every version is there, and the group names one of them."""
        layout, name = chosen(work), template_of(work)
        made = self._made(work, layout)
        if len(made) < len(layout.devices):
            return Absent(f"{len(made)} of {len(layout.devices)} versions of launch template {name} are there")
        named = specification(standby_group(work))
        if (named.get("LaunchTemplateName"), named.get("Version")) not in {(name, str(each)) for each in made.values()}:
            return Absent(f"the group names version {named.get('Version')} of {named.get('LaunchTemplateName')}")
        versions = [made[index] for index in range(len(layout.devices))]
        held = {"image": image_of(work), "snapshots": list(layout.devices), "left": list(layout.left)}
        return Proven({"template": name, "versions": versions} | held)

    def act(self, work: StepContext) -> None:
        """The versions that are missing, after the snapshots were seen to be there; then the group."""
        layout = chosen(work)
        problems = not_there(work, layout.snapshots)
        if problems:
            raise work.point_gone("; ".join(problems))
        there, image = launching.versions_of(work.client, work.region, template_of(work)), image_of(work)
        made = launching.made_by(work.run, there, layout, image)
        wanted = [Version(work.run, index, each, image) for index, each in enumerate(layout.devices)]
        lacking = [each for each in wanted if each.index not in made]
        launching.add_versions(work.client, work.inventory, work.compute(), lacking, bool(there))
        made = self._made(work, layout)
        if 0 in made:
            launching.point(work.client, work.region, standby_group(work), template_of(work), str(made[0]))

    def _made(self, work: StepContext, layout: Layout) -> dict[int, int]:
        """Index -> version number."""
        versions = launching.versions_of(work.client, work.region, template_of(work))
        return launching.made_by(work.run, versions, layout, image_of(work))


class ForgetTemplate:
    """The group names the stack's template again, may launch, and the run's template is gone."""

    wait = Wait(60, 1, "a few writes")

    def ask(self, work: StepContext) -> Answer:
        """Whether anything of the run's is left."""
        found, name = standby_group(work), template_of(work)
        named = specification(found)
        if named.get("LaunchTemplateName") == name or not launching.launches(found):
            return Absent(f"the group names {named.get('LaunchTemplateName')}")
        if launching.versions_of(work.client, work.region, name):
            return Absent(f"launch template {name} is there")
        return Proven({"template": named.get("LaunchTemplateName", ""), "version": named.get("Version", "")})

    def act(self, work: StepContext) -> None:
        """First the group, which needs a template at any time; the run's is deleted last."""
        found, name = standby_group(work), template_of(work)
        if specification(found).get("LaunchTemplateName") == name:
            launching.point(work.client, work.region, found, work.compute().standby_launch_template, LATEST)
        if not launching.launches(found):
            launching.let_launch(work.client, work.region, found, True)
        if launching.versions_of(work.client, work.region, name):
            remove(work.client, "ec2", "delete_launch_template", work.region, LaunchTemplateName=name)


def image_of(work: StepContext) -> str:
    """The image that was chosen for the step's compute group; empty in journals of older editions."""
    return work.chosen.images.get(work.compute().name, "")


def chosen(work: StepContext) -> Layout:
    """What the point gives each instance; StepFailed where a device would come up blank."""
    named = {name: read_reference(VolumeReference, each) for name, each in work.chosen.volumes.items()}
    found = launching.layout(work.inventory, work.compute(), named)
    if found.problems:
        raise work.failed("; ".join(found.problems))
    return found


def template_of(work: StepContext) -> str:
    """Name of the run's template of the step's compute group."""
    return work.inventory.names.run_template(work.compute().name)


def standby_group(work: StepContext) -> dict[str, Any]:
    """The group in the standby region; StepFailed where there is none."""
    name = work.compute().standby_group
    found = group(work.client, work.inventory.standby, name)
    if not found:
        raise work.failed(f"there is no Auto Scaling group {name}")
    return found


def not_there(work: StepContext, snapshots: list[str]) -> list[str]:
    """A sentence for every snapshot copy that cannot become a volume."""
    found = unusable(work.client, work.region, snapshots)
    return [f"snapshot copy {each} is {state} in {work.region}" for each, state in found.items()]
