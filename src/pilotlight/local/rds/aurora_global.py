"""Global databases: which clusters belong together, which of them takes writes, and what AWS says about them.

Source: Aurora User Guide, "Using Amazon Aurora Global Database"; RDS API Reference, "GlobalCluster", "FailoverState",
"GlobalClusterMember". AWS keeps this where every region can read it, so a call in any region that is there sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from moto.rds.exceptions import RDSClientError

from pilotlight.local.rds.aurora_database import AVAILABLE, Database, Role
from pilotlight.local.wire.signature import signed_region

SECONDARY_REGIONS_MAX = 10
"""Aurora User Guide, "Limitations of Aurora Global Database": up to ten secondary regions."""


def refused(code: str, message: str) -> RDSClientError:
    """An error as RDS answers it."""
    return RDSClientError(code, message)


@dataclass
class Member:
    """One cluster of a global database. `is_synchronized` is False from a failover until it follows the new writer."""

    database: Database
    is_synchronized: bool = True
    is_rejoining: bool = False
    lost_history: bool = False
    silent_rounds: int = 0


@dataclass
class Move:
    """A failover or a switchover under way."""

    source: Database
    target: Database
    is_data_loss_allowed: bool


@dataclass
class GlobalDatabase:
    """What DescribeGlobalClusters tells of."""

    identifier: str
    resource_id: str
    account: str
    engine: str
    engine_version: str
    database_name: str | None = None
    is_encrypted: bool = False
    is_protected: bool = False
    tags: list[dict[str, str]] = field(default_factory=list)
    writer: Database | None = None
    members: list[Member] = field(default_factory=list)
    move: Move | None = None
    status: str = AVAILABLE

    @property
    def arn(self) -> str:
        """A global cluster's ARN has no region."""
        return f"arn:aws:rds::{self.account}:global-cluster:{self.identifier}"

    @property
    def secondaries(self) -> list[Member]:
        """Every member but the writer."""
        return [member for member in self.members if member.database is not self.writer]

    def member(self, named: str) -> Member:
        """The member of this ARN; errors as AWS's."""
        for each in self.members:
            if named in (each.database.arn, each.database.cluster.db_cluster_identifier):
                return each
        text = f"{named} is not a member of the global cluster {self.identifier}."
        raise refused("DBClusterNotFoundFault", text)

    def leaving(self, named: str) -> Member:
        """The member that RemoveFromGlobalCluster means; of one that is none RDS says so in other words, which
        terraform-provider-aws waits for (internal/service/rds/global_cluster.go)."""
        for each in self.members:
            if named in (each.database.arn, each.database.cluster.db_cluster_identifier):
                return each
        text = f"Cluster '{named}' is not found in global cluster '{self.identifier}'"
        raise refused("InvalidParameterValue", text)

    def described(self) -> dict[str, Any]:
        """As the API has it."""
        answer = {
            "GlobalClusterIdentifier": self.identifier,
            "GlobalClusterResourceId": self.resource_id,
            "GlobalClusterArn": self.arn,
            "Status": self.status,
            "Engine": self.engine,
            "EngineVersion": self.engine_version,
            "DatabaseName": self.database_name,
            "StorageEncrypted": self.is_encrypted,
            "DeletionProtection": self.is_protected,
            "GlobalClusterMembers": [self._described(member) for member in self.members],
            "FailoverState": self._failover_state(),
            "TagList": self.tags,
        }
        return {name: value for name, value in answer.items() if value is not None}

    def _described(self, member: Member) -> dict[str, Any]:
        writes = member.database is self.writer
        told: dict[str, Any] = {
            "DBClusterArn": member.database.arn,
            "IsWriter": writes,
            "Readers": [each.database.arn for each in self.secondaries] if writes else [],
            "SynchronizationStatus": "connected" if member.is_synchronized else "pending-resync",
        }
        return told if writes else told | {"GlobalWriteForwardingStatus": "disabled"}

    def _failover_state(self) -> dict[str, Any] | None:
        if self.move is None:
            return None
        return {
            "Status": "failing-over",
            "FromDbClusterArn": self.move.source.arn,
            "ToDbClusterArn": self.move.target.arn,
            "IsDataLossAllowed": self.move.is_data_loss_allowed,
        }


