"""What AWS's token buckets leave of a run's time, before anything runs (pure).

Counted is what the steps ask of EC2 one by one, at the least; what is asked for together (aws/batching.py), and how
long instances boot and clusters are promoted, is not in it.
"""

from __future__ import annotations

from collections import Counter

from pilotlight.runtime.aws import pacing
from pilotlight.runtime.aws.pacing import Bound
from pilotlight.runtime.kinds.registry import in_order
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.records.runs import Runbook


def ec2_calls(runbook: Runbook, inventory: Inventory) -> Counter[str]:
    """Operation -> calls of the whole run. A step without an asset is about all of them."""
    found, assets = Counter[str](), list(in_order(inventory))
    for step in runbook.steps:
        for kind, asset in assets:
            if step.asset in ("", asset.name):
                found.update(kind.ec2_calls(inventory, asset, step.action))
    return found


def lower_bound(runbook: Runbook, inventory: Inventory) -> Bound | None:
    """The least time of a run, and the bucket that binds; None where it asks nothing of EC2."""
    return pacing.lower_bound(ec2_calls(runbook, inventory))
