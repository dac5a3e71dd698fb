"""How far secondaries are behind, told to CloudWatch; and secondaries that can not catch up any more, copied anew.

Source: Aurora User Guide, "Amazon CloudWatch metrics for Amazon Aurora" (AuroraGlobalDBReplicationLag and
AuroraGlobalDBRPOLag, milliseconds, dimensions DBClusterIdentifier and SourceRegion, told in the secondary's region).
While either region is lost nothing is told, so alarms on it see missing data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import OperationalError, sql

from pilotlight.local.rds.aurora_global import GlobalDatabase, Member

if TYPE_CHECKING:
    from pilotlight.local.rds.aurora import Aurora

METRIC_SECONDS = 5.0
"""Real seconds between two measurements; AWS measures every minute, which 12 times faster than real is this."""

SILENT_ROUNDS_MAX = 2
"""A secondary that the writer does not list in so many rounds is looked into."""

LAGS = sql.SQL(
    "SELECT application_name, coalesce(extract(epoch FROM replay_lag), 0) * 1000,"
    " coalesce(extract(epoch FROM flush_lag), 0) * 1000 FROM pg_stat_replication"
)


class Watch:
    """Looks at every global database."""

    def __init__(self, aurora: Aurora) -> None:
        self._aurora = aurora
        self._cloud = aurora.cloud

    def look(self) -> None:
        """One round."""
        for one in self._aurora.globals:
            if one.writer is not None and one.secondaries and not self._cloud.is_dark(one.writer.region):
                self._look_at(one)

    def _look_at(self, one: GlobalDatabase) -> None:
        writer = one.writer
        if writer is None or not writer.is_serving:
            return
        try:
            rows = writer.running().query(LAGS)
        except OperationalError:
            return
        lags = {str(name): (float(replay), float(flush)) for name, replay, flush in rows}
        for member in one.secondaries:
            if member.is_synchronized and not self._cloud.is_dark(member.database.region):
                self._judge(one, member, writer.region, lags.get(member.database.key))

    def _judge(self, one: GlobalDatabase, member: Member, source: str, lag: tuple[float, float] | None) -> None:
        if lag is not None:
            member.silent_rounds = 0
            self._tell(member, source, lag)
            return
        member.silent_rounds += 1
        if member.silent_rounds > SILENT_ROUNDS_MAX and member.database.running().lacks_history():
            member.lost_history, member.is_synchronized = True, False
            self._aurora.moves.rejoin_later(one, member)

    def _tell(self, member: Member, source: str, lag: tuple[float, float]) -> None:
        identifier = str(member.database.cluster.db_cluster_identifier)
        dimensions = [
            {"Name": "DBClusterIdentifier", "Value": identifier},
            {"Name": "SourceRegion", "Value": source},
        ]
        data = [
            {"MetricName": name, "Value": value, "Unit": "Milliseconds", "Dimensions": dimensions}
            for name, value in zip(("AuroraGlobalDBReplicationLag", "AuroraGlobalDBRPOLag"), lag, strict=True)
        ]
        self._cloud.backend("cloudwatch", member.database.region).put_metric_data("AWS/RDS", data)
