"""PostgreSQL itself: it starts anywhere, quickly, as nobody in particular, and leaves nothing behind.

A database that does not start on a person's machine ends the rehearsal there; one that stays behind fills the disk.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.rds import postgres as postgres_module
from pilotlight.local.rds.postgres import Postgres, ToolFailed
from pilotlight.local.rds.postgres_server import Server
from pilotlight.local.wire.tcp_proxy import free_port
from pilotlight.runtime.errors import PostgresMissing
from support.data_cloud import databases, eventually, running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("a cloud with spaces"), databases()) as started:
        yield started


@pytest.fixture(scope="module")
def postgres(cloud: Cloud) -> Postgres:
    return cloud.behaviour(Postgres)


def ask(server: Server, statement: str) -> list[tuple[object, ...]]:
    return server.query(sql.SQL(statement))


def with_rows(server: Server, *rows: int) -> Server:
    ask(server, "CREATE TABLE IF NOT EXISTS rows (n int)")
    for row in rows:
        ask(server, f"INSERT INTO rows VALUES ({row})")
    return server


def rows(server: Server) -> list[object]:
    return [row[0] for row in ask(server, "SELECT n FROM rows ORDER BY n")]


def started(postgres: Postgres) -> Server:
    server = postgres.new_server()
    server.start()
    return server


def test_a_server_is_there_and_of_the_version_it_says(postgres: Postgres) -> None:
    server = started(postgres)
    assert ask(server, "SHOW server_version_num")[0][0] >= "160000"  # type: ignore[operator]
    assert postgres.version.startswith("16.")
    postgres.discard(server)
    assert not server.folder.exists()


def test_no_part_of_it_runs_as_root(postgres: Postgres) -> None:
    server = started(postgres)
    process = server._process
    assert process is not None
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
    assert len(family) > 3
    assert {each.uids().effective for each in family} & {0} == set()
    postgres.discard(server)


def test_nobody_enters_without_the_password(postgres: Postgres) -> None:
    server = started(postgres)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host="127.0.0.1", port=server.port, user="rdsadmin", password="wrong", dbname="postgres")
    secret = postgres.home / "pgpass"
    assert secret.stat().st_mode & 0o077 == 0
    commands = [" ".join(each.cmdline()) for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"]]
    assert not [command for command in commands if postgres.password in command]
    postgres.discard(server)


def test_a_port_that_somebody_else_took_is_not_fought_over(postgres: Postgres) -> None:
    server = postgres.new_server()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server.port = other.getsockname()[1]
        server.start()
        assert server.port != other.getsockname()[1]
    postgres.discard(server)


def test_a_standby_has_the_rows_and_follows_and_takes_no_writes(postgres: Postgres) -> None:
    first = with_rows(started(postgres), 1)
    standby = postgres.standby_of(first.port)
    standby.start()
    assert standby.is_in_recovery()
    with_rows(first, 2)
    assert eventually(lambda: rows(standby) == [1, 2])
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        ask(standby, "INSERT INTO rows VALUES (9)")
    standby.promote()
    with_rows(standby, 3)
    assert (rows(first), rows(standby)) == ([1, 2], [1, 2, 3])
    postgres.discard(first)
    postgres.discard(standby)


def test_a_server_whose_history_parted_is_rewound_to_the_other_one(postgres: Postgres) -> None:
    old = with_rows(started(postgres), 1)
    new = postgres.standby_of(old.port)
    new.start()
    new.promote()
    with_rows(new, 2)
    with_rows(old, 666)
    old.stop()
    postgres.rewind(old, new.port)
    old.follow(new.port)
    old.start()
    assert eventually(lambda: rows(old) == [1, 2]), "the stale row would live on beside the new history"
    postgres.discard(old)
    postgres.discard(new)


def test_a_copy_of_a_server_that_is_not_there_leaves_nothing_half_made(postgres: Postgres) -> None:
    folder = postgres.fresh_folder("copies")
    with pytest.raises(ToolFailed, match="pg_basebackup"):
        postgres.back_up(free_port(), folder)
    assert not folder.exists()


def test_the_end_of_the_cloud_leaves_no_process_no_folder_and_no_shared_memory(tmp_path: Path) -> None:
    with running(tmp_path, databases()) as cloud:
        postgres = cloud.behaviour(Postgres)
        servers = [started(postgres), started(postgres)]
        home = postgres.home
        pids = [server._process.pid for server in servers if server._process]
        family = [child for pid in pids for child in psutil.Process(pid).children()]
        segments = _segments()
    assert not home.exists()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert segments - _segments() or not segments, "segments of ended servers would stay until the machine restarts"


def _segments() -> set[str]:
    """Shared memory segments of this machine by id (Linux)."""
    table = Path("/proc/sysvipc/shm")
    return {line.split()[1] for line in table.read_text().splitlines()[1:]} if table.exists() else set()


def test_a_platform_without_programs_is_named_in_one_error(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_module, "PACKAGE", "there_is_no_such_package")
    with pytest.raises(PostgresMissing, match="no PostgreSQL for this platform"):
        Postgres().install(cloud)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run programs as somebody else")
def test_programs_that_nobody_else_can_reach_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = postgres_module._installed()
    monkeypatch.setattr(postgres_module, "_reachable", lambda path: path.resolve() == Path("/tmp").resolve())
    with running(tmp_path, databases()) as cloud:
        postgres = cloud.behaviour(Postgres)
        assert postgres.programs != installed
        assert postgres.home in postgres.programs.parents
        assert ask(started(postgres), "SELECT 1") == [(1,)]
