"""What the functions may do with checkpoints: with the bucket, and with the parameter that tells of one."""

from __future__ import annotations

from typing import Any

from pilotlight.kinds.buckets.permissions import BucketPermissions
from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.policies import Statement, allow


class CheckpointPermissions(BucketPermissions):
    """Of checkpoints."""

    def recover(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """The parameter is written in the standby region."""
        if not assets:
            return []
        names = inventory.names
        parameters = f"arn:{PARTITION}:ssm:{names.standby}:{names.account}:parameter{names.parameter('*')}"
        told = allow("TellRecovered", ["ssm:PutParameter", "ssm:GetParameter"], [parameters])
        return [*super().recover(inventory, assets), told]


KIND = CheckpointPermissions()
