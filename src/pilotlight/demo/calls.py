"""What the failover run attempted, counted from the cloud's call record by where each call went.

A call to a dark region is in the record like any other: what counts is that it was attempted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pilotlight.demo.scene import Scene
from pilotlight.report.record import CallFigures
from pilotlight.runtime.arns import GLOBAL_SERVICES

BUCKET_SETTINGS = ("CreateBucket", "DeleteBucket", "PutBucket", "DeleteBucket", "PutPublicAccessBlock")
"""S3 operations that change buckets, not objects; counted as control plane, the careful reading of the same record."""


class Recorded(Protocol):
    """What is needed of one call of the record."""

    @property
    def service(self) -> str: ...

    @property
    def operation(self) -> str: ...

    @property
    def region(self) -> str: ...


def is_global(call: Recorded) -> bool:
    """Whether a call needs a control plane that lives in one region only."""
    return call.service in GLOBAL_SERVICES or (call.service == "s3" and call.operation.startswith(BUCKET_SETTINGS))


def split(calls: Iterable[Recorded], primary: str) -> CallFigures:
    """Count by destination; a global call is not counted as a regional one as well."""
    there = here = everywhere = 0
    for call in calls:
        if is_global(call):
            everywhere += 1
        elif call.region == primary:
            there += 1
        else:
            here += 1
    return CallFigures(primary=there, global_control_plane=everywhere, standby=here)


def count(scene: Scene) -> CallFigures:
    """The calls of the recover role between the disaster and the first correct answer."""
    role = scene.names.role("recover")
    calls = scene.stage.cloud.calls(since=scene.disaster_at, principal=role)
    return split((call for call in calls if call.at <= scene.recovered_at), scene.primary)
