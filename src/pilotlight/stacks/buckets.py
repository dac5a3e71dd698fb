"""A private bucket as everything of ours needs it: versioned, encrypted with our key, closed to the public, TLS only.

S3 User Guide, "Security best practices for Amazon S3". Old versions stay longer than any recovery point that may
name them; the current version never expires.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.runtime.records.inventory import Keep
from pilotlight.stacks import policies

NONCURRENT_MARGIN_DAYS = 7
"""Days that old versions stay after the last recovery point that could name them was pruned: time to notice."""
UPLOAD_ABORT_DAYS = 7
"""Parts of a multipart upload that was never finished; S3 User Guide, "Aborting a multipart upload"."""
BLOCKED_ENCRYPTION = ["SSE-C"]
"""What S3 blocks in new buckets by itself (S3 User Guide, "Blocking or unblocking SSE-C for a general purpose bucket"):
said, so that what is asked for and what is answered are one."""
DAYS_PER_WEEK = 7
HOURS_PER_DAY = 24


@dataclass(frozen=True)
class BucketSpec:
    """One private bucket: `noncurrent_days` is how long a version stays after it was overwritten or deleted."""

    name: str
    region: str
    tags: dict[str, str]
    noncurrent_days: int
    lockable: bool = False
    """Object Lock can be used in it; said when the bucket is made, it costs nothing and locks nothing by itself."""
    lent: tuple[policies.Statement, ...] = ()
    """What another account may do with it (policies.lent)."""


@dataclass(frozen=True)
class BucketArgs:
    """`key_arn`: KMS key of the bucket's region, the default encryption of every object."""

    spec: BucketSpec
    key_arn: pulumi.Input[str]


def noncurrent_days(keep: Keep) -> int:
    """Longer than the oldest recovery point that is kept lives, in days."""
    oldest = max(-(-keep.hourly // HOURS_PER_DAY), keep.daily, keep.weekly * DAYS_PER_WEEK)
    return oldest + NONCURRENT_MARGIN_DAYS


class PrivateBucket(pulumi.ComponentResource):
    """Creates the bucket and its six settings. Output: `bucket`, its name once it is ready to be replicated to."""

    bucket: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:PrivateBucket", name, None, opts)
        self._spec, self._name = args.spec, name
        self._resource = self._create()
        versioning = self._keep_versions()
        self._encrypt(args.key_arn)
        self._close()
        self._expire(versioning)
        self.bucket = versioning.bucket
        self.register_outputs({"bucket": self.bucket})

    def _create(self) -> aws.s3.Bucket:
        spec = self._spec
        opts = pulumi.ResourceOptions(parent=self, protect=True)
        return aws.s3.Bucket(
            self._name,
            bucket=spec.name,
            region=spec.region,
            object_lock_enabled=True if spec.lockable else None,
            tags=spec.tags,
            opts=opts,
        )

    def _keep_versions(self) -> aws.s3.BucketVersioning:
        return aws.s3.BucketVersioning(
            f"{self._name}-versioning",
            bucket=self._resource.bucket,
            region=self._spec.region,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _encrypt(self, key_arn: pulumi.Input[str]) -> None:
        default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
            sse_algorithm="aws:kms", kms_master_key_id=key_arn
        )
        rule = aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
            apply_server_side_encryption_by_default=default,
            bucket_key_enabled=True,
            blocked_encryption_types=BLOCKED_ENCRYPTION,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{self._name}-encryption",
            bucket=self._resource.bucket,
            region=self._spec.region,
            rules=[rule],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _close(self) -> None:
        region = self._spec.region
        private = aws.s3.BucketPublicAccessBlock(
            f"{self._name}-private",
            bucket=self._resource.bucket,
            region=region,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.s3.BucketOwnershipControls(
            f"{self._name}-ownership",
            bucket=self._resource.bucket,
            region=region,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.s3.BucketPolicy(
            f"{self._name}-policy",
            bucket=self._resource.bucket,
            region=region,
            policy=policies.text(policies.document(*policies.tls_only(self._spec.name)["Statement"], *self._spec.lent)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[private]),
        )

    def _expire(self, versioning: aws.s3.BucketVersioning) -> None:
        rule = aws.s3.BucketLifecycleConfigurationRuleArgs(
            id="old-versions",
            status="Enabled",
            filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
            noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                noncurrent_days=self._spec.noncurrent_days
            ),
            abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                days_after_initiation=UPLOAD_ABORT_DAYS
            ),
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{self._name}-lifecycle",
            bucket=self._resource.bucket,
            region=self._spec.region,
            rules=[rule],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
