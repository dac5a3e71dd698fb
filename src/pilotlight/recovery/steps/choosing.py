"""Choosing what to recover from, before anything is fenced or promoted, and telling the workload of it.

The point is the newest usable one of the journal: complete, or with software alone that is older than the primary's.
Images and volumes come from that point; of checkpoints the newest that is
complete and healthy in the bucket at this moment is taken, by reading it there: it is at least as new as the point's.
"""

from __future__ import annotations

from typing import Any

from pilotlight.clock import parse_stamp
from pilotlight.cloud.absence import says_absent
from pilotlight.errors import CallRefused, NoRecoveryPoint
from pilotlight.records.inventory import Datasets, Inventory
from pilotlight.records.point import RecoveryPoint
from pilotlight.recovery import choose, launching
from pilotlight.recovery.observe import checkpoints
from pilotlight.recovery.observe.compute import Launchable, launchable
from pilotlight.recovery.observe.cut import CHECKPOINTS
from pilotlight.recovery.observe.shelf import choose as choose_from
from pilotlight.recovery.observe.shelf import shelf
from pilotlight.recovery.snapshots import unusable
from pilotlight.recovery.steps.action import Absent, Answer, Proven, Wait, Watch, Work


def newest_point(work: Work) -> RecoveryPoint:
    """The newest usable point; NoRecoveryPoint where there is none."""
    line = choose.newest_usable(work.ledger.points())
    if line is None:
        raise NoRecoveryPoint(workload=work.inventory.workload, region=work.inventory.standby)
    return work.site.papers.point(line.id)


BY_HAND = (
    "; no older point is taken by itself: `pilotlight points verify {id}` reads this one again, and "
    "`pilotlight points refuse {id} --alone --why ...` lets the next run take the one before it"
)
"""What a person types where the newest complete point has lost copies since it was made."""


class PointExists(Watch):
    """Nothing is fenced for a recovery that could not be carried out."""

    wait = Wait(1, 1, "nothing to wait for: a point that does not exist now is not made by waiting")

    def ask(self, work: Work) -> Answer:
        """The newest usable point, by name, with an image for every group and a snapshot for every device."""
        point = newest_point(work)
        references, launched = volumes_of(work.inventory, point), images_of(work, point)
        for asset in work.inventory.computes:
            found, image = launching.layout(work.inventory, asset, references), launched[asset.name]
            problems = [*(found.problems or not_there(work, found.snapshots)), *([] if image.image else [image.told])]
            if problems:
                raise work.failed(f"{asset.name}, point {point.id}: {'; '.join(problems)}{BY_HAND.format(id=point.id)}")
        older = [f"{part.asset}: {each}" for part in point.parts for each in part.outdated]
        return Proven({"point": point.id, "created_at": point.created_at} | ({"outdated": older} if older else {}))


def not_there(work: Work, snapshots: list[str]) -> list[str]:
    """A sentence for every snapshot copy that cannot become a volume."""
    found = unusable(work.door, work.region, snapshots)
    return [f"snapshot copy {each} is {state} in {work.region}" for each, state in found.items()]


def images_of(work: Work, point: RecoveryPoint) -> dict[str, Launchable]:
    """The image that each compute group is launched from. Points of older editions name none."""
    found = {}
    for asset in work.inventory.computes:
        part = point.part(asset.name)
        image = str(part.reference.get("image", "")) if part else ""
        found[asset.name] = launchable(work.door, work.inventory, asset, image)
    return found


def volumes_of(inventory: Inventory, point: RecoveryPoint) -> dict[str, dict[str, Any]]:
    """What a point names of each volume group (pure)."""
    parts = {each.name: point.part(each.name) for each in inventory.volumes}
    return {name: dict(part.reference) if part else {} for name, part in parts.items()}


