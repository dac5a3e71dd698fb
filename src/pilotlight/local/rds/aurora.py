"""Aurora PostgreSQL clusters and global databases, on real PostgreSQL servers.

Source: RDS API Reference, "CreateDBCluster", "CreateGlobalCluster" and the operations beside them; Aurora User Guide,
"Using Amazon Aurora Global Database". moto keeps clusters and instances; this behaviour gives each cluster of engine
aurora-postgresql a server, an endpoint that is cut when its region is lost, and, in a global database, replication.
"""

from __future__ import annotations

import secrets
import threading
import traceback
from collections.abc import Callable
from typing import Any

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.kms.encryption_keys import find_key
from pilotlight.local.rds.aurora_api import replace_operations
from pilotlight.local.rds.aurora_database import AVAILABLE, Database, Role
from pilotlight.local.rds.aurora_global import GlobalDatabase, Globals, Member, check_secondary, check_target, refused
from pilotlight.local.rds.aurora_metrics import METRIC_SECONDS, Watch
from pilotlight.local.rds.aurora_moves import Moves, Stopping
from pilotlight.local.rds.postgres import Postgres
from pilotlight.local.rds.postgres_server import Server
from pilotlight.local.wire.tcp_proxy import Lines

LAG_SECONDS = 0.1
"""How long a change is under way to another region; AWS: "typically less than a second"."""

RETIRE_SECONDS_MAX = 60.0
"""How long a deleted cluster waits for its final snapshot."""

Asked = dict[str, Any]


