"""What points name, as tests like to read it."""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.kinds.volumes.reference import VolumeReference
from pilotlight.runtime.records.point import Reference, read_reference


def volumes(reference: Reference | dict[str, Any] | None) -> VolumeReference:
    """Of a volume group, from a part of a point or the evidence of a choice."""
    found = read_reference(VolumeReference, reference) if isinstance(reference, dict) else reference
    assert isinstance(found, VolumeReference)
    return found
