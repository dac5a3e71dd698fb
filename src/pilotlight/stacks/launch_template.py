"""The standby's launch template: inputs from what the primary's sets and what the standby brings itself (pure).

A device that a volume group protects is blank until a run puts a snapshot behind it, and is kept when its instance
ends: after a failover it holds the newest data there is. Every volume is encrypted with the key of the standby.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi_aws as aws

from pilotlight.runtime.records.inventory import Compute, Inventory
from pilotlight.runtime.records.settings import Disk, LaunchSettings, Metadata, VolumeSettings

PLAIN = VolumeSettings("gp3")
"""Of protected volumes whose type is not known, or not alike on all instances."""


@dataclass(frozen=True)
class DeviceSpec:
    """One volume of an instance. Size in GiB; 0 where the image says it."""

    device: str
    size_gib: int
    settings: VolumeSettings = PLAIN
    delete_on_termination: bool | None = False


def devices(inventory: Inventory, asset: Compute) -> tuple[DeviceSpec, ...]:
    """Protected volumes and the others that the primary's template makes, by name."""
    groups = [group for group in inventory.volumes if group.name in asset.volumes]
    sizes = {device: size for group in groups for device, size in group.size_gib.items()}
    known = {device: one for group in groups for device, one in group.settings.items() if one.volume_type}
    protected = {each: DeviceSpec(each, sizes[each], known.get(each, PLAIN)) for each in sizes}
    others = {each.device: _other(each) for each in asset.launch.disks}
    found = others | protected
    return tuple(found[device] for device in sorted(found))


def _other(disk: Disk) -> DeviceSpec:
    return DeviceSpec(disk.device, disk.size_gib, disk.settings, disk.delete_on_termination)


def block_device(device: DeviceSpec, key_arn: str) -> aws.ec2.LaunchTemplateBlockDeviceMappingArgs:
    """The provider has switches of volumes as texts."""
    ebs = aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
        volume_size=device.size_gib or None,
        volume_type=device.settings.volume_type or None,
        iops=device.settings.iops or None,
        throughput=device.settings.throughput_mibps or None,
        encrypted="true",
        kms_key_id=key_arn,
        delete_on_termination=_switch(device.delete_on_termination),
    )
    return aws.ec2.LaunchTemplateBlockDeviceMappingArgs(device_name=device.device, ebs=ebs)


def metadata(options: Metadata) -> aws.ec2.LaunchTemplateMetadataOptionsArgs:
    return aws.ec2.LaunchTemplateMetadataOptionsArgs(
        http_endpoint=options.endpoint,
        http_tokens=options.tokens,
        http_put_response_hop_limit=options.hop_limit,
        http_protocol_ipv6=options.ipv6 or None,
        instance_metadata_tags=options.tags or None,
    )


def tag_specifications(
    launch: LaunchSettings, own: Mapping[str, str]
) -> list[aws.ec2.LaunchTemplateTagSpecificationArgs]:
    """What the primary's instances and volumes are tagged with, and our own, which win."""
    kinds: Iterable[tuple[str, Mapping[str, str]]] = (
        ("instance", launch.instance_tags),
        ("volume", launch.volume_tags),
    )
    return [
        aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags={**theirs, **own}) for kind, theirs in kinds
    ]


def taken_over(launch: LaunchSettings) -> dict[str, Any]:
    """Inputs that are there only where the primary's template says something."""
    given = {
        "ebs_optimized": _switch(launch.ebs_optimized),
        "instance_initiated_shutdown_behavior": launch.shutdown_behavior or None,
        "monitoring": None
        if launch.monitoring is None
        else aws.ec2.LaunchTemplateMonitoringArgs(enabled=launch.monitoring),
        "cpu_options": _cpu(launch),
        "credit_specification": aws.ec2.LaunchTemplateCreditSpecificationArgs(cpu_credits=launch.cpu_credits)
        if launch.cpu_credits
        else None,
        "maintenance_options": aws.ec2.LaunchTemplateMaintenanceOptionsArgs(auto_recovery=launch.auto_recovery)
        if launch.auto_recovery
        else None,
        "placement": aws.ec2.LaunchTemplatePlacementArgs(tenancy=launch.tenancy) if launch.tenancy else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _cpu(launch: LaunchSettings) -> aws.ec2.LaunchTemplateCpuOptionsArgs | None:
    if not (launch.cpu_cores or launch.cpu_threads_per_core or launch.cpu_sev_snp):
        return None
    return aws.ec2.LaunchTemplateCpuOptionsArgs(
        core_count=launch.cpu_cores or None,
        threads_per_core=launch.cpu_threads_per_core or None,
        amd_sev_snp=launch.cpu_sev_snp or None,
    )


def _switch(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()
