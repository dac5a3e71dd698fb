"""One Aurora cluster: moto's record of it, the PostgreSQL server that holds its data, and the port that leads there.

Source: Aurora User Guide, "Amazon Aurora DB clusters" and "Using Amazon Aurora Global Database". The storage of a
cluster exists without instances (a "headless" secondary goes on replicating), but only an instance can be connected to.
A secondary follows through a line of its own, which is cut when either of the two regions is lost.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from psycopg import sql

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.rds.postgres_server import Server
from pilotlight.local.wire.tcp_proxy import Lines, TcpProxy

AVAILABLE = "available"
LOOKS_MAX = 5


class Role(Enum):
    """What a cluster's server may do."""

    WRITER = "writer"
    READER = "reader"
    FENCED = "fenced"
    """It was a writer and is not any more, whatever it believes itself: nothing may reach it."""


class Database:
    """A cluster with a real server. `settle` makes what can be reached agree with what is so."""

    def __init__(self, cloud: Cloud, lines: Lines, cluster: Any, role: Role, lag: Callable[[], float]) -> None:
        self.cloud = cloud
        self.cluster = cluster
        self.region = str(cluster.region)
        self.role = role
        self.status = "creating"
        self.server: Server | None = None
        self.source: Database | None = None
        self.paused = False
        self._is_hurrying = False
        self.backups: list[threading.Thread] = []
        self.endpoint = TcpProxy(lines, self._is_light)
        self.line = TcpProxy(lines, self._is_joined, lambda: 0.0 if self._is_hurrying else lag())
        self._lock = threading.RLock()

    @property
    def arn(self) -> str:
        """The cluster's ARN."""
        return str(self.cluster.db_cluster_arn)

    @property
    def key(self) -> str:
        """The cluster's resource id, which a change of its name leaves alone."""
        return str(self.cluster.db_cluster_resource_id)

    @property
    def instances(self) -> list[Any]:
        """moto's records of its instances; another thread may be adding one while we look."""
        for _ in range(LOOKS_MAX):
            with contextlib.suppress(RuntimeError):
                return list(self.cluster._members)
        return []

    @property
    def is_serving(self) -> bool:
        """Whether the server runs and may be reached."""
        runs = self.server is not None and self.server.is_running
        return runs and self.role is not Role.FENCED and not self.paused

    def running(self) -> Server:
        """The server; an error where there is none yet."""
        if self.server is None:
            raise RuntimeError(f"{self.arn} has no server yet")
        return self.server

    def settle(self) -> None:
        """Open or close the endpoint and the line to the source, and say whether instances are available."""
        with self._lock:
            for instance in self.instances:
                instance.status = AVAILABLE if self.is_serving else "creating"
            if self.is_serving and self.instances and self._is_light():
                self.endpoint.open(self.running().port)
            else:
                self.endpoint.close()
            source = self.source.server if self.source else None
            if source is not None and source.is_running and self._is_joined():
                self.line.open(source.port)
            else:
                self.line.close()

    def follow(self, source: Database | None) -> None:
        """Take changes from this cluster's server, or from nobody; the server has to be started again for it."""
        self.source = source
        self.cluster.replication_source_identifier = source.arn if source else None
        self.settle()

    def fence(self) -> None:
        """Nothing reaches it from now on, and nothing it does reaches anybody."""
        self.role = Role.FENCED
        self.follow(None)

    @contextlib.contextmanager
    def hurrying(self) -> Iterator[None]:
        """Let the line be as short as loopback while much goes to and fro on it."""
        self._is_hurrying = True
        try:
            yield
        finally:
            self._is_hurrying = False

    def end(self) -> None:
        """Give its ports back."""
        self.endpoint.end()
        self.line.end()

    def make_users(self, user: str, password: str, name: str | None) -> None:
        """What CreateDBCluster leaves in a new cluster: the master user and, if asked for, a database of theirs."""
        server, role = self.running(), sql.Identifier(user)
        server.query(sql.SQL("CREATE ROLE rds_superuser NOLOGIN ROLE {}").format(sql.Identifier("rdsadmin")))
        for power in ("pg_monitor", "pg_signal_backend", "pg_checkpoint"):
            server.query(sql.SQL("GRANT {} TO rds_superuser").format(sql.Identifier(power)))
        create = sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {} IN ROLE rds_superuser")
        server.query(create.format(role, sql.Literal(password)))
        if name:
            server.query(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), role))

    def set_password(self, user: str, password: str) -> None:
        """Change the master user's password."""
        change = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(password))
        self.running().query(change)

    def _is_light(self) -> bool:
        return not self.cloud.is_dark(self.region)

    def _is_joined(self) -> bool:
        source = self.source
        return source is not None and self._is_light() and not self.cloud.is_dark(source.region)
