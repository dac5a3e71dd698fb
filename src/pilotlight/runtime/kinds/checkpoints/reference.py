"""What a point names of checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pilotlight.runtime.records.point import Reference


@dataclass(frozen=True)
class CheckpointReference(Reference):
    """One checkpoint: the folder that it is in, below the bucket."""

    TAGS: ClassVar[tuple[str, ...]] = ("checkpoints",)

    bucket: str
    prefix: str
    step: int | None
    format: str
    manifest: str = ""
    """Key of the list of its files."""
    kind: str = field(default="checkpoints", kw_only=True)

    @property
    def listed_in(self) -> str:
        return self.manifest

    @property
    def rejectable(self) -> str | None:
        return self.prefix

    @property
    def shown(self) -> str:
        return f"bucket {self.bucket}, prefix {self.prefix}, step {self.step}, format {self.format}"
