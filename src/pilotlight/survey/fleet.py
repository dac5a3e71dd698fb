"""The survey of compute groups: Auto Scaling group, launch template, role, balancer, and the DNS zone in front.

The instances' permissions are read from their role, inline and attached policies alike, and translated to the standby
region; user data is translated as well, so that an instance there never reads the region that was lost.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.kinds.autoscaling.software import digests
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records import inventory as paper
from pilotlight.stacks.policies import document, text
from pilotlight.survey import claims, front_record
from pilotlight.survey import instance_types as survey_types
from pilotlight.survey import listeners as survey_listeners
from pilotlight.survey import settings as survey_settings
from pilotlight.survey import zone as survey_zone
from pilotlight.survey.findings import Findings
from pilotlight.survey.translate import Dictionary, translate, translate_user_data
from pilotlight.survey.zone import TRAFFIC
from pilotlight.workload.model import Compute, Traffic


@dataclass(frozen=True)
class Balancer:
    """The load balancer of a group: its DNS name, the hosted zone of that name, and whether it is internal."""

    arn: str
    dns: str
    zone: str
    internal: bool


@dataclass(frozen=True)
class Fleet:
    """One compute group as found, and the balancer in front of it, if there is one."""

    compute: paper.Compute
    balancer: Balancer | None


def fleet(
    findings: Findings,
    name: str,
    asset: Compute,
    names: Names,
    words: Dictionary,
    volumes: Sequence[paper.Volumes] = (),
) -> Fleet | None:
    """The group of this asset with everything it stands on; None where the group or its template is missing."""
    group = _group(findings, name, asset.group)
    template = _template(findings, name, group) if group else None
    if group is None or template is None:
        return None
    claims.check_group(findings, names, name, asset.group)
    port, balancer = _front(findings, name, group)
    types = survey_types.instance_types(findings, name, asset, group, template)
    protected = {device for each in volumes if each.name in asset.volumes for device in each.size_gib}
    taken = survey_settings.taken(findings, name, template, group, types, protected)
    compute = paper.Compute(
        name=name,
        primary_group=asset.group,
        standby_group=names.group(name),
        standby_launch_template=names.launch_template(name),
        image=_image(findings, name, template),
        instance_types=types,
        count=_count(findings, name, asset, group),
        user_data=_user_data(findings, name, template, words),
        port=port,
        instance_profile_policy=_policy(findings, name, template, words),
        volumes=tuple(asset.volumes),
        template=digests(template),
        uses=tuple(asset.uses),
        launch=taken.launch,
        group=taken.group,
        left_out=taken.left_out,
    )
    return Fleet(compute, balancer)


def traffic(
    findings: Findings, front: Traffic | None, fleets: list[Fleet | None], names: Names
) -> paper.Traffic | None:
    """The front door; the balancer is the one of the first group that has one."""
    if front is None:
        return None
    balancer = next((each.balancer for each in fleets if each and each.balancer), None)
    if balancer is None:
        findings.add(TRAFFIC, "no compute group is behind a load balancer; attach the group to a target group")
    elif balancer.internal:
        findings.add(TRAFFIC, f"balancer {balancer.dns} is internal, so the probe cannot reach it; use a public one")
    if balancer:
        survey_listeners.check(findings, TRAFFIC, front, balancer.arn)
    zone_id = survey_zone.zone_id(findings, front, balancer.dns if balancer else "")
    if zone_id:
        records = claims.check_record(findings, names, TRAFFIC, zone_id, front.record)
        front_record.survey(findings, TRAFFIC, records, balancer.dns if balancer else "")
    if balancer is None or not zone_id:
        return None
    return paper.Traffic(
        zone=front.zone,
        zone_id=zone_id,
        record=front.record,
        check=front.check,
        port=front.port,
        primary_balancer_dns=balancer.dns,
        primary_balancer_zone=balancer.zone,
    )


# -- group and template ----------------------------------------------------------------------------------------


def _group(findings: Findings, name: str, group: str) -> dict[str, Any] | None:
    what = f"Auto Scaling group {group}"
    wanted = {"AutoScalingGroupNames": [group]}
    found = findings.all(name, what, "AutoScalingGroups", "autoscaling", "describe_auto_scaling_groups", **wanted)
    if not found:
        findings.add(name, f"there is no {what}; create it, or correct its name in the declaration")
        return None
    first: dict[str, Any] = found[0]
    return first


def _template(findings: Findings, name: str, group: dict[str, Any]) -> dict[str, Any] | None:
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    named = group.get("LaunchTemplate") or mixed.get("LaunchTemplateSpecification")
    if not named:
        findings.add(name, "its group has no launch template; launch configurations are retired, use a template")
        return None
    version = named.get("Version", "$Default")
    which = {"LaunchTemplateId": named["LaunchTemplateId"], "Versions": [version]}
    what = f"launch template {named['LaunchTemplateId']}"
    answer = findings.ask(name, what, "ec2", "describe_launch_template_versions", **which)
    if answer is None:
        return None
    if not answer["LaunchTemplateVersions"]:
        findings.add(name, f"{what} has no version {version}, which its group names; name one that exists")
        return None
    data: dict[str, Any] = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    return data


def _count(findings: Findings, name: str, asset: Compute, group: dict[str, Any]) -> int:
    """Instances after a failover: as declared, else as many as the group wishes for now."""
    count = asset.count or int(group["DesiredCapacity"])
    if not asset.count and not survey_types.counts_instances(group):
        findings.add(
            name, f"group {asset.group} counts its capacity in weights, vCPUs or memory; declare `count`, of instances"
        )
    elif not count:
        findings.add(name, f"group {asset.group} is at zero now; declare `count`, the instances after a failover")
    return count


def _image(findings: Findings, name: str, template: dict[str, Any]) -> str:
    image = str(template.get("ImageId", ""))
    if not image.startswith("ami-"):
        findings.add(name, f"its launch template names no image id ({image or 'none'}); name one, so it can be copied")
    return image


def _user_data(findings: Findings, name: str, template: dict[str, Any], words: Dictionary) -> str:
    try:
        return translate_user_data(template.get("UserData", ""), words)
    except ValueError as problem:
        findings.add(name, str(problem))
        return ""


# -- permissions -----------------------------------------------------------------------------------------------


def _policy(findings: Findings, name: str, template: dict[str, Any], words: Dictionary) -> str:
    """One JSON document of all the role's statements, translated; without a profile, a document of none."""
    profile = _profile_name(template)
    answer = (
        findings.ask(name, f"instance profile {profile}", "iam", "get_instance_profile", InstanceProfileName=profile)
        if profile
        else None
    )
    roles = answer["InstanceProfile"]["Roles"] if answer else []
    statements = [each for role in roles for each in _statements(findings, name, role["RoleName"])]
    return translate(text(document(*statements)), words)


