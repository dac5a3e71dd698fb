"""The shape of a declaration: frozen models, one per asset kind; each field's description is its documentation.

Keys are those of the YAML file; durations become float seconds. What one field alone can say is checked here; what
fields say of each other is in rules.py.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictInt, StrictStr

from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import LAUNCH_ORDER
from pilotlight.workload.words import (
    AccountId,
    Assignment,
    BucketName,
    DomainName,
    EmailAddress,
    FolderName,
    HttpsEndpoint,
    InstanceType,
    RegionName,
    RoleName,
    Seconds,
)

NAME = r"^[a-z][a-z0-9-]{1,19}$"
"""Short enough that every derived name fits AWS's limits (naming.py), and valid in all of them."""
TAG = r"^[^=]{1,128}=[^=]{0,256}$"
"""EC2 API: tag keys up to 128 characters, values up to 256."""
GPUS_MAX = 10_000_000
"""Above the largest fleets there are; more is a slip."""
COUNT_MAX = 500
"""Auto Scaling groups are walked instance by instance; more belongs into several groups."""
PORT_MAX = 65535
KEEP_MAX = 1000
"""EBS keeps 100,000 snapshots a region; a retention policy longer than this is a slip."""
NOTIFY_MAX = 50
"""A channel for more is a mailing list or a pager of their own."""
INSTANCE_TYPES_MAX = 40
"""Auto Scaling API: at most 40 overrides in a mixed instances policy."""


class Strict(BaseModel):
    """Unknown keys are errors; nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class Regions(Strict):
    """Where the workload runs, and where it waits."""

    primary: RegionName = Field(description="Region that serves normally.")
    standby: RegionName = Field(description="Region that serves when the primary is lost.")


class Objectives(Strict):
    """What is asked for."""

    rpo_seconds: Seconds = Field(alias="rpo", description="How much work may be lost at most, as time.")
    rto_seconds: Seconds = Field(alias="rto", description="How long the workload may be away at most.")


class Keep(Strict):
    """The retention policy: how many recovery points stay at each rung."""

    hourly: Annotated[StrictInt, Field(ge=1, le=KEEP_MAX, description="Newest points of this many hours.")] = 24
    daily: Annotated[StrictInt, Field(ge=0, le=KEEP_MAX, description="Newest points of this many days.")] = 7
    weekly: Annotated[StrictInt, Field(ge=0, le=KEEP_MAX, description="Newest points of this many weeks.")] = 4


class Lock(Strict):
    """Object lock on the papers of recovery points."""

    mode: Literal["governance", "compliance"] = Field(
        default="governance", description="`compliance` can be lifted by nobody, the account's root included."
    )
    lock_seconds: Seconds = Field(alias="for", description="How long a paper can be neither changed nor deleted.")


class Points(Strict):
    """The schedule of recovery points."""

    every_seconds: Seconds = Field(default=3600.0, alias="every", description="Time between recovery points.")
    keep: Keep = Field(default=Keep(), description="The retention policy.")
    lock: Lock | None = Field(default=None, description="Object lock, where points must outlive an intruder.")


class Vault(Strict):
    """An account of its own for the copies, so that whoever rules the workload's account cannot destroy them."""

    account: AccountId = Field(description="Its 12 digits, in quotes; not the workload's own account.")
    role: RoleName = Field(
        default="OrganizationAccountAccessRole",
        description="Name of the role there that whoever deploys may assume.",
    )


class Asset(Strict):
    """What every asset has."""

    rpo_seconds: Seconds | None = Field(
        default=None, alias="rpo", description="RPO of this asset, where it differs from the workload's."
    )
    uses: tuple[StrictStr, ...] = Field(
        default=(), description="Assets that this one refers to; a recovery point keeps them at least as new."
    )


