"""The three Pulumi programs: vault, primary, standby; plain functions over an Inventory.

They are deployed in this order, and none reads another's state: what one creates and another uses is named by
`naming.Names`. They make no AWS call and read no file but the archive; equal inventories give equal resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.compute import Compute, ComputeArgs, compute_spec
from pilotlight.stacks.copies import Copies, CopiesArgs, copies_spec
from pilotlight.stacks.database import (
    Database,
    DatabaseArgs,
    GlobalDatabase,
    GlobalDatabaseArgs,
    database_spec,
    global_database_spec,
)
from pilotlight.stacks.datasets import Datasets, DatasetsArgs, dataset_spec
from pilotlight.stacks.functions import Function, FunctionArgs, probe_spec, protect_spec, recover_spec
from pilotlight.stacks.keys import KeyArgs, RegionKey, primary_key_spec
from pilotlight.stacks.monitoring import Monitoring, MonitoringArgs, monitoring_spec
from pilotlight.stacks.network import Network, NetworkArgs, network_spec, served
from pilotlight.stacks.traffic import Traffic, TrafficArgs, traffic_spec
from pilotlight.stacks.vault import Vault, VaultArgs, vault_spec

Parts = dict[str, Any]
"""What a stack exports, by name."""
Under = pulumi.ResourceOptions | None
"""A parent, where the resources are a part of another program."""


def vault(inventory: Inventory) -> None:
    """What outlives the others, in the standby region."""
    _export(vault_parts(inventory))


def primary(inventory: Inventory) -> None:
    """Attaches protection to what the user already runs."""
    _export(primary_parts(inventory))


def standby(inventory: Inventory, archive: Path) -> None:
    """Everything that waits in the standby region, deployed and at rest."""
    _export(standby_parts(inventory, archive))


def _export(parts: Parts) -> None:
    for name, value in parts.items():
        pulumi.export(name, value)


def vault_parts(inventory: Inventory, under: Under = None) -> Parts:
    """The resources of `vault`."""
    made = Vault("vault", VaultArgs(vault_spec(inventory)), under)
    return {
        "vault_bucket_name": made.records,
        "journal_table_name": made.journal,
        "key_arn": made.key_arn,
        "standby_bucket_names": made.replicas,
    }


def primary_parts(inventory: Inventory, under: Under = None) -> Parts:
    """The resources of `primary`. Bucket names by asset, and plain ones: of the only dataset, or of the first that the
    declaration names. A key is needed for what comes back by a rule alone."""
    key = None if inventory.vault else RegionKey("key", KeyArgs(primary_key_spec(inventory)), under)
    made = {
        each.name: Datasets(each.name, DatasetsArgs(dataset_spec(inventory, each), key), under)
        for each in inventory.datasets
    }
    for database in inventory.databases:
        GlobalDatabase(database.name, GlobalDatabaseArgs(global_database_spec(inventory, database)), under)
    here = {name: each.primary_bucket_name for name, each in made.items()}
    there = {name: each.standby_bucket_name for name, each in made.items()}
    parts: Parts = {"primary_bucket_names": here, "standby_bucket_names": there, "secondary_bucket_names": there}
    plain = next(iter([each.name for each in inventory.datasets if each.kind == "dataset"] or made), None)
    if plain is not None:
        parts |= {"primary_bucket_name": here[plain]}
        parts |= {"standby_bucket_name": there[plain], "secondary_bucket_name": there[plain]}
    return parts


def standby_parts(inventory: Inventory, archive: Path, under: Under = None) -> Parts:
    """The resources of `standby`."""
    network = Network("network", NetworkArgs(network_spec(inventory)), under)
    probe = Function("probe", FunctionArgs(probe_spec(inventory), archive), under)
    protect = Function("protect", FunctionArgs(protect_spec(inventory), archive), under)
    recover = Function("recover", FunctionArgs(recover_spec(inventory), archive), under)
    if inventory.volumes or inventory.computes:
        Copies("copies", CopiesArgs(copies_spec(inventory), protect.role_name), under)
    monitoring = _monitoring(inventory, probe, protect, recover, under)
    databases = [_database(inventory, network, index, under) for index in range(len(inventory.databases))]
    traffic = _traffic(inventory, network, monitoring, under)
    marks = {mark: value for database in databases for mark, value in database.marks().items()}
    _computes(inventory, network, traffic, marks, under)
    parts: Parts = {"alarm_topic_arn": monitoring.topic, "recover_function_arn": recover.arn}
    return parts | ({"balancer_dns": traffic.balancer_dns} if traffic else {})


# -- parts -----------------------------------------------------------------------------------------------------


def _monitoring(
    inventory: Inventory, probe: Function, protect: Function, recover: Function, under: Under
) -> Monitoring:
    args = MonitoringArgs(
        spec=monitoring_spec(inventory),
        functions={"probe": probe.arn, "protect": protect.arn},
        recover_arn=recover.arn,
        recover_name=recover.function_name,
    )
    return Monitoring("monitoring", args, under)


def _database(inventory: Inventory, network: Network, index: int, under: Under) -> Database:
    asset = inventory.databases[index]
    spec = database_spec(inventory, asset)
    return Database(asset.name, DatabaseArgs(spec, network.subnet_ids, network.database_group), under)


def _traffic(inventory: Inventory, network: Network, monitoring: Monitoring, under: Under) -> Traffic | None:
    behind = served(inventory)
    if inventory.traffic is None or behind is None:
        return None
    args = TrafficArgs(
        spec=traffic_spec(inventory, inventory.traffic, behind),
        vpc_id=network.vpc_id,
        subnet_ids=network.subnet_ids,
        security_group=network.balancer_group,
        alarm=monitoring.standby_active,
    )
    return Traffic("traffic", args, under)


def _computes(
    inventory: Inventory,
    network: Network,
    traffic: Traffic | None,
    marks: Mapping[str, pulumi.Output[str]],
    under: Under,
) -> None:
    behind = served(inventory)
    for asset in inventory.computes:
        args = ComputeArgs(
            spec=compute_spec(inventory, asset),
            subnet_ids=network.subnet_ids,
            security_group=network.fleet_group,
            target_groups=[traffic.target_group] if traffic and asset is behind else [],
            marks=marks,
        )
        Compute(asset.name, args, under)
