"""Engines over a made-up world, for tests that need no AWS: the embedded one, and Pulumi's own where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pilotlight.engine.embedded import Engine
from support.made_up_provider import ThingType, World, engine_of
from support.provider_double import serving
from support.pulumi_engine import ThingsEngine, command


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def embedded(tmp_path: Path, world: World) -> Engine:
    return engine_of(tmp_path, world)


@pytest.fixture
def pulumi_engine(tmp_path: Path, world: World) -> Iterator[ThingsEngine]:
    """Pulumi's own engine, which knows only Things."""
    pulumi = command()
    if pulumi is None:
        pytest.skip("there is no pulumi command: the engine tests are left out (scripts/build_pulumi.sh builds one)")
    with serving({ThingType.type: ThingType(world)}, {}) as port:
        yield ThingsEngine(pulumi, tmp_path, port)


@pytest.fixture(
    params=["embedded", pytest.param("pulumi_engine", marks=[pytest.mark.engine, pytest.mark.timeout(120)])]
)
def engine(request: pytest.FixtureRequest) -> Engine | ThingsEngine:
    """What holds for one engine holds for the other, or a rehearsal proves nothing."""
    found: Engine | ThingsEngine = request.getfixturevalue(request.param)
    return found
