"""A rehearsal must be refused what AWS would refuse: Aurora that a region does not offer."""

from __future__ import annotations

import pytest

from pilotlight.local.aurora_offers import ENGINE, offered


@pytest.mark.parametrize(
    ("version", "size", "is_there", "is_global"),
    [
        ("16.6", "db.r6g.large", True, True),
        ("15.4", "db.t4g.medium", True, False),
        ("16", "db.r6g.large", False, False),
        ("9.6", "db.r6g.large", False, False),
        ("16.6", "db.m5.large", False, False),
        ("16.6", "db.r6g.huge", False, False),
    ],
)
def test_aurora_is_offered_by_version_and_class(version: str, size: str, is_there: bool, is_global: bool) -> None:
    found = offered(ENGINE, version, size, ["us-west-2a"])
    assert bool(found) == is_there
    assert all(each["SupportsGlobalDatabases"] == is_global for each in found)
