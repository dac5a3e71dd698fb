"""What a point names of a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from pilotlight.runtime.records.point import Reference


@dataclass(frozen=True)
class ClusterReference(Reference):
    """The secondary, and the global cluster that it is in."""

    TAGS: ClassVar[tuple[str, ...]] = ("database",)

    cluster: str
    arn: str
    global_cluster: str = ""
    kind: str = field(default="database", kw_only=True)

    @property
    def shown(self) -> str:
        return f"cluster {self.cluster}"

    @classmethod
    def of_first_edition(cls, raw: dict[str, Any]) -> dict[str, Any]:
        return raw | {"global_cluster": raw.get("global", "")}
