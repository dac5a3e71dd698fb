"""The survey of the instance types of a group: from the declaration, its mixed instances policy, or its template.

The overrides of a policy win over the template's type (Auto Scaling User Guide, "Create a group using a mixed instances
policy"), which may have none at all. What the standby cannot start from a list of types, with one template, is refused
here and by name: the stack of the standby region is the last of three, and would find out after the others are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pilotlight.kinds.autoscaling.declare import Compute
from pilotlight.survey.findings import Findings

DECLARE = "declare `instance_types` for the standby"
UNITS = "units"
"""A wish that counts instances (Auto Scaling API, DesiredCapacityType); others count vCPUs or memory."""

Properties = dict[str, Any]


def instance_types(
    findings: Findings, name: str, asset: Compute, group: Properties, template: Properties
) -> tuple[str, ...]:
    """As declared; else the policy's in their order; else the template's; else nothing and a problem."""
    if asset.instance_types:
        return tuple(asset.instance_types)
    problems = list(undecided(group, template))
    for problem in problems:
        findings.add(name, f"{problem}; {DECLARE}")
    return () if problems else named_types(group, template)


def named_types(group: Properties, template: Properties) -> tuple[str, ...]:
    """The types that a group names, each once, the wanted one first (pure)."""
    named = [each.get("InstanceType") for each in overrides(group)] or [template.get("InstanceType")]
    return tuple(dict.fromkeys(each for each in named if each))


def undecided(group: Properties, template: Properties) -> Iterator[str]:
    """Why the types that a group names are not what the standby should start (pure)."""
    for each in overrides(group):
        if each.get("LaunchTemplateSpecification"):
            yield (
                f"override {each.get('InstanceType', 'by requirements')} of its group has a launch template of its own "
                f"({_template(each['LaunchTemplateSpecification'])}), and the standby has one for all types"
            )
    ways = overrides(group) or [template]
    if any(each.get("InstanceRequirements") for each in ways):
        yield "its group chooses types by what they have to have (InstanceRequirements)"
    elif not all(each.get("InstanceType") for each in ways):
        yield "neither its launch template nor the policy of its group names an instance type"


def counts_instances(group: Properties) -> bool:
    """Whether the wish of a group is a number of instances, and not of weights, vCPUs or memory (pure)."""
    weights = {str(each.get("WeightedCapacity") or "1") for each in overrides(group)}
    return weights <= {"1"} and group.get("DesiredCapacityType", UNITS) == UNITS


def overrides(group: Properties) -> list[Properties]:
    """The overrides of a group's mixed instances policy, in their order (pure)."""
    found: list[Properties] = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {}).get("Overrides", [])
    return found


def _template(specification: Properties) -> str:
    return str(specification.get("LaunchTemplateId") or specification.get("LaunchTemplateName", ""))
