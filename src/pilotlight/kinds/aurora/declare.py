"""A database in a declaration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, StrictStr

from pilotlight.workload.asset import Asset, Problem, Strict

if TYPE_CHECKING:
    from pilotlight.workload.model import Workload


class References(Strict):
    """Where rows name checkpoints."""

    table: Annotated[StrictStr, Field(min_length=1, max_length=63, description="Table.")]
    column: Annotated[StrictStr, Field(min_length=1, max_length=63, description="Column that holds an s3:// URI.")]
    secret: Annotated[
        StrictStr | None,
        Field(
            min_length=1,
            max_length=512,
            description="Login in Secrets Manager that may read the table; else the one that RDS manages.",
        ),
    ] = None


class Database(Asset):
    """An Aurora PostgreSQL cluster."""

    MAY_USE: ClassVar[tuple[str, ...]] = ("dataset", "checkpoints")
    SERVES: ClassVar[bool] = True
    PARTS = (("references", References),)

    kind: Literal["database"]
    cluster: Annotated[StrictStr, Field(pattern=r"^[a-z](?:-?[a-z0-9]){0,62}$", description="Its identifier.")]
    mechanism: Literal["auto", "global"] = Field(default="auto", description="How it is protected.")
    references: References | None = Field(default=None, description="Rows that name checkpoints.")

    def problems(self, name: str, workload: Workload) -> Iterator[Problem]:
        """Each cluster once, and rows that name something."""
        owner = next(
            each
            for each, other in workload.assets.items()
            if isinstance(other, Database) and other.cluster == self.cluster
        )
        if owner != name:
            yield ("assets", name, "cluster"), f"{self.cluster} is {owner}'s already; name it once"
        kinds = {workload.assets[used].kind for used in self.uses if used in workload.assets}
        if self.references is not None and "checkpoints" not in kinds:
            yield (
                ("assets", name, "references"),
                "its rows name checkpoints, but `uses` names no asset of kind checkpoints; add the one they lie in",
            )


KIND = Database
