"""What naming a launch template needs besides the group: whoever points a group at one could have launched from it.

Source: Amazon EC2 Auto Scaling User Guide, "Control Amazon EC2 launch template usage in Auto Scaling groups" (asked
when a group is made or updated with a template, not when it launches); Service Authorization Reference, RunInstances.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pilotlight.local.iam import needs_of_ec2
from pilotlight.local.iam.resources import Place
from pilotlight.local.wire.operations import Operation

Item = tuple[str, str, Mapping[str, tuple[str, ...]]]
RUN = "ec2:RunInstances"
LAUNCHED = ("instance", "network-interface", "volume")


def needs(operation: Operation, place: Place) -> Iterator[Item]:
    """RunInstances on everything the version names, tagging what it tags, and handing over its role."""
    if (operation.service, operation.name) != ("autoscaling", "UpdateAutoScalingGroup"):
        return
    found = _version(operation.params, place)
    if found is None:
        return
    template, data = found
    through = {"ec2:launchtemplate": (place.arn("ec2", f"launch-template/{template.id}"),)}
    for kind in LAUNCHED:
        yield RUN, place.arn("ec2", f"{kind}/*"), through
    for identity in _named(template.id, data, operation.params, place):
        arn, tags = needs_of_ec2.resource(identity, place)
        yield RUN, arn, {**through, **tags}
    for each in data.get("TagSpecifications") or []:
        if each["ResourceType"] in LAUNCHED:
            arn = place.arn("ec2", f"{each['ResourceType']}/*")
            yield "ec2:CreateTags", arn, {"ec2:createaction": ("RunInstances",)}
    role = needs_of_ec2.profile_role(data, place)
    if role:
        yield "iam:PassRole", role, {"iam:passedtoservice": ("ec2.amazonaws.com",)}


def _version(params: Mapping[str, Any], place: Place) -> tuple[Any, Mapping[str, Any]] | None:
    """The template that the call names, and the data of the version; None where it names none that exists."""
    policy = params.get("MixedInstancesPolicy") or {}
    named = policy.get("LaunchTemplate", {}).get("LaunchTemplateSpecification") or params.get("LaunchTemplate") or {}
    backend = place.backend("ec2")
    identity = named.get("LaunchTemplateId") or backend.launch_template_name_to_ids.get(named.get("LaunchTemplateName"))
    template = backend.launch_templates.get(identity)
    return (template, template.get_version(named.get("Version") or "$Default").data) if template else None


def _named(template: str, data: Mapping[str, Any], params: Mapping[str, Any], place: Place) -> Iterator[str]:
    group = place.backend("autoscaling").autoscaling_groups.get(params.get("AutoScalingGroupName"))
    subnets = params.get("VPCZoneIdentifier") or (group.vpc_zone_identifier if group else "") or ""
    mapped = [each.get("Ebs", {}).get("SnapshotId") for each in data.get("BlockDeviceMappings") or []]
    everything = [template, data.get("ImageId"), *(data.get("SecurityGroupIds") or []), *subnets.split(","), *mapped]
    yield from (str(each) for each in everything if each)
