"""The Inventory: what was built for a workload and from what; all that a recovery reads to know them.

It lives in the vault bucket (`naming.PAPER_INVENTORY`), so a run needs neither the declaration nor any Pulumi state
nor the primary region. `pilotlight up` writes it; every Lambda reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.codec import Tagged
from pilotlight.runtime.records.settings import GroupSettings, LaunchSettings, LeftOut, VolumeSettings


@dataclass(frozen=True)
class Health:
    """Which file in a checkpoint's folder tells its health; `at_most` bounds the last value of `key`."""

    file: str
    key: str = "loss"
    at_most: float | None = None


@dataclass(frozen=True)
class Training:
    """What trains: so many GPUs, so many steps an hour; it turns a lost step into lost GPU-hours."""

    gpus: int
    steps_per_hour: float | None = None


def as_folder(prefix: str) -> str:
    """A prefix of an asset is a folder: `runs/llama` means `runs/llama/` and nothing of `runs/llama-old/`."""
    return f"{prefix}/" if prefix and not prefix.endswith("/") else prefix


@dataclass(frozen=True)
class Asset(Tagged):
    """What every asset has; each kind of asset has a record of its own below, or in its folder (kinds/kind.py)."""

    name: str
    kind: str = field(kw_only=True)
    mechanism: str = field(kw_only=True)
    """How it is protected, as `pilotlight plan` names it."""
    rpo_seconds: float = field(default=0.0, kw_only=True)
    """Its own objective; 0 where the workload's holds."""
    uses: tuple[str, ...] = field(default=(), kw_only=True)
    left_out: tuple[LeftOut, ...] = field(default=(), kw_only=True)
    """Settings of the primary that the standby lacks."""


AnyAsset = TypeVar("AnyAsset", bound=Asset)


@dataclass(frozen=True)
class Datasets(Asset):
    """One bucket (below one prefix) replicated to the standby region; `kind` is dataset or checkpoints."""

    TAGS: ClassVar[tuple[str, ...]] = ("dataset", "checkpoints")

    kind: str
    primary_bucket: str
    standby_bucket: str
    prefix: str = ""
    """A folder, with its slash, or empty; inventories of older editions may lack the slash until the next `up`."""
    format: str = "auto"
    mechanism: str = field(default="replication", kw_only=True)
    health: Health | None = None
    training: Training | None = None
    needs: str = "resume"
    """Of checkpoints: `resume`, all that a training goes on from, or `load`, the model."""
    compare_seconds: float = 0.0
    """How often both sides are compared whole, where they are too long for every run; 0 where nothing is declared."""


LAUNCH_ORDER = "launch-order"
SHARED = "shared"
BY_TAG = "tag:"
"""How `Volumes.assign` begins where a tag of each volume decides; the tag's key follows."""


@dataclass(frozen=True)
class InstanceVolumes:
    """The selected volumes that belong together on one instance; its place in the list is its index."""

    instance: str
    """Empty where no instance had them when the inventory was taken."""
    devices: dict[str, str]
    """Device name -> volume id."""
    size_gib: dict[str, int]
    label: str = ""
    """The value of the tag that decides; empty where the order of launch does."""


@dataclass(frozen=True)
class Volumes(Asset):
    """EBS volumes selected by one tag; all of one instance are snapshot together."""

    TAGS: ClassVar[tuple[str, ...]] = ("volumes",)

    tag_key: str
    tag_value: str
    devices: dict[str, str]
    """Device name (/dev/sdf) -> volume id in the primary region when the inventory was taken; of a device that
    several instances have, the first one's volume."""
    size_gib: dict[str, int]
    """Device name -> size, the largest where several instances have it."""
    mechanism: str = field(default="snapshot-copies", kw_only=True)
    kind: str = field(default="volumes", kw_only=True)
    assign: str = LAUNCH_ORDER
    """Which instance gets which snapshots: `launch-order`, `shared` or `tag:KEY`."""
    instances: tuple[InstanceVolumes, ...] = ()
    """The same volumes by instance, in the order of their index; empty in inventories of older editions."""
    unassigned: tuple[str, ...] = ()
    """Selected volumes whose device or instance is not known; they are copied and come up nowhere by themselves."""
    settings: dict[str, VolumeSettings] = field(default_factory=dict)
    """Device name -> what it comes up with; devices that are not alike on all instances are not in it."""

    @property
    def tag_of_index(self) -> str:
        """Key of the tag that decides which instance gets a volume; empty where another rule does."""
        return self.assign.removeprefix(BY_TAG) if self.assign.startswith(BY_TAG) else ""


@dataclass(frozen=True)
class Database(Asset):
    """An Aurora PostgreSQL cluster and its secondary in one global cluster."""

    TAGS: ClassVar[tuple[str, ...]] = ("database",)

    primary_cluster: str
    standby_cluster: str
    global_cluster: str
    engine: str
    engine_version: str
    database: str
    primary_arn: str
    standby_arn: str
    table: str = ""
    column: str = ""
    """The table and column whose rows name checkpoints, for the edge database -> checkpoints."""
    secret: str = ""
    """ARN of the login in Secrets Manager, in the primary region, with which those rows are read."""
    mechanism: str = field(default="global-database", kw_only=True)
    kind: str = field(default="database", kw_only=True)


