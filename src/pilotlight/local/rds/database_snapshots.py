"""Snapshots of Aurora clusters that hold their data: taken, copied to other regions, restored, deleted.

Source: Aurora User Guide, "Creating a DB cluster snapshot", "DB cluster snapshot copying", "Restoring from a DB cluster
snapshot"; RDS API Reference, "CopyDBClusterSnapshot". A snapshot is a base backup in a folder. Taking and copying takes
AWS's time at the cloud's pace; it stands still while a region it needs is lost.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.rds import models

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.kms.encryption_keys import find_key
from pilotlight.local.overrides import original, override
from pilotlight.local.rds.aurora import Aurora
from pilotlight.local.rds.aurora_api import make_cluster
from pilotlight.local.rds.aurora_database import AVAILABLE, Database
from pilotlight.local.rds.aurora_global import refused
from pilotlight.local.rds.postgres import Postgres
from pilotlight.local.rds.postgres_server import Server

RDSBackend: Any = models.RDSBackend

TAKING_SECONDS = 15.0
"""AWS seconds of the smallest snapshot; the first bytes take longest."""

COPYING_SECONDS = 60.0
COPYING_BYTES_PER_SECOND = 100 * 1024 * 1024
"""AWS's time of a copy to another region: a minute, and more with size."""

LOOK_SECONDS = 0.05

_create = original(RDSBackend, "create_db_cluster_snapshot")
_copy = original(RDSBackend, "copy_db_cluster_snapshot")
_delete = original(RDSBackend, "delete_db_cluster_snapshot")
_restore = original(RDSBackend, "restore_db_cluster_from_snapshot")

FROM_SNAPSHOT = ("engine", "engine_version", "storage_encrypted", "kms_key_id", "master_username", "engine_mode")
"""What a restored cluster takes from the one that was snapshotted, unless the caller says otherwise."""


class Snapshot:
    """The data of one snapshot, with what its record does not keep."""

    def __init__(self, record: Any, region: str) -> None:
        self.record = record
        self.region = region
        self.data: Path | None = None
        self.password = str(getattr(record.cluster, "_master_user_password", "") or "")
        self.is_deleted = False


