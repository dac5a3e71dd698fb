"""The survey of how a bucket is set, as far as its replication depends on it: what would fail each object is refused,
what would fail some is told.

Source: S3 User Guide, "What does Amazon S3 replicate?" and "Requirements and considerations for replication". Nothing
of it is changed but versioning. A bucket key needs nothing: the role may decrypt in the bucket's context, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from json import loads
from typing import Any

from pilotlight.runtime.arns import PARTITION
from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.naming import Names
from pilotlight.survey.findings import Findings

READS = (
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:ListBucket",
    "s3:GetReplicationConfiguration",
)
"""What the replication role does with the source (S3 User Guide, "Setting up permissions for live replication")."""
HARMLESS = frozenset({"aws:securetransport", "s3:tlsversion"})
"""Conditions on the connection, which S3's own meets."""
OWNED = "BucketOwnerEnforced"

Properties = dict[str, Any]


def check(findings: Findings, names: Names, asset: str, bucket: str) -> None:
    """The settings of one source bucket."""
    versions = _read(findings, asset, bucket, "get_bucket_versioning") or {}
    for problem in version_problems(bucket, versions):
        findings.add(asset, problem)
    _encryption(findings, asset, bucket)
    _payment_and_owners(findings, asset, bucket, versions)
    policy = _read(findings, asset, bucket, "get_bucket_policy")
    role = f"arn:{PARTITION}:iam::{names.account}:role/{names.role(f'replication-{asset}')}"
    for statement in loads(policy["Policy"])["Statement"] if policy else ():
        said = denial(statement, role, names.account)
        if said and not statement.get("Condition"):
            findings.add(asset, f"the policy of bucket {bucket} {said}; except that role, or S3 copies nothing")
        elif said:
            findings.remark(asset, f"the policy of bucket {bucket} {said}; where it does, S3 copies nothing")


def version_problems(bucket: str, versions: Properties) -> Iterator[str]:
    """Why versioning cannot be switched on by `up` (pure)."""
    if versions.get("MFADelete") == "Enabled":
        yield (
            f"bucket {bucket} has MFA delete, so its versioning is set only with a code that `up` does not have; "
            "switch it off (aws s3api put-bucket-versioning --mfa), for example until `up` is done"
        )


def _payment_and_owners(findings: Findings, asset: str, bucket: str, versions: Properties) -> None:
    if versions.get("Status") == "Suspended":
        findings.remark(
            asset,
            f"versions of bucket {bucket} are suspended; `up` keeps them again, because replication needs it, and "
            "`destroy` leaves them so",
        )
    payer = (_read(findings, asset, bucket, "get_bucket_request_payment") or {}).get("Payer")
    if payer == "Requester":
        findings.remark(
            asset,
            f"bucket {bucket} is paid for by who reads it; its copy is not, so after a failover you pay for what "
            "others read",
        )
    owners = _read(findings, asset, bucket, "get_bucket_ownership_controls") or {}
    rules = [str(each.get("ObjectOwnership")) for each in owners.get("OwnershipControls", {}).get("Rules", [])]
    if OWNED not in rules:
        findings.remark(
            asset,
            f"objects in bucket {bucket} that other accounts write are theirs ({', '.join(rules) or 'ObjectWriter'}), "
            f"and S3 copies them only where they grant it; {OWNED} makes them yours "
            "(aws s3api put-bucket-ownership-controls)",
        )


def _encryption(findings: Findings, asset: str, bucket: str) -> None:
    """The default key has to decrypt; what is encrypted with a key of its writer's has no copy in a bucket of ours."""
    found = _read(findings, asset, bucket, "get_bucket_encryption") or {}
    for rule in found.get("ServerSideEncryptionConfiguration", {}).get("Rules", []):
        findings.met_key(asset, f"bucket {bucket}", rule["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID"))
        blocked = rule.get("BlockedEncryptionTypes", {}).get("EncryptionType", [])
        if blocked and "SSE-C" not in blocked:
            findings.remark(
                asset,
                f"bucket {bucket} takes objects that are encrypted with a key of their writer's (SSE-C), and its copy "
                "does not: those would have none",
            )


def denial(statement: Properties, role: str, account: str) -> str:
    """What a statement of a bucket policy denies the replication role, in words; empty where nothing (pure)."""
    if statement.get("Effect") != "Deny" or not _is_about(statement.get("Principal"), role, account):
        return ""
    actions = [each for each in READS if any(_fits(each, one) for one in _listed(statement.get("Action", [])))]
    keys = {key.lower() for operator in statement.get("Condition", {}).values() for key in operator}
    if not actions or (keys and keys <= HARMLESS):
        return ""
    where = f" where {', '.join(sorted(keys))} says so" if keys else ""
    return f"denies {role.rpartition('/')[2]} {', '.join(actions)}{where} ({statement.get('Sid', 'no Sid')})"


def _is_about(principal: Any, role: str, account: str) -> bool:
    named = _listed(principal.get("AWS", []) if isinstance(principal, dict) else principal or [])
    return bool({"*", role, account, f"arn:{PARTITION}:iam::{account}:root"} & set(named))


def _fits(action: str, pattern: str) -> bool:
    return fnmatchcase(action.lower(), pattern.lower())


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _read(findings: Findings, asset: str, bucket: str, operation: str) -> Properties | None:
    """A setting; None where there is none, and where it cannot be read, which is a problem."""
    try:
        return findings.client.call("s3", operation, findings.region, Bucket=bucket)
    except CallRefused as refusal:
        if not says_absent(refusal):
            what = operation.removeprefix("get_bucket_").replace("_", " ")
            findings.add(asset, f"the {what} of bucket {bucket} cannot be read ({refusal.facts['reason']})")
        return None
