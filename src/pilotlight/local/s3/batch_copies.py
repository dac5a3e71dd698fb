"""S3 Batch Operations that copy: the versions that a manifest of three columns names, as the job's role.

S3 User Guide, "Copy objects" (Batch Operations) and "Specifying a manifest": CSV with Bucket, Key (as in an address)
and VersionId; the entity tag of the manifest is compared; a copy keeps metadata and tags; objects above 5 GB fail. The
job needs to read the manifest and the versions, and to write the copies.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from pilotlight.local.kernel.cloud import Cloud

COPY = "S3PutObjectCopy"
FORMAT, FIELDS = "S3BatchOperations_CSV_20180820", ["Bucket", "Key", "VersionId"]
BYTES_MAX = 5 * 1024**3
TAKEN = {"TargetResource", "TargetKeyPrefix", "MetadataDirective"}
READ, TAGS = ("s3:GetObjectVersion", "s3:GetObjectVersionTagging"), "s3:PutObjectTagging"


@dataclass(frozen=True)
class Copies:
    """What a job copies, and where to."""

    target: str
    below: str
    manifest_bucket: str
    manifest_key: str
    etag: str


def asked_for(operation: dict[str, Any], manifest: dict[str, Any]) -> Copies | str:
    """What a CreateJob asks for, or why it is not built here."""
    given = operation[COPY] or {}
    strange = sorted({*given} - TAKEN)
    if strange:
        return f"The parameter {strange[0]} of {COPY} is not built in the embedded cloud"
    spec, location = manifest.get("Spec") or {}, manifest.get("Location") or {}
    if spec.get("Format") != FORMAT or spec.get("Fields") != FIELDS:
        return f"Only a manifest {FORMAT} with {', '.join(FIELDS)} is built in the embedded cloud"
    bucket, _, key = str(location.get("ObjectArn", "")).rpartition(":")[2].partition("/")
    below = str(given.get("TargetKeyPrefix") or "")
    target = str(given.get("TargetResource", "")).rpartition(":")[2]
    return Copies(target, f"{below}/" if below else "", bucket, key, str(location.get("ETag", "")).strip('"'))


def against(cloud: Cloud, role: str, job: Copies) -> str:
    """Why the job cannot be carried out at all."""
    arn = f"arn:aws:s3:::{job.manifest_bucket}/{job.manifest_key}"
    if not cloud.allows(role, "s3:GetObject", arn):
        return f"The role {role} may not s3:GetObject on {arn}"
    found = _backend(cloud).get_object(job.manifest_bucket, job.manifest_key)
    if found is None:
        return f"There is no manifest {arn}"
    return "" if found.etag.strip('"') == job.etag else f"The manifest {arn} is not of the ETag {job.etag}"


def carried_out(cloud: Cloud, role: str, job: Copies) -> Iterator[bool]:
    """Copy one after the other; whether each was copied."""
    backend = _backend(cloud)
    body = backend.get_object(job.manifest_bucket, job.manifest_key).value.decode()
    for bucket, name, version in csv.reader(io.StringIO(body)):
        key = unquote_plus(name)
        source = backend.get_object(bucket, key, version_id=version)
        target = f"arn:aws:s3:::{job.target}/{job.below}{key}"
        may = all(cloud.allows(role, each, f"arn:aws:s3:::{bucket}/{key}") for each in READ)
        may = may and all(cloud.allows(role, each, target) for each in ("s3:PutObject", TAGS))
        if not may or source is None or source.size > BYTES_MAX:
            yield False
            continue
        backend.copy_object(source, job.target, f"{job.below}{key}", provided_version_id=version)
        yield True


def _backend(cloud: Cloud) -> Any:
    return cloud.backend("s3", "aws")
