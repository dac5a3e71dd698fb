"""Tags of an EC2 resource, read where they are kept.

moto goes through the tags of all resources for each one that a filter looks at, so a Describe* call takes a time that
grows with the square of what there is: after an hour of scheduled snapshots a second each. The answer is the same.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import override


class ResourceTags(Behaviour):
    """Reads the tags of one resource without those of all others."""

    name = "resource tags"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        override(TaggedEC2Resource, get_tags=_get_tags)


def _get_tags(resource: Any) -> list[dict[str, str]]:
    kept = resource.ec2_backend.tags.get(resource.id) if resource.id else None
    if not kept:
        return []
    kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(resource.id), "")
    return [
        {"resource_id": resource.id, "key": key, "value": value, "resource_type": kind}
        for key, value in list(kept.items())
    ]
