"""The survey of settings: what of the primary's launch template and group the standby takes over, and what it lacks.

Which is which stands in stacks/settings_of_template.py and settings_of_group.py. Nothing that is set passes in silence:
it is carried over, replaced for a reason that the reference tells, or named with what a person can do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pilotlight.kinds.autoscaling import instance_types as survey_types
from pilotlight.runtime.naming import PREFIX
from pilotlight.runtime.records.settings import (
    Disk,
    GroupSettings,
    GroupTag,
    LaunchSettings,
    LeftOut,
    Metadata,
    VolumeSettings,
)
from pilotlight.stacks import settings
from pilotlight.stacks.settings_of_group import ATTACHED, GROUP, Attached
from pilotlight.stacks.settings_of_template import TEMPLATE
from pilotlight.survey.findings import Findings
from pilotlight.survey.left_out import carried_not, left_out, lost

Properties = dict[str, Any]

IN_TEMPLATE, IN_GROUP = "launch template", "Auto Scaling group"
NAMED_MAX = 5
"""Things attached to a group that a sentence names one by one; how many there are is always told."""
BOUND_TO_TYPES = ("EbsOptimized", "CpuOptions", "CreditSpecification")
HEALTH_CHECKS = ("EC2", "ELB")
"""Kinds of health checks that every group can have; a list as the API has it is separated by commas."""
DEDICATED = "dedicated"
TAGGED = ("instance", "volume")
RESERVED = ("aws:", f"{PREFIX}:")
"""How keys of tags begin that are AWS's or ours."""
FUNCTION = "arn:"
"""How a termination policy begins that is a Lambda function."""


@dataclass(frozen=True)
class Taken:
    """What the standby takes over, and what it lacks."""

    launch: LaunchSettings
    group: GroupSettings
    left_out: tuple[LeftOut, ...]


def taken(
    findings: Findings, name: str, template: Properties, group: Properties, types: Iterable[str], protected: set[str]
) -> Taken:
    """The settings of an asset. `types`: those that the standby may start; `protected`: devices of volume groups."""
    same = set(types) <= set(survey_types.named_types(group, template))
    images = _image_snapshots(findings, name, template)
    mapped = [each for each in template.get("BlockDeviceMappings", []) if each.get("DeviceName") not in protected]
    ours = [each for each in mapped if "Ebs" in each and _made_there(each, images)]
    return Taken(
        _launch(template, ours, same),
        _group(group),
        (
            *lost(IN_TEMPLATE, TEMPLATE, template),
            *_lost_of_template(template, mapped, images, same),
            *lost(IN_GROUP, GROUP, group),
            *_lost_of_group(group),
            *_attached(findings, name, group),
        ),
    )


# -- launch template -------------------------------------------------------------------------------------------


def _launch(template: Properties, disks: list[Properties], same: bool) -> LaunchSettings:
    cpu: Properties = template.get("CpuOptions") or {} if same else {}
    tenancy = (template.get("Placement") or {}).get("Tenancy", "")
    return LaunchSettings(
        disks=tuple(_disk(each) for each in disks),
        metadata=_metadata(template.get("MetadataOptions") or {}),
        ebs_optimized=template.get("EbsOptimized") if same else None,
        monitoring=(template.get("Monitoring") or {}).get("Enabled"),
        cpu_cores=int(cpu.get("CoreCount") or 0),
        cpu_threads_per_core=int(cpu.get("ThreadsPerCore") or 0),
        cpu_sev_snp=cpu.get("AmdSevSnp") or "",
        cpu_credits=(template.get("CreditSpecification") or {}).get("CpuCredits") or "" if same else "",
        auto_recovery=(template.get("MaintenanceOptions") or {}).get("AutoRecovery") or "",
        tenancy=tenancy if tenancy == DEDICATED else "",
        shutdown_behavior=template.get("InstanceInitiatedShutdownBehavior") or "",
        instance_tags=_tags_of(template, "instance"),
        volume_tags=_tags_of(template, "volume"),
    )


def _disk(mapping: Properties) -> Disk:
    ebs = mapping["Ebs"]
    return Disk(
        device=mapping["DeviceName"],
        settings=VolumeSettings(
            ebs.get("VolumeType") or "", int(ebs.get("Iops") or 0), int(ebs.get("Throughput") or 0)
        ),
        size_gib=int(ebs.get("VolumeSize") or 0),
        delete_on_termination=ebs.get("DeleteOnTermination"),
    )


def _metadata(options: Properties) -> Metadata:
    ours = Metadata()
    return Metadata(
        endpoint=options.get("HttpEndpoint") or ours.endpoint,
        tokens=options.get("HttpTokens") or ours.tokens,
        hop_limit=int(options.get("HttpPutResponseHopLimit") or ours.hop_limit),
        ipv6=options.get("HttpProtocolIpv6") or "",
        tags=options.get("InstanceMetadataTags") or "",
    )


