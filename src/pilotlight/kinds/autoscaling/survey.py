"""The survey of compute groups: Auto Scaling group, launch template, role, balancer.

The instances' permissions are read from their role, inline and attached policies alike, and translated to the standby
region; user data is translated as well, so that an instance there never reads the region that was lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pilotlight.kinds.autoscaling import instance_types, launch_settings, standby
from pilotlight.kinds.autoscaling.declare import Compute
from pilotlight.runtime.arns import GLOBAL_REGION
from pilotlight.runtime.kinds.autoscaling.software import digests
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records import inventory as record
from pilotlight.stacks.policies import document, text
from pilotlight.survey import claims
from pilotlight.survey.findings import Findings
from pilotlight.survey.kind import Balancer, KindSurvey, Look
from pilotlight.survey.named import GROUP, PROFILE, ROLE, TEMPLATE, Named
from pilotlight.survey.translate import Dictionary, translate, translate_user_data


class GroupSurvey(KindSurvey):
    """Of compute groups."""

    def survey(self, look: Look, name: str, asset: Any) -> record.Compute | None:
        """The group with everything it stands on; None where the group or its template is missing."""
        findings, names, words = look.findings, look.names, look.dictionary
        group = _group(findings, name, asset.group)
        template = _template(findings, name, group) if group else None
        if group is None or template is None:
            return None
        claims.check_group(findings, names, name, asset.group)
        port, balancer = _front(findings, name, group)
        look.balancers += [balancer] if balancer else []
        types = instance_types.instance_types(findings, name, asset, group, template)
        mounted = (each for each in look.of(record.Volumes) if each.name in asset.volumes)
        protected = {device for each in mounted for device in each.size_gib}
        taken = launch_settings.taken(findings, name, template, group, types, protected)
        return record.Compute(
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

    def check(self, look: Look) -> None:
        """What several groups need together, and what the standby region has to offer."""
        computes = look.of(record.Compute)
        check_counts(look.findings, look.of(record.Volumes), computes)
        look.zones = standby.zones(look.findings, look.names, computes, look.kept)

    def names(self, names: Names, asset: str, original: str) -> Iterator[Named]:
        """The group at zero, its template, and the role of its instances."""
        role = names.role(f"instance-{asset}")
        yield Named("standby", asset, ROLE, role, GLOBAL_REGION)
        yield Named("standby", asset, PROFILE, role, GLOBAL_REGION)
        yield Named("standby", asset, TEMPLATE, names.launch_template(asset), names.standby)
        yield Named("standby", asset, GROUP, names.group(asset), names.standby)


def check_counts(findings: Findings, groups: Iterable[record.Volumes], computes: Iterable[record.Compute]) -> None:
    """What several instances wrote needs as many instances after a failover, and each needs what is its own."""
    by_name = {each.name: each for each in groups}
    for compute in (each for each in computes if each.count):
        for group in (by_name[name] for name in compute.volumes if name in by_name):
            several = len(group.instances)
            if 0 < several < compute.count and group.assign != record.SHARED:
                findings.add(
                    compute.name,
                    f"{compute.count} would start after a failover, and {group.name} has volumes of {several}, so the "
                    f"others would come up with blank disks; set `count: {several}`, or `assign: shared` for "
                    f"{group.name} where all of them get the same",
                )
            if several > compute.count:
                findings.add(
                    compute.name,
                    f"{group.name} has volumes of {several} instances, and {compute.count} would start after a "
                    f"failover, so those of {several - compute.count} would come up nowhere; set `count: {several}` or "
                    f"more, or `assign: shared` for {group.name} where they are read-only copies of each other",
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
    if not asset.count and not instance_types.counts_instances(group):
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


# -- balancer -----------------------------------------------------------------------------------------


def _front(findings: Findings, name: str, group: dict[str, Any]) -> tuple[int, Balancer | None]:
    """(port of the instances, balancer) of the group's first target group; (0, None) where it has none. The others are
    named as not carried over (launch_settings.py). A target group has one balancer at most (Elastic Load Balancing
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


KIND = GroupSurvey()
