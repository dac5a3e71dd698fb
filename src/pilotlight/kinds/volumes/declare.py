"""A volume group in a declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, StrictStr

from pilotlight.runtime.records.inventory import LAUNCH_ORDER
from pilotlight.workload.asset import Asset, Strict
from pilotlight.workload.words import Assignment

if TYPE_CHECKING:
    from pilotlight.workload.model import Workload

TAG = r"^[^=]{1,128}=[^=]{0,256}$"
"""EC2 API: tag keys up to 128 characters, values up to 256."""
FASTEST_COPY_SECONDS = 60.0
"""A snapshot and its copy take at least about a minute however small (EBS User Guide, "Copy an EBS snapshot": best
effort, no promise); a volume's RPO cannot be below the schedule plus this.
What is forecast is longer: forecast.py, SNAPSHOT_COPY_SECONDS."""


class Select(Strict):
    """Which volumes."""

    tag: Annotated[StrictStr, Field(pattern=TAG, description="key=value; every volume with this tag is protected.")]


class Volumes(Asset):
    """EBS volumes by tag; those of one instance are snapshot at one instant."""

    MAY_USE: ClassVar[tuple[str, ...]] = ("dataset", "checkpoints")
    PARTS = (("select", Select),)

    kind: Literal["volumes"]
    select: Select = Field(description="Which volumes.")
    assign: Assignment = Field(
        default=LAUNCH_ORDER,
        description="Which instance gets which volumes at a failover: those of the instance that was launched first go "
        "to the first that is launched there, and so on (`launch-order`); volumes with one value of a tag go to one "
        "instance, in the order of the values (`{tag: KEY}`); or one set goes to all, where their volumes are "
        "read-only copies (`shared`).",
    )

    @classmethod
    def floor(cls, workload: Workload) -> tuple[float, str]:
        """A schedule and a copy."""
        every = workload.points.every_seconds
        return (
            every + FASTEST_COPY_SECONDS,
            f"snapshots every {every:g}s plus {FASTEST_COPY_SECONDS:g}s, the least that a copy takes",
        )


KIND = Volumes
