"""A bucket that S3 replicates: the kind `dataset`, and what checkpoints have in common with it."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from pilotlight.runtime.clock import stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.action import Absent, Action, StepContext
from pilotlight.runtime.kinds.buckets import (
    comparisons,
    events,
    failback_sync,
    fencing,
    manifests,
    notifications,
    observe,
    protection,
    reprotecting,
    rereading,
    restoring,
)
from pilotlight.runtime.kinds.buckets.comparisons import NotYet
from pilotlight.runtime.kinds.buckets.listing import Bucket, Current
from pilotlight.runtime.kinds.buckets.protection import NOT_PROVEN
from pilotlight.runtime.kinds.buckets.reference import BucketReference
from pilotlight.runtime.kinds.buckets.rule import seen as rule_seen
from pilotlight.runtime.kinds.command import Command
from pilotlight.runtime.kinds.kind import (
    PROTECTED,
    UNPROTECTED,
    AssetKind,
    Judged,
    Observation,
    PartVerified,
    Progress,
    Question,
    missing,
)
from pilotlight.runtime.kinds.phases import FENCE, FINAL_SYNC, PRIMARY, PROTECT, RESTORE, SYNC, about
from pilotlight.runtime.kinds.restore import PlanFile, Planned, Restored, Tell, Wanted
from pilotlight.runtime.records.inventory import Datasets, Inventory
from pilotlight.runtime.records.point import Part, RecoveryPoint
from pilotlight.runtime.records.runs import Step, Where
from pilotlight.runtime.store.ledger import Protection

VERSIONS_KEPT = "Enabled"
"""S3 API reference, GetBucketVersioning."""
UNLISTED = (
    f"the point has no list of its objects to compare with, because there were more than {manifests.OBJECTS_MAX}; "
    "`pilotlight backfill` compares both sides as they are now"
)


class ReplicatedBucket(AssetKind[Datasets]):
    """Below one prefix, with S3 Replication to a bucket of the standby region."""

    name: ClassVar[str] = "dataset"
    replicated: ClassVar[bool] = True
    actions: ClassVar[Mapping[str, Action]] = {
        "fence-bucket": fencing.FenceBucket(),
        "open-bucket": fencing.OpenBucket(),
        "bring-home": failback_sync.BringHome(),
        "replicates": reprotecting.Replicates(),
        "canary-arrives": reprotecting.CanaryArrives(),
        "canary-gone": reprotecting.CanaryGone(),
    }

    # -- keeping -----------------------------------------------------------------------------------------------

    def observe(self, look: Observation, asset: Datasets) -> Part:
        """The watermark, and a list of all objects; where the primary is silent, what an earlier point proved."""
        if not look.primary_answers:
            return observe.observe_alone(asset, look.earlier.part(asset.name))
        rule = rule_seen(look.context, asset)
        seen = comparisons.look(look.context, asset, rule)
        if isinstance(seen, NotYet):
            return Part(asset.name, asset.kind, asset.mechanism, False, "", missing=(seen.why,))
        part = observe.part(asset, seen.found, seen.as_of, rule)
        if seen.manifest:
            look.lists[asset.name] = seen.manifest
        listed = seen.manifest.key if seen.manifest else ""
        told = {"remarks": [seen.unlisted]} if seen.unlisted else {}
        found = part.reference
        named = replace(found, manifest=listed) if isinstance(found, BucketReference) else None
        return replace(part, reference=named, evidence=part.evidence | {"compared_at": seen.compared_at} | told)

    def keep_up(self, context: RecoveryContext, assets: tuple[Datasets, ...]) -> tuple[str, ...]:
        """What S3 has told of replication is taken in, once for all buckets; and whether it is still asked to tell."""
        remarks = events.take_in(context) if assets[:1] == context.inventory.datasets[:1] else ()
        for asset in assets:
            if notifications.missing(context.client, context.inventory, asset):
                remarks += (f"{asset.name}: S3 is not asked to tell of replication that fails; run `pilotlight up`.",)
        return remarks

    def failed(self, context: RecoveryContext, assets: tuple[Datasets, ...]) -> int:
        """By what S3 has told, looked at."""
        told = events.take_in(context) if assets[:1] == context.inventory.datasets[:1] else ()
        return 0 if told else sum(events.failed(context, asset) for asset in assets)

    def observe_alone(self, context: RecoveryContext, asset: Datasets) -> Part:
        """The versions of its objects, as the standby's bucket keeps them."""
        region, bucket = context.inventory.standby, asset.standby_bucket
        status = str(context.client.call("s3", "get_bucket_versioning", region, Bucket=bucket).get("Status", ""))
        if status != VERSIONS_KEPT:
            why = f"s3://{bucket} keeps no versions (it is {status or 'not versioned'}): what is overwritten is lost"
            return Part(asset.name, asset.kind, asset.mechanism, False, "", missing=(why,))
        moment = stamp(math.floor(context.clock.now()))
        reference = BucketReference(bucket, asset.prefix, moment)
        told = {"one_region": region, "kept_by": "object versions"}
        return Part(asset.name, asset.kind, asset.mechanism, True, moment, reference, told)

    def in_turns(self, context: RecoveryContext, assets: tuple[Datasets, ...]) -> Iterator[tuple[str, ...]]:
        """Full comparisons of buckets too long for every run."""
        return comparisons.in_turns(context, assets)

    def judge(self, context: RecoveryContext, asset: Datasets, part: Part) -> None:
        """PROTECTED by what the scheduled run compared; nothing where it compared nothing."""
        protection.judge_part(context, asset, part)

    def overdue(self, part: Part) -> int | None:
        return int(part.evidence["overdue"]) if part.evidence.get("compared") else None

    def verify(
        self, context: RecoveryContext, asset: Datasets, part: Part, deep: bool, progress: Progress
    ) -> PartVerified:
        """Every object of its list."""
        key = part.reference.listed_in if part.reference else ""
        if not key:
            return PartVerified(part.asset, part.kind, (UNLISTED,))
        wanted = manifests.lines(io.BytesIO(context.records.manifest(key)))
        primary, standby = observe.buckets(context.inventory, asset)
        return reread(context, part, primary, standby, wanted, deep, progress)

    # -- a run -------------------------------------------------------------------------------------------------

    def steps(self, phase: str, inventory: Inventory, asset: Datasets, where: Where) -> list[Step]:
        """Writing is denied in the primary from its return until the data is home; then replication is proven."""
        name = asset.name
        if phase == FENCE:
            return [about("fence-bucket", name, where)]
        if phase == SYNC:
            return [about("bring-home", name, failback_sync.Syncing(), "sync")]
        if phase == FINAL_SYNC:
            return [about("bring-home", name, failback_sync.Syncing(final=True), "final-sync")]
        if phase == RESTORE and where == PRIMARY:
            return [about("open-bucket", name, where)]
        if phase == PROTECT:
            return [
                about("replicates", name, where),
                about("canary-arrives", name, where, needs=(f"replicates-{name}",)),
                about("canary-gone", name, where, needs=(f"canary-arrives-{name}",)),
            ]
        return []

    def by_hand(self, work: StepContext, phase: str, asset: Datasets) -> Iterator[Command]:
        """The bucket takes writes again."""
        if phase != RESTORE:
            return
        policy = fencing.without_fence(fencing.policy_of(work, asset.primary_bucket))
        where, region = {"Bucket": asset.primary_bucket}, work.inventory.primary
        what = f"{asset.name}: the bucket takes writes again"
        if policy["Statement"]:
            yield Command(what, "s3", "put_bucket_policy", region, where | {"Policy": json.dumps(policy)})
        else:
            yield Command(what, "s3", "delete_bucket_policy", region, where)

    def fence_left(self, work: StepContext) -> list[str]:
        if not isinstance(fencing.OpenBucket().ask(work), Absent):
            return []
        bucket = work.datasets().primary_bucket
        mend = f"take the statement {fencing.FENCE} out of its policy"
        return [f"{work.region}: s3://{bucket} serves and denies writing: {mend}"]

    # -- restoring ---------------------------------------------------------------------------------------------

    def plan_restore(self, context: RecoveryContext, asset: Datasets, wanted: Wanted) -> Planned:
        """Every key below a prefix that is not what it was."""
        return restoring.plan(context, asset, wanted)

    def restore(self, context: RecoveryContext, asset: Datasets, plan: PlanFile, tell: Tell) -> Restored:
        """New versions on top, and delete markers."""
        return restoring.restore(context, asset, plan, tell)

    # -- watching ----------------------------------------------------------------------------------------------

    def questions(self, inventory: Inventory, assets: tuple[Datasets, ...], region: str) -> list[Question]:
        primary = region == inventory.primary
        names = (each.primary_bucket if primary else each.standby_bucket for each in assets)
        return [Question("S3", "s3", "head_bucket", {"Bucket": name}) for name in names]

    def standing(
        self,
        inventory: Inventory,
        asset: Datasets,
        part: Part | None,
        point: RecoveryPoint | None,
        protection: Protection | None,
    ) -> Judged:
        """By the newest comparison of both sides."""
        if protection is None or not protection.compared_at:
            return Judged(UNPROTECTED, NOT_PROVEN)
        if protection.state == PROTECTED and self.lacks(part):
            return Judged(UNPROTECTED, missing(part) if part else "", point.created_at if point else "")
        lasts = comparisons.lasts_seconds(inventory, asset, protection.objects)
        return Judged(protection.state, protection.why, protection.compared_at, protection.since, protection.by, lasts)

    def lacks(self, part: Part | None) -> bool:
        """Whether a bucket whose copy is whole lacks something all the same."""
        return False


def reread(
    context: RecoveryContext,
    part: Part,
    primary: Bucket,
    standby: Bucket,
    wanted: Iterable[Current],
    deep: bool,
    progress: Progress,
) -> PartVerified:
    """These objects of the standby's bucket, read again."""
    found = rereading.reread(
        context.client, standby, primary, wanted, deep, lambda objects: progress(part.asset, objects)
    )
    problems, undecided = _counted(found.problems, found.damaged), _counted(found.undecided, found.unread)
    remarks = tuple(f"{count} objects were read whole; {why}" for why, count in found.uncompared.items())
    return PartVerified(
        part.asset, part.kind, problems, found.objects, found.bytes_read, remarks, undecided, dict(found.compared)
    )


def _counted(named: list[str], count: int) -> tuple[str, ...]:
    more = (f"and {count - len(named)} more",) if count > len(named) else ()
    return (*named, *more)