def _profile_name(template: dict[str, Any]) -> str:
    profile = template.get("IamInstanceProfile", {})
    return str(profile.get("Name") or profile.get("Arn", "").rpartition("/")[2])


def _statements(findings: Findings, name: str, role: str) -> list[dict[str, Any]]:
    """All of the role's statements, without their Sids: in one document each would have to be unique."""
    documents = [*_inline(findings, name, role), *_attached(findings, name, role)]
    found: list[dict[str, Any]] = []
    for each in documents:
        statements = each["Statement"]
        found += statements if isinstance(statements, list) else [statements]
    return [{key: value for key, value in each.items() if key != "Sid"} for each in found]


def _inline(findings: Findings, name: str, role: str) -> list[dict[str, Any]]:
    what = f"policies of role {role}"
    listed = findings.all(name, what, "PolicyNames", "iam", "list_role_policies", RoleName=role)
    answers = [
        findings.ask(name, what, "iam", "get_role_policy", RoleName=role, PolicyName=policy)
        for policy in sorted(listed)
    ]
    return [_parsed(answer["PolicyDocument"]) for answer in answers if answer]


def _attached(findings: Findings, name: str, role: str) -> list[dict[str, Any]]:
    what = f"policies of role {role}"
    listed = findings.all(name, what, "AttachedPolicies", "iam", "list_attached_role_policies", RoleName=role)
    found = []
    for arn in sorted(each["PolicyArn"] for each in listed):
        policy = findings.ask(name, what, "iam", "get_policy", PolicyArn=arn)
        version = policy["Policy"]["DefaultVersionId"] if policy else ""
        answer = findings.ask(name, what, "iam", "get_policy_version", PolicyArn=arn, VersionId=version)
        found += [_parsed(answer["PolicyVersion"]["Document"])] if answer else []
    return found


def _parsed(policy: Any) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(policy) if isinstance(policy, str) else policy
    return parsed


# -- balancer and zone -----------------------------------------------------------------------------------------


def _front(findings: Findings, name: str, group: dict[str, Any]) -> tuple[int, Balancer | None]:
    """(port of the instances, balancer) of the group's first target group; (0, None) where it has none. The others are
    named as not carried over (survey_settings.py). A target group has one balancer at most (Elastic Load Balancing
    API, "TargetGroup")."""
    arns = group.get("TargetGroupARNs", [])[:1]
    if not arns:
        return 0, None
    targets = findings.ask(name, "target group", "elbv2", "describe_target_groups", TargetGroupArns=arns)
    if not targets or not targets["TargetGroups"]:
        return 0, None
    found = targets["TargetGroups"][0]
    return int(found["Port"]), _balancer(findings, name, found.get("LoadBalancerArns", []))


def _balancer(findings: Findings, name: str, arns: list[str]) -> Balancer | None:
    answer = (
        findings.ask(name, "load balancer", "elbv2", "describe_load_balancers", LoadBalancerArns=arns) if arns else None
    )
    if not answer or not answer["LoadBalancers"]:
        return None
    found = answer["LoadBalancers"][0]
    return Balancer(arns[0], found["DNSName"], found["CanonicalHostedZoneId"], found.get("Scheme") == "internal")
