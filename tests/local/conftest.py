"""Regions are given back light after each test, whatever it did to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pilotlight.local.handle import LocalCloud


@pytest.fixture
def healthy_cloud(local_cloud: LocalCloud) -> Iterator[LocalCloud]:
    """The file's cloud, with every region brought back afterwards."""
    yield local_cloud
    for region in local_cloud.endpoints:
        local_cloud.light(region)
        local_cloud.slow(region, 0)
