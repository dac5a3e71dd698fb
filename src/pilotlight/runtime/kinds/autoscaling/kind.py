"""An Auto Scaling group with its counterpart at zero in the standby region: the kind `compute`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.action import Action, StepContext
from pilotlight.runtime.kinds.autoscaling import images, launching, observe, restoring, steps
from pilotlight.runtime.kinds.autoscaling.images import AVAILABLE
from pilotlight.runtime.kinds.autoscaling.reference import GroupReference
from pilotlight.runtime.kinds.command import Command
from pilotlight.runtime.kinds.kind import AssetKind, Observation, PartVerified, Progress, Question, Usable
from pilotlight.runtime.kinds.phases import FENCE, REST, RESTORE, STANDBY, START, about
from pilotlight.runtime.kinds.volumes.reference import VolumeReference
from pilotlight.runtime.records.inventory import Compute, Inventory
from pilotlight.runtime.records.point import Part, RecoveryPoint
from pilotlight.runtime.records.runs import CHOSEN, LOOKED_AGAIN, Step, Where

LOOK = "describe_launch_template_versions"


class AutoScalingGroup(AssetKind[Compute]):
    """It holds no state, but it has software, and mounts volumes."""

    name: ClassVar[str] = "compute"
    holds_state: ClassVar[bool] = False
    actions: ClassVar[Mapping[str, Action]] = {
        "restore": restoring.Restore(),
        "forget-template": restoring.ForgetTemplate(),
        "launch-one": steps.LaunchOne(),
        "hold": steps.Hold(),
        "scale": steps.Scale(),
        "stop": steps.Stop(),
    }

    # -- keeping -----------------------------------------------------------------------------------------------

    def keep_up(self, context: RecoveryContext, assets: tuple[Compute, ...]) -> tuple[str, ...]:
        """Copies of images that the primary launches since the last `up`."""
        return images.keep_up(context, assets)

    def observe(self, look: Observation, asset: Compute) -> Part:
        """Whether what the primary launches could be launched, every instance with its volumes."""
        client, inventory = look.context.client, look.context.inventory
        if look.primary_answers:
            seen = observe.look(client, inventory, asset)
        else:
            seen = observe.remembered(inventory, asset, look.earlier.such(asset.name, observe.was_seen))
        part = observe.observe(client, inventory, asset, look.context.clock, seen)
        return _comes_up(inventory, asset, part, look.parts)

    def prune(
        self, context: RecoveryContext, assets: tuple[Compute, ...], needed: Collection[str], primary_answers: bool
    ) -> None:
        """Copies of images that no kept point names."""
        images.prune(context, assets, needed)

    def verify(
        self, context: RecoveryContext, asset: Compute, part: Part, deep: bool, progress: Progress
    ) -> PartVerified:
        """The group and the image."""
        image = part.reference.image if isinstance(part.reference, GroupReference) else ""
        found = observe.launchable(context.client, context.inventory, asset, image)
        missing = tuple(observe.lacking(context.client, context.inventory, asset, AVAILABLE))
        if not found.image:
            missing = (*missing, found.told)
        remarks = (found.told,) if found.image and found.told else ()
        return PartVerified(part.asset, part.kind, missing, 1, remarks=remarks)

    # -- a run -------------------------------------------------------------------------------------------------

    def usable(self, work: StepContext, asset: Compute, point: RecoveryPoint) -> Usable:
        """An image for the group and a snapshot for every device. Points of older editions name no image."""
        named = point.reference(asset.name, GroupReference)
        launched = observe.launchable(work.client, work.inventory, asset, named.image if named else "")
        mounted = {each: point.reference(each, VolumeReference) for each in asset.volumes}
        found = launching.layout(work.inventory, asset, mounted)
        lost = [*(found.problems or restoring.not_there(work, found.snapshots))]
        lost += [] if launched.image else [launched.told]
        other = {"other_images": {asset.name: launched.told}} if launched.told else {}
        return Usable(tuple(lost), {"images": {asset.name: launched.image}} | other)

    def steps(self, phase: str, inventory: Inventory, asset: Compute, where: Where) -> list[Step]:
        """Stopped where nothing may run; launched from the run's own template in the standby region."""
        name = asset.name
        if phase == FENCE:
            return [about("stop", name, steps.Stopping(where.region, suspend=True), "fence-compute")]
        if phase == RESTORE and where == STANDBY:
            return [about("restore", name, where)]
        if phase == START:
            return _launched(inventory, asset, where)
        if phase == REST:
            rests = about("stop", name, steps.Stopping(where.region), "rest")
            return [rests, about("forget-template", name, where, needs=(rests.name,))]
        return []

    def ec2_calls(self, inventory: Inventory, asset: Compute, action: str) -> Mapping[str, int]:
        """Looks at launch templates, which EC2 describes one by one, and what is made of them."""
        versions = asset.count if launching.spread(inventory, asset) else 1
        restored = {LOOK: 5, "create_launch_template": 1, "create_launch_template_version": versions - 1}
        found: dict[str, Mapping[str, int]] = {
            "point-exists": {LOOK: 1},
            CHOSEN: {LOOK: 2},
            "restore": restored,
            LOOKED_AGAIN: {LOOK: 1},
            "forget-template": {LOOK: 2, "delete_launch_template": 1},
        }
        return found.get(action, {})

    def by_hand(self, work: StepContext, phase: str, asset: Compute) -> Iterator[Command]:
        """The primary's group starts."""
        if phase != START:
            return
        region, where = work.inventory.primary, {"AutoScalingGroupName": asset.primary_group}
        largest = max(
            asset.count, int(observe.group(work.client, region, asset.primary_group).get("MaxSize", asset.count))
        )
        sizes = {"MinSize": asset.count, "DesiredCapacity": asset.count, "MaxSize": largest}
        launching = where | {"ScalingProcesses": [steps.LAUNCH]}
        yield Command(f"{asset.name}: may launch again", "autoscaling", "resume_processes", region, launching)
        yield Command(f"{asset.name}: starts", "autoscaling", "update_auto_scaling_group", region, where | sizes)

    def fence_left(self, work: StepContext) -> list[str]:
        name, count = work.compute().primary_group, work.compute().count
        found = observe.group(work.client, work.region, name)
        if steps.LAUNCH in steps.suspended(found):
            mend = f"resume its process {steps.LAUNCH} and see that its size is {count}"
            return [f"{work.region}: {name} serves and may launch nothing: {mend} (`aws autoscaling resume-processes`)"]
        if count and not found.get("DesiredCapacity", count):
            mend = f"`aws autoscaling update-auto-scaling-group --min-size {count} --desired-capacity {count}`"
            return [f"{work.region}: {name} serves and no instance of it is wished for, of {count}: {mend}"]
        return []

    # -- watching ----------------------------------------------------------------------------------------------

    def questions(self, inventory: Inventory, assets: tuple[Compute, ...], region: str) -> list[Question]:
        names = {"AutoScalingGroupNames": [_group(inventory, each, region) for each in assets]}
        return [Question("Auto Scaling", "autoscaling", "describe_auto_scaling_groups", names)] if assets else []

    def watched(self, inventory: Inventory, assets: tuple[Compute, ...], region: str) -> Iterator[str]:
        return (f"the instances of {_group(inventory, each, region)} in service" for each in assets)

    def amiss(self, context: RecoveryContext, assets: tuple[Compute, ...], region: str) -> list[str]:
        """Groups that are short."""
        found = list[str]()
        for asset in assets:
            name = _group(context.inventory, asset, region)
            seen = observe.group(context.looking, region, name)
            serving = sum(each.get("LifecycleState") == "InService" for each in seen.get("Instances", []))
            if not seen:
                found.append(f"there is no group {name}")
            elif serving < seen["DesiredCapacity"]:
                found.append(f"{name}: {serving} of {seen['DesiredCapacity']} instances in service")
        return found


