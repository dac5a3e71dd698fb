"""The workload is told what to resume from: the newest complete checkpoint, by its parameter."""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.aws import parameters
from pilotlight.runtime.aws.absence import remove
from pilotlight.runtime.clock import parse_stamp
from pilotlight.runtime.kinds.action import Absent, Answer, Proven, StepContext, Wait
from pilotlight.runtime.kinds.checkpoints import observe
from pilotlight.runtime.kinds.checkpoints.listing import choose, list_checkpoints
from pilotlight.runtime.records.codec import encode
from pilotlight.runtime.records.inventory import Datasets
from pilotlight.runtime.records.point import RecoveryPoint


def choose_checkpoint(work: StepContext, asset: Datasets, region: str, bucket: str) -> dict[str, Any]:
    """The newest complete checkpoint in this bucket, as reference and evidence; StepFailed where there is none."""
    choice = choose(list_checkpoints(work.client, region, bucket, asset), asset, work.ledger.rejections(asset.name))
    if choice.taken is None:
        raise work.failed(f"no checkpoint below s3://{bucket}/{asset.prefix} is complete and may be used")
    named: dict[str, Any] = encode(observe.reference(bucket, asset, choice.taken))
    found = named | observe.evidence(choice)
    told = {"caution": caution} if (caution := observe.caution(choice)) else {}
    return found | {"written_at": choice.taken.written_at} | told


def beyond(point: RecoveryPoint, asset: Datasets, written_at: str) -> dict[str, str]:
    """A word of warning where the checkpoint is newer than the data that the point proves (pure)."""
    used = [part for name in asset.uses if (part := point.part(name)) and part.as_of]
    for part in used:
        if written_at and parse_stamp(written_at) >= parse_stamp(part.as_of):
            return {"beyond": f"{part.asset} is proven up to {part.as_of}; newer data that it uses may be missing"}
    return {}


class TellCheckpoint:
    """Writes the SSM parameter that the recovered workload reads: s3:// URI of the checkpoint's folder.

    In the standby region it is what the point was chosen with; in the primary, on the way home, the newest complete
    one there.
    """

    wait = Wait(60, 1, "one write; SSM answers reads of it at once")

    def ask(self, work: StepContext) -> Answer:
        """Whether the parameter says what was chosen."""
        wanted = self._uri(work)
        said = parameter(work, work.region)
        return Proven({"uri": wanted}) if said == wanted else Absent(f"the parameter says {said or 'nothing'}")

    def act(self, work: StepContext) -> None:
        """Write it."""
        parameters.write(work.client, work.region, work.inventory.names.parameter(work.step.asset), self._uri(work))

    def _uri(self, work: StepContext) -> str:
        if work.region == work.inventory.standby:
            found = work.chosen.checkpoints.get(work.step.asset)
            if found is None:
                raise work.failed("the point that this run chose names no checkpoint of it: it was declared later")
            return f"s3://{found.bucket}/{found.prefix}"
        newest = choose_checkpoint(work, work.datasets(), work.region, work.datasets().primary_bucket)
        return f"s3://{newest['bucket']}/{newest['prefix']}"


class ForgetCheckpoint:
    """Removes the parameter of a standby region that is at rest again."""

    wait = Wait(60, 1, "one write")

    def ask(self, work: StepContext) -> Answer:
        """Whether it is gone."""
        said = parameter(work, work.region)
        return Absent(f"the parameter says {said}") if said else Proven({"parameter": "removed"})

    def act(self, work: StepContext) -> None:
        """Remove it."""
        name = work.inventory.names.parameter(work.step.asset)
        remove(work.client, "ssm", "delete_parameter", work.region, Name=name)


def parameter(work: StepContext, region: str) -> str:
    """What the parameter of the step's asset says there; empty where there is none."""
    return parameters.read(work.client, region, work.inventory.names.parameter(work.step.asset))
