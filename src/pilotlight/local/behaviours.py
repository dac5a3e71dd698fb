"""Every behaviour of the embedded cloud, in the order in which they are installed and started.

What others build on comes first: names and the front door before the instances behind it, PostgreSQL before the
clusters made of it, Lambda before what invokes it.
"""

from __future__ import annotations

from importlib import import_module

from pilotlight.local.cloud import Behaviour

BEHAVIOURS: tuple[tuple[str, str], ...] = (
    ("front_door", "FrontDoor"),
    ("dns", "Dns"),
    ("load_balancers", "LoadBalancers"),
    ("metadata", "Metadata"),
    ("resource_tags", "ResourceTags"),
    ("volumes", "Volumes"),
    ("images", "Images"),
    ("launch_templates", "LaunchTemplates"),
    ("bucket_settings", "BucketSettings"),
    ("bucket_encryption", "BucketEncryption"),
    ("conditional_writes", "ConditionalWrites"),
    ("listed_versions", "ListedVersions"),
    ("transactions", "Transactions"),
    ("secret_answers", "SecretAnswers"),
    ("capacity", "Capacity"),
    ("instances", "Instances"),
    ("groups", "Groups"),
    ("group_settings", "GroupSettings"),
    ("replication", "Replication"),
    ("batch_operations", "BatchOperations"),
    ("postgres", "Postgres"),
    ("aurora", "Aurora"),
    ("database_snapshots", "DatabaseSnapshots"),
    ("rds_data", "DataApi"),
    ("lambda_runtime", "LambdaRuntime"),
    ("notifications", "Notifications"),
    ("alarms", "Alarms"),
    ("schedules", "Schedules"),
)
"""(module in this package, class in it)."""


def all_behaviours() -> list[Behaviour]:
    """One of each."""
    return [getattr(import_module(f"pilotlight.local.{module}"), name)() for module, name in BEHAVIOURS]
