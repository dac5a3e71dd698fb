"""A bucket in a declaration, and what all buckets have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pilotlight.runtime.naming import BUCKET_NAME_LENGTH_MAX
from pilotlight.workload.asset import ACCOUNT, Asset, Problem
from pilotlight.workload.words import BucketName, FolderName, Seconds

if TYPE_CHECKING:
    from pilotlight.workload.model import Workload

TAKEN = {
    "papers": "the recovery points",
    "state": "Pulumi's state",
    "vault": "the recovery points",
}
"""Names of buckets that are made besides the assets' own (naming.py, stacks/vault.py)."""


class Bucket(Asset):
    """What a dataset and checkpoints have in common."""

    if TYPE_CHECKING:
        bucket: str
        prefix: str
        compare_seconds: float | None

    def problems(self, name: str, workload: Workload) -> Iterator[Problem]:
        """Each bucket in one asset, and a name for its copy that S3 takes."""
        owner = next(
            each for each, other in workload.assets.items() if isinstance(other, Bucket) and other.bucket == self.bucket
        )
        if owner != name:
            yield (
                ("assets", name, "bucket"),
                f"{self.bucket} is {owner}'s already; a bucket has one set of replication rules, so name it in one "
                "asset",
            )
        derived = workload.names(ACCOUNT).standby_bucket(name)
        if len(derived) > BUCKET_NAME_LENGTH_MAX:
            too_long = len(derived) - BUCKET_NAME_LENGTH_MAX
            yield (
                ("assets", name),
                f"its standby bucket's name would be {len(derived)} characters long ({derived}); shorten the name "
                f"of the asset or the workload by {too_long}",
            )
        if name in TAKEN:
            yield (
                ("assets", name),
                f"its standby bucket would be taken for the one of {TAKEN[name]}; give it another name",
            )


class Dataset(Bucket):
    """A bucket, or one prefix of it, replicated to the standby region."""

    kind: Literal["dataset"]
    bucket: BucketName = Field(description="The existing bucket in the primary region.")
    prefix: FolderName = Field(
        default="",
        description="Only what lies in this folder: `train` and `train/` mean the same, and `train-old/` is not in it. "
        "Empty: the whole bucket.",
    )
    compare_seconds: Seconds | None = Field(
        default=None,
        alias="compare_every",
        description="How often both sides are compared whole, where that is too much for every scheduled run (more "
        "than 10,000 objects); what is proven is as old. Left out: every hour.",
    )


KIND = Dataset
