"""One PostgreSQL server process: start, stop, follow another, promote, ask.

Source: PostgreSQL documentation, "Shutting Down the Server" (SIGINT is a clean end that first hands a standby all that
was written, SIGQUIT an immediate one), "Hot Standby" and "pg_promote". Server processes are not frozen with their
region: nothing reaches them there anyway, and a frozen one could not be ended cleanly with the cloud.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from pilotlight.local.wire.tcp_proxy import LOOPBACK, free_port

if TYPE_CHECKING:
    from pilotlight.local.rds.postgres import Postgres

SUPERUSER = "rdsadmin"
"""AWS's own administrator has this name in every RDS database; its password never leaves the cloud."""

UNFROZEN = ""
"""The region of processes that no loss freezes."""

START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 30.0
PROMOTE_SECONDS_MAX = 60
CONNECT_SECONDS_MAX = 10
LOOK_SECONDS = 0.01
PORT_TRIES_MAX = 5
"""A free port may be taken by somebody else before PostgreSQL binds it; five in a row are not bad luck."""

READY = ("ready", "standby")


class ServerFailed(Exception):
    """The server did not start or stop; the message is the end of its log."""


class Server:
    """A data folder and, when started, the process that serves it on a loopback port."""

    def __init__(self, postgres: Postgres, data: Path) -> None:
        self._postgres = postgres
        self.data = data
        self.folder = data.parent
        self.log = self.folder / "server.log"
        self.port = 0
        self._source_port: int | None = None
        self._name = "standby"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def follow(self, port: int | None) -> None:
        """From the next start on: follow the server at this port, or, with None, take writes."""
        self._source_port = port
        mark = self.data / "standby.signal"
        if port is None:
            mark.unlink(missing_ok=True)
        else:
            mark.touch()

    def call_it(self, name: str) -> None:
        """The name under which the server that it follows lists it (application_name)."""
        self._name = name

    def start(self) -> None:
        """Start and wait until it answers; it keeps its port if that is still free."""
        for _ in range(PORT_TRIES_MAX):
            self.port = self.port or free_port()
            self._launch()
            if self._becomes_ready():
                return
            self.stop(clean=False)
            if "could not bind" not in self._said():
                break
            self.port = 0
        raise ServerFailed(f"PostgreSQL in {self.data} did not start: {self._said()}")

    def stop(self, clean: bool = True) -> None:
        """End it: cleanly, so that a standby has everything, or at once."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT if clean else signal.SIGQUIT)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._postgres.cloud.processes.kill(process)
        self._process = None

    def promote(self) -> None:
        """Replay what has arrived, then take writes."""
        ask = sql.SQL("SELECT pg_promote(true, {})").format(PROMOTE_SECONDS_MAX)
        if not self.query(ask)[0][0]:
            raise ServerFailed(f"PostgreSQL in {self.data} was not promoted in {PROMOTE_SECONDS_MAX} s: {self._said()}")
        self._source_port = None

    def is_in_recovery(self) -> bool:
        """Whether it only follows."""
        return bool(self.query(sql.SQL("SELECT pg_is_in_recovery()"))[0][0])

    def query(self, statement: sql.SQL | sql.Composed, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Rows of a statement, run by AWS's administrator; statements without rows give none."""
        with self._connect(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def lacks_history(self) -> bool:
        """Whether it waits for history that the server it follows has thrown away."""
        return "has already been removed" in self._said()

    def _connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            user=SUPERUSER,
            password=self._postgres.password,
            dbname=database,
            connect_timeout=CONNECT_SECONDS_MAX,
            autocommit=True,
        )

    def _launch(self) -> None:
        settings = {"port": str(self.port)}
        if self._source_port is not None:
            settings["primary_conninfo"] = (
                f"host={LOOPBACK} port={self._source_port} user={SUPERUSER} application_name={self._name}"
            )
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("wb") as log:
            self._process = self._postgres.cloud.spawn(
                [self._postgres.programs / "postgres", "-D", self.data, *arguments],
                self._postgres.environment,
                UNFROZEN,
                cwd=self._postgres.home,
                stdout=log,
                user=self._postgres.user,
            )

    def _becomes_ready(self) -> bool:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self.is_running:
            if self._state() in READY:
                return True
            time.sleep(LOOK_SECONDS)
        return False

    def _state(self) -> str:
        """The last line of postmaster.pid ("ready", "standby"), if this process wrote it."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return ""
        own = self._process is not None and lines[:1] == [str(self._process.pid)]
        return lines[7].strip() if own and len(lines) > 7 else ""

    def _said(self) -> str:
        try:
            return self.log.read_text(errors="replace")[-4000:]
        except OSError:
            return ""