class Dataset(Asset):
    """A bucket, or one prefix of it, replicated to the standby region."""

    kind: Literal["dataset"]
    bucket: BucketName = Field(description="The existing bucket in the primary region.")
    prefix: FolderName = Field(
        default="",
        description="Only what lies in this folder: `train` and `train/` mean the same, and `train-old/` is not in it. "
        "Empty: the whole bucket.",
    )


class Health(Strict):
    """A file that the trainer saves in each checkpoint's folder, and what it must say."""

    file: Annotated[
        StrictStr,
        Field(pattern=r"^[^/\\]{1,255}$", description="JSON or JSON lines; NaN anywhere in it is poison."),
    ]
    key: Annotated[StrictStr, Field(min_length=1, description="The number that is bounded.")] = "loss"
    at_most: float | None = Field(default=None, description="Its last value is poison above this.")


class Training(Strict):
    """What writes the checkpoints: lost work is told in its units."""

    gpus: Annotated[StrictInt, Field(ge=1, le=GPUS_MAX, description="GPUs that train together.")]
    steps_per_hour: float | None = Field(default=None, gt=0, description="Steps an hour that they make together.")


CheckpointFormat = Literal[
    "auto",
    "safetensors",
    "safetensors-sharded",
    "orbax",
    "megatron",
    "deepspeed",
    "deepspeed-universal",
    "torch-dcp",
    "hf-bin-sharded",
    "lightning",
    "torch",
    "nemo",
    "composer",
    "folder",
    "gguf",
    "tensorflow",
    "tensorflow-saved-model",
    "keras",
    "flax",
    "onnx",
    "generic",
]
"""What checkpoints/ can judge; `auto` lets every format look."""


class Checkpoints(Asset):
    """A bucket that holds checkpoints, replicated and looked into for completeness."""

    kind: Literal["checkpoints"]
    bucket: BucketName = Field(description="The existing bucket in the primary region.")
    prefix: FolderName = Field(
        default="",
        description="The folder where checkpoints are, one folder each: `runs/llama` and `runs/llama/` mean the same, "
        "and `runs/llama-old/` is not in it. Empty: the whole bucket.",
    )
    format: CheckpointFormat = Field(default="auto", description="Format of the checkpoints.")
    needs: Literal["resume", "load"] | None = Field(
        default=None,
        description="What a recovered workload does with one: goes on training (`resume`: optimizer, random state and "
        "all), or loads the model (`load`). Left out: `load` with `traffic` and without `training`, else `resume`.",
    )
    health: Health | None = Field(default=None, description="How a poisoned checkpoint is told from a sound one.")
    training: Training | None = Field(default=None, description="What a lost step costs.")


class Select(Strict):
    """Which volumes."""

    tag: Annotated[StrictStr, Field(pattern=TAG, description="key=value; every volume with this tag is protected.")]


class Volumes(Asset):
    """EBS volumes by tag; those of one instance are snapshot at one instant."""

    kind: Literal["volumes"]
    select: Select = Field(description="Which volumes.")
    assign: Assignment = Field(
        default=LAUNCH_ORDER,
        description="Which instance gets which volumes at a failover: those of the instance that was launched first go "
        "to the first that is launched there, and so on (`launch-order`); volumes with one value of a tag go to one "
        "instance, in the order of the values (`{tag: KEY}`); or one set goes to all, where their volumes are "
        "read-only copies (`shared`).",
    )


class References(Strict):
    """Where rows name checkpoints."""

    table: Annotated[StrictStr, Field(min_length=1, max_length=63, description="Table.")]
    column: Annotated[StrictStr, Field(min_length=1, max_length=63, description="Column that holds an s3:// URI.")]
    secret: Annotated[
        StrictStr | None,
        Field(
            min_length=1,
            max_length=512,
            description="Login in Secrets Manager that may read the table; else the one that RDS manages.",
        ),
    ] = None


