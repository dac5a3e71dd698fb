"""Handing the copies of a plan to S3 Batch Operations: the plan as the job's manifest, one job, waited for.

S3 User Guide, "Copy objects" (Batch Operations): a job runs in the target's region, copies objects up to 5 GB, keeps
metadata and tags, and takes no condition on what is current at the target. So what has moved on is left out right
before the job is made, and the listing after it tells what it hid. The manifest lies in the bucket itself, below
`.pilotlight/`, because the job reads it with the bucket's own role; it is taken away when the job has ended.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from typing import IO, Any, cast
from urllib.parse import quote

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.errors import BatchCopyFailed, FileUnusable
from pilotlight.runtime.kinds.buckets import batch
from pilotlight.runtime.kinds.buckets.listing import Bucket
from pilotlight.runtime.kinds.restore import Item, Tell
from pilotlight.runtime.records.inventory import Datasets

FORMAT = "S3BatchOperations_CSV_20180820"
FIELDS = ["Bucket", "Key", "VersionId"]
PUTS_MAX = 3
MEMORY_BYTES_MAX = 8 * 1024 * 1024
"""What is longer waits on disk until it is written."""


def copy(
    context: RecoveryContext, asset: Datasets, source: Bucket, below: str, plan: str, items: Iterable[Item], tell: Tell
) -> None:
    """Copy these versions by a job, and wait for it; one that was begun for this plan is waited for first.

    BatchCopyFailed where a job came to nothing; single objects that it could not copy are left for whoever compares.
    """
    ledger, name = context.ledger, f"restore-{asset.name}"
    token, id = ledger.job(name)
    begun = token.startswith(plan)
    if begun:
        _waited(context, source, id or _made(context, asset, source, below, token), tell)
        ledger.forget_job(name)
    count, etag = _write_manifest(context, asset, source, plan, items)
    if count:
        token = f"{plan} {etag} {count}-{context.clock.now():.0f}"
        ledger.keep_job(name, token, "")
        id = _made(context, asset, source, below, token)
        job = _waited(context, source, id, tell)
        ledger.forget_job(name)
        _require(asset, source, id, job)
    if count or begun:
        context.client.call("s3", "delete_object", source.region, Bucket=source.name, Key=manifest_key(asset, plan))


def manifest_key(asset: Datasets, plan: str) -> str:
    """Where a plan's manifest lies while its job runs (pure)."""
    return f"{asset.prefix}.pilotlight/restore-{plan[:16]}.csv"


def request(context: RecoveryContext, asset: Datasets, source: Bucket, below: str, token: str) -> dict[str, Any]:
    """CreateJob's parameters (pure)."""
    inventory = context.inventory
    plan, etag, number = token.split(" ")
    into = {"TargetResource": f"arn:{PARTITION}:s3:::{source.name}", "MetadataDirective": "COPY"}
    lies = f"arn:{PARTITION}:s3:::{source.name}/{manifest_key(asset, plan)}"
    return {
        "AccountId": inventory.account,
        "ConfirmationRequired": False,
        "Operation": {"S3PutObjectCopy": into | ({"TargetKeyPrefix": below.rstrip("/")} if below else {})},
        "Manifest": {
            "Spec": {"Format": FORMAT, "Fields": FIELDS},
            "Location": {"ObjectArn": lies, "ETag": etag},
        },
        "Report": {"Enabled": False},
        "ClientRequestToken": f"{plan[:32]}-{number}",
        "Description": f"Pilotlight: {inventory.workload} {asset.name}, restore",
        "Priority": batch.PRIORITY,
        "RoleArn": batch.role_arn(inventory, asset),
    }


def _write_manifest(
    context: RecoveryContext, asset: Datasets, source: Bucket, plan: str, items: Iterable[Item]
) -> tuple[int, str]:
    """(how many versions it names, its entity tag); not written where it names none."""
    count = 0
    with cast(IO[bytes], tempfile.SpooledTemporaryFile(MEMORY_BYTES_MAX)) as file:
        for each in items:
            assert each.source is not None, "a copy is of something"
            file.write(f"{source.name},{quote(each.item)},{each.source['version']}\n".encode())
            count += 1
        if not count:
            return 0, ""
        return count, _put_whole(context, {"Bucket": source.name, "Key": manifest_key(asset, plan)}, source, file)


def _put_whole(context: RecoveryContext, where: dict[str, str], source: Bucket, file: IO[bytes]) -> str:
    """Write a file, and see that all of it is there: a call that was made again begins where the file had come to."""
    size = file.tell()
    for _ in range(PUTS_MAX):
        file.seek(0)
        made = context.client.call("s3", "put_object", source.region, **where, Body=file)
        head = context.client.call("s3", "head_object", source.region, **where)
        if int(head["ContentLength"]) == size:
            return str(made["ETag"]).strip('"')
    raise FileUnusable(path=f"s3://{where['Bucket']}/{where['Key']}", reason=f"{size} bytes did not arrive whole")


def _made(context: RecoveryContext, asset: Datasets, source: Bucket, below: str, token: str) -> str:
    asked = request(context, asset, source, below, token)
    made = context.client.call("s3control", "create_job", source.region, **asked)
    context.ledger.keep_job(f"restore-{asset.name}", token, str(made["JobId"]))
    return str(made["JobId"])


def _waited(context: RecoveryContext, source: Bucket, id: str, tell: Tell) -> dict[str, Any]:
    def progress(job: batch.Progress) -> None:
        tell(f"job {job.status}, copied", job.succeeded + job.failed, job.total)

    return batch.waited(context, source.region, id, progress)


def _require(asset: Datasets, source: Bucket, id: str, job: dict[str, Any]) -> None:
    """That a job came to something."""
    done = batch.progress_of(job)
    if job["Status"] == "Complete" or done.succeeded:
        return
    reasons = "; ".join(str(each.get("FailureReason", "")) for each in job.get("FailureReasons", []))
    raise BatchCopyFailed(
        asset=asset.name,
        job=id,
        region=source.region,
        status=job["Status"],
        failed=done.failed,
        total=done.total,
        reason=reasons or "S3 gives no reason",
    )
