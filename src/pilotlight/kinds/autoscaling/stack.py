"""What is built for a compute group: its counterpart at zero, with image, role and network."""

from __future__ import annotations

import json
from typing import Any

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.compute import Compute, ComputeArgs, compute_spec
from pilotlight.stacks.kind import KindStack, Standby
from pilotlight.stacks.network import served
from pilotlight.stacks.policies import Document


class GroupStack(KindStack):
    """Of compute groups."""

    def standby(self, stack: Standby, assets: tuple[Any, ...]) -> None:
        """The group, behind the balancer where it is the one that serves."""
        behind = served(stack.inventory)
        for each in assets:
            args = ComputeArgs(
                spec=compute_spec(stack.inventory, each),
                subnet_ids=stack.network.subnet_ids,
                security_group=stack.network.fleet_group,
                target_groups=[stack.traffic.target_group] if stack.traffic and each is behind else [],
                marks=stack.marks,
            )
            Compute(each.name, args, stack.under)

    def roles(self, inventory: Inventory, assets: tuple[Any, ...]) -> dict[str, Document]:
        """Of the instances."""
        specs = (compute_spec(inventory, each) for each in assets)
        return {each.role: json.loads(each.role_policy) for each in specs}


KIND = GroupStack()
