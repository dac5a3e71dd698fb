"""EBS volumes behind one tag: the kind `volumes`. Snapshots are copied; instances get them behind their devices."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import ClassVar

from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.action import StepContext
from pilotlight.runtime.kinds.kind import AssetKind, Observation, PartVerified, Progress, Usable, remarked
from pilotlight.runtime.kinds.restore import PlanFile, Planned, Restored, Tell, Wanted
from pilotlight.runtime.kinds.volumes import observe, one_region, pruning, restoring, schedule, snapshots
from pilotlight.runtime.kinds.volumes.observe import Seen
from pilotlight.runtime.kinds.volumes.reference import VolumeReference
from pilotlight.runtime.records.codec import encode
from pilotlight.runtime.records.inventory import Inventory, Volumes
from pilotlight.runtime.records.point import Part, RecoveryPoint


class VolumeGroup(AssetKind[Volumes]):
    """All volumes of one instance are snapshot together. They come up with the instances that mount them."""

    name: ClassVar[str] = "volumes"
    restores_alone: ClassVar[bool] = True

    def keep_up(self, context: RecoveryContext, assets: tuple[Volumes, ...]) -> tuple[str, ...]:
        """Begin the scheduled runs that are due."""
        return schedule.keep_up(context, assets)

    def keep_up_alone(self, context: RecoveryContext, assets: tuple[Volumes, ...]) -> tuple[str, ...]:
        """Snapshots of what the standby's instances have."""
        remarks = list[str]()
        for asset in assets:
            with remarked(asset.name, remarks):
                remarks += one_region.keep_up(context, asset)
        return tuple(remarks)

    def observe_alone(self, context: RecoveryContext, asset: Volumes) -> Part:
        return one_region.observe(context, asset)

    def in_turns(self, context: RecoveryContext, assets: tuple[Volumes, ...]) -> Iterator[tuple[str, ...]]:
        """Copies, as many at once as the region makes."""
        return schedule.copy_in_turns(context, assets)

    def observe(self, look: Observation, asset: Volumes) -> Part:
        """The newest scheduled run all of whose copies are completed."""
        seen = observe.look(look.context, asset, look.primary_answers)
        look.seen[asset.name] = seen
        return observe.part(look.context.inventory, asset, seen, look.context.clock.now())

    def learn(self, context: RecoveryContext, asset: Volumes, seen: Seen) -> None:
        """Which scheduled runs were complete once."""
        for roster in observe.to_prove(seen):
            context.ledger.keep_roster(asset.name, roster)

    def prune(
        self, context: RecoveryContext, assets: tuple[Volumes, ...], needed: Collection[str], primary_answers: bool
    ) -> None:
        """Snapshots and copies that no kept point stands on."""
        for asset in assets:
            pruning.prune(context, asset, needed, primary_answers)
            one_region.prune(context, asset, needed)

    def verify(
        self, context: RecoveryContext, asset: Volumes, part: Part, deep: bool, progress: Progress
    ) -> PartVerified:
        """Every snapshot copy is there and completed; the bytes inside are EBS's to keep, and a drill's to prove."""
        wanted = part.reference.copies if isinstance(part.reference, VolumeReference) else {}
        found = snapshots.unusable(context.client, context.inventory.standby, wanted)
        problems = [
            f"snapshot copy {id} of {wanted[id]} is {found[id]} in {context.inventory.standby}"
            for id in sorted(found, key=lambda each: (wanted[each], each))
        ]
        remarks = ("the bytes inside snapshot copies are not read; a drill restores them",) if deep else ()
        return PartVerified(part.asset, part.kind, tuple(problems), len(wanted), remarks=remarks)

    def usable(self, work: StepContext, asset: Volumes, point: RecoveryPoint) -> Usable:
        """What the point names; that it is there is asked by the groups that mount it."""
        named = point.reference(asset.name, VolumeReference)
        return Usable(evidence={"volumes": {asset.name: encode(named) if named else {}}})

    def costs_of_failback(self, inventory: Inventory, asset: Volumes) -> Iterator[str]:
        """Blocks do not come home: no service of AWS replicates an attached volume back (EBS User Guide, "Copy an
        Amazon EBS snapshot", is the only way to another region)."""
        primary, standby = inventory.primary, inventory.standby
        for group in (each.name for each in inventory.computes if asset.name in each.volumes):
            yield (
                f"{asset.name}: what {standby} wrote on the volumes of {group} since the failover does not come home; "
                f"{primary} goes on with its own, as they were when it was lost. The volumes in {standby} are kept "
                f"when their instances end (tag pilotlight:workload={inventory.workload}): copy from them what you need"
            )

    # -- restoring ---------------------------------------------------------------------------------------------

    def plan_restore(self, context: RecoveryContext, asset: Volumes, wanted: Wanted) -> Planned:
        """New volumes of a point's snapshots, or what a group launches next."""
        return restoring.plan(context, asset, wanted)

    def restore(self, context: RecoveryContext, asset: Volumes, plan: PlanFile, tell: Tell) -> Restored:
        """Each made once."""
        return restoring.restore(context, asset, plan, tell)
