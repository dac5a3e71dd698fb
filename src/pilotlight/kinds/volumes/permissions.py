"""What the functions may do with volumes: snapshots in the primary region and copies of them."""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.naming import TAG_WORKLOAD
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.permissions import KindPermissions
from pilotlight.stacks.policies import Statement, allow, shared_arn, snapshot_keys


class VolumePermissions(KindPermissions):
    """Of volume groups."""

    def copies(self, inventory: Inventory, assets: tuple[Any, ...]) -> list[Statement]:
        """Deletes only what carries the workload's tag. While the standby serves its own volumes are snapshot."""
        return [*_copy_snapshots(inventory), *snapshot_keys(inventory.names)] if assets else []


def _copy_snapshots(inventory: Inventory) -> list[Statement]:
    names = inventory.names
    primary, standby = shared_arn(names.primary, "snapshot"), shared_arn(names.standby, "snapshot")
    regions, kinds = (names.primary, names.standby), ("instance", "volume")
    sources = [f"arn:{PARTITION}:ec2:{region}:{names.account}:{kind}/*" for region in regions for kind in kinds]
    ours = {"StringEquals": {f"aws:ResourceTag/{TAG_WORKLOAD}": names.workload}}
    describe = ["ec2:DescribeVolumes", "ec2:DescribeInstances", "ec2:DescribeSnapshots"]
    return [
        allow("DescribeVolumes", describe, ["*"]),
        allow("CreateSnapshots", ["ec2:CreateSnapshot", "ec2:CreateSnapshots"], [*sources, primary, standby]),
        allow("CopySnapshots", ["ec2:CopySnapshot"], [primary, standby]),
        allow("TagSnapshots", ["ec2:CreateTags"], [primary, standby]),
        allow("PruneSnapshots", ["ec2:DeleteSnapshot"], [primary, standby], ours),
    ]


KIND = VolumePermissions()