def _tags_of(template: Properties, kind: str) -> dict[str, str]:
    tags = [
        tag
        for each in template.get("TagSpecifications") or []
        if each.get("ResourceType") == kind
        for tag in each.get("Tags") or []
    ]
    return {each["Key"]: each.get("Value", "") for each in tags if not each["Key"].startswith(RESERVED)}


def _image_snapshots(findings: Findings, name: str, template: Properties) -> set[str]:
    """The snapshots behind the image, where the template names snapshots at all: a template that was made from an
    instance names the image's own."""
    named = [each for each in template.get("BlockDeviceMappings", []) if each.get("Ebs", {}).get("SnapshotId")]
    if not named:
        return set()
    image = str(template.get("ImageId", ""))
    answer = findings.ask(name, f"image {image}", "ec2", "describe_images", ImageIds=[image])
    images = answer["Images"] if answer else []
    return {
        mapping["Ebs"]["SnapshotId"]
        for each in images
        for mapping in each.get("BlockDeviceMappings", [])
        if mapping.get("Ebs", {}).get("SnapshotId")
    }


def _made_there(mapping: Properties, images: set[str]) -> bool:
    """Whether this device can be made in the standby region: blank, or from the copy of the image."""
    snapshot = mapping["Ebs"].get("SnapshotId")
    return not snapshot or snapshot in images


def _lost_of_template(
    template: Properties, mapped: list[Properties], images: set[str], same: bool
) -> Iterator[LeftOut]:
    """What is carried over, but not always."""
    for each in settings.found(TEMPLATE, template) if not same else ():
        if each.member.startswith(BOUND_TO_TYPES) and each.setting is not None and each.setting.advice:
            yield left_out(IN_TEMPLATE, each)
    for mapping in mapped:
        if "Ebs" in mapping and not _made_there(mapping, images):
            yield carried_not(IN_TEMPLATE, TEMPLATE, "BlockDeviceMappings.Ebs.SnapshotId", _named(mapping))
    tenancy = (template.get("Placement") or {}).get("Tenancy", "")
    if tenancy not in ("", "default", DEDICATED):
        yield carried_not(IN_TEMPLATE, TEMPLATE, "Placement.Tenancy", tenancy)
    for kind in [each.get("ResourceType", "") for each in template.get("TagSpecifications") or []]:
        if kind not in TAGGED:
            yield carried_not(IN_TEMPLATE, TEMPLATE, "TagSpecifications.ResourceType", kind)


def _named(mapping: Properties) -> str:
    return f"{mapping['Ebs']['SnapshotId']} behind {mapping['DeviceName']}"


# -- group -----------------------------------------------------------------------------------------------------


def _group(group: Properties) -> GroupSettings:
    checks = _listed(group.get("HealthCheckType"))
    return GroupSettings(
        health_check_type="ELB" if "ELB" in checks else "EC2" if checks else "",
        health_check_grace_seconds=int(group.get("HealthCheckGracePeriod") or 0),
        cooldown_seconds=group.get("DefaultCooldown"),
        warmup_seconds=group.get("DefaultInstanceWarmup"),
        termination_policies=tuple(
            each for each in group.get("TerminationPolicies") or [] if not each.startswith(FUNCTION)
        ),
        tags=tuple(
            GroupTag(each["Key"], each.get("Value") or "", bool(each.get("PropagateAtLaunch")))
            for each in group.get("Tags") or []
            if not each["Key"].startswith(RESERVED)
        ),
    )


def _lost_of_group(group: Properties) -> Iterator[LeftOut]:
    """What is carried over, but not always."""
    for each in _listed(group.get("HealthCheckType")):
        if each not in HEALTH_CHECKS:
            yield carried_not(IN_GROUP, GROUP, "HealthCheckType", each)
    for each in (group.get("TargetGroupARNs") or [])[1:]:
        yield carried_not(IN_GROUP, GROUP, "TargetGroupARNs", each.rpartition(":")[2])
    for each in group.get("TerminationPolicies") or []:
        if each.startswith(FUNCTION):
            yield carried_not(IN_GROUP, GROUP, "TerminationPolicies", each)


def _listed(text: str | None) -> list[str]:
    return [each.strip() for each in (text or "").split(",") if each.strip()]


def _attached(findings: Findings, name: str, group: Properties) -> Iterator[LeftOut]:
    for kind in ATTACHED:
        found = _names(findings, name, kind, str(group.get("AutoScalingGroupName", "")))
        if found:
            more = f" and {len(found) - NAMED_MAX} more" if len(found) > NAMED_MAX else ""
            said = f"{IN_GROUP}: {kind.what} {', '.join(found[:NAMED_MAX])}{more}"
            yield LeftOut(said, kind.instead, kind.advice)


def _names(findings: Findings, name: str, kind: Attached, group: str) -> list[str]:
    """A read that is refused is a problem of the survey, and never "none"."""
    which: Properties = {"AutoScalingGroupNames": [group]} if kind.by_list else {"AutoScalingGroupName": group}
    what = f"each {kind.what} of Auto Scaling group {group}"
    listed = findings.all(name, what, kind.field, "autoscaling", kind.operation, **which)
    return sorted({str(each.get(kind.name, "")) for each in listed})
