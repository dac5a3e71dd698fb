"""An engine over a made-up world, for the tests that need no AWS."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_provider import World, engine_of

from pilotlight.deploy.engine import Engine


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def engine(tmp_path: Path, world: World) -> Engine:
    return engine_of(tmp_path, world)
