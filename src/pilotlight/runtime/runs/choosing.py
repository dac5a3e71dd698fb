"""Choosing what to recover from, before anything is promoted, and telling the workload of it.

The point is the newest usable one of the journal - complete, or with software alone that is older than the primary's -
that can be recovered from at this moment: its snapshot copies and images are looked at, and one that has lost any is
passed over by name. Images and volumes come from that point; of checkpoints the newest that is complete and healthy in
the bucket at this moment is taken, by reading it there: it is at least as new as the point's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pilotlight.runtime.aws import parameters
from pilotlight.runtime.aws.absence import remove
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.errors import NoRecoveryPoint, PaperUnreadable, PilotlightError
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, Wait, Watch, Work
from pilotlight.runtime.kinds.autoscaling import launching
from pilotlight.runtime.kinds.autoscaling.observe import Launchable, launchable
from pilotlight.runtime.kinds.autoscaling.restoring import not_there
from pilotlight.runtime.kinds.checkpoints import observe as checkpoints
from pilotlight.runtime.kinds.checkpoints.shelf import choose as choose_from
from pilotlight.runtime.kinds.checkpoints.shelf import shelf
from pilotlight.runtime.points import choose
from pilotlight.runtime.points.observation import CHECKPOINTS
from pilotlight.runtime.records.inventory import Datasets, Inventory
from pilotlight.runtime.records.point import RecoveryPoint
from pilotlight.runtime.records.runs import PASSED

LEFT = (
    "copy what is missing back, or, while the primary answers, wait until the next scheduled run has made a whole one; "
    "`pilotlight points verify` says of each point what it has lost"
)
"""What a person does where points are listed and none of them can be recovered from."""
NAMED_MAX = 3
"""How many points a message says this of; the evidence names all."""


UNLISTED = "it is not listed any more"
LOOKS_MAX = 5
"""How often the list is read anew where a scheduled run has let go of points since it was read: it lists newer ones
first."""


@dataclass(frozen=True)
class Candidate:
    """A listed point as a recovery would use it; `problems` are what is missing of it at this moment."""

    id: str
    point: RecoveryPoint | None
    images: dict[str, Launchable]
    problems: tuple[str, ...] = ()


def candidates(work: Work) -> Iterator[Candidate]:
    """Every point that a run may use, the newest first, each looked at when it is asked for."""
    return (_looked_at(work, line.id) for line in choose.usable_newest_first(work.ledger.points()))


def _looked_at(work: Work, id: str) -> Candidate:
    try:
        point = work.context.records.point(id)
    except PaperUnreadable as problem:
        return Candidate(id, None, {}, (problem.message,))
    references, launched = volumes_of(work.inventory, point), images_of(work, point)
    problems = list[str]()
    for asset in work.inventory.computes:
        found, image = launching.layout(work.inventory, asset, references), launched[asset.name]
        lost = [*(found.problems or not_there(work, found.snapshots)), *([] if image.image else [image.told])]
        problems += [f"{asset.name}: {each}" for each in lost]
    return Candidate(id, point, launched, tuple(problems))


def _passed_over(looked_at: list[Candidate]) -> dict[str, Any]:
    """Evidence that newer points were there, and why they were not taken."""
    told = [{"point": each.id, "why": "; ".join(each.problems)} for each in looked_at]
    return {PASSED: told} if told else {}


def _none_left(work: Work, looked_at: list[Candidate]) -> PilotlightError:
    if not looked_at:
        return NoRecoveryPoint(workload=work.inventory.workload, region=work.inventory.standby)
    named = "; ".join(f"point {each.id}: {', '.join(each.problems)}" for each in looked_at[:NAMED_MAX])
    return work.failed(f"none of {len(looked_at)} points can be recovered from ({named}); {LEFT}")


class PointExists(Watch):
    """Nothing is fenced for a recovery that could not be carried out."""

    wait = Wait(1, 1, "nothing to wait for: a point that does not exist now is not made by waiting")

    def ask(self, work: Work) -> Answer:
        """The newest point, by name, with an image for every group and a snapshot for every device."""
        passed = list[Candidate]()
        for each in candidates(work):
            if each.point is None or each.problems:
                passed.append(each)
                continue
            older = [f"{part.asset}: {told}" for part in each.point.parts for told in part.outdated]
            evidence = {"point": each.id, "created_at": each.point.created_at} | _passed_over(passed)
            return Proven(evidence | ({"outdated": older} if older else {}))
        raise _none_left(work, passed)


def images_of(work: Work, point: RecoveryPoint) -> dict[str, Launchable]:
    """The image that each compute group is launched from. Points of older editions name none."""
    found = {}
    for asset in work.inventory.computes:
        part = point.part(asset.name)
        image = str(part.reference.get("image", "")) if part else ""
        found[asset.name] = launchable(work.client, work.inventory, asset, image)
    return found


def volumes_of(inventory: Inventory, point: RecoveryPoint) -> dict[str, dict[str, Any]]:
    """What a point names of each volume group (pure)."""
    parts = {each.name: point.part(each.name) for each in inventory.volumes}
    return {name: dict(part.reference) if part else {} for name, part in parts.items()}


class ChoosePoint:
    """The decision, kept in the journal: a run that is resumed goes on with the same. It is registered before it is
    looked at, so that no scheduled run lets go of it meanwhile."""

    wait = Wait(60, 1, "one write and reading")

    def ask(self, work: Work) -> Answer:
        """The point, its images and snapshots, and the newest complete checkpoint of every checkpoints asset."""
        chosen = work.ledger.chosen_point(work.run)
        if not chosen:
            return Absent("no point is chosen")
        listed = {each.id: each for each in work.ledger.points()}
        if chosen in listed and not listed[chosen].usable:
            return Absent(f"point {chosen} is {listed[chosen].status}")
        found = _looked_at(work, chosen)
        if found.point is None or found.problems:
            return Absent(f"point {chosen}: {'; '.join(found.problems)}")
        newer = (each for each in listed.values() if each.created_at > found.point.created_at)
        passed = [_looked_at(work, each.id) for each in choose.usable_newest_first(newer)]
        return Proven(self._chosen(work, found.point, found.images) | _passed_over(_newer(passed)))

    def act(self, work: Work) -> None:
        """Register the newest that has everything; looked at only after it is, and the next one where it has lost
        any."""
        passed = list[Candidate]()
        for _ in range(LOOKS_MAX):
            passed, let_go = [], False
            for line in choose.usable_newest_first(work.ledger.points()):
                work.ledger.choose_point(work.run, line.id)
                found = _looked_at(work, line.id)
                listed = any(each.id == line.id and each.usable for each in work.ledger.points())
                if listed and not found.problems:
                    return
                let_go |= not listed
                passed.append(found if found.problems else replace(found, problems=(UNLISTED,)))
            if not let_go:
                break
        raise _none_left(work, passed)

    def _chosen(self, work: Work, point: RecoveryPoint, launched: dict[str, Launchable]) -> dict[str, Any]:
        evidence: dict[str, Any] = {"point": point.id, "created_at": point.created_at, "checkpoints": {}}
        evidence["volumes"] = volumes_of(work.inventory, point)
        evidence["images"] = {name: each.image for name, each in launched.items()}
        evidence["other_images"] = {name: each.told for name, each in launched.items() if each.told}
        for asset in work.inventory.datasets:
            if asset.kind == CHECKPOINTS:
                found = choose_checkpoint(work, asset, work.inventory.standby, asset.standby_bucket)
                found |= beyond(point, asset, found["written_at"])
                evidence["checkpoints"][asset.name] = found
                evidence |= {name: found[name] for name in ("newest_started_step", "newest_complete_step")}
        return evidence


def _newer(passed: list[Candidate]) -> list[Candidate]:
    """Those that were not taken though they are newer; one that has everything by now came after the choice."""
    return [each if each.problems else replace(each, problems=("it was listed after the choice",)) for each in passed]


def choose_checkpoint(work: Work, asset: Datasets, region: str, bucket: str) -> dict[str, Any]:
    """The newest complete checkpoint in this bucket, as reference and evidence; StepFailed where there is none."""
    choice = choose_from(shelf(work.client, region, bucket, asset), asset, work.ledger.vetoes(asset.name))
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
        parameters.write(work.client, work.region, work.inventory.names.parameter(work.step.asset), self._uri(work))

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
        remove(work.client, "ssm", "delete_parameter", work.region, Name=name)


def parameter(work: Work, region: str) -> str:
    """What the parameter of the step's asset says there; empty where there is none."""
    return parameters.read(work.client, region, work.inventory.names.parameter(work.step.asset))
