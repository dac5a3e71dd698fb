"""Somebody at a terminal, with a cloud of their own for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from person import Person

from pilotlight.local.handle import LocalCloud


@pytest.fixture
def person(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Person]:
    """`request.param` names the declaration beside this file."""
    with LocalCloud.start(directory=tmp_path / "cloud") as cloud:
        yield Person(cloud, Path(__file__).parent / request.param)
