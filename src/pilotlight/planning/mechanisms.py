"""What each mechanism reaches: forecast of RPO and RTO in seconds, the arithmetic in a sentence, and its source.

A forecast is what is typical; where AWS promises less than that, a warning says so. Evidence comes from runs only.
"""

from __future__ import annotations

from dataclasses import dataclass

REPLICATION_TYPICAL_SECONDS = 15.0
"""Most objects replicate in seconds (S3 User Guide, "Replicating objects with S3 Replication Time Control")."""
REPLICATION_PROMISE_SECONDS = 900.0
"""The same guide: designed for 99.99 % of objects within 15 minutes; SLA 99.9 % a month."""
REPLICATION_GBPS = 1.0
"""Default replication rate inside the SLA, in Gbit/s (S3 Service Level Agreement for Replication Time Control)."""
AURORA_LAG_SECONDS = 1.0
"""Aurora User Guide, "Using Amazon Aurora Global Database": typically less than a second."""
AURORA_PROMOTION_SECONDS = 60.0
"""AWS Database Blog on managed failover of Aurora Global Database: promotion in about a minute."""
SNAPSHOT_COPY_SECONDS = 900.0
"""EBS User Guide, "Time-based copies": the shortest completion duration is 15 minutes; without one, best effort.
What a declaration may ask for at all is another number: workload/rules.py, FASTEST_COPY_SECONDS."""
INSTANCE_BOOT_SECONDS = 300.0
"""AWS Elastic Disaster Recovery, "FAQ": Linux machines boot in about 5 minutes; used for images of that size."""
DETECTION_SECONDS = 180.0
"""Three probes a minute apart before the alarm acts (stacks/monitoring.py)."""
HEALTH_CHECK_SECONDS = 90.0
"""Route 53 Developer Guide: 3 checks of 10 s and a TTL of up to 60 s before clients have moved."""


@dataclass(frozen=True)
class Forecast:
    """What a mechanism is expected to reach, and why."""

    mechanism: str
    rpo_seconds: float
    rto_seconds: float
    because: str
    promised_rpo_seconds: float | None
    """What AWS stands in for; None where it promises nothing."""


def replication() -> Forecast:
    """Datasets and checkpoints: the copy is there already, so recovery waits for nothing."""
    return Forecast(
        "replication",
        REPLICATION_TYPICAL_SECONDS,
        0.0,
        f"objects replicate in seconds up to {REPLICATION_GBPS:g} Gbit/s; recovery will wait for no copy",
        REPLICATION_PROMISE_SECONDS,
    )


def snapshot_copies(every_seconds: float) -> Forecast:
    """Volumes: as old as the schedule plus the copy; they come up with the instances that mount them."""
    return Forecast(
        "snapshot-copies",
        every_seconds + SNAPSHOT_COPY_SECONDS,
        0.0,
        f"a snapshot every {every_seconds:g} s plus up to {SNAPSHOT_COPY_SECONDS:g} s for its copy",
        None,
    )


def global_database() -> Forecast:
    """Databases: continuous replication, one promotion."""
    return Forecast(
        "global-database",
        AURORA_LAG_SECONDS,
        AURORA_PROMOTION_SECONDS,
        f"replication lags by less than {AURORA_LAG_SECONDS:g} s; promotion takes about {AURORA_PROMOTION_SECONDS:g} s",
        None,
    )


def warm_capacity() -> Forecast:
    """Compute: a group at zero whose image, network and roles are in place."""
    return Forecast(
        "warm-capacity",
        0.0,
        INSTANCE_BOOT_SECONDS,
        f"instances boot from a copied image in about {INSTANCE_BOOT_SECONDS:g} s; capacity is not reserved",
        None,
    )
