"""A bucket that is looked into: the kind `checkpoints`. Of what lies there, only what is complete counts."""

from __future__ import annotations

import contextlib
import heapq
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from pilotlight.runtime.checkpoints import verify
from pilotlight.runtime.checkpoints.deep import verify_deeply
from pilotlight.runtime.checkpoints.format import ChecksDeeply
from pilotlight.runtime.checkpoints.readers import BucketReader
from pilotlight.runtime.checkpoints.verify import Found
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, RegionUnreachable, Throttled
from pilotlight.runtime.kinds.action import Action, StepContext
from pilotlight.runtime.kinds.autoscaling.observe import group
from pilotlight.runtime.kinds.buckets import comparisons, manifests
from pilotlight.runtime.kinds.buckets import observe as buckets
from pilotlight.runtime.kinds.buckets.comparisons import NotYet
from pilotlight.runtime.kinds.buckets.kind import ReplicatedBucket, reread
from pilotlight.runtime.kinds.buckets.listing import Current, current
from pilotlight.runtime.kinds.buckets.manifests import Manifest
from pilotlight.runtime.kinds.buckets.rule import seen as rule_seen
from pilotlight.runtime.kinds.checkpoints import observe, restoring, steps
from pilotlight.runtime.kinds.checkpoints.dangling import Look
from pilotlight.runtime.kinds.checkpoints.listing import CheckpointListing, choose, list_checkpoints
from pilotlight.runtime.kinds.checkpoints.reference import CheckpointReference
from pilotlight.runtime.kinds.command import Command
from pilotlight.runtime.kinds.kind import Observation, PartVerified, Progress
from pilotlight.runtime.kinds.kind import loss as loss_of
from pilotlight.runtime.kinds.phases import REST, RESTORE, about
from pilotlight.runtime.kinds.restore import Planned, Wanted
from pilotlight.runtime.records.inventory import Compute, Datasets, Inventory
from pilotlight.runtime.records.point import Loss, Part, RecoveryPoint
from pilotlight.runtime.records.runs import Step, Where

SAVES_LATE = 3.0
"""A checkpoint is late when it is this many times the usual gap old: one slow save is no stop."""
SECONDS_PER_HOUR = 3600


