"""Handing a backfill to S3 Batch Replication: one job for a bucket, made once, waited for, then proven like any other.

S3 User Guide, "Replicating existing objects with S3 Batch Replication": the job finds the objects that the rules select
and that were never replicated, or failed, and S3 replicates them with their version ids; $0.25 a job and $1 a million
objects (S3 pricing, "Batch Operations"). The job's id is kept, so that a second call waits for the first one's job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import BatchJobFailed, CallRefused
from pilotlight.runtime.kinds.buckets.backfill import Backfilled, require
from pilotlight.runtime.records.inventory import Datasets, Inventory

STATUSES = ("NONE", "FAILED")
"""What replication has not taken up, and what it gave up."""
ENDED = ("Complete", "Failed", "Cancelled")
POLL_SECONDS = 15.0
PRIORITY = 10
COUNTS = ("TotalNumberOfTasks", "NumberOfTasksSucceeded", "NumberOfTasksFailed")


@dataclass(frozen=True)
class Progress:
    """How far the job is; `total` is 0 while S3 makes its list."""

    status: str
    total: int
    succeeded: int
    failed: int


Tell = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """The progress of whoever does not want to know."""


def backfill(context: RecoveryContext, asset: Datasets, tell: Tell = silent) -> Backfilled:
    """Let S3 replicate what the standby bucket lacks, then prove it.

    BatchJobFailed when the job came to nothing, NotProtected when something is missing after it.
    """
    id = _job(context, asset)
    job = waited(context, context.inventory.primary, id, tell)
    context.ledger.forget_job(asset.name)
    done = progress_of(job)
    if job["Status"] != "Complete":
        reasons = "; ".join(str(each.get("FailureReason", "")) for each in job.get("FailureReasons", []))
        raise BatchJobFailed(
            asset=asset.name,
            job=id,
            region=context.inventory.primary,
            status=job["Status"],
            failed=done.failed,
            total=done.total,
            reason=reasons or "S3 gives no reason",
        )
    proof = require(context, asset)
    return Backfilled(asset.name, done.succeeded, 0, proof.proven, proof.strengths)


def request(context: RecoveryContext, asset: Datasets, token: str) -> dict[str, Any]:
    """CreateJob's parameters (pure)."""
    inventory = context.inventory
    wanted: dict[str, Any] = {"EligibleForReplication": True, "ObjectReplicationStatuses": list(STATUSES)}
    if asset.prefix:
        wanted["KeyNameConstraint"] = {"MatchAnyPrefix": [asset.prefix]}
    generator = {
        "ExpectedBucketOwner": inventory.account,
        "SourceBucket": f"arn:{PARTITION}:s3:::{asset.primary_bucket}",
        "EnableManifestOutput": False,
        "Filter": wanted,
    }
    return {
        "AccountId": inventory.account,
        "ConfirmationRequired": False,
        "Operation": {"S3ReplicateObject": {}},
        "Report": {"Enabled": False},
        "ClientRequestToken": token,
        "Description": f"Pilotlight: {inventory.workload} {asset.name}",
        "Priority": PRIORITY,
        "RoleArn": role_arn(inventory, asset),
        "ManifestGenerator": {"S3JobManifestGenerator": generator},
    }


def role_arn(inventory: Inventory, asset: Datasets) -> str:
    """The role that a job of this bucket acts as (pure)."""
    return f"arn:{PARTITION}:iam::{inventory.account}:role/{inventory.names.role(f'batch-{asset.name}')}"


def progress_of(job: dict[str, Any]) -> Progress:
    """As DescribeJob tells it (pure)."""
    told = job.get("ProgressSummary") or {}
    total, succeeded, failed = (int(told.get(name) or 0) for name in COUNTS)
    return Progress(str(job["Status"]), total, succeeded, failed)


def _job(context: RecoveryContext, asset: Datasets) -> str:
    """The id of the job under way, or of a new one; its token is kept before it is made, so that it is made once."""
    token, id = context.ledger.job(asset.name)
    if id and _describe(context, context.inventory.primary, id)["Status"] not in ENDED:
        return id
    if id or not token:
        token = f"{context.inventory.workload}-{asset.name}-{context.clock.now():.0f}"
        context.ledger.keep_job(asset.name, token, "")
    made = context.client.call("s3control", "create_job", context.inventory.primary, **request(context, asset, token))
    context.ledger.keep_job(asset.name, token, str(made["JobId"]))
    return str(made["JobId"])


def waited(context: RecoveryContext, region: str, id: str, tell: Tell) -> dict[str, Any]:
    """The job as it ended."""
    while True:
        job = _describe(context, region, id)
        tell(progress_of(job))
        if job["Status"] in ENDED:
            return job
        context.clock.sleep(POLL_SECONDS)


def _describe(context: RecoveryContext, region: str, id: str) -> dict[str, Any]:
    """A job that S3 has forgotten (after 90 days) has ended."""
    account = context.inventory.account
    try:
        found: dict[str, Any] = context.client.call("s3control", "describe_job", region, AccountId=account, JobId=id)[
            "Job"
        ]
    except CallRefused as refusal:
        if says_absent(refusal):
            return {"Status": "Cancelled", "FailureReasons": [{"FailureReason": "S3 does not know the job any more"}]}
        raise
    return found
