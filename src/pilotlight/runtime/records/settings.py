"""Settings of the primary's templates, groups and volumes that the standby takes over, and those that it lacks.

Parts of the Inventory. What is empty, 0 or None is not set by the primary; inventories of older editions have nothing
of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LeftOut:
    """A setting of the primary that the standby does not have; told before anything is made."""

    setting: str
    """Where it stands and what AWS calls it, with its value where that is short."""
    instead: str
    """What the standby does, or why it cannot have it."""
    advice: str

    def said(self, asset: str) -> str:
        return f"{asset}: {self.setting} is not carried over: {self.instead}; {self.advice}"


@dataclass(frozen=True)
class VolumeSettings:
    """How fast an EBS volume is; what is empty or 0 is AWS's default for the type."""

    volume_type: str = ""
    iops: int = 0
    throughput_mibps: int = 0


@dataclass(frozen=True)
class Disk:
    """An EBS volume that the launch template makes besides those that are protected: the root volume, scratch."""

    device: str
    settings: VolumeSettings = VolumeSettings()
    size_gib: int = 0
    """0 where the image says it."""
    delete_on_termination: bool | None = None


@dataclass(frozen=True)
class Metadata:
    """How instances are told about themselves; the defaults are ours, where the template says nothing."""

    endpoint: str = "enabled"
    tokens: str = "required"
    hop_limit: int = 1
    """Answers stay on the instance (EC2 User Guide, "Use IMDSv2"); containers need 2."""
    ipv6: str = ""
    tags: str = ""


@dataclass(frozen=True)
class LaunchSettings:
    """What the primary's launch template sets and the standby's takes over; empty, 0 or None where it says nothing."""

    disks: tuple[Disk, ...] = ()
    metadata: Metadata = Metadata()
    ebs_optimized: bool | None = None
    monitoring: bool | None = None
    cpu_cores: int = 0
    cpu_threads_per_core: int = 0
    cpu_sev_snp: str = ""
    cpu_credits: str = ""
    auto_recovery: str = ""
    tenancy: str = ""
    shutdown_behavior: str = ""
    instance_tags: dict[str, str] = field(default_factory=dict)
    volume_tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupTag:
    """A tag of an Auto Scaling group."""

    key: str
    value: str
    propagate: bool


@dataclass(frozen=True)
class GroupSettings:
    """What the primary's group sets and the standby's takes over; in inventories of older editions nothing."""

    health_check_type: str = ""
    health_check_grace_seconds: int = 0
    cooldown_seconds: int | None = None
    warmup_seconds: int | None = None
    termination_policies: tuple[str, ...] = ()
    tags: tuple[GroupTag, ...] = ()