class CheckpointFolder(ReplicatedBucket):
    """Checkpoints below one prefix of a replicated bucket."""

    name: ClassVar[str] = "checkpoints"
    timed_by: ClassVar[frozenset[str]] = frozenset({"dataset"})
    actions: ClassVar[Mapping[str, Action]] = {
        "tell-checkpoint": steps.TellCheckpoint(),
        "forget-checkpoint": steps.ForgetCheckpoint(),
    }

    # -- keeping -----------------------------------------------------------------------------------------------

    def observe(self, look: Observation, asset: Datasets) -> Part:
        """The newest complete one that is older than the watermark of every dataset that it uses."""
        used = [look.parts[name].as_of for name in asset.uses if name in look.parts and look.parts[name].as_of]
        before = min((parse_stamp(moment) for moment in used), default=None)
        ledger = look.context.ledger
        there, refusal = _primary(look, asset)
        here = list_checkpoints(
            look.context.client,
            look.context.inventory.standby,
            asset.standby_bucket,
            asset,
            ledger.known_complete(asset.name),
            there,
        )
        choice = choose(here, asset, ledger.rejections(asset.name), before)
        look.seen[asset.name] = Look(asset, here, there, choice)
        taken = here.of(choice.taken.path) if choice.taken else None
        key = _manifest(look, asset, here, taken) if taken else ""
        begun = [
            each for each in (here.newest_begun_step, there.newest_begun_step if there else None) if each is not None
        ]
        part = observe.observe(asset, choice, max(begun, default=None))
        replicated = {"not_compared": refusal} if refusal else _replicated(look, asset)
        named = replace(part.reference, manifest=key) if isinstance(part.reference, CheckpointReference) else None
        return replace(part, reference=named, evidence=part.evidence | replicated)

    def observe_alone(self, context: RecoveryContext, asset: Datasets) -> Part:
        """The newest complete one in the standby's bucket, and the versions of all."""
        kept = super().observe_alone(context, asset)
        if not kept.proven:
            return kept
        listing = list_checkpoints(context.client, context.inventory.standby, asset.standby_bucket, asset)
        choice = choose(listing, asset, context.ledger.rejections(asset.name))
        part = observe.observe(asset, choice, listing.newest_begun_step)
        return replace(part, evidence=part.evidence | kept.evidence)

    def learn(self, context: RecoveryContext, asset: Datasets, seen: Look) -> None:
        """What was found complete, and how often is saved."""
        usual = observe.cadence(each.candidate for each in seen.primary.found) if seen.primary else None
        if usual:
            context.ledger.sightings.keep_cadence(asset.name, *usual)
        known = seen.standby.known
        if seen.standby.learned - set(known):
            context.ledger.know_complete(asset.name, tuple(dict.fromkeys((*sorted(seen.standby.learned), *known))))

    def unhealthy(self, part: Part) -> Iterator[str]:
        """Checkpoints that are there, whole, and all refused for their health."""
        passed = part.evidence.get("passed_over", []) if not part.proven else []
        sick = [each for each in passed if each.get("unhealthy")]
        if sick:
            yield f"{part.asset} has no healthy checkpoint: {sick[0].get('path', '')} {sick[0].get('why', '')}."

    def loss(self, asset: Datasets, part: Part, moment: str) -> Loss | None:
        """Steps are those begun, or those that the declared rate makes."""
        found = loss_of(part, moment)
        begun = part.evidence.get("newest_started_step")
        taken = part.reference.step if isinstance(part.reference, CheckpointReference) else None
        lost = max(0, begun - taken) if isinstance(begun, int) and isinstance(taken, int) else None
        training = asset.training
        if training is None:
            return Loss(found.seconds, lost)
        hours = max(0.0, parse_stamp(moment) - parse_stamp(part.as_of)) / SECONDS_PER_HOUR
        if training.steps_per_hour is not None:
            lost = max(lost or 0, int(hours * training.steps_per_hour))
        return Loss(found.seconds, lost, round(hours * training.gpus, 3))

    def gpus(self, asset: Datasets) -> int | None:
        return asset.training.gpus if asset.training else None

    def verify(
        self, context: RecoveryContext, asset: Datasets, part: Part, deep: bool, progress: Progress
    ) -> PartVerified:
        """The checkpoint that the point names, judged anew; nothing is remembered."""
        named = part.reference
        path = named.prefix.removeprefix(asset.prefix) if isinstance(named, CheckpointReference) else ""
        listing = list_checkpoints(context.client, context.inventory.standby, asset.standby_bucket, asset)
        reader, found = listing.reader, listing.of(path)
        if found is None:
            gone = f"{path} is gone from s3://{asset.standby_bucket}/{asset.prefix}"
            return PartVerified(part.asset, part.kind, (gone,))
        deeply = deep and isinstance(found.format, ChecksDeeply)
        verdict = verify_deeply(found, reader) if deeply else verify.verify(found, reader)
        problems = tuple(f"{found.candidate.prefix}{each.file}: {each.what}" for each in verdict.problems)
        files = _files(context, asset, path, part, deep, progress)
        return PartVerified(
            part.asset,
            part.kind,
            (*problems, *files.problems),
            len(found.candidate.files),
            verdict.bytes_read + files.bytes_read,
            files.remarks,
            files.undecided,
            files.compared,
        )

    # -- a run -------------------------------------------------------------------------------------------------

    def choose(self, work: StepContext, asset: Datasets, point: RecoveryPoint) -> dict[str, Any]:
        """The newest complete one in the bucket at this moment: it is at least as new as the point's."""
        found = steps.choose_checkpoint(work, asset, work.inventory.standby, asset.standby_bucket)
        found |= steps.beyond(point, asset, found["written_at"])
        told = {name: found[name] for name in ("newest_started_step", "newest_complete_step")}
        return {"checkpoints": {asset.name: found}} | told

    def steps(self, phase: str, inventory: Inventory, asset: Datasets, where: Where) -> list[Step]:
        """The workload is told what to resume from, in the region that is to serve."""
        if phase == REST:
            return [about("forget-checkpoint", asset.name, where)]
        told = [about("tell-checkpoint", asset.name, where)] if phase == RESTORE else []
        return [*super().steps(phase, inventory, asset, where), *told]

    def by_hand(self, work: StepContext, phase: str, asset: Datasets) -> Iterator[Command]:
        """And it is told so."""
        yield from super().by_hand(work, phase, asset)
        if phase != RESTORE:
            return
        inventory = work.inventory
        found = steps.choose_checkpoint(work, asset, inventory.primary, asset.primary_bucket)
        value = f"s3://{found['bucket']}/{found['prefix']}"
        given: dict[str, Any] = {"Name": inventory.names.parameter(asset.name), "Value": value, "Type": "String"}
        what = f"{asset.name}: the workload is told of its newest complete checkpoint"
        yield Command(what, "ssm", "put_parameter", inventory.primary, given | {"Overwrite": True})

    # -- restoring ---------------------------------------------------------------------------------------------

    def plan_restore(self, context: RecoveryContext, asset: Datasets, wanted: Wanted) -> Planned:
        """One checkpoint whole: the newest that was complete and healthy then, or that of a step."""
        return restoring.plan(context, asset, wanted)

    # -- watching ----------------------------------------------------------------------------------------------

    def watched(self, inventory: Inventory, assets: tuple[Datasets, ...], region: str) -> Iterator[str]:
        for asset in assets if inventory.computes else ():
            yield f"the newest checkpoint of {asset.name} against its usual cadence"

    def amiss(self, context: RecoveryContext, assets: tuple[Datasets, ...], region: str) -> list[str]:
        """Checkpoints that do not come as they used to, while a group that would write them is up."""
        if region != context.inventory.primary or not any(_is_up(context, each) for each in context.inventory.computes):
            return []
        found = list[str]()
        for asset in assets:
            usual = context.ledger.sightings.cadence(asset.name)
            age = parse_stamp(usual.at) - parse_stamp(usual.newest_at) if usual else 0.0
            if usual and age > SAVES_LATE * usual.usual_seconds:
                found.append(
                    f"{asset.name}: the newest checkpoint was {age:.0f} s old at {usual.at}, usually one comes every "
                    f"{usual.usual_seconds:.0f} s"
                )
        return found

    def lacks(self, part: Part | None) -> bool:
        """Also one that is whole is needed, which a point tells."""
        return part is not None and not part.proven