class Aurora(Behaviour):
    """Keeps every cluster's server, and every global database."""

    name = "aurora"
    keep_old_state: Callable[[Database], None]
    """Makes the snapshot of a fenced writer; the behaviour that keeps snapshots sets it."""

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.postgres = cloud.behaviour(Postgres)
        self.lines = Lines()
        self.globals = Globals()
        self.moves = Moves(self)
        self.keep_old_state = lambda database: None
        self._databases: dict[str, Database] = {}
        self._lag_seconds = LAG_SECONDS
        self._watch = Watch(self)
        replace_operations(self)
        cloud.faults.on_dark(self._settle_region)

    def start(self) -> None:
        self.cloud.every(METRIC_SECONDS, self._watch.look, "aurora metrics")

    def lightened(self, region: str) -> None:
        """What was the writer and is not any more finds its way back before anything of it opens."""
        for one in self.globals:
            for member in one.members:
                if not member.is_synchronized:
                    self.moves.rejoin_later(one, member)
        self._settle_region(region)

    def stop(self) -> None:
        for database in self.databases:
            database.end()
        self.lines.end()

    def set_lag(self, seconds: float) -> None:
        """How long changes take to the other regions from now on."""
        self._lag_seconds = seconds

    @property
    def databases(self) -> list[Database]:
        """Every cluster that has or will have a server."""
        return list(self._databases.values())

    def database_of(self, cluster: Any) -> Database | None:
        """The one of moto's record."""
        return self._databases.get(str(cluster.db_cluster_resource_id))

    def by_arn(self, arn: str) -> Database:
        """Errors as AWS's."""
        found = next((each for each in self.databases if each.arn == arn), None)
        if found is None:
            raise refused("DBClusterNotFoundFault", f"DBCluster {arn} not found.")
        return found

    def work(self, name: str, act: Callable[[], None]) -> threading.Thread:
        """Do it in the background; what goes wrong is in the cloud's log."""

        def run() -> None:
            try:
                act()
            except Stopping:
                return
            except Exception:
                if not self.cloud.stopping.is_set():
                    self.cloud.log(f"{name}: {traceback.format_exc()}")

        thread = threading.Thread(target=run, name=f"aurora {name}", daemon=True)
        thread.start()
        return thread

    # -- clusters --------------------------------------------------------------------------------------------

    def prepare(self, region: str, asked: Asked) -> Asked:
        """What moto is asked for a new cluster; refusals as AWS's."""
        if asked.get("manage_master_user_password"):
            text = "ManageMasterUserPassword is not supported by the embedded cloud; give MasterUserPassword."
            raise refused("InvalidParameterCombination", text)
        if asked.get("replication_source_identifier"):
            text = "Aurora PostgreSQL replicates across Regions by global clusters, not by ReplicationSourceIdentifier."
            raise refused("InvalidParameterCombination", text)
        if asked["db_cluster_identifier"] in self.cloud.backend("rds", region).clusters:
            raise refused("DBClusterAlreadyExistsFault", "DB Cluster already exists")
        one = self._global_of(asked)
        if one and one.members:
            check_secondary(one, region, asked)
        version = one.engine_version if one else self._version(asked)
        return {**asked, "engine_version": version, **self._key(region, asked)}

    def created(self, cluster: Any, asked: Asked, fill: Callable[[Database], Server] | None = None) -> None:
        """Give a new cluster its server; `fill` makes one that holds data already (restore)."""
        one = self._global_of(asked)
        joins = one is not None and bool(one.members)
        database = self.manage(cluster, Role.READER if joins else Role.WRITER)
        if one is not None:
            self._join(one, database)
        if not joins:
            self.work("new cluster", lambda: self._begin_writer(database, asked, fill))

    def manage(self, cluster: Any, role: Role) -> Database:
        """Start to look after a cluster of moto's."""
        database = Database(self.cloud, self.lines, cluster, role, lambda: self._lag_seconds)
        cluster.port = database.endpoint.port
        self._databases[database.key] = database
        return database

    def retired(self, cluster: Any) -> None:
        """The cluster is deleted: end the server, once its final snapshot is taken."""
        database = self._databases.pop(str(cluster.db_cluster_resource_id), None)
        if database is not None:
            database.status = "deleting"
            database.paused = True
            database.settle()
            self.work("deletion", lambda: self._retire(database))

    def halt(self, database: Database) -> None:
        """StopDBCluster."""
        if self.globals.of(database) is not None:
            text = "Clusters of a global database cannot be stopped."
            raise refused("InvalidDBClusterStateFault", text)
        database.paused, database.status = True, "stopped"
        database.settle()
        database.running().stop(clean=True)

    def go_on(self, database: Database) -> None:
        """StartDBCluster."""
        database.running().start()
        database.paused = False
        database.settle()
        database.status = AVAILABLE

    # -- global databases ------------------------------------------------------------------------------------

    def create_global(self, asked: Asked) -> GlobalDatabase:
        """CreateGlobalCluster, empty or around an existing cluster."""
        source = self._source_of(asked)
        if source is None and not asked.get("engine"):
            text = "When creating standalone global cluster, value for engineName should be specified"
            raise refused("InvalidParameterValue", text)
        one = GlobalDatabase(
            identifier=str(asked["global_cluster_identifier"]).lower(),
            resource_id=f"cluster-{secrets.token_hex(8)}",
            account=self.cloud.account,
            engine=source.cluster.engine if source else str(asked["engine"]),
            engine_version=source.cluster.engine_version if source else self._version(asked),
            database_name=source.cluster.database_name if source else asked.get("database_name"),
            is_encrypted=bool(source.cluster.storage_encrypted if source else asked.get("storage_encrypted")),
            is_protected=bool(asked.get("deletion_protection")),
            tags=list(asked.get("tags") or ()),
        )
        self.globals.add(one)
        if source is not None:
            self._join(one, source)
        return one

    def move(self, asked: Asked, *, may_lose: bool) -> GlobalDatabase:
        """FailoverGlobalCluster and SwitchoverGlobalCluster: begin; Describe tells how far it is."""
        one = self.globals.get(str(asked["global_cluster_identifier"]))
        target = one.member(str(asked["target_db_cluster_identifier"]))
        check_target(one, target)
        if may_lose:
            self.moves.fail_over(one, target)
            return one
        if one.writer is None or self.cloud.is_dark(one.writer.region):
            text = f"The primary cluster of {one.identifier} cannot be reached; only AllowDataLoss goes on without it."
            raise refused("InvalidGlobalClusterStateFault", text)
        self.moves.switch_over(one, target)
        return one

    def detach(self, asked: Asked) -> GlobalDatabase:
        """RemoveFromGlobalCluster."""
        one = self.globals.get(str(asked["global_cluster_identifier"]))
        member = one.leaving(str(asked["db_cluster_identifier"]))
        if one.status != AVAILABLE:
            raise refused("InvalidGlobalClusterStateFault", f"Global cluster {one.identifier} is {one.status}.")
        if member.database is one.writer and one.secondaries:
            text = f"{member.database.arn} is the primary cluster; remove the secondary clusters first."
            raise refused("InvalidGlobalClusterStateFault", text)
        if self.cloud.is_dark(member.database.region) or not member.is_synchronized:
            text = f"{member.database.arn} cannot be reached or does not follow the primary cluster yet."
            raise refused("InvalidDBClusterStateFault", text)
        self.moves.detach(one, member)
        return one

    # -- in the background -----------------------------------------------------------------------------------

    def copy_through_line(self, database: Database) -> Server:
        """A new server that holds what the source holds and follows it; the distance costs no time here."""
        with database.hurrying():
            server = self.postgres.standby_of(database.line.port)
        server.call_it(database.key)
        return server

    def _begin_writer(self, database: Database, asked: Asked, fill: Callable[[Database], Server] | None) -> None:
        server = fill(database) if fill else self.postgres.new_server()
        server.call_it(database.key)
        server.start()
        database.server = server
        if fill is None:
            user, password = str(asked["master_username"]), str(asked["master_user_password"])
            database.make_users(user, password, asked.get("database_name"))
        self._ready(database)

    def _ready(self, database: Database) -> None:
        """Open it, and what follows it, before anybody is told that it is available."""
        for each in self.databases:
            if each is database or each.source is database:
                each.settle()
        database.status = AVAILABLE

    def _retire(self, database: Database) -> None:
        for backup in list(database.backups):
            backup.join(RETIRE_SECONDS_MAX)
        database.end()
        if database.server is not None:
            self.postgres.discard(database.server)

    # -- what belongs together -------------------------------------------------------------------------------

    def _join(self, one: GlobalDatabase, database: Database) -> None:
        """The first to join is the writer, every other one a copy of it."""
        database.cluster.global_cluster_identifier = one.identifier
        if not one.members:
            one.members, one.writer = [Member(database)], database
            one.database_name = one.database_name or database.cluster.database_name
            return
        if one.writer is not None:
            _inherit(database.cluster, one.writer.cluster)
        member = Member(database, is_synchronized=False)
        one.members.append(member)
        self.moves.rejoin_later(one, member)

    def _global_of(self, asked: Asked) -> GlobalDatabase | None:
        named = asked.get("global_cluster_identifier")
        return self.globals.get(str(named)) if named else None

    def _source_of(self, asked: Asked) -> Database | None:
        named = asked.get("source_db_cluster_identifier")
        if not named:
            return None
        if asked.get("engine"):
            text = "The engine of a global cluster is that of its source cluster, so it cannot be specified."
            raise refused("InvalidParameterCombination", text)
        database = self.by_arn(str(named))
        if self.globals.of(database) is not None:
            raise refused("InvalidDBClusterStateFault", f"{named} is part of a global cluster already.")
        if database.status != AVAILABLE or self.cloud.is_dark(database.region):
            raise refused("InvalidDBClusterStateFault", f"{named} is not available.")
        return database

    def _version(self, asked: Asked) -> str:
        return str(asked.get("engine_version") or self.postgres.version)

    def _key(self, region: str, asked: Asked) -> Asked:
        """RDS keeps the key's ARN, however it was named."""
        if not asked.get("kms_key_id"):
            return {}
        key = find_key(self.cloud, region, str(asked["kms_key_id"]))
        if key is None:
            text = f"The specified KMS key [{asked['kms_key_id']}] does not exist or is not enabled."
            raise refused("KMSKeyNotAccessibleFault", text)
        return {"kms_key_id": key.arn}

    def _settle_region(self, region: str) -> None:
        for database in self.databases:
            if database.region == region or (database.source and database.source.region == region):
                database.settle()


def _inherit(secondary: Any, writer: Any) -> None:
    """What a secondary says of itself that is in the data: the master user and the first database."""
    secondary.master_username = writer.master_username
    secondary.database_name = writer.database_name
    secondary._master_user_password = writer._master_user_password
