"""Every role that the stacks make and what it may do, by the role's name; the same documents that are deployed."""

from __future__ import annotations

import json

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import function_policies
from pilotlight.stacks.compute import compute_spec
from pilotlight.stacks.datasets import dataset_spec
from pilotlight.stacks.monitoring import monitoring_spec
from pilotlight.stacks.policies import Document, document


def documents(inventory: Inventory) -> dict[str, Document]:
    """Role -> its policy; where a role has two, their statements together."""
    names = inventory.names
    found = {names.role(name): policy(inventory) for name, policy in FUNCTIONS.items()}
    if inventory.volumes or inventory.computes:
        protect, more = found[names.role("protect")], function_policies.copies(inventory)
        found[names.role("protect")] = document(*protect["Statement"], *more["Statement"])
    for asset in inventory.datasets:
        spec = dataset_spec(inventory, asset)
        texts = {each.role: each.role_policy for each in (spec.forward, spec.reverse) if each}
        found |= {role: json.loads(text) for role, text in (texts | {spec.batch_role: spec.batch_policy}).items()}
    for compute in inventory.computes:
        group = compute_spec(inventory, compute)
        found[group.role] = json.loads(group.role_policy)
    schedules = monitoring_spec(inventory)
    found[schedules.scheduler_role] = json.loads(schedules.scheduler_policy)
    return found


FUNCTIONS = {
    "probe": function_policies.probe,
    "protect": function_policies.protect,
    "recover": function_policies.recover,
}