class Globals:
    """Every global database of the account."""

    def __init__(self) -> None:
        self._all: dict[str, GlobalDatabase] = {}

    def __iter__(self) -> Iterator[GlobalDatabase]:
        return iter(list(self._all.values()))

    def add(self, one: GlobalDatabase) -> None:
        """A new one; its name must be free."""
        if one.identifier in self._all:
            text = f"The global cluster {one.identifier} already exists."
            raise refused("GlobalClusterAlreadyExistsFault", text)
        self._all[one.identifier] = one

    def get(self, named: str) -> GlobalDatabase:
        """By name or ARN."""
        found = self._all.get(named.rsplit(":", 1)[-1].lower())
        if found is None:
            raise refused("GlobalClusterNotFoundFault", f"The global cluster {named} does not exist.")
        return found

    def of(self, database: Database) -> GlobalDatabase | None:
        """The one that a cluster belongs to."""
        return next((each for each in self for member in each.members if member.database is database), None)

    def rename(self, one: GlobalDatabase, name: str) -> None:
        """Give it another name."""
        del self._all[one.identifier]
        one.identifier = name.lower()
        self.add(one)

    def remove(self, one: GlobalDatabase) -> None:
        """Only one without members can go."""
        if one.members:
            text = f"Global Cluster {one.arn} is not empty"
            raise refused("InvalidGlobalClusterStateFault", text)
        if one.is_protected:
            text = f"Cannot delete protected Global Cluster {one.identifier}, disable deletion protection first."
            raise refused("InvalidParameterCombination", text)
        del self._all[one.identifier]


def check_secondary(one: GlobalDatabase, region: str, asked: dict[str, Any]) -> None:
    """Whether a cluster with these parameters can join (Aurora User Guide, "Adding an AWS Region")."""
    for name, words in FORBIDDEN_TO_SECONDARIES.items():
        if asked.get(name):
            text = f"Cannot specify {words} for cross region replication cluster"
            raise refused("InvalidParameterCombination", text)
    if region in [member.database.region for member in one.members]:
        text = f"The global cluster {one.identifier} already has a cluster in {region}."
        raise refused("InvalidParameterValue", text)
    if len(one.secondaries) >= SECONDARY_REGIONS_MAX:
        text = f"{one.identifier} has {SECONDARY_REGIONS_MAX} secondary clusters, the most there can be."
        raise refused("InvalidGlobalClusterStateFault", text)
    if one.is_encrypted and not asked.get("kms_key_id"):
        text = "For encrypted cross-region replica, kmsKeyId should be explicitly specified"
        raise refused("InvalidParameterCombination", text)
    if one.is_encrypted and one.writer:
        _check_signed(one.writer, str(asked.get("pre_signed_url") or ""))
    if asked.get("engine_version") not in (None, one.engine_version):
        text = f"The engine version of a secondary cluster must be that of the global cluster, {one.engine_version}."
        raise refused("InvalidParameterCombination", text)


def _check_signed(source: Database, url: str) -> None:
    """A secondary of an encrypted cluster needs a CreateDBCluster that is signed for the source's region; SDKs make one
    where SourceRegion says it (RDS API Reference, "CreateDBCluster"; what RDS answers without it:
    aws-cloudformation/cloudformation-coverage-roadmap issue 719, with the wrong one: hashicorp/terraform-provider-aws
    issue 16362)."""
    if not url:
        text = f"Source cluster {source.arn} is encrypted; pre-signed URL has to be specified"
        raise refused("InvalidParameterCombination", text)
    if signed_region(url) != source.region:
        raise refused("InvalidParameterValue", "PreSignedUrl could not be authenticated.")


FORBIDDEN_TO_SECONDARIES = {
    "master_username": "user name",
    "master_user_password": "password",
    "database_name": "database name",
}


def check_target(one: GlobalDatabase, target: Member) -> None:
    """Whether this member can become the writer now."""
    database = target.database
    if one.status != AVAILABLE:
        raise refused("InvalidGlobalClusterStateFault", f"Global cluster {one.identifier} is {one.status}.")
    if database is one.writer:
        text = f"{database.arn} is already the primary cluster of {one.identifier}."
        raise refused("InvalidDBClusterStateFault", text)
    if not database.instances:
        text = f"{database.arn} is headless: create a DB instance in it before it is promoted."
        raise refused("InvalidDBClusterStateFault", text)
    if not target.is_synchronized or not database.is_serving or database.role is not Role.READER:
        text = f"{database.arn} is {database.status} and does not follow the primary cluster yet."
        raise refused("InvalidDBClusterStateFault", text)
    if database.cloud.is_dark(database.region):
        text = f"{database.arn} cannot be reached."
        raise refused("InvalidDBClusterStateFault", text)
