"""What every kind of asset has in a declaration, and may say about itself beside its fields (pure).

Each kind's own model is in its folder: kinds/<kind>/declare.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from pilotlight.workload.lines import Path
from pilotlight.workload.words import Seconds

if TYPE_CHECKING:
    from pilotlight.workload.model import Workload

Problem = tuple[Path, str]
"""The path of the value that it is about, and a sentence: what is wrong; what would be right."""

NAME = r"^[a-z][a-z0-9-]{1,19}$"
"""Short enough that every derived name fits AWS's limits (naming.py), and valid in all of them."""
FLOOR_SECONDS = 1.0
"""No mechanism that copies asynchronously promises less: Aurora Global Database lags "typically less than a second"
(Aurora User Guide, "Using Amazon Aurora Global Database"); S3 replication is "within seconds" at its best (S3 FAQ)."""
ACCOUNT = "0" * 12
"""Every account id has twelve digits: enough to know how long a derived name will be."""


class Strict(BaseModel):
    """Unknown keys are errors; nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class Asset(Strict):
    """What every asset has."""

    MAY_USE: ClassVar[tuple[str, ...]] = ()
    """Kinds that it may refer to."""
    SERVES: ClassVar[bool] = False
    """Whether a region can be seen to be lost by it, and it comes up."""
    ANSWERS: ClassVar[bool] = False
    """Whether it can stand behind the front door."""
    PARTS: ClassVar[tuple[tuple[str, type[BaseModel]], ...]] = ()
    """Key -> model of what is nested in it; each is a section of the reference."""

    rpo_seconds: Seconds | None = Field(
        default=None, alias="rpo", description="RPO of this asset, where it differs from the workload's."
    )
    uses: tuple[StrictStr, ...] = Field(
        default=(), description="Assets that this one refers to; a recovery point keeps them at least as new."
    )
    if TYPE_CHECKING:
        kind: str

    @classmethod
    def floor(cls, workload: Workload) -> tuple[float, str]:
        """(the least RPO in seconds that its mechanism reaches, why)."""
        return FLOOR_SECONDS, "copies are asynchronous"

    def problems(self, name: str, workload: Workload) -> Iterator[Problem]:
        """What it says that does not fit with what others say; `name` is its own."""
        return iter(())
