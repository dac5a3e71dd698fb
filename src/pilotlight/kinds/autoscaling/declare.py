"""A compute group in a declaration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, StrictInt, StrictStr

from pilotlight.kinds.volumes.declare import Volumes
from pilotlight.workload.asset import Asset, Problem
from pilotlight.workload.words import InstanceType, nearest

if TYPE_CHECKING:
    from pilotlight.workload.model import Workload

COUNT_MAX = 500
"""Auto Scaling groups are walked instance by instance; more belongs into several groups."""
INSTANCE_TYPES_MAX = 40
"""Auto Scaling API: at most 40 overrides in a mixed instances policy."""


class Compute(Asset):
    """An Auto Scaling group, at zero in the standby region until it is needed."""

    MAY_USE: ClassVar[tuple[str, ...]] = ("dataset", "checkpoints", "volumes", "database")
    SERVES: ClassVar[bool] = True
    ANSWERS: ClassVar[bool] = True

    kind: Literal["compute"]
    group: Annotated[StrictStr, Field(min_length=1, max_length=255, description="The group in the primary region.")]
    instance_types: Annotated[
        tuple[InstanceType, ...],
        Field(
            max_length=INSTANCE_TYPES_MAX,
            description="Wanted type first, then what will do when it is short; else those that the group names.",
        ),
    ] = ()
    count: Annotated[
        StrictInt | None, Field(ge=1, le=COUNT_MAX, description="Instances after a failover; else as many as now.")
    ] = None
    volumes: tuple[StrictStr, ...] = Field(default=(), description="Volume groups that its instances mount.")

    def problems(self, name: str, workload: Workload) -> Iterator[Problem]:
        """What it mounts is a volume group."""
        groups = [each for each, asset in workload.assets.items() if isinstance(asset, Volumes)]
        for index, volumes in enumerate(self.volumes):
            if volumes not in groups:
                advice = nearest(volumes, groups) if groups else "declare one of kind volumes"
                yield ("assets", name, "volumes", index), f"there is no volume group {volumes}; {advice}"


KIND = Compute
