"""What kinds of assets need of the three functions; each kind's own is in its folder:
kinds/<kind>/permissions.py, beside the acts that need it.

No Pulumi here. Statements of one Sid that differ in their resources alone become one: two kinds may need the same act.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pilotlight.kinds.registry import aspect
from pilotlight.runtime.kinds.registry import by_kind
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.policies import Statement


class KindPermissions:
    """Of one kind; each method takes its assets and gives the statements of a function (pure). Asked also where there
    are none of it."""

    def probe(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """To look at it in both regions."""
        return []

    def protect(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """To observe and verify it in both regions, and to fence it where the lost region returns."""
        return []

    def copies(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """To make copies of it and to prune them."""
        return []

    def recover(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """Its steps of a failover, in the standby region."""
        return []


def of_kinds(function: str, inventory: Inventory) -> list[Statement]:
    """The statements of all kinds for a function: `probe`, `protect`, `copies` or `recover` (pure)."""
    kinds = aspect("permissions")
    found = [
        statement
        for kind, assets in by_kind(inventory)
        for statement in getattr(kinds[kind.name], function)(inventory, assets)
    ]
    return merged(found)


def merged(statements: Iterable[Statement]) -> list[Statement]:
    """Those of one Sid and the same actions and condition as one, with all their resources (pure)."""
    found: dict[str, Statement] = {}
    for each in statements:
        sid = str(each["Sid"])
        before = found.get(sid)
        if before is None:
            found[sid] = dict(each)
            continue
        if {**before, "Resource": None} != {**each, "Resource": None}:
            raise ValueError(f"two kinds give another meaning to the statement {sid}")
        found[sid]["Resource"] = list(dict.fromkeys([*before["Resource"], *each["Resource"]]))
    return list(found.values())
