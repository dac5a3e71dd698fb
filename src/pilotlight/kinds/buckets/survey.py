"""The survey of a bucket: that it is there, in the primary region, is nobody else's, and can be replicated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pilotlight.kinds.buckets import bucket_settings
from pilotlight.kinds.buckets.declare import Bucket
from pilotlight.runtime.arns import GLOBAL_REGION
from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.naming import Names
from pilotlight.runtime.records.inventory import Datasets, as_folder
from pilotlight.survey import claims
from pilotlight.survey.findings import Findings
from pilotlight.survey.kind import KindSurvey, Look
from pilotlight.survey.named import BUCKET, QUEUE, ROLE, WORKLOAD, Named

LOCATION_DEFAULT = "us-east-1"
"""S3 API, GetBucketLocation: buckets there have no location constraint."""
NAMED_MAX = 5
"""Keys that a problem names, where a prefix may mean any of them; a sentence of more is not read."""


class BucketSurvey(KindSurvey):
    """Of datasets."""

    def survey(self, look: Look, name: str, asset: Any) -> Datasets:
        """The bucket and its folder."""
        if _check_bucket(look.findings, look.names, name, asset.bucket):
            _check_folder(look.findings, name, asset)
        copy = look.names.standby_bucket(name)
        look.buckets[asset.bucket] = copy
        return Datasets(
            name=name,
            kind=asset.kind,
            primary_bucket=asset.bucket,
            standby_bucket=copy,
            prefix=as_folder(asset.prefix),
            rpo_seconds=look.rpo_seconds(asset),
            compare_seconds=float(asset.compare_seconds or 0.0),
            uses=tuple(asset.uses),
        )

    def names(self, names: Names, asset: str, original: str) -> Iterator[Named]:
        """The copy, the roles of replication, and the queue, which is one for all."""
        yield Named("primary", WORKLOAD, QUEUE, names.events_queue, names.primary)
        yield Named("vault", asset, BUCKET, names.standby_bucket(asset), names.standby, apart=bool(names.vault))
        for purpose in ("replication", "batch", *(() if names.vault else ("reverse",))):
            yield Named("primary", asset, ROLE, names.role(f"{purpose}-{asset}"), GLOBAL_REGION)


def _check_bucket(findings: Findings, names: Names, name: str, bucket: str) -> bool:
    """Whether the bucket is there, in the primary region; what is amiss with it becomes a problem."""
    answer = findings.ask(name, f"bucket {bucket}", "s3", "get_bucket_location", Bucket=bucket)
    if answer is None:
        return False
    region = answer.get("LocationConstraint") or LOCATION_DEFAULT
    if region != findings.region:
        findings.add(name, f"bucket {bucket} is in {region}, not in {findings.region}; declare one that is there")
        return False
    problem = claims.bucket_problem(names, name, bucket, claims.replication(findings, name, bucket))
    if problem:
        findings.add(name, problem)
    _check_lock(findings, name, bucket)
    bucket_settings.check(findings, names, name, bucket)
    return True


def _check_folder(findings: Findings, name: str, asset: Bucket) -> None:
    """A prefix without its slash is a folder that has objects, or the word for something else that is there."""
    if asset.prefix == as_folder(asset.prefix) or _beginning(findings, name, asset.bucket, asset.prefix + "/"):
        return
    others = _beginning(findings, name, asset.bucket, asset.prefix)
    if others:
        findings.add(
            name,
            f"prefix {asset.prefix} is a folder, and bucket {asset.bucket} has nothing in {asset.prefix}/, but has "
            f"{', '.join(others)}; write {asset.prefix}/ for the folder that is yet to come, or name what is meant, "
            f"for example {others[0]}",
        )


def _beginning(findings: Findings, name: str, bucket: str, text: str) -> list[str]:
    """The first few keys and folders that begin with this text."""
    asked: dict[str, Any] = {"Bucket": bucket, "Prefix": text, "Delimiter": "/", "MaxKeys": NAMED_MAX}
    answer = findings.ask(name, f"the keys of bucket {bucket}", "s3", "list_objects_v2", **asked) or {}
    folders = [str(each["Prefix"]) for each in answer.get("CommonPrefixes", [])]
    return folders + [str(each["Key"]) for each in answer.get("Contents", [])]


def _check_lock(findings: Findings, name: str, bucket: str) -> None:
    """S3 User Guide, "Using Object Lock with S3 Replication": the destination needs Object Lock, too; ours has none,
    and replication would fail each object."""
    what = f"the Object Lock configuration of bucket {bucket}"
    try:
        found = findings.client.call("s3", "get_object_lock_configuration", findings.region, Bucket=bucket)
    except CallRefused as refusal:
        if not says_absent(refusal):
            findings.add(name, f"{what} cannot be read ({refusal.facts['reason']})")
        return
    if found["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled":
        findings.add(
            name,
            f"bucket {bucket} has Object Lock, so its copies must have it too, which is not built: S3 would fail each "
            "object; keep its data in a bucket without Object Lock, or take the asset out of the declaration",
        )


KIND = BucketSurvey()
