"""What a group of the primary region launches now - image and launch template - and how the last `up` found it.

The standby region launches what was there when the stacks were deployed. What changed since then is no part of it until
it is copied (images.py beside this) or deployed (everything else: user data is translated for another region).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.records.inventory import Compute

IMAGE = "ImageId"
DIGEST_LETTERS = 16
"""Of SHA-256: enough to tell two values apart, and nothing can be read from it."""


@dataclass(frozen=True)
class Launched:
    """Image and version of the launch template that a group names; `differs`: members not as `up` found them."""

    image: str
    version: str
    differs: tuple[str, ...]
    others: tuple[str, ...] = ()
    """Instances that were launched from another version, and run it still."""

    def as_evidence(self) -> dict[str, Any]:
        """How a point keeps it (pure)."""
        return {"image": self.image, "version": self.version, "differs": list(self.differs)}


def from_evidence(kept: Mapping[str, Any]) -> Launched:
    """What a point kept (pure)."""
    return Launched(str(kept["image"]), str(kept["version"]), tuple(str(each) for each in kept["differs"]))


def digests(data: Mapping[str, Any]) -> dict[str, str]:
    """Member of a launch template -> digest of its value, the image apart, which has a copy of its own (pure)."""
    return {
        name: _digest(value) for name, value in sorted(data.items()) if name != IMAGE and value not in (None, [], {})
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:DIGEST_LETTERS]


def specification(group: Mapping[str, Any]) -> dict[str, str]:
    """Template and version that a group names: id, name, version (pure)."""
    policy = group.get("MixedInstancesPolicy") or {}
    found = policy.get("LaunchTemplate", {}).get("LaunchTemplateSpecification") or group.get("LaunchTemplate") or {}
    return {key: str(value) for key, value in found.items()}


def launched(client: AwsClient, region: str, asset: Compute) -> Launched | None:
    """What the primary's group launches now; None where there is no such group, or it names no template."""
    answer = client.call(
        "autoscaling", "describe_auto_scaling_groups", region, AutoScalingGroupNames=[asset.primary_group]
    )
    group: dict[str, Any] = next(iter(answer["AutoScalingGroups"]), {})
    named = specification(group)
    if not named:
        return None
    which = "LaunchTemplateId" if named.get("LaunchTemplateId") else "LaunchTemplateName"
    answer = client.call(
        "ec2",
        "describe_launch_template_versions",
        region,
        Versions=[named.get("Version", "$Default")],
        **{which: named[which]},
    )
    version = next(iter(answer["LaunchTemplateVersions"]), None)
    return _launched(asset, group, version) if version else None


def _launched(asset: Compute, group: Mapping[str, Any], version: Mapping[str, Any]) -> Launched:
    number, now = str(version["VersionNumber"]), digests(version["LaunchTemplateData"])
    differs = sorted(name for name in {*now, *asset.template} if now.get(name) != asset.template.get(name))
    others = [each["InstanceId"] for each in group["Instances"] if _runs_another(each, number)]
    return Launched(str(version["LaunchTemplateData"].get(IMAGE, "")), number, tuple(differs), tuple(sorted(others)))


def _runs_another(instance: Mapping[str, Any], version: str) -> bool:
    named = instance.get("LaunchTemplate") or {}
    return bool(named.get("Version")) and str(named["Version"]) != version
