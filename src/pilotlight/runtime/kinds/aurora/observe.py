"""What the standby region holds of a database: a member of the global cluster that follows, and how far behind it is.

Aurora User Guide, "Monitoring an Aurora global database": AuroraGlobalDBReplicationLag, in milliseconds, published in
the secondary's region. Where nobody publishes it the part says so; that the member follows is then all that is known.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.clock import Clock, parse_stamp, stamp
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.kinds.aurora.reference import ClusterReference
from pilotlight.runtime.kinds.aurora.references import Rows
from pilotlight.runtime.records.inventory import Database, Inventory
from pilotlight.runtime.records.point import Part

AVAILABLE = "available"
RESYNCING = "pending-resync"
"""RDS API Reference, "GlobalClusterMember": the member does not follow the writer; promoting it would lose more."""
LAG_WINDOW_SECONDS = 300
LAG_PERIOD_SECONDS = 60


def global_cluster(client: AwsClient, region: str, asset: Database) -> dict[str, Any]:
    """The global cluster as this region sees it; empty where there is none."""
    try:
        answer = client.call("rds", "describe_global_clusters", region, GlobalClusterIdentifier=asset.global_cluster)
    except CallRefused as refusal:
        if says_absent(refusal):
            return {}
        raise
    found: dict[str, Any] = next(iter(answer["GlobalClusters"]), {})
    return found


def cluster(client: AwsClient, region: str, identifier: str) -> dict[str, Any]:
    """One cluster; empty where there is none."""
    try:
        answer = client.call("rds", "describe_db_clusters", region, DBClusterIdentifier=identifier)
    except CallRefused as refusal:
        if says_absent(refusal):
            return {}
        raise
    found: dict[str, Any] = next(iter(answer["DBClusters"]), {})
    return found


def member(found: dict[str, Any], arn: str) -> dict[str, Any]:
    """The member of this ARN of a global cluster, or an empty one."""
    return next((each for each in found.get("GlobalClusterMembers", []) if each["DBClusterArn"] == arn), {})


def observe(client: AwsClient, inventory: Inventory, asset: Database, clock: Clock, rows: Rows | None = None) -> Part:
    """The part of a database; where rows of it were read, it holds at most up to the moment of reading."""
    looked_at = clock.now()
    together = global_cluster(client, inventory.standby, asset)
    own = cluster(client, inventory.standby, asset.standby_cluster)
    missing = tuple(_missing(asset, together, own))
    lag = _lag_seconds(client, inventory.standby, asset, inventory.primary, looked_at)
    evidence = {
        "status": own.get("Status", ""),
        "synchronization": member(together, asset.standby_arn).get("SynchronizationStatus", "not told"),
        "lag_seconds": "not measured" if lag is None else lag,
    }
    return Part(
        asset=asset.name,
        kind=asset.kind,
        mechanism=asset.mechanism,
        proven=not missing,
        as_of="" if missing else _as_of(looked_at - (lag or 0.0), rows),
        reference=ClusterReference(asset.standby_cluster, asset.standby_arn, asset.global_cluster),
        evidence=evidence,
        missing=missing,
    )


def kept_alone(client: AwsClient, inventory: Inventory, asset: Database) -> Part:
    """What the standby's cluster can be restored to while it serves: any second of its retention period up to a few
    minutes ago (Aurora User Guide, "Backing up and restoring an Aurora DB cluster"; RDS API Reference, "DBCluster")."""
    own = cluster(client, inventory.standby, asset.standby_cluster)
    newest, oldest = own.get("LatestRestorableTime"), own.get("EarliestRestorableTime")
    told = {"one_region": inventory.standby, "retention_days": own.get("BackupRetentionPeriod", 0)}
    if newest is None:
        why = f"cluster {asset.standby_cluster} tells no moment that it can be restored to"
        return Part(asset.name, asset.kind, asset.mechanism, False, "", evidence=told, missing=(why,))
    told |= {"from": stamp(oldest.timestamp())} if oldest is not None else {}
    reference = ClusterReference(asset.standby_cluster, asset.standby_arn, asset.global_cluster)
    return Part(asset.name, asset.kind, asset.mechanism, True, stamp(newest.timestamp()), reference, told)


def _as_of(position: float, rows: Rows | None) -> str:
    return stamp(min(position, parse_stamp(rows.read_at)) if rows else position)


def observe_alone(asset: Database, part: Part, last: Part | None) -> Part:
    """The part when nobody can read the rows: true up to where an earlier point read them, and no more."""
    if not part.proven or not asset.table:
        return part
    if last is None or not last.proven:
        reason = f"the rows of {asset.table} cannot be read, and no earlier point read them"
        return replace(part, proven=False, as_of="", missing=(reason,))
    rows = {
        "rows": last.evidence.get("rows", {}),
        "primary": "did not answer; rows as an earlier point read them",
    }
    return replace(part, as_of=last.as_of, evidence=part.evidence | rows)


def _missing(asset: Database, together: dict[str, Any], own: dict[str, Any]) -> list[str]:
    problems = []
    if not together:
        problems.append(f"there is no global cluster {asset.global_cluster}")
    elif not member(together, asset.standby_arn):
        problems.append(f"cluster {asset.standby_cluster} is not a member of global cluster {asset.global_cluster}")
    elif member(together, asset.standby_arn).get("SynchronizationStatus") == RESYNCING:
        problems.append(f"cluster {asset.standby_cluster} does not follow the writer ({RESYNCING})")
    if own.get("Status") != AVAILABLE:
        problems.append(f"cluster {asset.standby_cluster} is {own.get('Status') or 'not there'}")
    elif not own.get("DBClusterMembers", [{}]):
        problems.append(f"cluster {asset.standby_cluster} has no instance, so it cannot be promoted in time")
    return problems


def _lag_seconds(client: AwsClient, region: str, asset: Database, source: str, now: float) -> float | None:
    """The newest measured lag; None where nobody published one. A refused read is raised: the part is not proven."""
    dimensions = [
        {"Name": "DBClusterIdentifier", "Value": asset.standby_cluster},
        {"Name": "SourceRegion", "Value": source},
    ]
    answer = client.call(
        "cloudwatch",
        "get_metric_statistics",
        region,
        Namespace="AWS/RDS",
        MetricName="AuroraGlobalDBReplicationLag",
        Dimensions=dimensions,
        StartTime=datetime.fromtimestamp(now - LAG_WINDOW_SECONDS, tz=UTC),
        EndTime=datetime.fromtimestamp(now, tz=UTC),
        Period=LAG_PERIOD_SECONDS,
        Statistics=["Maximum"],
    )
    points = sorted(answer.get("Datapoints", []), key=lambda point: point["Timestamp"])
    return float(points[-1]["Maximum"]) / 1000 if points else None
