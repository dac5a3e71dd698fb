"""Launch templates keep their own tags apart from their data.

EC2 API Reference, "CreateLaunchTemplate": TagSpecification tags the template itself; what instances and volumes get is
in the data's TagSpecifications. moto writes the first into the second, so that whoever compares a version's data with
what they asked for finds tags that they never put there.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models import EC2Backend

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override

OWN = "launch-template"
TAGS = "TagSpecifications"


class LaunchTemplates(Behaviour):
    """Takes a template's own tags out of what its first version says."""

    name = "launch templates"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        create = original(EC2Backend, "create_launch_template")

        def create_launch_template(backend: Any, name: Any, description: Any, data: dict[str, Any], tags: Any) -> Any:
            return create(backend, name, description, without_own_tags(data), tags)

        override(EC2Backend, create_launch_template=create_launch_template)


def without_own_tags(data: dict[str, Any]) -> dict[str, Any]:
    """The data as its caller gave it: no tags of the template, and no list where nothing is left (pure)."""
    kept = [each for each in data.get(TAGS) or () if each.get("ResourceType") != OWN]
    rest = {key: value for key, value in data.items() if key != TAGS}
    return rest | ({TAGS: kept} if kept else {})
