"""Components for programs that are not ours: in Python by import, in TypeScript, Go and YAML as a Pulumi package.

Takes: plain names, regions and settings of the caller's program. Makes: the resources that `pilotlight up` makes for
the same assets. May touch: the Pulumi SDK. The schema of the package is made from the annotations and docstrings here,
so that these modules alone in the project do without postponed annotations. Start reading at: datasets.py; the host is
`__main__.py` beside `PulumiPlugin.yaml`.
"""

from pilotlight.stacks.package.database import ProtectedDatabase, ProtectedDatabaseArgs
from pilotlight.stacks.package.datasets import ProtectedDataset, ProtectedDatasets, ProtectedDatasetsArgs
from pilotlight.stacks.package.workload import (
    PrimaryStack,
    PrimaryStackArgs,
    StandbyStack,
    StandbyStackArgs,
    VaultStack,
    VaultStackArgs,
)

NAME = "pilotlight"
COMPONENTS = [ProtectedDatasets, ProtectedDatabase, VaultStack, PrimaryStack, StandbyStack]

__all__ = [
    "COMPONENTS",
    "NAME",
    "PrimaryStack",
    "PrimaryStackArgs",
    "ProtectedDatabase",
    "ProtectedDatabaseArgs",
    "ProtectedDataset",
    "ProtectedDatasets",
    "ProtectedDatasetsArgs",
    "StandbyStack",
    "StandbyStackArgs",
    "VaultStack",
    "VaultStackArgs",
]