class DatabaseSnapshots(Behaviour):
    """Keeps the data of every snapshot of an Aurora cluster."""

    name = "database snapshots"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._postgres = cloud.behaviour(Postgres)
        self._aurora = cloud.behaviour(Aurora)
        self._aurora.keep_old_state = self.keep_old_state
        self._snapshots: dict[tuple[str, str], Snapshot] = {}
        self._lock = threading.Lock()
        _replace_operations(self)

    # -- taking ----------------------------------------------------------------------------------------------

    def take(self, record: Any, cluster: Any) -> None:
        """Fill the snapshot that moto has just recorded of a cluster, if that has a server."""
        database = self._aurora.database_of(cluster)
        if database is None:
            return
        if database.status != AVAILABLE:
            self.cloud.backend("rds", database.region).cluster_snapshots.pop(record.db_cluster_snapshot_identifier)
            text = f"DB cluster {database.cluster.db_cluster_identifier} is {database.status}, not available."
            raise refused("InvalidDBClusterStateFault", text)
        snapshot = self._keep(record, database.region)
        backup = self._aurora.work("snapshot", lambda: self._take(snapshot, database))
        database.backups.append(backup)

    def _take(self, snapshot: Snapshot, database: Database) -> None:
        folder = self._postgres.fresh_folder("snapshots")

        def fill() -> None:
            self._postgres.back_up(database.running().port, folder)

        self._fill(snapshot, fill, folder, TAKING_SECONDS, [snapshot.region])

    def keep_old_state(self, database: Database) -> None:
        """What a fenced writer held, as the failover's own snapshot; its server is stopped."""
        moment = datetime.now(UTC).strftime("%Y-%m-%d-%H-%M-%S")
        name = f"rds:unplanned-global-failover-{database.cluster.db_cluster_identifier}-{moment}"
        backend = self.cloud.backend("rds", database.region)
        record = _create(backend, database.cluster.db_cluster_identifier, name, "automated")
        snapshot = self._keep(record, database.region)
        folder = self._postgres.fresh_folder("snapshots")
        self._postgres.copy_folder(database.running().data, folder)
        self._finish(snapshot, folder)

    # -- copying ---------------------------------------------------------------------------------------------

    def source_of_copy(self, region: str, asked: dict[str, Any]) -> Snapshot | None:
        """The snapshot with data that a copy begins from; refusals as AWS's."""
        named = str(asked["source_db_cluster_snapshot_identifier"])
        home = named.split(":")[3] if named.startswith("arn:") else region
        found = self._find(home, named)
        if found is None:
            return None
        if self.cloud.is_dark(home):
            raise refused("InvalidDBClusterSnapshotStateFault", f"The Region {home} of {named} does not answer.")
        if found.record.status != AVAILABLE:
            text = f"{named} is {found.record.status}, not available."
            raise refused("InvalidDBClusterSnapshotStateFault", text)
        key = asked.get("kms_key_id")
        if home != region and found.record.storage_encrypted and not key:
            text = "For an encrypted snapshot copied to another Region, KmsKeyId must name a key of that Region."
            raise refused("InvalidParameterCombination", text)
        if key and find_key(self.cloud, region, str(key)) is None:
            raise refused("KMSKeyNotAccessibleFault", f"The KMS key {key} cannot be used in {region}.")
        return found

    def copied(self, record: Any, source: Snapshot, region: str) -> None:
        """Fill the copy that moto has just recorded."""
        snapshot = self._keep(record, region)
        snapshot.password = source.password
        self._aurora.work("snapshot copy", lambda: self._copy(snapshot, source))

    def _copy(self, snapshot: Snapshot, source: Snapshot) -> None:
        folder = self._postgres.fresh_folder("snapshots")
        data = self._data(source)
        seconds = COPYING_SECONDS + _size_bytes(data) / COPYING_BYTES_PER_SECOND
        regions = [source.region, snapshot.region]
        self._fill(snapshot, lambda: self._postgres.copy_folder(data, folder), folder, seconds, regions)

    # -- restoring and deleting ------------------------------------------------------------------------------

    def restore(self, backend: Any, named: str, overrides: dict[str, Any]) -> Any:
        """RestoreDBClusterFromSnapshot of a snapshot with data."""
        snapshot = self._find(backend.region_name, named)
        if snapshot is None:
            return _restore(backend, named, overrides)
        if snapshot.record.status != AVAILABLE:
            raise refused("InvalidDBClusterSnapshotStateFault", f"{named} is {snapshot.record.status}, not available.")
        asked = {name: getattr(snapshot.record.cluster, name) for name in FROM_SNAPSHOT}
        asked |= {"master_user_password": snapshot.password, "kms_key_id": snapshot.record.kms_key_id}
        asked["storage_encrypted"] = snapshot.record.storage_encrypted
        asked |= {str(name): value for name, value in overrides.items() if value is not None}
        if not asked["storage_encrypted"]:
            asked.pop("kms_key_id")
        asked = self._aurora.prepare(backend.region_name, asked)
        cluster = make_cluster(backend, dict(asked))
        self._aurora.created(cluster, asked, lambda database: self._server(snapshot))
        return cluster

    def forget(self, region: str, named: str) -> None:
        """The snapshot is deleted."""
        with self._lock:
            snapshot = self._snapshots.pop((region, named.lower()), None)
        if snapshot is not None:
            snapshot.is_deleted = True
            if snapshot.data is not None:
                shutil.rmtree(snapshot.data.parent, ignore_errors=True)

    def _server(self, snapshot: Snapshot) -> Server:
        return self._postgres.server_from(self._data(snapshot))

    # -- the data --------------------------------------------------------------------------------------------

    def _keep(self, record: Any, region: str) -> Snapshot:
        snapshot = Snapshot(record, region)
        record.status, record.percent_progress = "creating", 0
        with self._lock:
            self._snapshots[region, str(record.db_cluster_snapshot_identifier)] = snapshot
        return snapshot

    def _find(self, region: str, named: str) -> Snapshot | None:
        name = named.split(":", 6)[-1] if named.startswith("arn:") else named
        with self._lock:
            return self._snapshots.get((region, name.lower()))

    def _fill(
        self, snapshot: Snapshot, fill: Callable[[], None], folder: Path, aws_seconds: float, regions: list[str]
    ) -> None:
        try:
            fill()
        except Exception:
            snapshot.record.status = "failed"
            raise
        if self._pass(snapshot, self.cloud.real_seconds(aws_seconds), regions):
            self._finish(snapshot, folder)

    def _pass(self, snapshot: Snapshot, seconds: float, regions: list[str]) -> bool:
        """Let this much time pass in which every region is there; False if the cloud stops first."""
        left, before = seconds, time.monotonic()
        while left > 0:
            if self.cloud.stopping.wait(min(LOOK_SECONDS, left)):
                return False
            now = time.monotonic()
            if not any(self.cloud.is_dark(region) for region in regions):
                left -= now - before
            before = now
            snapshot.record.percent_progress = min(99, int(100 * (1 - left / seconds)))
        return True

    def _finish(self, snapshot: Snapshot, folder: Path) -> None:
        if snapshot.is_deleted:
            shutil.rmtree(folder.parent, ignore_errors=True)
            return
        snapshot.data = folder
        snapshot.record.percent_progress, snapshot.record.status = 100, AVAILABLE

    def _data(self, snapshot: Snapshot) -> Path:
        if snapshot.data is None:
            raise RuntimeError(f"{snapshot.record.db_cluster_snapshot_identifier} holds no data")
        return snapshot.data


def _size_bytes(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def _replace_operations(snapshots: DatabaseSnapshots) -> None:
    def create(self: Any, *args: Any, **kwargs: Any) -> Any:
        record = _create(self, *args, **kwargs)
        snapshots.take(record, self.clusters[record.db_cluster_identifier])
        return record

    def copy(self: Any, **kwargs: Any) -> Any:
        source = snapshots.source_of_copy(self.region_name, kwargs)
        record = _copy(self, **kwargs)
        if source is not None:
            snapshots.copied(record, source, self.region_name)
        return record

    def delete(self: Any, db_snapshot_identifier: str) -> Any:
        record = _delete(self, db_snapshot_identifier)
        snapshots.forget(self.region_name, db_snapshot_identifier)
        record.status = "deleted"
        return record

    def restore(self: Any, from_snapshot_id: str, overrides: Any) -> Any:
        return snapshots.restore(self, from_snapshot_id, dict(overrides))

    override(RDSBackend, create_db_cluster_snapshot=create)
    override(RDSBackend, copy_db_cluster_snapshot=copy)
    override(RDSBackend, delete_db_cluster_snapshot=delete)
    override(RDSBackend, restore_db_cluster_from_snapshot=restore)
