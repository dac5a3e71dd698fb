"""Child processes of the embedded cloud, by region: frozen while the region is dark, gone at the end.

A region that is lost stops mid-instruction; SIGSTOP to every process of the region (and to whatever those started,
PostgreSQL backends included, which open sessions of their own) is the nearest thing a laptop has. Orphans are adopted
(Linux: prctl PR_SET_CHILD_SUBREAPER), so that nothing outlives the cloud by daemonising.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import psutil

Stream = int | IO[Any] | None

PR_SET_CHILD_SUBREAPER = 36
FREEZE_PASSES_MAX = 5
"""A process may fork between two looks at the tree; more passes than this only chase a fork bomb."""

KILL_WAIT_SECONDS = 5.0
"""How long to wait for killed processes to be gone; SIGKILL takes milliseconds unless a disk hangs."""

ORPHAN_GRACE_SECONDS = 5.0
"""A zombie this old has nobody waiting for it."""


class Processes:
    """Every process of the cloud, each belonging to one region."""

    def __init__(self) -> None:
        self._children: dict[int, tuple[subprocess.Popen[bytes], str]] = {}
        self._frozen: set[str] = set()
        self._zombies: dict[int, float] = {}
        self._lock = threading.RLock()
        self._closed = False
        self._adopts = False
        self._reaper = _start_reaper()

    def adopt_orphans(self) -> None:
        """Take in, and end, whatever daemonises; only for a process whose every child belongs to the cloud."""
        self._adopts = True
        if sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def remove_at_death(self, folder: Path) -> None:
        """Have a folder removed even if this process is killed."""
        self._note(f"d{folder}")

    def spawn(
        self,
        argv: Sequence[str | Path],
        env: Mapping[str, str],
        region: str,
        cwd: str | Path | None = None,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = subprocess.DEVNULL,
        stderr: Stream = subprocess.STDOUT,
        user: str | int | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a process in its own session with exactly this environment; it starts frozen in a dark region."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the cloud is stopping; no process may start")
            child = subprocess.Popen(
                [os.fspath(part) for part in argv],
                env=dict(env),
                cwd=cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                user=user,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )
            self._children[child.pid] = (child, region)
            self._note(f"+{child.pid}")
            if region in self._frozen:
                _freeze(_tree([child.pid]))
            return child

    def of(self, region: str) -> list[subprocess.Popen[bytes]]:
        """The running children of a region."""
        with self._lock:
            self._forget_ended()
            return [child for child, where in self._children.values() if where == region]

    def freeze(self, region: str) -> None:
        """Stop every process of the region where it stands."""
        with self._lock:
            self._frozen.add(region)
            roots = [child.pid for child in self.of(region)]
            stopped: set[int] = set()
            for _ in range(FREEZE_PASSES_MAX):
                running = [each for each in _tree(roots) if each.pid not in stopped]
                if not running:
                    return
                _freeze(running)
                stopped |= {each.pid for each in running}

    def thaw(self, region: str) -> None:
        """Let every process of the region go on."""
        with self._lock:
            self._frozen.discard(region)
            for each in _tree([child.pid for child in self.of(region)]):
                _send(each.pid, signal.SIGCONT)

    def pause(self, children: Iterable[subprocess.Popen[bytes]]) -> None:
        """Stop single processes for an instant, e.g. while their volumes are copied."""
        _freeze(_tree([child.pid for child in children]))

    def resume(self, children: Iterable[subprocess.Popen[bytes]]) -> None:
        """Undo `pause`, except in a dark region."""
        with self._lock:
            going = [child.pid for child in children if self._region(child) not in self._frozen]
            for each in _tree(going):
                _send(each.pid, signal.SIGCONT)

    def kill(self, child: subprocess.Popen[bytes]) -> None:
        """End one process with everything it started, frozen or not, and reap it."""
        _kill(_tree([child.pid]))
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(KILL_WAIT_SECONDS)
        with self._lock:
            self._forget(child.pid)

    def close(self) -> None:
        """End everything, orphans included where they are adopted; no process starts afterwards."""
        with self._lock:
            self._closed = True
            children = [child for child, _ in self._children.values()]
            everything = {each.pid: each for each in _tree([child.pid for child in children])}
            if self._adopts:
                everything |= {each.pid: each for each in psutil.Process().children(recursive=True)}
            everything.pop(self._reaper.pid, None)
            _kill(list(everything.values()))
            for child in children:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(KILL_WAIT_SECONDS)
            for pid in list(self._children):
                self._forget(pid)
        self._end_reaper()
        if self._adopts:
            _reap_all(KILL_WAIT_SECONDS)

    def reap_orphans(self, now: float | None = None) -> None:
        """Collect adopted processes that ended; children somebody waits for are left to them."""
        if not self._adopts:
            return
        moment = time.monotonic() if now is None else now
        ended = {each.pid for each in psutil.Process().children() if _is_zombie(each)}
        ended -= {*self._children, self._reaper.pid}
        self._zombies = {pid: self._zombies.get(pid, moment) for pid in ended}
        for pid, since in list(self._zombies.items()):
            if moment - since >= ORPHAN_GRACE_SECONDS:
                _reap(pid)

    def _region(self, child: subprocess.Popen[bytes]) -> str | None:
        known = self._children.get(child.pid)
        return known[1] if known else None

    def _forget_ended(self) -> None:
        ended = [pid for pid, (child, _) in self._children.items() if child.poll() is not None]
        for pid in ended:
            self._forget(pid)

    def _forget(self, pid: int) -> None:
        if self._children.pop(pid, None) is not None:
            self._note(f"-{pid}")

    def _note(self, line: str) -> None:
        pipe = self._reaper.stdin
        with contextlib.suppress(OSError, ValueError):
            pipe and pipe.write(f"{line}\n".encode()) and pipe.flush()

    def _end_reaper(self) -> None:
        if self._reaper.stdin:
            with contextlib.suppress(OSError):
                self._reaper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._reaper.wait(KILL_WAIT_SECONDS)


def _start_reaper() -> subprocess.Popen[bytes]:
    """The process that ends the rest if this one is killed."""
    script = Path(__file__).with_name("reaper.py")
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _tree(roots: Iterable[int]) -> list[psutil.Process]:
    """The processes and all their descendants, the eldest first, so that a parent stops before it can fork."""
    found: dict[int, psutil.Process] = {}
    for pid in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            for each in [root, *root.children(recursive=True)]:
                found[each.pid] = each
    return list(found.values())


def _freeze(processes: Iterable[psutil.Process]) -> None:
    for each in processes:
        _send(each.pid, signal.SIGSTOP)


def _kill(processes: list[psutil.Process]) -> None:
    for each in processes:
        _send(each.pid, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _reap_all(seconds: float) -> None:
    """Collect every child; they were all killed, so this takes milliseconds."""
    deadline = time.monotonic() + seconds
    while (left := psutil.Process().children()) and time.monotonic() < deadline:
        for each in left:
            _reap(each.pid)
        time.sleep(0.005)
