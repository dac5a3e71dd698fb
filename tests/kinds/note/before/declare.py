"""A note in a declaration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictStr

from pilotlight.workload.asset import Asset


class Note(Asset):
    """A parameter of Systems Manager."""

    kind: Literal["note"]
    parameter: Annotated[StrictStr, Field(pattern=r"^/\S+$", description="Its name in the primary region.")]


KIND = Note
