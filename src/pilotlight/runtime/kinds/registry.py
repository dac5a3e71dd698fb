"""Every kind of asset that the recovery runtime knows, in the order in which they are looked at: what refers to another
kind comes after it. A new kind is its folder beside this file, its import and a line here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pilotlight.runtime.kinds.aurora.kind import AuroraCluster
from pilotlight.runtime.kinds.autoscaling.kind import AutoScalingGroup
from pilotlight.runtime.kinds.buckets.kind import ReplicatedBucket
from pilotlight.runtime.kinds.checkpoints.kind import CheckpointFolder
from pilotlight.runtime.kinds.kind import AssetKind, named
from pilotlight.runtime.kinds.volumes.kind import VolumeGroup
from pilotlight.runtime.records.inventory import Asset, Inventory

KINDS: tuple[AssetKind[Any], ...] = (
    ReplicatedBucket(),
    CheckpointFolder(),
    VolumeGroup(),
    AuroraCluster(),
    AutoScalingGroup(),
)
_BY_NAME = {each.name: each for each in KINDS}


def kind_of(asset: Asset) -> AssetKind[Any]:
    """The kind of an asset."""
    return _BY_NAME[asset.kind]


def kind_named(name: str) -> AssetKind[Any] | None:
    """The kind of this name; None where a record of another edition has one that this one does not know."""
    return _BY_NAME.get(name)


def by_kind(inventory: Inventory) -> Iterator[tuple[AssetKind[Any], tuple[Any, ...]]]:
    """Every kind with its assets, in the registry's order; those without any too."""
    return ((each, named(inventory.assets, each.name)) for each in KINDS)


def in_order(inventory: Inventory) -> Iterator[tuple[AssetKind[Any], Any]]:
    """Every asset with its kind, in the registry's order."""
    return ((kind, asset) for kind, assets in by_kind(inventory) for asset in assets)
