"""The build: an Inventory becomes Pulumi resources in three stacks, vault, primary and standby.

Takes: the Inventory record and the Lambda archive. Makes: Pulumi resources and exports. May touch: the Pulumi SDK and
nothing else; each component is a pure spec, computed from the inventory, and a thin class that only creates.
Start reading at: program.py, then vault.py; policies.py holds what each role may do.
"""

from pilotlight.stacks.buckets import BucketArgs, BucketSpec, PrivateBucket
from pilotlight.stacks.compute import Compute, ComputeArgs, ComputeSpec, compute_spec
from pilotlight.stacks.copies import Copies, CopiesArgs, CopiesSpec, copies_spec
from pilotlight.stacks.database import (
    Database,
    DatabaseArgs,
    DatabaseSpec,
    GlobalDatabase,
    GlobalDatabaseArgs,
    GlobalDatabaseSpec,
    database_spec,
    global_database_spec,
)
from pilotlight.stacks.datasets import Datasets, DatasetsArgs, DatasetSpec, dataset_spec
from pilotlight.stacks.events import Events, EventsArgs, EventsSpec, events_spec
from pilotlight.stacks.functions import (
    Function,
    FunctionArgs,
    FunctionSpec,
    probe_spec,
    protect_spec,
    recover_spec,
)
from pilotlight.stacks.keys import (
    KeyArgs,
    KeySpec,
    RegionKey,
    copies_key_spec,
    primary_key_spec,
    standby_key_spec,
)
from pilotlight.stacks.monitoring import Monitoring, MonitoringArgs, MonitoringSpec, monitoring_spec
from pilotlight.stacks.network import Network, NetworkArgs, NetworkSpec, network_spec
from pilotlight.stacks.package import (
    PrimaryStack,
    PrimaryStackArgs,
    ProtectedDatabase,
    ProtectedDatabaseArgs,
    ProtectedDataset,
    ProtectedDatasets,
    ProtectedDatasetsArgs,
    StandbyStack,
    StandbyStackArgs,
    VaultStack,
    VaultStackArgs,
)
from pilotlight.stacks.traffic import Traffic, TrafficArgs, TrafficSpec, traffic_spec
from pilotlight.stacks.vault import Vault, VaultArgs, VaultSpec, vault_spec

__all__ = [
    "BucketArgs",
    "BucketSpec",
    "Compute",
    "ComputeArgs",
    "ComputeSpec",
    "Copies",
    "CopiesArgs",
    "CopiesSpec",
    "Database",
    "DatabaseArgs",
    "DatabaseSpec",
    "DatasetSpec",
    "Datasets",
    "DatasetsArgs",
    "Events",
    "EventsArgs",
    "EventsSpec",
    "Function",
    "FunctionArgs",
    "FunctionSpec",
    "GlobalDatabase",
    "GlobalDatabaseArgs",
    "GlobalDatabaseSpec",
    "KeyArgs",
    "KeySpec",
    "Monitoring",
    "MonitoringArgs",
    "MonitoringSpec",
    "Network",
    "NetworkArgs",
    "NetworkSpec",
    "PrimaryStack",
    "PrimaryStackArgs",
    "PrivateBucket",
    "ProtectedDatabase",
    "ProtectedDatabaseArgs",
    "ProtectedDataset",
    "ProtectedDatasets",
    "ProtectedDatasetsArgs",
    "RegionKey",
    "StandbyStack",
    "StandbyStackArgs",
    "Traffic",
    "TrafficArgs",
    "TrafficSpec",
    "Vault",
    "VaultArgs",
    "VaultSpec",
    "VaultStack",
    "VaultStackArgs",
    "compute_spec",
    "copies_key_spec",
    "copies_spec",
    "database_spec",
    "dataset_spec",
    "events_spec",
    "global_database_spec",
    "monitoring_spec",
    "network_spec",
    "primary_key_spec",
    "probe_spec",
    "protect_spec",
    "recover_spec",
    "standby_key_spec",
    "traffic_spec",
    "vault_spec",
]
