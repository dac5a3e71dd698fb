"""What the role of a replication configuration may do, object by object, and with which KMS keys.

Source: S3 User Guide, "Setting up permissions for live replication" (without the permissions for tags an object is
replicated, but not its tags) and "Replicating encrypted objects" (kms:Decrypt with the source's key, kms:Encrypt with
the replica's; the encryption context is the object's ARN, or the bucket's where it has a bucket key).
"""

from __future__ import annotations

from typing import Any

from pilotlight.local.iam.access import MANAGED_KEY
from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.kernel.service_principals import role_trusts
from pilotlight.local.kms.encryption_keys import find_key
from pilotlight.local.s3.replicas import KMS
from pilotlight.local.s3.replication_rules import Rule

SERVICE = "s3.amazonaws.com"
READ = {
    "s3:GetObjectVersionForReplication": "SrcGetObjectNotPermitted",
    "s3:GetObjectVersionAcl": "SrcGetAclNotPermitted",
}
"""Action -> S3's word where it is refused (S3 User Guide, "Amazon S3 replication failure reasons")."""


class Permissions:
    """Asks the cloud's own IAM."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def of(self, role: str, source: Any, target: Any) -> RolePermissions:
        """Those of one role between two buckets."""
        return RolePermissions(self._cloud, role, source, target)


class RolePermissions:
    """What one role may between two buckets."""

    def __init__(self, cloud: Cloud, role: str, source: Any, target: Any) -> None:
        self._cloud = cloud
        self._role = role
        self._source = source
        self._target = target

    def may_assume(self) -> bool:
        """Whether S3 may act as the role at all."""
        return role_trusts(self._cloud, self._role, SERVICE)

    def uncopied(self, version: Any, key_arn: str | None) -> str:
        """Why it may not read the version and write a replica of it, in S3's word; empty where it may."""
        for action, reason in READ.items():
            if not self._may(action, _object(self._source, version.name)):
                return reason
        if not self._may("s3:ReplicateObject", _object(self._target, version.name)):
            return "DstPutObjectNotPermitted"
        return self._unencrypted(version, key_arn) if version.encryption == KMS else ""

    def untagged(self, name: str) -> str:
        """Why it may not read and write tags; empty where it may."""
        if not self._may("s3:GetObjectVersionTagging", _object(self._source, name)):
            return "SrcGetTaggingNotPermitted"
        return "" if self._may("s3:ReplicateTags", _object(self._target, name)) else "DstPutTaggingNotPermitted"

    def may_delete(self, name: str) -> bool:
        """Whether it may write delete markers."""
        return self._may("s3:ReplicateDelete", _object(self._target, name))

    def replica_key(self, version: Any, rule: Rule) -> str | None:
        """The ARN of the key that the replica is encrypted with; None where there is no such key."""
        if version.encryption != KMS or rule.replica_key is None:
            return None
        key = find_key(self._cloud, self._target.region_name, rule.replica_key)
        return str(key.arn) if key is not None else None

    def _unencrypted(self, version: Any, key_arn: str | None) -> str:
        """A key that may not be used is an object that may not be read or put."""
        if key_arn is None:
            return "DstKmsKeyNotFound"
        own = self._own_key(version)
        if own is None:
            return "SrcKmsKeyInvalidState"
        if not self._may_use("kms:Decrypt", own, self._source, version):
            return "SrcGetObjectNotPermitted"
        return "" if self._may_use("kms:Encrypt", key_arn, self._target, version) else "DstPutObjectNotPermitted"

    def _own_key(self, version: Any) -> str | None:
        """The source's key; where none was named it is AWS's own for S3, of which moto keeps no record."""
        region = self._source.region_name
        if not version.kms_key_id:
            return f"arn:aws:kms:{region}:{self._source.account_id}:key/{MANAGED_KEY}"
        key = find_key(self._cloud, region, str(version.kms_key_id))
        return str(key.arn) if key is not None else None

    def _may_use(self, action: str, key_arn: str, bucket: Any, version: Any) -> bool:
        has_bucket_key = str(version.bucket_key_enabled).lower() == "true"
        arn = f"arn:aws:s3:::{bucket.name}" if has_bucket_key else _object(bucket, version.name)
        context = {"kms:ViaService": f"s3.{bucket.region_name}.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": arn}
        return self._cloud.allows(self._role, action, key_arn, context)

    def _may(self, action: str, resource: str) -> bool:
        return self._cloud.allows(self._role, action, resource)


def _object(bucket: Any, name: str) -> str:
    return f"arn:aws:s3:::{bucket.name}/{name}"
