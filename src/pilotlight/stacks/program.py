"""The three Pulumi programs: vault, primary, standby; plain functions over an Inventory.

They are deployed in this order, and none reads another's state: what one creates and another uses is named by
`naming.Names`. They make no AWS call and read no file but the archive; equal inventories give equal resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pulumi

from pilotlight.records.inventory import Inventory
from pilotlight.stacks.compute import Compute, ComputeArgs, compute_spec
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
from pilotlight.stacks.volumes import Volumes, VolumesArgs, volumes_spec


def vault(inventory: Inventory) -> None:
    """What outlives the others, in the standby region."""
    made = Vault("vault", VaultArgs(vault_spec(inventory)))
    pulumi.export("vault_bucket_name", made.papers)
    pulumi.export("journal_table_name", made.journal)
    pulumi.export("key_arn", made.key_arn)
    pulumi.export("standby_bucket_names", made.replicas)


def primary(inventory: Inventory) -> None:
    """Attaches protection to what the user already runs."""
    key = RegionKey("key", KeyArgs(primary_key_spec(inventory)))
    datasets = {
        each.name: Datasets(each.name, DatasetsArgs(dataset_spec(inventory, each), key)) for each in inventory.datasets
    }
    for database in inventory.databases:
        GlobalDatabase(database.name, GlobalDatabaseArgs(global_database_spec(inventory, database)))
    _export_bucket_names(inventory, datasets)


def standby(inventory: Inventory, archive: Path) -> None:
    """Everything that waits in the standby region, deployed and at rest."""
    network = Network("network", NetworkArgs(network_spec(inventory)))
    probe = Function("probe", FunctionArgs(probe_spec(inventory), archive))
    protect = Function("protect", FunctionArgs(protect_spec(inventory), archive))
    recover = Function("recover", FunctionArgs(recover_spec(inventory), archive))
    if inventory.volumes:
        Volumes("volumes", VolumesArgs(volumes_spec(inventory), protect.role_name))
    monitoring = _monitoring(inventory, probe, protect, recover)
    databases = [_database(inventory, network, index) for index in range(len(inventory.databases))]
    traffic = _traffic(inventory, network, monitoring)
    marks = {mark: value for database in databases for mark, value in database.marks().items()}
    _computes(inventory, network, traffic, marks)
    pulumi.export("alarm_topic_arn", monitoring.topic)
    pulumi.export("recover_function_arn", recover.arn)


# -- parts -----------------------------------------------------------------------------------------------------


def _export_bucket_names(inventory: Inventory, made: Mapping[str, Datasets]) -> None:
    """By asset; and plain, as the single pair of names, where there is exactly one dataset."""
    pulumi.export("primary_bucket_names", {name: each.primary_bucket_name for name, each in made.items()})
    pulumi.export("standby_bucket_names", {name: each.standby_bucket_name for name, each in made.items()})
    plain = [each.name for each in inventory.datasets if each.kind == "dataset"] or list(made)
    if len(plain) == 1:
        pulumi.export("primary_bucket_name", made[plain[0]].primary_bucket_name)
        pulumi.export("standby_bucket_name", made[plain[0]].standby_bucket_name)


def _monitoring(inventory: Inventory, probe: Function, protect: Function, recover: Function) -> Monitoring:
    args = MonitoringArgs(
        spec=monitoring_spec(inventory),
        functions={"probe": probe.arn, "protect": protect.arn},
        recover_arn=recover.arn,
        recover_name=recover.function_name,
    )
    return Monitoring("monitoring", args)


def _database(inventory: Inventory, network: Network, index: int) -> Database:
    asset = inventory.databases[index]
    spec = database_spec(inventory, asset)
    return Database(asset.name, DatabaseArgs(spec, network.subnet_ids, network.database_group))


def _traffic(inventory: Inventory, network: Network, monitoring: Monitoring) -> Traffic | None:
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
    made = Traffic("traffic", args)
    pulumi.export("balancer_dns", made.balancer_dns)
    return made


def _computes(
    inventory: Inventory, network: Network, traffic: Traffic | None, marks: Mapping[str, pulumi.Output[str]]
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
        Compute(asset.name, args)
