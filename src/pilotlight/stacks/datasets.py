"""Datasets and checkpoints: replication of the user's bucket to the standby region, and back.

The rule back is there from the beginning, so that a failback makes no S3 configuration call. It cannot run in
circles: S3 does not replicate replicas (S3 User Guide, "What does Amazon S3 replicate?": objects "created as replicas
by another replication rule" are left out; syncing of replica modifications stays off). The bucket stays the user's:
we turn versioning on and add the rule; its policy, encryption and lifecycle are not touched. From a vault in an account
of its own there is no rule back: S3 would need a policy on the user's bucket for it. There a failback copies.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.runtime.naming import FORWARD, REVERSE, Names
from pilotlight.runtime.records.inventory import Datasets as Dataset
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import policies

TIME_CONTROL_MINUTES = 15
"""The only value S3 accepts (S3 User Guide, "Meeting compliance requirements with S3 Replication Time Control")."""


@dataclass(frozen=True)
class RuleSpec:
    """One direction: objects of `source` below `prefix` go to `target`, encrypted there with `key_alias_arn`."""

    rule_id: str
    source: str
    source_region: str
    target: str
    prefix: str
    key_alias_arn: str
    role: str
    role_policy: str


@dataclass(frozen=True)
class DatasetSpec:
    """One replicated bucket: the rule to the standby region and, within one account, the rule back."""

    asset: str
    primary_bucket: str
    standby_bucket: str
    primary_region: str
    forward: RuleSpec
    reverse: RuleSpec | None
    trust: str
    batch_role: str
    batch_policy: str
    batch_trust: str
    tags: dict[str, str]


@dataclass(frozen=True)
class DatasetsArgs:
    """`primary_key`: the key that replicas coming back are encrypted with; None where it exists already."""

    spec: DatasetSpec
    primary_key: pulumi.Resource | None = None


def dataset_spec(inventory: Inventory, asset: Dataset) -> DatasetSpec:
    """The rules of this asset (pure)."""
    names = inventory.names
    there, here = (asset.standby_bucket, names.standby), (asset.primary_bucket, names.primary)
    back = None if inventory.vault else _rule(names, asset, REVERSE, there, here, f"reverse-{asset.name}")
    return DatasetSpec(
        asset=asset.name,
        primary_bucket=asset.primary_bucket,
        standby_bucket=asset.standby_bucket,
        primary_region=names.primary,
        forward=_rule(names, asset, FORWARD, here, there, f"replication-{asset.name}"),
        reverse=back,
        trust=policies.text(policies.assume("s3.amazonaws.com", names.account)),
        batch_role=names.role(f"batch-{asset.name}"),
        batch_policy=policies.text(
            policies.batch_jobs(names, asset.primary_bucket, asset.standby_bucket, asset.prefix)
        ),
        batch_trust=policies.text(policies.assume_by_own_resources("batchoperations.s3.amazonaws.com")),
        tags=names.tags(asset.name),
    )


def _rule(
    names: Names, asset: Dataset, way: str, source: tuple[str, str], target: tuple[str, str], purpose: str
) -> RuleSpec:
    to_vault = target[1] == names.standby
    key = policies.copies_alias_arn(names) if to_vault else policies.alias_arn(names, target[1])
    return RuleSpec(
        rule_id=names.rule(asset.name, way),
        source=source[0],
        source_region=source[1],
        target=target[0],
        prefix=asset.prefix,
        key_alias_arn=key,
        role=names.role(purpose),
        role_policy=policies.text(policies.replication(names, source, target, asset.prefix)),
    )


class Datasets(pulumi.ComponentResource):
    """Attaches replication to an existing bucket. Outputs: `primary_bucket_name`, `standby_bucket_name`."""

    primary_bucket_name: pulumi.Output[str]
    standby_bucket_name: pulumi.Output[str]

    def __init__(self, name: str, args: DatasetsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Datasets", name, None, opts)
        self._spec, self._name = args.spec, name
        needs: list[pulumi.Resource] = [self._keep_versions()]
        needs += [args.primary_key] if args.primary_key else []
        forward = self._replicate("forward", args.spec.forward, needs)
        reverse = self._replicate("reverse", args.spec.reverse, needs) if args.spec.reverse else None
        self._hand_over()
        self.primary_bucket_name = forward.bucket
        self.standby_bucket_name = reverse.bucket if reverse else pulumi.Output.from_input(args.spec.standby_bucket)
        self.register_outputs(
            {"primaryBucketName": self.primary_bucket_name, "standbyBucketName": self.standby_bucket_name}
        )

    def _keep_versions(self) -> aws.s3.BucketVersioning:
        """Kept when the stack goes: suspending versioning on a bucket of the user's would lose their old versions."""
        return aws.s3.BucketVersioning(
            f"{self._name}-versioning",
            bucket=self._spec.primary_bucket,
            region=self._spec.primary_region,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )

    def _hand_over(self) -> None:
        """The role of `pilotlight backfill --engine batch`, and of large restores; it does nothing by itself."""
        role = aws.iam.Role(
            f"{self._name}-batch-role",
            name=self._spec.batch_role,
            assume_role_policy=self._spec.batch_trust,
            tags=self._spec.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.iam.RolePolicy(
            f"{self._name}-batch-role-policy",
            name="initiate",
            role=role.name,
            policy=self._spec.batch_policy,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _replicate(self, way: str, rule: RuleSpec, needs: list[pulumi.Resource]) -> aws.s3.BucketReplicationConfig:
        role = aws.iam.Role(
            f"{self._name}-{way}-role",
            name=rule.role,
            assume_role_policy=self._spec.trust,
            tags=self._spec.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        policy = aws.iam.RolePolicy(
            f"{self._name}-{way}-role-policy",
            name="replicate",
            role=role.name,
            policy=rule.role_policy,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return aws.s3.BucketReplicationConfig(
            f"{self._name}-{way}",
            bucket=rule.source,
            region=rule.source_region,
            role=role.arn,
            rules=[_rule_args(rule)],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy, *needs]),
        )


def _rule_args(rule: RuleSpec) -> aws.s3.BucketReplicationConfigRuleArgs:
    """Delete markers on, encrypted objects selected, time control with its metrics."""
    criteria = aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaArgs(
        sse_kms_encrypted_objects=aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaSseKmsEncryptedObjectsArgs(
            status="Enabled"
        )
    )
    return aws.s3.BucketReplicationConfigRuleArgs(
        id=rule.rule_id,
        status="Enabled",
        priority=1,
        filter=aws.s3.BucketReplicationConfigRuleFilterArgs(prefix=rule.prefix),
        delete_marker_replication=aws.s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs(status="Enabled"),
        source_selection_criteria=criteria,
        destination=_destination_args(rule),
    )


def _destination_args(rule: RuleSpec) -> aws.s3.BucketReplicationConfigRuleDestinationArgs:
    return aws.s3.BucketReplicationConfigRuleDestinationArgs(
        bucket=policies.bucket_arn(rule.target),
        encryption_configuration=aws.s3.BucketReplicationConfigRuleDestinationEncryptionConfigurationArgs(
            replica_kms_key_id=rule.key_alias_arn
        ),
        metrics=aws.s3.BucketReplicationConfigRuleDestinationMetricsArgs(
            status="Enabled",
            event_threshold=aws.s3.BucketReplicationConfigRuleDestinationMetricsEventThresholdArgs(
                minutes=TIME_CONTROL_MINUTES
            ),
        ),
        replication_time=aws.s3.BucketReplicationConfigRuleDestinationReplicationTimeArgs(
            status="Enabled",
            time=aws.s3.BucketReplicationConfigRuleDestinationReplicationTimeTimeArgs(minutes=TIME_CONTROL_MINUTES),
        ),
    )
