"""The shape of a declaration: frozen models; each field's description is its documentation. Assets' own are in their
folders: kinds/<kind>/declare.py.

Keys are those of the YAML file; durations become float seconds. What one field alone can say is checked here; what
fields say of each other is in rules.py.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, StrictInt, StrictStr

from pilotlight.kinds.registry import aspect
from pilotlight.runtime.naming import Names
from pilotlight.workload.asset import NAME, Asset, Strict
from pilotlight.workload.words import (
    AccountId,
    DomainName,
    EmailAddress,
    HttpsEndpoint,
    RegionName,
    RoleName,
    Seconds,
)

PORT_MAX = 65535
KEEP_MAX = 1000
"""EBS keeps 100,000 snapshots a region; a retention policy longer than this is a slip."""
NOTIFY_MAX = 50
"""A channel for more is a mailing list or a pager of their own."""


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
    """Object lock on the records of recovery points."""

    mode: Literal["governance", "compliance"] = Field(
        default="governance", description="`compliance` can be lifted by nobody, the account's root included."
    )
    lock_seconds: Seconds = Field(alias="for", description="How long a record can be neither changed nor deleted.")


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


KINDS: dict[str, type[Asset]] = aspect("declare")
"""Kind -> its model (kinds/<kind>/declare.py)."""
if TYPE_CHECKING:
    AnyAsset = Asset
else:
    AnyAsset = Annotated[reduce(or_, KINDS.values()), Discriminator("kind")]
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


def keys(model: type[BaseModel]) -> tuple[str, ...]:
    """The YAML keys of a model."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def plain(value: Any) -> Any:
    """A model as the plain values it was read from."""
    return value.model_dump(by_alias=True) if isinstance(value, BaseModel) else value
