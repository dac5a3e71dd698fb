"""An Aurora PostgreSQL cluster with its secondary in one global cluster: the kind `database`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.action import Action
from pilotlight.runtime.kinds.aurora import observe, references, restoring, steps
from pilotlight.runtime.kinds.aurora.references import Rows
from pilotlight.runtime.kinds.checkpoints import dangling
from pilotlight.runtime.kinds.checkpoints.dangling import Look
from pilotlight.runtime.kinds.kind import AssetKind, Observation, PartVerified, Progress, Question
from pilotlight.runtime.kinds.phases import HAND_OVER, PROTECT, RESTORE, STANDBY, SYNC, about
from pilotlight.runtime.kinds.restore import PlanFile, Planned, Restored, Tell, Wanted
from pilotlight.runtime.records.inventory import Database, Inventory
from pilotlight.runtime.records.point import Part
from pilotlight.runtime.records.runs import Step, Where

NAMED_MAX = 3
"""How many rows a sentence names; the part's evidence names more."""
WRITES = ("available", "backing-up")
"""States in which a cluster takes writes (Aurora User Guide, "Viewing DB cluster status")."""


class AuroraCluster(AssetKind[Database]):
    """Its rows may name checkpoints (`references` of the declaration); those are read before anything else."""

    name: ClassVar[str] = "database"
    actions: ClassVar[Mapping[str, Action]] = {
        "promote": steps.Promote(),
        "switch-back": steps.SwitchBack(),
        "follows": steps.Follows(),
        "rejoins": steps.Rejoins(),
    }

    # -- keeping -----------------------------------------------------------------------------------------------

    def ask_first(self, context: RecoveryContext, assets: tuple[Database, ...]) -> Mapping[str, Rows]:
        """The rows that name checkpoints."""
        wanted = (each for each in assets if each.table)
        return {each.name: references.read(context.client, context.inventory, each, context.clock) for each in wanted}

    def observe(self, look: Observation, asset: Database) -> Part:
        """The secondary and its lag; and whether what the rows name has arrived."""
        context, rows = look.context, look.asked_first.get(asset.name)
        part = observe.observe(context.client, context.inventory, asset, context.clock, rows)
        if not asset.table:
            return part
        if rows is None:
            return observe.observe_alone(asset, part, look.earlier.settled(asset.name))
        if rows.reason:
            return replace(part, proven=False, as_of="", missing=(*part.missing, rows.reason))
        used = {name: seen for name, seen in look.seen.items() if name in asset.uses and isinstance(seen, Look)}
        return replace(part, evidence=part.evidence | {"rows": dangling.evidence(rows, dangling.judge(rows, used))})

    def observe_alone(self, context: RecoveryContext, asset: Database) -> Part:
        """The cluster's continuous backup."""
        return observe.kept_alone(context.client, context.inventory, asset)

    def loose_ends(self, part: Part) -> Iterator[str]:
        """Rows that name what has not arrived, and rows that are newer than the point's checkpoint."""
        rows = part.evidence.get("rows", {}) if part.proven else {}
        counts = rows.get("counts", {})
        if counts.get("dangling"):
            yield (
                f"{part.asset} has {counts['dangling']} rows that name checkpoints which are not complete in the "
                f"standby region: {_few(rows['dangling'])}."
            )
        if rows.get("more"):
            yield (
                f"{part.asset} has more rows that name checkpoints than the {rows['named']} that are looked at, the "
                "last in the order of their names; let `references.table` name a view of those that matter."
            )
        if counts.get("ahead"):
            yield (
                f"{part.asset} has {counts['ahead']} rows that name checkpoints newer than the one whose data is "
                f"proven: {_few(rows['ahead'])}."
            )

    def verify(
        self, context: RecoveryContext, asset: Database, part: Part, deep: bool, progress: Progress
    ) -> PartVerified:
        """The secondary as it is now."""
        missing = observe.observe(context.client, context.inventory, asset, context.clock).missing
        return PartVerified(part.asset, part.kind, missing, 1)

    # -- a run -------------------------------------------------------------------------------------------------

    def steps(self, phase: str, inventory: Inventory, asset: Database, where: Where) -> list[Step]:
        """Promoted with what has arrived; rejoined and switched back with nothing lost."""
        found = {
            SYNC: [about("rejoins", asset.name, where, "rejoin")],
            HAND_OVER: [about("switch-back", asset.name, where, "switch")],
            RESTORE: [about("promote", asset.name, where)] if where == STANDBY else [],
            PROTECT: [about("follows", asset.name, STANDBY, "reprotect")],
        }
        return found.get(phase, [])

    # -- restoring ---------------------------------------------------------------------------------------------

    def plan_restore(self, context: RecoveryContext, asset: Database, wanted: Wanted) -> Planned:
        """A new cluster beside, to a point in time or from a snapshot."""
        return restoring.plan(context, asset, wanted)

    def restore(self, context: RecoveryContext, asset: Database, plan: PlanFile, tell: Tell) -> Restored:
        """The cluster, and an instance in it."""
        return restoring.restore(context, asset, plan, tell)

    # -- watching ----------------------------------------------------------------------------------------------

    def questions(self, inventory: Inventory, assets: tuple[Database, ...], region: str) -> list[Question]:
        named = ({"DBClusterIdentifier": _cluster(inventory, each, region)} for each in assets)
        return [Question("RDS", "rds", "describe_db_clusters", each) for each in named]

    def watched(self, inventory: Inventory, assets: tuple[Database, ...], region: str) -> Iterator[str]:
        return (f"the writer of {asset.name}" for asset in assets)

    def amiss(self, context: RecoveryContext, assets: tuple[Database, ...], region: str) -> list[str]:
        """Writers that take no writes."""
        found = list[str]()
        for asset in assets:
            name = _cluster(context.inventory, asset, region)
            answer = context.looking.call("rds", "describe_db_clusters", region, DBClusterIdentifier=name)
            status = next((str(each.get("Status", "")) for each in answer["DBClusters"]), "not there")
            if status not in WRITES:
                found.append(f"cluster {name} is {status}")
        return found


def _cluster(inventory: Inventory, asset: Database, region: str) -> str:
    return asset.primary_cluster if region == inventory.primary else asset.standby_cluster


def _few(names: list[str]) -> str:
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
