"""Where Aurora clusters and moto meet: each operation of moto's that has to do more, and those that moto lacks.

Source: RDS API Reference. moto goes on to check and keep what callers give; it is asked first, then the server follows.
Clusters of other engines stay moto's alone. Each operation is named as moto dispatches it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.rds import models, responses

from pilotlight.local.kms.encryption_keys import managed_key
from pilotlight.local.overrides import original, override
from pilotlight.local.rds import aurora_offers
from pilotlight.local.rds.aurora_database import Role
from pilotlight.local.rds.aurora_global import GlobalDatabase, refused
from pilotlight.local.wire.tcp_proxy import LOOPBACK

if TYPE_CHECKING:
    from pilotlight.local.rds.aurora import Aurora

RDSBackend: Any = models.RDSBackend
DBCluster: Any = models.DBCluster
DBInstanceClustered: Any = models.DBInstanceClustered
RDSResponse: Any = responses.RDSResponse

ENGINE = "aurora-postgresql"

_create_cluster = original(RDSBackend, "create_db_cluster")
_modify_cluster = original(RDSBackend, "modify_db_cluster")
_delete_cluster = original(RDSBackend, "delete_db_cluster")
_start_cluster = original(RDSBackend, "start_db_cluster")
_stop_cluster = original(RDSBackend, "stop_db_cluster")
_create_instance = original(RDSBackend, "create_db_instance")
_delete_instance = original(RDSBackend, "delete_db_instance")
to_point_in_time_of_moto = original(RDSBackend, "restore_db_cluster_to_point_in_time")
_modify_subnet_group = original(RDSBackend, "modify_db_subnet_group")
_automated_backup = original(DBCluster, "save_automated_backup")
_instance_backup = original(DBInstanceClustered, "save_automated_backup")
_status = original(DBCluster, "status")
_endpoint = original(DBCluster, "endpoint")
_reader_endpoint = original(DBCluster, "reader_endpoint")
_instance_endpoint = original(DBInstanceClustered, "endpoint")
NO_KEY = "default_kms_key_id"
"""What moto says where no key was named."""
_scaling = original(DBCluster, "scaling_configuration_info")


def make_cluster(backend: Any, asked: dict[str, Any]) -> Any:
    """moto's own CreateDBCluster: the record alone."""
    return _create_cluster(backend, asked)


def replace_operations(aurora: Aurora) -> None:
    """Make this the Aurora that moto's API leads to."""
    _replace_clusters(aurora)
    _replace_instances(aurora)
    _replace_records(aurora)
    _replace_globals(aurora)
    aurora_offers.install()


def _replace_clusters(aurora: Aurora) -> None:
    def create(self: Any, kwargs: Any) -> Any:
        asked = {str(name): value for name, value in kwargs.items()}
        if asked.get("engine") != ENGINE:
            return _create_cluster(self, kwargs)
        asked = aurora.prepare(self.region_name, asked)
        cluster = _create_cluster(self, dict(asked))
        aurora.created(cluster, asked)
        return cluster

    def modify(self: Any, kwargs: Any) -> Any:
        database = _database(aurora, self, str(kwargs["db_cluster_identifier"]))
        if database is None:
            return _modify_cluster(self, kwargs)
        password, status = kwargs.get("master_user_password"), database.status
        if password and database.role is not Role.WRITER:
            text = "The master password of a secondary cluster is that of the primary cluster."
            raise refused("InvalidDBClusterStateFault", text)
        told = _modify_cluster(self, kwargs)
        if password:
            database.set_password(str(database.cluster.master_username), str(password))
        database.status = status
        return told

    def delete(self: Any, cluster_identifier: str, snapshot_name: str | None = None) -> Any:
        database = _database(aurora, self, cluster_identifier)
        if database is not None and aurora.globals.of(database) is not None:
            text = "This cluster is a part of a global cluster, please remove it from globalcluster first"
            raise refused("InvalidDBClusterStateFault", text)
        cluster = _delete_cluster(self, cluster_identifier, snapshot_name)
        aurora.retired(cluster)
        return cluster

    def stop(self: Any, cluster_identifier: str) -> Any:
        database = _database(aurora, self, cluster_identifier)
        if database is None:
            return _stop_cluster(self, cluster_identifier)
        _require(database.status == "available", cluster_identifier, database.status, "available")
        aurora.halt(database)
        return database.cluster

    def start(self: Any, cluster_identifier: str) -> Any:
        database = _database(aurora, self, cluster_identifier)
        if database is None:
            return _start_cluster(self, cluster_identifier)
        _require(database.status == "stopped", cluster_identifier, database.status, "stopped")
        aurora.go_on(database)
        return database.cluster

    def modify_subnet_group(self: Any, subnet_name: str, description: str, subnets: Any) -> Any:
        """moto's own forgets the group that it changes."""
        changed = _modify_subnet_group(self, subnet_name, description, subnets)
        self.subnet_groups[subnet_name] = changed
        return changed

    override(RDSBackend, modify_db_subnet_group=modify_subnet_group)
    override(RDSBackend, create_db_cluster=create)
    override(RDSBackend, modify_db_cluster=modify)
    override(RDSBackend, delete_db_cluster=delete)
    override(RDSBackend, stop_db_cluster=stop)
    override(RDSBackend, start_db_cluster=start)


