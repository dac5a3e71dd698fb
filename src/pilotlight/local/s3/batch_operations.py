"""S3 Batch Operations: jobs that replicate what lies in a bucket already, and jobs that copy what a manifest names.

Source: S3 User Guide, "Replicating existing objects with S3 Batch Replication" and "Configuring an IAM role for S3
Batch Replication"; S3 API Reference, CreateJob, DescribeJob, ListJobs. A job finds its objects itself, by an
S3JobManifestGenerator, acts as its own role for each of them, and hands them to the bucket's rules as they are now: a
replica keeps its version id. What copies is in batch_copies.py. Other operations, reports and confirmations are
refused by name.
"""

from __future__ import annotations

import datetime
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.iam.policy_validation import SERVICE_TYPE_REGION_INFORMATION_ERROR_ASSOCIATIONS as WITHOUT_REGION
from moto.s3control import urls
from moto.s3control.responses import S3ControlResponse

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.kernel.service_principals import role_trusts
from pilotlight.local.overrides import extend, override
from pilotlight.local.s3 import batch_copies
from pilotlight.local.s3.batch_copies import COPY, Copies
from pilotlight.local.s3.replication import COMPLETED, FAILED, PENDING, Replication

REGIONAL_ARNS: list[str] = WITHOUT_REGION["s3"]["valid_starting_values"]
JOB_ARNS = "job/"
"""Policies may name jobs, whose ARNs have a region (Service Authorization Reference, Amazon S3); moto refuses them."""
SERVICE = "batchoperations.s3.amazonaws.com"
NEEDED_ON_BUCKET = ("s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration")
NEEDED_ON_OBJECT = "s3:InitiateReplication"
PREPARING_SECONDS = 60.0
"""AWS seconds: making the list of objects takes a minute at the least."""
ADVANCE_SECONDS = 0.1
NONE = "NONE"
FILTERS = {"EligibleForReplication", "ObjectReplicationStatuses", "CreatedAfter", "CreatedBefore", "KeyNameConstraint"}
CONSTRAINTS = {"MatchAnyPrefix", "MatchAnySuffix", "MatchAnySubstring"}
ENDED = ("Complete", "Failed", "Cancelled")


class RefusedJob(ServiceException):
    """An answer with AWS's own code."""


@dataclass
class Job:
    """One job; `open` are the versions that it has handed over and whose replication has not ended."""

    id: str
    region: str
    token: str
    role: str
    bucket: str
    filter: dict[str, Any]
    made_at: datetime.datetime
    due: float
    copies: Copies | None = None
    status: str = "Preparing"
    reason: str = ""
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    open: list[Any] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """As DescribeJob answers."""
        counts = {"NumberOfTasksSucceeded": self.succeeded, "NumberOfTasksFailed": self.failed}
        found = {
            "JobId": self.id,
            "Status": self.status,
            "CreationTime": self.made_at,
            "RoleArn": self.role,
            "Operation": {COPY: {}} if self.copies else {"S3ReplicateObject": {}},
            "ProgressSummary": {"TotalNumberOfTasks": self.total} | counts,
        }
        reasons = [{"FailureCode": "AccessDenied", "FailureReason": self.reason}] if self.reason else []
        return found | ({"FailureReasons": reasons} if reasons else {})


