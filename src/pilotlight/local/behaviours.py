"""Every behaviour of the embedded cloud, in the order in which they are installed and started.

What others build on comes first: names and the front door before the instances behind it, PostgreSQL before the
clusters made of it, Lambda before what invokes it.
"""

from __future__ import annotations

from importlib import import_module

from pilotlight.local.kernel.cloud import Behaviour

BEHAVIOURS: tuple[tuple[str, str], ...] = (
    ("traffic.front_door", "FrontDoor"),
    ("traffic.dns", "Dns"),
    ("traffic.load_balancers", "LoadBalancers"),
    ("ec2.metadata", "Metadata"),
    ("ec2.resource_tags", "ResourceTags"),
    ("ec2.volumes", "Volumes"),
    ("ec2.images", "Images"),
    ("ec2.launch_templates", "LaunchTemplates"),
    ("s3.bucket_settings", "BucketSettings"),
    ("s3.bucket_encryption", "BucketEncryption"),
    ("s3.conditional_writes", "ConditionalWrites"),
    ("s3.listed_versions", "ListedVersions"),
    ("s3.object_checksums", "ObjectChecksums"),
    ("dynamodb.transactions", "Transactions"),
    ("secretsmanager.secret_answers", "SecretAnswers"),
    ("ec2.capacity", "Capacity"),
    ("ec2.instances", "Instances"),
    ("autoscaling.groups", "Groups"),
    ("autoscaling.group_settings", "GroupSettings"),
    ("sqs.queues", "Queues"),
    ("s3.replication", "Replication"),
    ("s3.batch_operations", "BatchOperations"),
    ("s3.event_notifications", "EventNotifications"),
    ("s3.replication_events", "ReplicationEvents"),
    ("rds.postgres", "Postgres"),
    ("rds.aurora", "Aurora"),
    ("rds.database_snapshots", "DatabaseSnapshots"),
    ("rds.point_in_time", "PointInTime"),
    ("rds.rds_data", "DataApi"),
    ("athena.queries", "Queries"),
    ("lambda_.runtime", "LambdaRuntime"),
    ("sns.notifications", "Notifications"),
    ("cloudwatch.alarms", "Alarms"),
    ("events.schedules", "Schedules"),
)
"""(module in this package, class in it)."""


def all_behaviours() -> list[Behaviour]:
    """One of each."""
    return [getattr(import_module(f"pilotlight.local.{module}"), name)() for module, name in BEHAVIOURS]