def _replace_instances(aurora: Aurora) -> None:
    def create(self: Any, db_kwargs: Any) -> Any:
        instance = _create_instance(self, db_kwargs)
        _settle(aurora, instance)
        return instance

    def delete(self: Any, *args: Any, **kwargs: Any) -> Any:
        instance = _delete_instance(self, *args, **kwargs)
        _settle(aurora, instance)
        return instance

    override(RDSBackend, create_db_instance=create)
    override(RDSBackend, delete_db_instance=delete)


def _replace_records(aurora: Aurora) -> None:
    """What moto's records say of themselves: status, endpoints, no automated snapshot without data, and of scaling
    only where there is some (RDS API Reference, "ScalingConfigurationInfo": for DB clusters in serverless mode)."""

    def status(self: Any) -> Any:
        database = aurora.database_of(self)
        return database.status if database else _status.fget(self)

    def endpoint(self: Any) -> Any:
        return LOOPBACK if aurora.database_of(self) else _endpoint.fget(self)

    def reader_endpoint(self: Any) -> Any:
        return LOOPBACK if aurora.database_of(self) else _reader_endpoint.fget(self)

    def instance_endpoint(self: Any) -> Any:
        database = aurora.database_of(self.cluster)
        told = _instance_endpoint.fget(self)
        return told | {"Address": LOOPBACK, "Port": database.endpoint.port} if database else told

    def scaling(self: Any) -> Any:
        return _scaling.fget(self) if self.scaling_configuration else None

    def cluster_backup(self: Any) -> None:
        if self.engine != ENGINE:
            _automated_backup(self)

    def instance_backup(self: Any) -> None:
        if self.engine != ENGINE:
            _instance_backup(self)

    def kms_key_id(self: Any) -> Any:
        """Of a cluster that names none, RDS's own; moto tells a word that is no key."""
        if self.kms_key_given != NO_KEY:
            return self.kms_key_given
        return managed_key(aurora.cloud, self.region, "rds") if self.storage_encrypted else None

    def keep_key_id(self: Any, value: Any) -> None:
        self.kms_key_given = value

    override(DBCluster, kms_key_id=property(kms_key_id, keep_key_id))
    override(DBCluster, status=property(status, _status.fset))
    override(DBCluster, endpoint=property(endpoint))
    override(DBCluster, reader_endpoint=property(reader_endpoint))
    override(DBCluster, scaling_configuration_info=property(scaling))
    override(DBCluster, save_automated_backup=cluster_backup)
    override(DBInstanceClustered, endpoint=property(instance_endpoint))
    override(DBInstanceClustered, save_automated_backup=instance_backup)


def _replace_globals(aurora: Aurora) -> None:
    def operation(act: Callable[[dict[str, Any]], GlobalDatabase]) -> Callable[[Any], ActionResult]:
        def answer(self: Any) -> ActionResult:
            asked = {str(name): value for name, value in self.params.items()}
            return ActionResult({"GlobalCluster": act(asked).described()})

        return answer

    def describe(self: Any) -> ActionResult:
        named = self.params.get("GlobalClusterIdentifier")
        found = [aurora.globals.get(str(named))] if named else list(aurora.globals)
        return ActionResult({"GlobalClusters": [one.described() for one in found]})

    def fail_over(asked: dict[str, Any]) -> GlobalDatabase:
        if asked.get("allow_data_loss") and asked.get("switchover"):
            text = "AllowDataLoss and Switchover cannot be specified together."
            raise refused("InvalidParameterCombination", text)
        return aurora.move(asked, may_lose=bool(asked.get("allow_data_loss")))

    override(RDSResponse, describe_global_clusters=describe)
    override(RDSResponse, create_global_cluster=operation(aurora.create_global))
    override(RDSResponse, delete_global_cluster=operation(lambda asked: _delete_global(aurora, asked)))
    override(RDSResponse, modify_global_cluster=operation(lambda asked: _modify_global(aurora, asked)))
    override(RDSResponse, remove_from_global_cluster=operation(aurora.detach))
    override(RDSResponse, failover_global_cluster=operation(fail_over))
    override(RDSResponse, switchover_global_cluster=operation(lambda asked: aurora.move(asked, may_lose=False)))


def _delete_global(aurora: Aurora, asked: dict[str, Any]) -> GlobalDatabase:
    one = aurora.globals.get(str(asked["global_cluster_identifier"]))
    aurora.globals.remove(one)
    one.status = "deleting"
    return one


def _modify_global(aurora: Aurora, asked: dict[str, Any]) -> GlobalDatabase:
    one = aurora.globals.get(str(asked["global_cluster_identifier"]))
    if asked.get("engine_version") not in (None, one.engine_version):
        raise refused("InvalidParameterCombination", "The embedded cloud does not upgrade global clusters.")
    if asked.get("deletion_protection") is not None:
        one.is_protected = bool(asked["deletion_protection"])
    if asked.get("new_global_cluster_identifier"):
        aurora.globals.rename(one, str(asked["new_global_cluster_identifier"]))
    return one


def _database(aurora: Aurora, backend: Any, named: str) -> Any:
    cluster = backend.clusters.get(named.rsplit(":", 1)[-1])
    return aurora.database_of(cluster) if cluster is not None else None


def _settle(aurora: Aurora, instance: Any) -> None:
    cluster = getattr(instance, "cluster", None)
    database = aurora.database_of(cluster) if cluster is not None else None
    if database is not None:
        database.settle()


def _require(holds: bool, named: str, status: str, wanted: str) -> None:
    if not holds:
        text = f"DbCluster {named} is in {status} state but expected it to be one of {wanted}."
        raise refused("InvalidDBClusterStateFault", text)
