"""What several rooms' tests share: a running embedded cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pilotlight.local.handle import LocalCloud


@pytest.fixture(scope="module")
def local_cloud() -> Iterator[LocalCloud]:
    """One embedded cloud for the tests of a file; it starts in about a second."""
    with LocalCloud.start() as cloud:
        yield cloud
