"""Listings of versions that read no object: moto copies each version with its bytes whenever they are listed.

With checkpoints in a bucket that is seconds a listing, and the memory of all of them. The copy is only ever listed.
"""

from __future__ import annotations

from typing import Any

from moto.s3.models import FakeKey

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import override


class ListedVersions(Behaviour):
    """Copies what a listing tells of a version, and leaves its bytes where they are."""

    name = "listed versions"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        override(FakeKey, __deepcopy__=_without_bytes)


def _without_bytes(key: Any, memo: dict[int, Any]) -> Any:
    made = object.__new__(type(key))
    made.__dict__.update(key.__dict__)
    del made.__dict__["_value_buffer"]  # else the bytes would be closed with the copy
    made.multipart, made.disposed = None, True
    return made