def _comes_up(inventory: Inventory, asset: Compute, part: Part, found: Mapping[str, Part]) -> Part:
    """A group is proven only where every instance of it would get its volumes: no failover could use the point, and it
    is not called complete (pure)."""
    groups = [found[name] for name in asset.volumes if name in found]
    if not all(each.proven for each in groups):
        return part
    named = {each.asset: each.reference for each in groups if isinstance(each.reference, VolumeReference)}
    problems = launching.layout(inventory, asset, named).problems
    return replace(part, proven=False, missing=(*part.missing, *problems), outdated=()) if problems else part


def _launched(inventory: Inventory, asset: Compute, where: Where) -> list[Step]:
    """Where instances have volumes of their own they are launched one after the other, each from its version."""
    if where != STANDBY or not launching.spread(inventory, asset):
        return [about("scale", asset.name, where)]
    ones: list[Step] = []
    for index in range(asset.count):
        after = (ones[-1].name,) if ones else ()
        arguments = steps.OneInstance(where.region, index)
        ones.append(Step(f"launch-{asset.name}-{index}", "launch-one", asset.name, after, arguments, lasts=False))
    return [*ones, about("hold", asset.name, where, "scale", needs=tuple(each.name for each in ones[-1:]))]


def _group(inventory: Inventory, asset: Compute, region: str) -> str:
    return asset.primary_group if region == inventory.primary else asset.standby_group
