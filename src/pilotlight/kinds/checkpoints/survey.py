"""The survey of checkpoints: a bucket, and what is asked of what lies in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pilotlight.kinds.buckets.survey import BucketSurvey
from pilotlight.kinds.checkpoints.declare import Checkpoints
from pilotlight.runtime.checkpoints.format import LOAD, RESUME
from pilotlight.runtime.records.inventory import Datasets, Health, Training
from pilotlight.survey.kind import Look
from pilotlight.workload.model import Workload


class CheckpointSurvey(BucketSurvey):
    """Of checkpoints."""

    def survey(self, look: Look, name: str, asset: Any) -> Datasets:
        """The bucket, with format, health and training as declared."""
        bucket, needs = super().survey(look, name, asset), _needs(look.workload, asset)
        return replace(bucket, format=asset.format, health=_health(asset), training=_training(asset), needs=needs)


def _needs(workload: Workload, asset: Checkpoints) -> str:
    """As declared; else what serves behind a front door loads, and what trains goes on."""
    return asset.needs or (LOAD if workload.traffic and not asset.training else RESUME)


def _health(asset: Checkpoints) -> Health | None:
    return Health(asset.health.file, asset.health.key, asset.health.at_most) if asset.health else None


def _training(asset: Checkpoints) -> Training | None:
    return Training(asset.training.gpus, asset.training.steps_per_hour) if asset.training else None


KIND = CheckpointSurvey()
