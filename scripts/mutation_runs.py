"""Tests in processes of their own: with every line that they execute watched, or with one module from changed text.

A process is forked from one that has imported what the tests stand on, and nothing of the project; it ends with whoever
forked it. Nothing but build/mutants is written to.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import select
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

MEMORY_BYTES_MAX = 6 * 1024**3
"""A loop without an end keeps things, too."""


@dataclass
class Child:
    """One forked process and what it says through its pipe."""

    pid: int
    pipe: int
    limit: Callable[[str], float]
    since: float
    text: str = ""
    test: str = ""

    def is_late(self) -> bool:
        """Whether the test that it is at takes too long."""
        return time.monotonic() - self.since > self.limit(self.test)

    def hear(self) -> bool:
        """Read what there is; False when the process has ended."""
        data = os.read(self.pipe, 65536)
        self.text += data.decode(errors="replace")
        begun = [each[5:] for each in self.text.splitlines() if each.startswith("test ")]
        if begun and begun[-1] != self.test:
            self.test, self.since = begun[-1], time.monotonic()
        return bool(data)

    def said(self, word: str) -> list[str]:
        """What it said under this word."""
        return [each.partition(" ")[2] for each in self.text.splitlines() if each.startswith(f"{word} ")]

    def end(self) -> None:
        """By force, its whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.pipe)


def fork(work: Callable[[Callable[[str], None]], None], limit: Callable[[str], float], log: Path) -> Child:
    """Do this in a process of its own, which ends when this one does; `work` is given how to say a line."""
    reading, writing = os.pipe()
    parent, pid = os.getpid(), os.fork()
    if pid:
        os.close(writing)
        return Child(pid, reading, limit, time.monotonic())
    code = 1
    try:
        os.setpgid(0, 0)
        os.close(reading)
        quiet = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        threading.Thread(target=_outlive, args=(parent,), daemon=True).start()
        work(lambda line: os.write(writing, f"{line}\n".encode()) and None)
        code = 0
    finally:
        os._exit(code)


def _outlive(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)


def run_all(starts: Iterator[Callable[[], Child]], done: Callable[[int, Child, bool], None], at_once: int) -> None:
    """Start these so many at a time; `done` hears which ended, and whether it was ended for being late."""
    running: dict[int, Child] = {}
    number = 0
    try:
        while True:
            while len(running) < at_once and (start := next(starts, None)):
                running[number] = start()
                number += 1
            if not running:
                return
            heard, _, _ = select.select([each.pipe for each in running.values()], [], [], 0.2)
            for index, child in list(running.items()):
                ended = child.pipe in heard and not child.hear()
                if ended or child.is_late():
                    running.pop(index).end()
                    done(index, child, not ended)
    finally:
        for child in running.values():
            child.end()


def pytest_in(root: Path, nodes: list[str], plugin: object, *more: str) -> int:
    """Run these in this process, without a trace in the tree."""
    temporary = root / f"build/mutants/tmp-{os.getpid()}"
    options = ["-q", "-p", "no:cacheprovider", "-o", "timeout=0", "--hypothesis-seed=0", f"--basetemp={temporary}"]
    try:
        return int(pytest.main([*options, f"--rootdir={root}", *more, *nodes], [plugin]))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class Watcher:
    """A pytest plugin: the lines of the files that each test executes, those of its wider fixtures among them."""

    def __init__(self, root: Path, files: list[str]) -> None:
        self.files = {str(root / file): file for file in files}
        self.lines: set[tuple[str, int]] = set()
        self.left: dict[CodeType, set[int]] = {}
        self.fixtures: dict[str, set[tuple[str, int]]] = {}
        self.found: dict[str, dict[str, Any]] = {}
        self.failed: list[str] = []

    def trace(self, frame: FrameType, event: str, arg: object) -> Any:
        """For sys.settrace: a function is followed until each of its lines was seen."""
        code = frame.f_code
        if code.co_filename not in self.files:
            return None
        if code not in self.left:
            self.left[code] = {line for _, _, line in code.co_lines() if line}
        return self.follow if self.left[code] else None

    def follow(self, frame: FrameType, event: str, arg: object) -> Any:
        """One line of it."""
        left = self.left.setdefault(frame.f_code, set())
        if frame.f_lineno in left:
            left.discard(frame.f_lineno)
            self.lines.add((self.files[frame.f_code.co_filename], frame.f_lineno))
        return self.follow if left else None

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Watch this thread and those it starts."""
        threading.settrace(self.trace)
        sys.settrace(self.trace)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]

    def begin(self) -> None:
        """Nothing was seen yet."""
        self.lines, self.left = set(), {}

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, Any, Any]:
        """A fixture that several tests share is executed for each of them."""
        outer = self.lines, self.left
        if fixturedef.scope != "function":
            self.begin()
        made = yield
        if fixturedef.scope != "function":
            self.fixtures[fixturedef.argname] = self.lines | self.fixtures.get(fixturedef.argname, set())
            self.lines, self.left = outer
        return made

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Generator[None, Any, Any]:
        """One test."""
        self.begin()
        began = time.monotonic()
        made = yield
        shared = set().union(*(self.fixtures.get(name, set()) for name in item.fixturenames))
        by_file: dict[str, list[int]] = {}
        for file, line in sorted(self.lines | shared):
            by_file.setdefault(file, []).append(line)
        self.found[item.nodeid] = {"seconds": round(time.monotonic() - began, 4), "lines": by_file}
        return made

    def pytest_runtest_logreport(self, report: Any) -> None:
        """What fails without a mutant cannot catch one."""
        if report.failed:
            self.failed.append(report.nodeid)


class Verdict:
    """A pytest plugin: says at which test it is, and which failed."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """It begins."""
        self.say(f"test {nodeid}")

    def pytest_runtest_logreport(self, report: Any) -> None:
        """It failed."""
        if report.failed:
            self.say(f"failed {report.nodeid}")


class _Changed(importlib.abc.MetaPathFinder):
    """Finds one module, whose text is another than its file's."""

    def __init__(self, name: str, path: Path, text: str) -> None:
        self.name, self.path, self.text = name, path, text

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """The one; everything else is found as ever."""
        if fullname != self.name:
            return None
        loader = _Loader(self.name, str(self.path), self.text)
        return importlib.util.spec_from_file_location(fullname, self.path, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self.text = text

    def get_code(self, fullname: str) -> CodeType:
        """From the text, and no compiled file is written."""
        return compile(self.text, self.path, "exec", dont_inherit=True)


def change(root: Path, file: str, text: str) -> None:
    """From now on the module of this file, which is not imported yet, is this text."""
    name = file.removeprefix("src/").removesuffix(".py").replace("/", ".")
    if name in sys.modules:
        raise RuntimeError(f"{name} is imported already: no change of it would be noticed")
    sys.meta_path.insert(0, _Changed(name, root / file, text))