class ChoosePoint(Watch):
    """The decision, kept in the journal: a run that is resumed goes on with the same."""

    wait = Wait(1, 1, "reading alone")

    def ask(self, work: Work) -> Answer:
        """The point, its images and snapshots, and the newest complete checkpoint of every checkpoints asset."""
        point = newest_point(work)
        evidence: dict[str, Any] = {"point": point.id, "created_at": point.created_at, "checkpoints": {}}
        launched = images_of(work, point)
        evidence["volumes"] = volumes_of(work.inventory, point)
        evidence["images"] = {name: each.image for name, each in launched.items()}
        evidence["other_images"] = {name: each.told for name, each in launched.items() if each.told}
        for asset in work.inventory.datasets:
            if asset.kind == CHECKPOINTS:
                found = choose_checkpoint(work, asset, work.inventory.standby, asset.standby_bucket)
                found |= beyond(point, asset, found["written_at"])
                evidence["checkpoints"][asset.name] = found
                evidence |= {name: found[name] for name in ("newest_started_step", "newest_complete_step")}
        return Proven(evidence)


def choose_checkpoint(work: Work, asset: Datasets, region: str, bucket: str) -> dict[str, Any]:
    """The newest complete checkpoint in this bucket, as reference and evidence; StepFailed where there is none."""
    choice = choose_from(shelf(work.door, region, bucket, asset), asset, work.ledger.vetoes(asset.name))
    if choice.taken is None:
        raise work.failed(f"no checkpoint below s3://{bucket}/{asset.prefix} is complete and may be used")
    found = checkpoints.reference(bucket, asset, choice.taken) | checkpoints.evidence(choice)
    told = {"caution": caution} if (caution := checkpoints.caution(choice)) else {}
    return found | {"written_at": choice.taken.written_at} | told


def beyond(point: RecoveryPoint, asset: Datasets, written_at: str) -> dict[str, str]:
    """A word of warning where the checkpoint is newer than the data that the point proves (pure)."""
    used = [part for name in asset.uses if (part := point.part(name)) and part.true_at]
    for part in used:
        if written_at and parse_stamp(written_at) >= parse_stamp(part.true_at):
            return {"beyond": f"{part.asset} is proven up to {part.true_at}; newer data that it uses may be missing"}
    return {}


class TellCheckpoint:
    """Writes the SSM parameter that the recovered workload reads: s3:// URI of the checkpoint's folder.

    In the standby region it is what the point was chosen with; in the primary, on the way home, the newest complete
    one there.
    """

    wait = Wait(60, 1, "one write; SSM answers reads of it at once")

    def ask(self, work: Work) -> Answer:
        """Whether the parameter says what was chosen."""
        wanted = self._uri(work)
        said = parameter(work, work.region)
        return Proven({"uri": wanted}) if said == wanted else Absent(f"the parameter says {said or 'nothing'}")

    def act(self, work: Work) -> None:
        """Write it."""
        work.door.call(
            "ssm",
            "put_parameter",
            work.region,
            Name=work.inventory.names.parameter(work.step.asset),
            Value=self._uri(work),
            Type="String",
            Overwrite=True,
        )

    def _uri(self, work: Work) -> str:
        if work.region == work.inventory.standby:
            found = work.evidence_of("choose-point").get("checkpoints", {}).get(work.step.asset)
            if found is None:
                raise work.failed("the point that this run chose names no checkpoint of it: it was declared later")
        else:
            found = choose_checkpoint(work, work.datasets(), work.region, work.datasets().primary_bucket)
        return f"s3://{found['bucket']}/{found['prefix']}"


class ForgetCheckpoint:
    """Removes the parameter of a standby region that is at rest again."""

    wait = Wait(60, 1, "one write")

    def ask(self, work: Work) -> Answer:
        """Whether it is gone."""
        said = parameter(work, work.region)
        return Absent(f"the parameter says {said}") if said else Proven({"parameter": "removed"})

    def act(self, work: Work) -> None:
        """Remove it."""
        name = work.inventory.names.parameter(work.step.asset)
        work.door.call("ssm", "delete_parameter", work.region, Name=name)


def parameter(work: Work, region: str) -> str:
    """What the parameter of the step's asset says there; empty where there is none."""
    name = work.inventory.names.parameter(work.step.asset)
    try:
        return str(work.door.call("ssm", "get_parameter", region, Name=name)["Parameter"]["Value"])
    except CallRefused as refusal:
        if says_absent(refusal):
            return ""
        raise
