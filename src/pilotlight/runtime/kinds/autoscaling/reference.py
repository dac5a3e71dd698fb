"""What a point names of a compute group."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pilotlight.runtime.records.point import Reference


@dataclass(frozen=True)
class GroupReference(Reference):
    """The group at zero, its template, and the image that it is to launch; points of the first edition name none."""

    TAGS: ClassVar[tuple[str, ...]] = ("compute",)

    group: str
    template: str
    image: str = ""
    kind: str = field(default="compute", kw_only=True)

    @property
    def stands_on(self) -> tuple[str, ...]:
        return (self.image,) if self.image else ()

    @property
    def shown(self) -> str:
        return f"group {self.group}, image {self.image or '(none)'}"
