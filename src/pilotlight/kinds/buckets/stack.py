"""What is built for a bucket: the rules there and back, in the primary stack; its copy is the vault's."""

from __future__ import annotations

import json
from typing import Any

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.datasets import Datasets, DatasetsArgs, dataset_spec
from pilotlight.stacks.keys import RegionKey
from pilotlight.stacks.kind import KindStack, Under
from pilotlight.stacks.policies import Document


class BucketStack(KindStack):
    """Of datasets and checkpoints."""

    def primary(
        self, inventory: Inventory, assets: tuple[Any, ...], key: RegionKey | None, under: Under
    ) -> dict[str, dict[str, Any]]:
        """Replication."""
        made = {
            each.name: Datasets(each.name, DatasetsArgs(dataset_spec(inventory, each), key), under) for each in assets
        }
        here = {name: each.primary_bucket_name for name, each in made.items()}
        there = {name: each.standby_bucket_name for name, each in made.items()}
        return {"primary_bucket_names": here, "standby_bucket_names": there, "secondary_bucket_names": there}

    def roles(self, inventory: Inventory, assets: tuple[Any, ...]) -> dict[str, Document]:
        """Of replication, and of batch jobs."""
        found = dict[str, Document]()
        for asset in assets:
            spec = dataset_spec(inventory, asset)
            texts = {each.role: each.role_policy for each in (spec.forward, spec.reverse) if each}
            found |= {role: json.loads(text) for role, text in (texts | {spec.batch_role: spec.batch_policy}).items()}
        return found


KIND = BucketStack()
