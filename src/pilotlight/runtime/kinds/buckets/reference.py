"""What a point names of a bucket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pilotlight.runtime.records.point import Reference


@dataclass(frozen=True)
class BucketReference(Reference):
    """Where the copy is, and up to when it holds everything."""

    TAGS: ClassVar[tuple[str, ...]] = ("dataset",)

    bucket: str
    prefix: str
    watermark: str
    manifest: str = ""
    """Key of the list of its objects; empty where there were too many."""
    kind: str = field(default="dataset", kw_only=True)

    @property
    def listed_in(self) -> str:
        return self.manifest

    @property
    def shown(self) -> str:
        return f"bucket {self.bucket}, prefix {self.prefix or '(all)'}, watermark {self.watermark}"
