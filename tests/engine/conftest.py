"""One embedded cloud and one real engine for the whole chapter; left out, with a word, where there is no `pulumi`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pilotlight.local.handle import LocalCloud
from support.pulumi_engine import RealEngine, command, real_engine

TOLD = pytest.StashKey[list[str]]()
WORKER_TOLD = "told"
"""The same in what a worker of pytest-xdist leaves."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TOLD] = []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker gives what it has seen to the process that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[WORKER_TOLD] = session.config.stash[TOLD]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[TOLD] += getattr(node, "workeroutput", {}).get(WORKER_TOLD, [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The counts that the engine tests have seen, under the dots."""
    for line in config.stash[TOLD]:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say something at the end of the run."""
    return request.config.stash[TOLD].append


@pytest.fixture(scope="session")
def pulumi() -> Path:
    found = command()
    if found is None:
        pytest.skip("there is no pulumi command: the engine tests are left out (scripts/build_pulumi.sh builds one)")
    return found


@pytest.fixture(scope="module")
def cloud(pulumi: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Its variables are those of this process, so that the stand-in provider finds it."""
    started = LocalCloud.start(tmp_path_factory.mktemp("cloud") / "cloud")
    started.hold_schedules()
    before = dict(os.environ)
    try:
        os.environ.update(started.environment())
        yield started
    finally:
        os.environ.clear()
        os.environ.update(before)
        started.stop()


@pytest.fixture(scope="module")
def engine(pulumi: Path, cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealEngine]:
    with real_engine(pulumi, tmp_path_factory.mktemp("engine")) as made:
        yield made
