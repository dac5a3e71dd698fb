"""The Inventory: what was built for a workload and from what; all that a recovery reads to know them.

It lives in the vault bucket (`naming.PAPER_INVENTORY`), so a run needs neither the declaration nor any Pulumi state
nor the primary region. `pilotlight up` writes it; every Lambda reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pilotlight.runtime.naming import Names
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
class Datasets:
    """One bucket (below one prefix) replicated to the standby region; `kind` is dataset or checkpoints."""

    name: str
    kind: str
    primary_bucket: str
    standby_bucket: str
    prefix: str = ""
    """A folder, with its slash, or empty; inventories of older editions may lack the slash until the next `up`."""
    format: str = "auto"
    rpo_seconds: float = 0.0
    uses: tuple[str, ...] = ()
    mechanism: str = "replication"
    health: Health | None = None
    training: Training | None = None
    needs: str = "resume"
    """Of checkpoints: `resume`, all that a training goes on from, or `load`, the model."""


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
class Volumes:
    """EBS volumes selected by one tag; all of one instance are snapshot together."""

    name: str
    tag_key: str
    tag_value: str
    devices: dict[str, str]
    """Device name (/dev/sdf) -> volume id in the primary region when the inventory was taken; of a device that
    several instances have, the first one's volume."""
    size_gib: dict[str, int]
    """Device name -> size, the largest where several instances have it."""
    rpo_seconds: float = 0.0
    uses: tuple[str, ...] = ()
    mechanism: str = "snapshot-copies"
    kind: str = "volumes"
    assign: str = LAUNCH_ORDER
    """Which instance gets which snapshots: `launch-order`, `shared` or `tag:KEY`."""
    instances: tuple[InstanceVolumes, ...] = ()
    """The same volumes by instance, in the order of their index; empty in inventories of older editions."""
    unassigned: tuple[str, ...] = ()
    """Selected volumes whose device or instance is not known; they are copied and come up nowhere by themselves."""
    settings: dict[str, VolumeSettings] = field(default_factory=dict)
    """Device name -> what it comes up with; devices that are not alike on all instances are not in it."""
    left_out: tuple[LeftOut, ...] = ()

    @property
    def tag_of_index(self) -> str:
        """Key of the tag that decides which instance gets a volume; empty where another rule does."""
        return self.assign.removeprefix(BY_TAG) if self.assign.startswith(BY_TAG) else ""


@dataclass(frozen=True)
class Database:
    """An Aurora PostgreSQL cluster and its secondary in one global cluster."""

    name: str
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
    left_out: tuple[LeftOut, ...] = ()
    rpo_seconds: float = 0.0
    uses: tuple[str, ...] = ()
    mechanism: str = "global-database"
    kind: str = "database"


@dataclass(frozen=True)
class Compute:
    """An Auto Scaling group and its counterpart at zero in the standby region."""

    name: str
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
    left_out: tuple[LeftOut, ...] = ()
    uses: tuple[str, ...] = ()
    mechanism: str = "warm-capacity"
    kind: str = "compute"


Asset = Datasets | Volumes | Database | Compute


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
        return f"arn:aws:iam::{self.account}:role/{self.role}"


@dataclass(frozen=True)
class Notify:
    """Who is told what needs a person: e-mail addresses, and HTTPS endpoints that SNS posts to."""

    email: tuple[str, ...] = ()
    https: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inventory:
    """Everything a recovery must know, with no call to the primary region."""

    SCHEMA: ClassVar[str] = "pilotlight/inventory/1"

    workload: str
    account: str
    primary: str
    standby: str
    rpo_seconds: float
    rto_seconds: float
    trigger: str
    every_seconds: float
    keep: Keep
    datasets: tuple[Datasets, ...] = ()
    volumes: tuple[Volumes, ...] = ()
    databases: tuple[Database, ...] = ()
    computes: tuple[Compute, ...] = ()
    traffic: Traffic | None = None
    lock: Lock | None = None
    vault: VaultAccount | None = None
    notify: Notify = Notify()
    taken_at: str = ""
    schema: str = "pilotlight/inventory/1"
    stacks: tuple[str, ...] = ()
    """The stacks that are deployed, as the last `up` or `destroy` left them; empty in what was written before this was
    kept."""
    zones: tuple[str, ...] = ()
    """Of the standby network; empty in inventories of older editions, whose networks are in `a` and `b`."""
    remarks: tuple[str, ...] = ()
    """What the survey saw that stands in the way of no `up`, and of a failover it may."""

    @property
    def names(self) -> Names:
        return Names(self.workload, self.account, self.primary, self.standby, self.vault.account if self.vault else "")

    @property
    def assets(self) -> tuple[Asset, ...]:
        """Every asset, in the order in which papers list them."""
        return (*self.datasets, *self.volumes, *self.databases, *self.computes)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Every setting of the primary that the standby lacks, in words, by asset."""
        lists = [(each.name, each.left_out) for each in self.volumes]
        lists += [(each.name, each.left_out) for each in self.databases]
        lists += [(each.name, each.left_out) for each in self.computes]
        return tuple(one.said(name) for name, left_out in lists for one in left_out)
