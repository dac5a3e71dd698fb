"""What the stacks ask of every kind of asset; each kind's own is in its folder: kinds/<kind>/stack.py, permissions.py.

`assets` are always those of the kind alone. Everything is named by `naming.Names`, and nothing reads another stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pulumi

from pilotlight.kinds.registry import aspect
from pilotlight.runtime.kinds.registry import by_kind
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.keys import RegionKey
from pilotlight.stacks.network import Network
from pilotlight.stacks.policies import Document
from pilotlight.stacks.traffic import Traffic

Parts = dict[str, Any]
"""What a stack exports, by name."""
Under = pulumi.ResourceOptions | None
"""A parent, where the resources are a part of another program."""


@dataclass
class Standby:
    """The standby stack while its program runs: what kinds may use that is there for all."""

    inventory: Inventory
    network: Network
    traffic: Traffic | None
    under: Under
    marks: dict[str, pulumi.Output[str]] = field(default_factory=dict)
    """Placeholder in user data -> what stands there once it is known (placeholders.py)."""


class KindStack:
    """Of one kind: nothing is built, where it says nothing."""

    def primary(
        self, inventory: Inventory, assets: tuple[Any, ...], key: RegionKey | None, under: Under
    ) -> dict[str, dict[str, Any]]:
        """Attach protection to what the user runs. `key`: of the primary region, where there is one. What is exported:
        name -> asset -> value."""
        return {}

    def standby(self, stack: Standby, assets: tuple[Any, ...]) -> None:
        """What waits in the standby region."""

    def roles(self, inventory: Inventory, assets: tuple[Any, ...]) -> dict[str, Document]:
        """Roles that are made for them -> what those may do (pure)."""
        return {}


def in_order(inventory: Inventory) -> Iterator[tuple[KindStack, tuple[Any, ...]]]:
    """Every kind with its assets, in the registry's order."""
    stacks: dict[str, KindStack] = aspect("stack")
    return ((stacks[kind.name], assets) for kind, assets in by_kind(inventory))
