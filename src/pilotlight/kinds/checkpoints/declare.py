"""Checkpoints in a declaration."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictInt, StrictStr

from pilotlight.kinds.buckets.declare import Bucket
from pilotlight.workload.asset import Strict
from pilotlight.workload.words import BucketName, FolderName, Seconds

GPUS_MAX = 10_000_000
"""Above the largest fleets there are; more is a slip."""


class Health(Strict):
    """A file that the trainer saves in each checkpoint's folder, and what it must say."""

    file: Annotated[
        StrictStr,
        Field(pattern=r"^[^/\\]{1,255}$", description="JSON or JSON lines; NaN anywhere in it is unhealthy."),
    ]
    key: Annotated[StrictStr, Field(min_length=1, description="The number that is bounded.")] = "loss"
    at_most: float | None = Field(default=None, description="Its last value is unhealthy above this.")


class Training(Strict):
    """What writes the checkpoints: lost work is told in its units."""

    gpus: Annotated[StrictInt, Field(ge=1, le=GPUS_MAX, description="GPUs that train together.")]
    steps_per_hour: float | None = Field(default=None, gt=0, description="Steps an hour that they make together.")


CheckpointFormat = Literal[
    "auto",
    "safetensors",
    "safetensors-sharded",
    "orbax",
    "megatron",
    "deepspeed",
    "deepspeed-universal",
    "torch-dcp",
    "hf-bin-sharded",
    "lightning",
    "torch",
    "nemo",
    "composer",
    "folder",
    "gguf",
    "tensorflow",
    "tensorflow-saved-model",
    "keras",
    "flax",
    "onnx",
    "generic",
]
"""What checkpoints/ can judge; `auto` lets every format look."""


class Checkpoints(Bucket):
    """A bucket that holds checkpoints, replicated and looked into for completeness."""

    MAY_USE: ClassVar[tuple[str, ...]] = ("dataset",)
    PARTS = (("health", Health), ("training", Training))

    kind: Literal["checkpoints"]
    bucket: BucketName = Field(description="The existing bucket in the primary region.")
    prefix: FolderName = Field(
        default="",
        description="The folder where checkpoints are, one folder each: `runs/llama` and `runs/llama/` mean the same, "
        "and `runs/llama-old/` is not in it. Empty: the whole bucket.",
    )
    compare_seconds: Seconds | None = Field(
        default=None,
        alias="compare_every",
        description="How often both sides are compared whole, where that is too much for every scheduled run (more "
        "than 10,000 objects); what is proven is as old. Left out: every hour.",
    )
    format: CheckpointFormat = Field(default="auto", description="Format of the checkpoints.")
    needs: Literal["resume", "load"] | None = Field(
        default=None,
        description="What a recovered workload does with one: goes on training (`resume`: optimizer, random state and "
        "all), or loads the model (`load`). Left out: `load` with `traffic` and without `training`, else `resume`.",
    )
    health: Health | None = Field(default=None, description="How an unhealthy checkpoint is told from a healthy one.")
    training: Training | None = Field(default=None, description="What a lost step costs.")


KIND = Checkpoints
