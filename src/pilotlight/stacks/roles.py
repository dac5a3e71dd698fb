"""Every role that the stacks make and what it may do, by the role's name; the same documents that are deployed."""

from __future__ import annotations

import json

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import function_policies
from pilotlight.stacks.kind import in_order
from pilotlight.stacks.monitoring import monitoring_spec
from pilotlight.stacks.policies import Document, document


def documents(inventory: Inventory) -> dict[str, Document]:
    """Role -> its policy; where a role has two, their statements together."""
    names = inventory.names
    found = {names.role(name): policy(inventory) for name, policy in FUNCTIONS.items()}
    more = function_policies.copies(inventory)["Statement"]
    if more:
        found[names.role("protect")] = document(*found[names.role("protect")]["Statement"], *more)
    for kind, assets in in_order(inventory):
        found |= kind.roles(inventory, assets)
    schedules = monitoring_spec(inventory)
    found[schedules.scheduler_role] = json.loads(schedules.scheduler_policy)
    return found


FUNCTIONS = {
    "probe": function_policies.probe,
    "protect": function_policies.protect,
    "recover": function_policies.recover,
}
