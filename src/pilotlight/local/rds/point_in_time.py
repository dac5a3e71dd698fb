"""Aurora clusters restored to a moment: base backups, archived WAL, and recovery up to a time.

Source: PostgreSQL documentation, "Continuous Archiving and Point-in-Time Recovery" (archive_command, restore_command,
recovery_target_time, recovery_target_action); RDS API Reference, "RestoreDBClusterToPointInTime". Every server archives
beside its data; whoever becomes a writer is backed up once, and can be restored to any moment after that. Aurora's own
window reaches back for the retention period, and its end is minutes behind; here it is as far as the WAL has come.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from moto.rds import models
from psycopg import OperationalError, sql

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import override, override_properties
from pilotlight.local.rds.aurora import Aurora
from pilotlight.local.rds.aurora_api import make_cluster, to_point_in_time_of_moto
from pilotlight.local.rds.aurora_database import AVAILABLE, Database, Role
from pilotlight.local.rds.aurora_global import refused
from pilotlight.local.rds.postgres import Postgres, ToolFailed
from pilotlight.local.rds.postgres_server import Server, ServerFailed

LOOK_SECONDS = 0.5
ARCHIVED_SECONDS_MAX = 30.0
RECOVERED_SECONDS_MAX = 120.0
AS_ITS_SOURCE = ("engine", "engine_version", "storage_encrypted", "kms_key_id", "master_username", "engine_mode")
"""What a restored cluster takes from its source, unless the caller says otherwise."""
END = "pilotlight: the end of what is restored"


@dataclass(frozen=True)
class Base:
    """A base backup of a writer, and where its WAL is archived; `since` in seconds since 1970."""

    server: Server
    data: Path
    since: float


class PointInTime(Behaviour):
    """Backs up every writer once, and restores to a moment."""

    name = "point in time"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._postgres, self._aurora = cloud.behaviour(Postgres), cloud.behaviour(Aurora)
        self._bases: dict[str, list[Base]] = {}
        """Resource id of a cluster -> the newest last."""
        self._writing: dict[str, Server] = {}
        self._lock = threading.Lock()
        self._replace()

    def start(self) -> None:
        self.cloud.every(LOOK_SECONDS, self._look, "base backups")

    # -- backing up --------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Whoever is a writer since the last look gets a base backup; who is none any more, another one later."""
        for database in self._aurora.databases:
            writes = database.role is Role.WRITER and database.status == AVAILABLE and database.server is not None
            with self._lock:
                known = self._writing.get(database.key)
                if not writes:
                    self._writing.pop(database.key, None)
                elif known is not database.server:
                    self._writing[database.key] = database.running()
                    database.backups.append(self._aurora.work("base backup", partial(self._back_up, database)))

    def _back_up(self, database: Database) -> None:
        server, folder = database.running(), self._postgres.fresh_folder("bases")
        try:
            self._postgres.back_up(server.port, folder)
        except ToolFailed:
            with self._lock:
                self._writing.pop(database.key, None)  # it fell silent meanwhile: the next look begins again
            return
        with self._lock:
            self._bases.setdefault(database.key, []).append(Base(server, folder, time.time()))

    def earliest(self, cluster: Any) -> datetime | None:
        """EarliestRestorableTime; None before the first base backup is there."""
        with self._lock:
            found = self._bases.get(str(cluster.db_cluster_resource_id), [])
        return datetime.fromtimestamp(found[0].since, UTC) if found else None

    # -- restoring ---------------------------------------------------------------------------------------------

    def restore(self, backend: Any, asked: dict[str, Any]) -> Any:
        """RestoreDBClusterToPointInTime; refusals as AWS's."""
        source = self._aurora.database_of(
            backend.describe_db_clusters(db_cluster_identifier=asked["source_db_cluster_identifier"])[0]
        )
        assert source is not None, "clusters without a server are moto's"
        moment, latest = asked.get("restore_to_time"), asked.get("use_latest_restorable_time")
        if (moment is None) == (not latest):
            text = "Specify exactly one of RestoreToTime and UseLatestRestorableTime."
            raise refused("InvalidParameterCombination", text)
        until = _moment(moment).timestamp() if moment is not None else None
        base = self._base(source, until)
        wanted = {name: getattr(source.cluster, name) for name in AS_ITS_SOURCE}
        wanted["master_user_password"] = str(source.cluster._master_user_password)
        wanted["database_name"] = source.cluster.database_name
        left_out = {"source_db_cluster_identifier", "restore_to_time", "use_latest_restorable_time", "restore_type"}
        wanted |= {str(name): value for name, value in asked.items() if value is not None and name not in left_out}
        if not wanted["storage_encrypted"]:
            wanted.pop("kms_key_id")
        wanted = self._aurora.prepare(backend.region_name, wanted)
        cluster = make_cluster(backend, dict(wanted))
        self._aurora.created(cluster, wanted, lambda database: self._recovered(source, base, until))
        return cluster

    def _base(self, source: Database, until: float | None) -> Base:
        with self._lock:
            found = [each for each in self._bases.get(source.key, []) if until is None or each.since <= until]
        now = time.time()
        if not found or (until is not None and until > now):
            earliest = self.earliest(source.cluster)
            window = f"{earliest.isoformat()} to {datetime.fromtimestamp(now, UTC).isoformat()}" if earliest else "none"
            text = f"The specified time is outside of what can be restored of {source.arn} ({window})."
            raise refused("InvalidRestoreFault", text)
        return found[-1]

    def _recovered(self, source: Database, base: Base, until: float | None) -> Server:
        """A stopped server that holds what the source held at that moment."""
        self._archive_all(base)
        server = self._postgres.server_from(base.data)
        archive = base.server.folder / "wal"
        target = f"recovery_target_time = '{datetime.fromtimestamp(until, UTC).isoformat()}'\n" if until else ""
        conf = server.data / "postgresql.auto.conf"
        before = conf.read_text()
        recovering = f"restore_command = 'cp {archive}/%f %p'\n{target}recovery_target_action = 'promote'\n"
        conf.write_text(before + recovering)
        (server.data / "recovery.signal").touch()
        server.start()
        deadline = time.monotonic() + RECOVERED_SECONDS_MAX
        while server.is_in_recovery():
            if time.monotonic() > deadline or self.cloud.stopping.wait(LOOK_SECONDS / 10):
                raise ServerFailed(f"PostgreSQL in {server.data} did not come to {until} in {RECOVERED_SECONDS_MAX} s")
        server.stop(clean=True)
        conf.write_text(before)
        shutil.rmtree(server.folder / "wal", ignore_errors=True)
        return server

    def _archive_all(self, base: Base) -> None:
        """A transaction after everything, so that recovery finds something later than its moment, and its segment in
        the archive; of a server that does not run, what was archived is all there is."""
        if not base.server.is_running:
            return
        with contextlib.suppress(OperationalError):
            base.server.query(
                sql.SQL("SELECT pg_logical_emit_message(true, 'pilotlight', {})").format(sql.Literal(END))
            )
            name = base.server.query(sql.SQL("SELECT pg_walfile_name(pg_switch_wal())"))[0][0]
            deadline = time.monotonic() + ARCHIVED_SECONDS_MAX
            while not (base.server.folder / "wal" / str(name)).exists() and time.monotonic() < deadline:
                self.cloud.stopping.wait(LOOK_SECONDS / 10)

    def _replace(self) -> None:
        ours = self

        def to_point_in_time(self: Any, **kwargs: Any) -> Any:
            named = str(kwargs.get("source_db_cluster_identifier", ""))
            found = self.clusters.get(named.split(":")[-1])
            if found is None or ours._aurora.database_of(found) is None:
                return to_point_in_time_of_moto(self, **kwargs)
            return ours.restore(self, kwargs)

        override(models.RDSBackend, restore_db_cluster_to_point_in_time=to_point_in_time)
        override_properties(models.DBCluster, latest_restorable_time=lambda cluster: datetime.now(UTC))

        def earliest(cluster: Any) -> datetime | None:
            return ours.earliest(cluster)

        override(models.DBCluster, earliest_restorable_time=property(earliest, lambda cluster, given: None))


def _moment(told: datetime | str) -> datetime:
    found = datetime.fromisoformat(told.replace("Z", "+00:00")) if isinstance(told, str) else told
    return found if found.tzinfo else found.replace(tzinfo=UTC)
