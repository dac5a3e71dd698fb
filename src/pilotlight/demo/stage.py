"""What the rehearsal stands on: an embedded cloud in its own folder, credentials that reach nothing else, a clean end.

Whatever ends the rehearsal - success, an error, Ctrl-C, a kill - the cloud's server, the traffic and the folder go with
it, unless the person asked to keep them.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from pilotlight.demo.traffic import Client, Program
from pilotlight.local.handle import LocalCloud, forget_settings
from pilotlight.runtime.clock import Clock, SystemClock

PACE = 30.0
"""An AWS minute takes two seconds, so that schedules of minutes fit into a rehearsal of two."""


@dataclass
class Stage:
    """The cloud, the folder, the clock, and everything that has to be stopped at the end."""

    cloud: LocalCloud
    folder: Path
    keep: bool
    rng: random.Random
    clock: Clock = field(default_factory=SystemClock)
    programs: list[Program] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    @property
    def account(self) -> str:
        """The account that the cloud stands for."""
        return str(self.cloud.status()["account"])

    @property
    def front_door(self) -> str:
        """URL of the front door."""
        return str(self.cloud.status()["front_door_url"])

    def close_traffic(self) -> None:
        """Stop writers, trainers and clients."""
        for client in self.clients:
            client.stop()
        for program in self.programs:
            program.stop()


@contextlib.contextmanager
def open_stage(seed: int, keep: bool, regions: tuple[str, str]) -> Iterator[Stage]:
    """Start the cloud and point this process's AWS clients at it; undo all of it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="pilotlight-demo-"))
    with _own_environment(), _terminated_as_interrupted():
        stage: Stage | None = None
        try:
            cloud = LocalCloud.start(directory=folder, regions=regions, pace=PACE, seed=seed, follow_parent=not keep)
            stage = Stage(cloud, folder, keep, random.Random(seed))
            os.environ.update(cloud.environment())
            yield stage
        finally:
            _close(stage, folder, keep)


def _close(stage: Stage | None, folder: Path, keep: bool) -> None:
    if stage is not None:
        stage.close_traffic()
        if keep:
            return
        stage.cloud.stop()
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _own_environment() -> Iterator[None]:
    """Hide the person's AWS settings while it runs: a rehearsal can reach no account."""
    before = dict(os.environ)
    forget_settings()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A SIGTERM ends the rehearsal as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