@dataclass(frozen=True)
class Compute(Asset):
    """An Auto Scaling group and its counterpart at zero in the standby region."""

    TAGS: ClassVar[tuple[str, ...]] = ("compute",)

    primary_group: str
    standby_group: str
    standby_launch_template: str
    image: str
    """AMI in the primary region; the standby stack copies it."""
    instance_types: tuple[str, ...]
    """Instance types: the wanted type first, then what is acceptable when it is short."""
    count: int
    user_data: str
    """Base64 of the primary's user data with its identifiers translated; marks such as
    `{{pilotlight:database:<asset>:endpoint}}` stand for what is known only once the standby is built."""
    port: int
    instance_profile_policy: str
    """JSON policy document the instances need in the standby region, translated from the primary's role."""
    volumes: tuple[str, ...] = ()
    """Names of the volume groups that its instances mount."""
    template: dict[str, str] = field(default_factory=dict)
    """Member of the primary's launch template -> digest of its value when the inventory was taken, the image apart:
    what the primary launches by now is compared with it. Empty in inventories of older editions."""
    launch: LaunchSettings = field(default_factory=LaunchSettings)
    group: GroupSettings = field(default_factory=GroupSettings)
    mechanism: str = field(default="warm-capacity", kw_only=True)
    kind: str = field(default="compute", kw_only=True)


@dataclass(frozen=True)
class Traffic:
    """The front door: one DNS name, a failover pair of records behind it."""

    zone: str
    zone_id: str
    record: str
    check: str
    """Path that answers 200 when the workload serves."""
    port: int
    primary_balancer_dns: str
    primary_balancer_zone: str


@dataclass(frozen=True)
class Keep:
    """The retention policy: how many recovery points stay at each rung."""

    hourly: int = 24
    daily: int = 7
    weekly: int = 4


@dataclass(frozen=True)
class Lock:
    """Object lock on recovery points: `mode` is governance or compliance (S3 User Guide, "Locking objects")."""

    mode: str
    seconds: float


@dataclass(frozen=True)
class VaultAccount:
    """The account of a vault that is not in the workload's own, and the role by which a deployer gets in."""

    account: str
    role: str
    """Name of the role there, with its path where it has one."""

    @property
    def role_arn(self) -> str:
        return f"arn:{PARTITION}:iam::{self.account}:role/{self.role}"


@dataclass(frozen=True)
class Notify:
    """Who is told what needs a person: e-mail addresses, and HTTPS endpoints that SNS posts to."""

    email: tuple[str, ...] = ()
    https: tuple[str, ...] = ()


def _of_one_list(raw: dict[str, Any]) -> dict[str, Any]:
    """Edition 1 had a list for each kind."""
    lists = [raw.pop(name, ()) for name in ("datasets", "volumes", "databases", "computes")]
    return raw | {"assets": [asset for assets in lists for asset in assets]}


@dataclass(frozen=True)
class Inventory:
    """Everything a recovery must know, with no call to the primary region."""

    SCHEMA: ClassVar[str] = "pilotlight/inventory/2"
    EARLIER: ClassVar[dict[str, Any]] = {"pilotlight/inventory/1": _of_one_list}

    workload: str
    account: str
    primary: str
    standby: str
    rpo_seconds: float
    rto_seconds: float
    trigger: str
    every_seconds: float
    keep: Keep
    assets: tuple[Asset, ...] = ()
    """Every asset, by kind in the order of the registry (kinds/registry.py), within a kind as declared."""
    traffic: Traffic | None = None
    lock: Lock | None = None
    vault: VaultAccount | None = None
    notify: Notify = Notify()
    taken_at: str = ""
    schema: str = "pilotlight/inventory/2"
    stacks: tuple[str, ...] = ()
    """The stacks that are deployed, as the last `up` or `destroy` left them; empty in what was written before this was
    kept."""
    zones: tuple[str, ...] = ()
    """Of the standby network; empty in inventories of older editions, whose networks are in `a` and `b`."""
    remarks: tuple[str, ...] = ()
    """What the survey saw that stands in the way of no `up`, and of a failover it may."""

    @cached_property
    def names(self) -> Names:
        return Names(self.workload, self.account, self.primary, self.standby, self.vault.account if self.vault else "")

    def of(self, record: type[AnyAsset]) -> tuple[AnyAsset, ...]:
        """The assets that have this record."""
        return tuple(each for each in self.assets if isinstance(each, record))

    @cached_property
    def datasets(self) -> tuple[Datasets, ...]:
        """Buckets, those with checkpoints among them."""
        return self.of(Datasets)

    @cached_property
    def volumes(self) -> tuple[Volumes, ...]:
        """Volume groups."""
        return self.of(Volumes)

    @cached_property
    def databases(self) -> tuple[Database, ...]:
        """Aurora clusters."""
        return self.of(Database)

    @cached_property
    def computes(self) -> tuple[Compute, ...]:
        """Auto Scaling groups."""
        return self.of(Compute)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Every setting of the primary that the standby lacks, in words, by asset."""
        return tuple(one.said(each.name) for each in self.assets for one in each.left_out)
