"""Where Pulumi's state lives: a versioned, encrypted, private bucket in the standby region, with a key of its own.

Made by calls and not by a stack, because a stack needs it to be there; each part is asked for first, so that doing it
again mends what is missing and changes nothing else. Nothing of it is in the primary region: with that region lost,
the state opens and the standby can be deployed. Sources: Pulumi docs, "State and backends"; S3 User Guide, "Security
best practices"; KMS Developer Guide, "Rotating keys".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pilotlight.runtime.aws.absence import says_absent
from pilotlight.runtime.aws.client import AwsClient
from pilotlight.runtime.errors import CallRefused
from pilotlight.runtime.naming import Names
from pilotlight.stacks import policies

NO_LOCATION = "us-east-1"
"""S3 API, CreateBucket: the one region that must not be named as a location."""
OLD_STATE_DAYS = 400
"""Old versions of the state stay as long as the logs of the vault do."""
PRIVATE = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}


@dataclass(frozen=True)
class Setting:
    """One setting of a bucket: what `put_<name>` takes, and what `get_<name>` must then answer, at least."""

    name: str
    put: dict[str, Any]
    get: dict[str, Any]


def make(names: Names, client: AwsClient, tell: Callable[[str], None] = lambda text: None) -> int:
    """Make what is missing; returns how many things were made or mended."""
    here = _Bucket(names, client, tell)
    key = here.key()
    here.bucket()
    for each in settings(names, key):
        here.setting(each)
    return here.made


def settings(names: Names, key_arn: str) -> tuple[Setting, ...]:
    """What makes the bucket fit to keep state (pure)."""
    rules = [
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn},
            "BucketKeyEnabled": True,
            "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
        }
    ]
    encryption = {"ServerSideEncryptionConfiguration": {"Rules": rules}}
    private = {"PublicAccessBlockConfiguration": PRIVATE}
    owner = {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}
    policy = {"Policy": policies.text(policies.tls_only(names.state_bucket))}
    old = {
        "ID": "old-versions",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_STATE_DAYS},
    }
    versions = {"Status": "Enabled"}
    return (
        Setting("bucket_versioning", {"VersioningConfiguration": versions}, versions),
        Setting("bucket_encryption", encryption, encryption),
        Setting("public_access_block", private, private),
        Setting("bucket_ownership_controls", owner, owner),
        Setting("bucket_policy", policy, policy),
        Setting("bucket_lifecycle_configuration", {"LifecycleConfiguration": {"Rules": [old]}}, {"Rules": [old]}),
    )


class _Bucket:
    def __init__(self, names: Names, client: AwsClient, tell: Callable[[str], None]) -> None:
        self.names, self.made = names, 0
        self._client, self._tell = client, tell

    def key(self) -> str:
        """ARN of the key behind the alias."""
        found = self._ask("kms", "describe_key", KeyId=self.names.state_key_alias)
        if found is None:
            found = self._new_key()
        metadata = found["KeyMetadata"]
        if not self._call("kms", "get_key_rotation_status", KeyId=metadata["KeyId"])["KeyRotationEnabled"]:
            self._call("kms", "enable_key_rotation", KeyId=metadata["KeyId"])
            self._done("key rotation")
        return str(metadata["Arn"])

    def _new_key(self) -> dict[str, Any]:
        about = f"Pilotlight {self.names.workload}: Pulumi's state and its secrets"
        tags = [{"TagKey": key, "TagValue": value} for key, value in self.names.tags().items()]
        found = self._call("kms", "create_key", Description=about, Tags=tags)
        key = found["KeyMetadata"]["KeyId"]
        self._call("kms", "create_alias", AliasName=self.names.state_key_alias, TargetKeyId=key)
        self._done(f"key {self.names.state_key_alias}")
        return found

    def bucket(self) -> None:
        """The bucket itself; one of another account's refuses what comes after."""
        name = self.names.state_bucket
        if self._ask("s3", "head_bucket", Bucket=name) is not None:
            return
        where = {"CreateBucketConfiguration": {"LocationConstraint": self.names.standby}}
        self._call("s3", "create_bucket", Bucket=name, **({} if self.names.standby == NO_LOCATION else where))
        self._done(f"bucket {name}")

    def setting(self, one: Setting) -> None:
        """As it must be."""
        name = self.names.state_bucket
        found = self._ask("s3", f"get_{one.name}", Bucket=name)
        if found is None or not _holds(found, one.get):
            self._call("s3", f"put_{one.name}", Bucket=name, **one.put)
            self._done(one.name.replace("_", " "))

    def _ask(self, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
        try:
            return self._call(service, operation, **parameters)
        except CallRefused as problem:
            if says_absent(problem):
                return None
            raise

    def _call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._client.call(service, operation, self.names.standby, **parameters)

    def _done(self, what: str) -> None:
        self.made += 1
        self._tell(f"  made: {what}")


def _holds(found: Any, wanted: Any) -> bool:
    """Whether everything wanted is there; more may be. A policy is compared by what it says."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_holds(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_holds, found, wanted))
    if isinstance(wanted, str) and wanted.startswith("{") and isinstance(found, str):
        return bool(json.loads(found) == json.loads(wanted))
    return bool(found == wanted)