class BatchOperations(Behaviour):
    """Carries out replication jobs."""

    name = "batch-operations"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._replication = cloud.behaviour(Replication)
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        ours = self
        for path in ("/v20180820/jobs", "/v20180820/jobs/<job_id>", "/v20180820/jobs/<job_id>/status"):
            urls.url_paths.setdefault(path, S3ControlResponse.dispatch)
        extend(REGIONAL_ARNS, JOB_ARNS)

        def create_job(response: Any) -> ActionResult:
            return ActionResult({"JobId": ours.create(_asked(response), response.region)})

        def describe_job(response: Any) -> ActionResult:
            return ActionResult({"Job": ours.named(response._get_param("JobId"), response.region).told()})

        def list_jobs(response: Any) -> ActionResult:
            return ActionResult({"Jobs": [job.told() for job in ours.of(response.region)]})

        def update_job_status(response: Any) -> ActionResult:
            job = ours.cancel(_asked(response), response.region)
            return ActionResult({"JobId": job.id, "Status": job.status})

        override(
            S3ControlResponse,
            create_job=create_job,
            describe_job=describe_job,
            list_jobs=list_jobs,
            update_job_status=update_job_status,
        )

    def start(self) -> None:
        self.cloud.every(ADVANCE_SECONDS, self._advance_all, "batch operations")

    # -- the API -----------------------------------------------------------------------------------------------

    def create(self, asked: dict[str, Any], region: str) -> str:
        """Begin a job; a request with the token of an earlier one is that one."""
        token = str(asked.get("ClientRequestToken", ""))
        with self._lock:
            for job in self._jobs.values():
                if job.token == token and job.region == region:
                    return job.id
            job = self._made(asked, region, token)
            self._jobs[job.id] = job
            return job.id

    def named(self, id: str, region: str) -> Job:
        """One job of a region."""
        job = self._jobs.get(id)
        if job is None or job.region != region:
            raise RefusedJob("NotFoundException", f"The specified job {id} does not exist")
        return job

    def of(self, region: str) -> list[Job]:
        """Those of a region, the newest first."""
        return [job for job in reversed(self._jobs.values()) if job.region == region]

    def cancel(self, asked: dict[str, Any], region: str) -> Job:
        """End a job; what it has handed over goes on."""
        job = self.named(str(asked.get("JobId")), region)
        if asked.get("RequestedJobStatus") != "Cancelled" or job.status in ENDED:
            raise RefusedJob("JobStatusException", f"Job {job.id} is {job.status}; only one under way can be cancelled")
        job.status = "Cancelled"
        return job

    def _made(self, asked: dict[str, Any], region: str, token: str) -> Job:
        if asked.get("Report", {}).get("Enabled") or asked.get("ConfirmationRequired"):
            raise RefusedJob("InvalidRequest", "Reports and confirmations are not built in the embedded cloud")
        if set(asked.get("Operation", {})) == {COPY}:
            return self._made_of_manifest(asked, region, token)
        if set(asked.get("Operation", {})) != {"S3ReplicateObject"}:
            raise RefusedJob(
                "InvalidRequest", f"Only the operations S3ReplicateObject and {COPY} are built in the embedded cloud"
            )
        generator = (asked.get("ManifestGenerator") or {}).get("S3JobManifestGenerator")
        if asked.get("Manifest") or not generator:
            raise RefusedJob("InvalidRequest", "Only an S3JobManifestGenerator is built in the embedded cloud")
        wanted = generator.get("Filter") or {}
        strange = sorted({*wanted} - FILTERS | {*(wanted.get("KeyNameConstraint") or {})} - CONSTRAINTS)
        if strange:
            raise RefusedJob("InvalidRequest", f"The filter {strange[0]} is not built in the embedded cloud")
        bucket = str(generator["SourceBucket"]).rpartition(":")[2]
        return self._begun(asked, region, token, bucket, wanted, None)

    def _made_of_manifest(self, asked: dict[str, Any], region: str, token: str) -> Job:
        copies = batch_copies.asked_for(asked["Operation"], asked.get("Manifest") or {})
        if isinstance(copies, str):
            raise RefusedJob("InvalidRequest", copies)
        return self._begun(asked, region, token, copies.target, {}, copies)

    def _begun(
        self,
        asked: dict[str, Any],
        region: str,
        token: str,
        bucket: str,
        wanted: dict[str, Any],
        copies: Copies | None,
    ) -> Job:
        if bucket not in self._buckets or self._buckets[bucket].region_name != region:
            raise RefusedJob("InvalidRequest", f"The bucket {bucket} is not in {region}")
        now = datetime.datetime.now(datetime.UTC)
        due = now.timestamp() + self.cloud.real_seconds(PREPARING_SECONDS)
        return Job(secrets.token_hex(16), region, token, str(asked["RoleArn"]), bucket, wanted, now, due, copies)

    # -- carrying out ------------------------------------------------------------------------------------------

    def _advance_all(self) -> None:
        for job in list(self._jobs.values()):
            if job.status not in ENDED and not self.cloud.is_dark(job.region):
                self._advance(job)

    def _advance(self, job: Job) -> None:
        if job.status == "Preparing":
            if datetime.datetime.now(datetime.UTC).timestamp() >= job.due:
                (self._copy if job.copies else self._hand_over)(job)
            return
        still = []
        for version in job.open:
            status = status_of(version)
            job.succeeded += status == COMPLETED
            job.failed += status == FAILED
            still += [version] if status == PENDING else []
        job.open = still
        if not still:
            job.status = "Complete" if job.succeeded or not job.total else "Failed"

    def _hand_over(self, job: Job) -> None:
        job.reason = self._against(job)
        if job.reason:
            job.status = "Failed"
            return
        with self.cloud.lock("s3"):
            for version in self._wanted(job):
                job.total += 1
                arn = f"arn:aws:s3:::{job.bucket}/{version.name}"
                if self.cloud.allows(job.role, NEEDED_ON_OBJECT, arn) and self._replication.again(job.bucket, version):
                    job.open.append(version)
                else:
                    job.failed += 1
        job.status = "Active"

    def _copy(self, job: Job) -> None:
        assert job.copies is not None
        trusted = role_trusts(self.cloud, job.role, SERVICE)
        job.reason = "" if trusted else f"The role {job.role} cannot be assumed by {SERVICE}"
        with self.cloud.lock("s3"):
            job.reason = job.reason or batch_copies.against(self.cloud, job.role, job.copies)
            for copied in batch_copies.carried_out(self.cloud, job.role, job.copies) if not job.reason else ():
                job.total += 1
                job.succeeded += copied
                job.failed += not copied
        job.status = "Complete" if not job.reason and (job.succeeded or not job.total) else "Failed"

    def _against(self, job: Job) -> str:
        """Why the job cannot be carried out at all."""
        if not role_trusts(self.cloud, job.role, SERVICE):
            return f"The role {job.role} cannot be assumed by {SERVICE}"
        arn = f"arn:aws:s3:::{job.bucket}"
        for action in NEEDED_ON_BUCKET:
            if not self.cloud.allows(job.role, action, arn):
                return f"The role {job.role} may not {action} on {arn}"
        has_rules = getattr(self._buckets[job.bucket], "replication", None)
        return "" if has_rules else f"{job.bucket} has no replication rules"

    def _wanted(self, job: Job) -> Iterator[Any]:
        """Versions that some rule selects, of the asked statuses, times and names."""
        statuses = set(job.filter.get("ObjectReplicationStatuses") or (NONE, PENDING, COMPLETED, FAILED))
        names = {kind: each for kind, each in (job.filter.get("KeyNameConstraint") or {}).items() if each}
        after, before = job.filter.get("CreatedAfter"), job.filter.get("CreatedBefore")
        for version in self._replication.eligible(job.bucket):
            written = _moment(version.last_modified)
            late = before and written >= _moment(before)
            early = after and written <= _moment(after)
            if status_of(version) in statuses and not late and not early and _is_named(version.name, names):
                yield version

    @property
    def _buckets(self) -> Any:
        return self.cloud.backend("s3", "aws").buckets


ASKED = (
    "RoleArn", "Operation", "Report", "ConfirmationRequired", "Manifest", "ManifestGenerator", "ClientRequestToken",
    "JobId", "RequestedJobStatus",
)  # fmt: skip


def _asked(response: Any) -> dict[str, Any]:
    found = {name: response._get_param(name) for name in ASKED}
    return {name: value for name, value in found.items() if value is not None}


def status_of(version: Any) -> str:
    """What HeadObject tells, or NONE where no rule has taken it up."""
    return getattr(version, "replication_status", None) or NONE


def _moment(when: datetime.datetime | str) -> datetime.datetime:
    found = datetime.datetime.fromisoformat(when) if isinstance(when, str) else when
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def _is_named(name: str, constraints: dict[str, list[str]]) -> bool:
    """Every kind that is given has one text that fits."""
    fits = {"MatchAnyPrefix": name.startswith, "MatchAnySuffix": name.endswith, "MatchAnySubstring": name.__contains__}
    return all(any(fits[kind](text) for text in texts) for kind, texts in constraints.items())