class Database(Asset):
    """An Aurora PostgreSQL cluster."""

    kind: Literal["database"]
    cluster: Annotated[StrictStr, Field(pattern=r"^[a-z](?:-?[a-z0-9]){0,62}$", description="Its identifier.")]
    mechanism: Literal["auto", "global"] = Field(default="auto", description="How it is protected.")
    references: References | None = Field(default=None, description="Rows that name checkpoints.")


class Compute(Asset):
    """An Auto Scaling group, at zero in the standby region until it is needed."""

    kind: Literal["compute"]
    group: Annotated[StrictStr, Field(min_length=1, max_length=255, description="The group in the primary region.")]
    instance_types: Annotated[
        tuple[InstanceType, ...],
        Field(
            max_length=INSTANCE_TYPES_MAX,
            description="Wanted type first, then what will do when it is short; else those that the group names.",
        ),
    ] = ()
    count: Annotated[
        StrictInt | None, Field(ge=1, le=COUNT_MAX, description="Instances after a failover; else as many as now.")
    ] = None
    volumes: tuple[StrictStr, ...] = Field(default=(), description="Volume groups that its instances mount.")


class Traffic(Strict):
    """The front door."""

    zone: DomainName = Field(description="Hosted zone, which exists.")
    zone_id: Annotated[
        StrictStr | None,
        Field(pattern=r"^[0-9A-Z]{1,32}$", description="Id of a public one, where several zones have that name."),
    ] = None
    record: DomainName = Field(description="Name inside the zone that clients ask.")
    check: Annotated[StrictStr, Field(pattern=r"^/\S*$", description="Path that answers 200 while it serves.")] = "/"
    port: Annotated[StrictInt, Field(ge=1, le=PORT_MAX, description="Port of the load balancer.")] = 80


class Notify(Strict):
    """Who is told what needs a person: a request for approval, a run that failed, protection that stands still."""

    email: Annotated[
        tuple[EmailAddress, ...],
        Field(max_length=NOTIFY_MAX, description="Addresses; each has to confirm once, by the link that SNS sends it."),
    ] = ()
    https: Annotated[
        tuple[HttpsEndpoint, ...],
        Field(max_length=NOTIFY_MAX, description="Endpoints that SNS posts to, once they have confirmed."),
    ] = ()


AnyAsset = Annotated[Dataset | Checkpoints | Volumes | Database | Compute, Discriminator("kind")]
AssetName = Annotated[str, Field(pattern=NAME)]


class Workload(Strict):
    """One declaration."""

    version: Literal[1] = Field(description="Version of this file's form.")
    workload: Annotated[StrictStr, Field(pattern=NAME, description="Name; part of the name of all that is built.")]
    regions: Regions = Field(description="Primary and standby.")
    objectives: Objectives = Field(description="RPO and RTO.")
    trigger: Literal["approval", "automatic"] = Field(
        default="approval", description="Whether a failover waits for a word, or begins by itself."
    )
    points: Points = Field(default=Points.model_validate({}), description="The schedule of recovery points.")
    vault: Vault | None = Field(
        default=None, description="Where replicas and recovery points are kept, if not in the workload's own account."
    )
    assets: Annotated[dict[AssetName, AnyAsset], Field(min_length=1, description="What is protected, by name.")]
    traffic: Traffic | None = Field(default=None, description="The front door, where there is one.")
    notify: Notify | None = Field(default=None, description="Who is told what needs a person.")

    def names(self, account: str) -> Names:
        """The names of everything that is made for it; `account` is the workload's own."""
        vault = self.vault.account if self.vault else ""
        return Names(self.workload, account, self.regions.primary, self.regions.standby, vault)


KINDS: dict[str, type[Asset]] = {
    "dataset": Dataset,
    "checkpoints": Checkpoints,
    "volumes": Volumes,
    "database": Database,
    "compute": Compute,
}


def keys(model: type[BaseModel]) -> tuple[str, ...]:
    """The YAML keys of a model."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def plain(value: Any) -> Any:
    """A model as the plain values it was read from."""
    return value.model_dump(by_alias=True) if isinstance(value, BaseModel) else value
