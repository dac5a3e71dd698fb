"""What a survey asks of every kind of asset; each kind's own is in its folder: kinds/<kind>/survey.py."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import AnyAsset, Asset, Inventory
from pilotlight.survey.findings import Findings
from pilotlight.survey.named import Named
from pilotlight.survey.translate import Dictionary, Endpoint
from pilotlight.workload.model import Workload


@dataclass(frozen=True)
class Balancer:
    """The load balancer of a group: its DNS name, the hosted zone of that name, and whether it is internal."""

    arn: str
    dns: str
    zone: str
    internal: bool


@dataclass
class Look:
    """One survey while it lasts: kinds are asked in the registry's order, and later ones find what earlier ones saw."""

    findings: Findings
    workload: Workload
    names: Names
    kept: Inventory | None
    """What the last `up` made, which is not looked for again."""
    found: list[Asset] = field(default_factory=list)
    buckets: dict[str, str] = field(default_factory=dict)
    """Bucket of the primary -> its copy; so for clusters. User data and policies are translated by them."""
    clusters: dict[str, str] = field(default_factory=dict)
    endpoints: list[Endpoint] = field(default_factory=list)
    balancers: list[Balancer] = field(default_factory=list)
    """Behind which the front door can be."""
    originals: dict[str, str] = field(default_factory=dict)
    """Asset -> ARN of what something of ours is put around."""
    zones: tuple[str, ...] = ()
    """Of the standby network."""

    def of(self, record: type[AnyAsset]) -> list[AnyAsset]:
        """The assets of a record that were found."""
        return [each for each in self.found if isinstance(each, record)]

    def rpo_seconds(self, asset: Any) -> float:
        """Its own objective, or the workload's."""
        return float(asset.rpo_seconds or self.workload.objectives.rpo_seconds)

    @property
    def dictionary(self) -> Dictionary:
        """How the standby says what the primary says, as far as it is known by now."""
        names = self.names
        return Dictionary(names.primary, names.standby, dict(self.buckets), tuple(self.endpoints), dict(self.clusters))


class KindSurvey(ABC):
    """Of one kind."""

    @abstractmethod
    def survey(self, look: Look, name: str, asset: Any) -> Asset | None:
        """The asset's record, read in the primary region; None where there is nothing to make one of. `asset` is its
        model of the declaration; what is amiss is among the findings."""

    def check(self, look: Look) -> None:  # noqa: B027 - most kinds have nothing more to ask
        """What can be asked only when every asset is known: also where none of this kind is declared."""

    def names(self, names: Names, asset: str, original: str) -> Iterator[Named]:
        """Every name that the stacks give because of an asset (pure). `original`: ARN of what something is put around,
        where it is known."""
        return iter(())
