"""Verifying a point that was made earlier: is every part of it still in the standby region as it was proven?

Nothing is taken from the paper but what was promised; the standby region is read again. Time passes between a point
and its verification, so what was written since by replication is no damage; what was deleted or changed there is.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from pilotlight.runtime.checkpoints import verify
from pilotlight.runtime.checkpoints.deep import verify_deeply
from pilotlight.runtime.checkpoints.format import ChecksDeeply
from pilotlight.runtime.checkpoints.readers import BucketReader
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import CallRefused, PaperUnreadable
from pilotlight.runtime.kinds.aurora import observe as database
from pilotlight.runtime.kinds.autoscaling import observe as compute
from pilotlight.runtime.kinds.autoscaling.images import AVAILABLE
from pilotlight.runtime.kinds.buckets import manifests, rereading
from pilotlight.runtime.kinds.buckets.listing import Bucket, Current
from pilotlight.runtime.kinds.buckets.observe import buckets
from pilotlight.runtime.kinds.volumes import snapshots
from pilotlight.runtime.kinds.volumes.snapshots import copies_of
from pilotlight.runtime.points.observation import CHECKPOINTS
from pilotlight.runtime.records.inventory import Compute, Database, Datasets, Volumes
from pilotlight.runtime.records.point import Part, RecoveryPoint

UNLISTED = (
    f"the point has no list of its objects to compare with, because there were more than {manifests.OBJECTS_MAX}; "
    "`pilotlight backfill` compares both sides as they are now"
)

Progress = Callable[[str, int], None]
"""(asset, objects looked at)."""


def silent(asset: str, objects: int) -> None:
    """The progress of whoever does not want to know."""


@dataclass(frozen=True)
class PartVerified:
    """One part read again: `problems` empty means that it holds."""

    asset: str
    kind: str
    problems: tuple[str, ...] = ()
    looked_at: int = 0
    """Objects, files, snapshots."""
    bytes_read: int = 0
    remarks: tuple[str, ...] = ()
    """What could not be looked at, or not as deeply as was asked."""

    @property
    def holds(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class Verification:
    """A point read again."""

    SCHEMA: ClassVar[str] = "pilotlight/verification/1"

    point: str
    deep: bool
    verified_at: str
    holds: bool
    parts: tuple[PartVerified, ...]
    schema: str = "pilotlight/verification/1"


def verify_point(
    context: RecoveryContext, point: RecoveryPoint, deep: bool, verified_at: str, progress: Progress = silent
) -> Verification:
    """Read every part again; a part that cannot be read does not hold, with the reason."""
    parts = tuple(_part(context, part, deep, progress) for part in point.parts)
    parts += tuple(
        PartVerified(each.name, each.kind, remarks=("was declared after this point, which has nothing of it",))
        for each in context.inventory.assets
        if point.part(each.name) is None
    )
    return Verification(point.id, deep, verified_at, all(part.holds for part in parts), parts)


def _part(context: RecoveryContext, part: Part, deep: bool, progress: Progress) -> PartVerified:
    asset = next((each for each in context.inventory.assets if each.name == part.asset), None)
    if asset is None:
        return PartVerified(part.asset, part.kind, remarks=("is no part of the workload any more",))
    if not part.proven:
        return PartVerified(part.asset, part.kind, ("was not proven when the point was made", *part.missing))
    try:
        return _again(context, asset, part, deep, progress)
    except CallRefused as refusal:
        return PartVerified(part.asset, part.kind, (refusal.message,))
    except PaperUnreadable as problem:
        return PartVerified(part.asset, part.kind, (problem.message,))


def _again(
    context: RecoveryContext, asset: Datasets | Volumes | Database | Compute, part: Part, deep: bool, progress: Progress
) -> PartVerified:
    if isinstance(asset, Datasets):
        if asset.kind == CHECKPOINTS:
            return _checkpoint(context, asset, part, deep)
        return _dataset(context, asset, part, deep, progress)
    if isinstance(asset, Volumes):
        return _volumes(context, part, deep)
    if isinstance(asset, Database):
        missing = database.observe(context.client, context.inventory, asset, context.clock).missing
        return PartVerified(part.asset, part.kind, missing, 1)
    found = compute.launchable(context.client, context.inventory, asset, str(part.reference.get("image", "")))
    missing = tuple(compute.lacking(context.client, context.inventory, asset, AVAILABLE))
    if not found.image:
        missing = (*missing, found.told)
    return PartVerified(part.asset, part.kind, missing, 1, remarks=(found.told,) if found.image and found.told else ())


def _dataset(context: RecoveryContext, asset: Datasets, part: Part, deep: bool, progress: Progress) -> PartVerified:
    key = str(part.reference.get("manifest", ""))
    if not key:
        return PartVerified(part.asset, part.kind, (UNLISTED,))
    wanted = manifests.lines(io.BytesIO(context.records.manifest(key)))
    primary, standby = buckets(context.inventory, asset)
    return _reread(context, part, primary, standby, wanted, deep, progress)


def _reread(
    context: RecoveryContext,
    part: Part,
    primary: Bucket,
    standby: Bucket,
    wanted: Iterable[Current],
    deep: bool,
    progress: Progress = silent,
) -> PartVerified:
    found = rereading.reread(
        context.client, standby, primary, wanted, deep, lambda objects: progress(part.asset, objects)
    )
    problems = tuple(found.problems)
    if found.damaged > len(problems):
        problems += (f"and {found.damaged - len(problems)} more",)
    unsure = found.objects - found.damaged - found.compared
    remarks = (f"{unsure} objects were read whole; S3 keeps no checksum of theirs to compare with",)
    return PartVerified(
        part.asset, part.kind, problems, found.objects, found.bytes_read, remarks if deep and unsure else ()
    )


def _checkpoint(context: RecoveryContext, asset: Datasets, part: Part, deep: bool) -> PartVerified:
    """The checkpoint that the point names, judged anew; nothing is remembered."""
    path = str(part.reference["prefix"]).removeprefix(asset.prefix)
    reader = BucketReader(context.client, context.inventory.standby, asset.standby_bucket, asset.prefix)
    found = next((each for each in verify.find(reader, asset.format) if each.candidate.path == path), None)
    if found is None:
        return PartVerified(part.asset, part.kind, (f"{path} is gone from s3://{asset.standby_bucket}/{asset.prefix}",))
    verdict = (
        verify_deeply(found, reader)
        if deep and isinstance(found.format, ChecksDeeply)
        else verify.verify(found, reader)
    )
    problems = tuple(f"{found.candidate.prefix}{each.file}: {each.what}" for each in verdict.problems)
    files = _files(context, asset, path, part, deep)
    told = PartVerified(part.asset, part.kind, problems, len(found.candidate.files), verdict.bytes_read)
    return replace(
        told,
        problems=(*problems, *files.problems),
        bytes_read=told.bytes_read + files.bytes_read,
        remarks=files.remarks,
    )


def _files(context: RecoveryContext, asset: Datasets, path: str, part: Part, deep: bool) -> PartVerified:
    """The very versions that the point was made of."""
    key = str(part.reference.get("manifest", ""))
    primary, standby = (replace(each, prefix=asset.prefix + path) for each in buckets(context.inventory, asset))
    wanted = manifests.lines(io.BytesIO(context.records.manifest(key))) if key else ()
    return _reread(context, part, primary, standby, wanted, deep)


def _volumes(context: RecoveryContext, part: Part, deep: bool) -> PartVerified:
    """Every snapshot copy is there and completed; the bytes inside are EBS's to keep, and a drill's to prove."""
    wanted = copies_of(part.reference)
    found = snapshots.unusable(context.client, context.inventory.standby, wanted)
    problems = [
        f"snapshot copy {id} of {wanted[id]} is {found[id]} in {context.inventory.standby}"
        for id in sorted(found, key=lambda each: (wanted[each], each))
    ]
    remarks = ("the bytes inside snapshot copies are not read; a drill restores them",) if deep else ()
    return PartVerified(part.asset, part.kind, tuple(problems), len(wanted), remarks=remarks)