def _primary(look: Observation, asset: Datasets) -> tuple[CheckpointListing | None, str]:
    """Names alone: nothing of it is read. None where the primary does not answer, or, with AWS's words, may not be
    listed."""
    if not look.primary_answers:
        return None, ""
    reader = BucketReader(look.context.client, look.context.inventory.primary, asset.primary_bucket, asset.prefix)
    try:
        return CheckpointListing(reader, asset.format, at_first=observe.CADENCE_SAVES, named=True), ""
    except CallRefused as refusal:
        return None, refusal.message


def _replicated(look: Observation, asset: Datasets) -> dict[str, Any]:
    """Whether everything of the bucket arrives in time; a torn checkpoint is often the first that tells."""
    if not look.primary_answers:
        return {}
    try:
        rule = rule_seen(look.context, asset)
        seen = comparisons.look(look.context, asset, rule)
    except CallRefused as refusal:
        return {"not_compared": refusal.message}
    if isinstance(seen, NotYet):
        return {"not_compared": seen.why}
    return buckets.counts(seen.found, rule) | {"compared_at": seen.compared_at}


def _manifest(look: Observation, asset: Datasets, listing: CheckpointListing, taken: Found) -> str:
    """The versions that this checkpoint consists of, to be compared with later; what lies below it and is another
    checkpoint is not among them."""
    manifest = Manifest(asset.name)
    own = {asset.prefix + file.key: file for file in taken.candidate.files}
    for item in _versions(look, asset, listing, taken):
        file = own.get(item.key)
        judged = (each for each in (item, *item.older) if file and (each.size, each.etag) == (file.size, file.etag))
        if version := next(judged, None):
            manifest.add(version)
    look.lists[asset.name] = manifest
    return manifest.key


def _versions(look: Observation, asset: Datasets, listing: CheckpointListing, taken: Found) -> Iterator[Current]:
    """Those of its files, with their past, in the order of the keys. Steps that it lies beside are not listed."""
    client, (_, copy) = look.context.client, buckets.buckets(look.context.inventory, asset)
    candidate = taken.candidate
    begins = os.path.commonprefix([file.key for file in candidate.files])  # noqa: RUF071 - of keys, not of folders
    if not listing.leaves(begins):
        return current(client, replace(copy, prefix=copy.prefix + begins))
    direct = current(client, replace(copy, prefix=copy.prefix + begins), below=False)
    parts = (
        current(client, replace(copy, prefix=copy.prefix + candidate.prefix + each)) for each in candidate.subfolders
    )
    return heapq.merge(direct, *parts, key=lambda each: each.key.encode())


def _files(
    context: RecoveryContext, asset: Datasets, path: str, part: Part, deep: bool, progress: Progress
) -> PartVerified:
    """The very versions that the point was made of."""
    key = part.reference.listed_in if part.reference else ""
    primary, standby = (replace(each, prefix=asset.prefix + path) for each in buckets.buckets(context.inventory, asset))
    wanted = manifests.lines(io.BytesIO(context.records.manifest(key))) if key else ()
    return reread(context, part, primary, standby, wanted, deep, progress)


def _is_up(context: RecoveryContext, fleet: Compute) -> bool:
    with contextlib.suppress(CallRefused, Throttled, RegionUnreachable):
        return bool(group(context.looking, context.inventory.primary, fleet.primary_group).get("DesiredCapacity"))
    return False
