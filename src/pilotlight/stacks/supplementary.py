"""What people need that no rehearsal can show, each with its reason: putting back what somebody changed by hand, and
the keys that services use for the caller."""

from __future__ import annotations

from dataclasses import dataclass

DEPLOYER, OPERATOR, VAULT = "deployer", "operator", "vault"


@dataclass(frozen=True)
class Besides:
    """Actions on a kind that no rehearsal shows, and why they are needed."""

    kind: str
    actions: tuple[str, ...]
    reason: str


STATE = "pulumi itself reads and writes the state and asks for the key of its secrets; `make test-engine` runs it so"
PROVIDER = (
    "pulumi-aws asks it while it waits for a group's first instances (stacks/provider_calls); our groups wait for none"
)
UNSEEN = (
    "reading only; no copy of the provider that was read asks it (stacks/provider_calls), and those are not of the "
    "pinned version"
)
KEY = (
    "what is written and read is encrypted with the workload's key, which services use as the caller "
    "(KMS Developer Guide, how each service uses KMS); the embedded cloud does not ask for it"
)
THEIR_KEY = "the originals may be encrypted with keys of the user's; S3, EC2 and RDS use them as the caller"
GRANT = (
    "volumes, images, databases and the journal are kept encrypted by a grant that the caller makes "
    "(EC2, RDS and DynamoDB guides, each on encryption with a customer managed key)"
)
VAULT_KEY = "S3 uses the key of a vault in another account as the caller, on what it keeps there"
TAGS_COPIED = (
    "a restore copies tagged versions with their tags, which CopyObject asks these for (S3 User Guide, 'Copying "
    "objects'); the embedded cloud asks them of uploads in parts alone"
)
VOLUMES_AT_HOME = (
    "volumes of the newest point are restored in the primary, too, from the snapshots that its copies were made of; "
    "they are let go once they are copied, so a rehearsal cannot count on them"
)

BUCKETS_UNSEEN = Besides("Buckets", ("s3:GetBucketLocation",), UNSEEN)
BUCKETS_TAGGED = Besides(
    "Buckets",
    ("s3:ListTagsForResource", "s3:TagResource", "s3:UntagResource"),
    "pulumi-aws sends a bucket's tags with CreateBucket, reads and changes them by S3 Control, and falls back on the "
    "bucket's tagging where it may not (terraform-provider-aws, CHANGELOG.md, 6.23.0, resource/aws_s3_bucket)",
)
HAND = "the provider puts back what somebody changed by hand (stacks/provider_calls); no rehearsal changes all of it"
KEYS_MENDED = (
    Besides("Aliases", ("kms:UpdateAlias",), HAND),
    Besides("Keys", ("kms:TagResource", "kms:UntagResource", "kms:UpdateAlias"), HAND),
)
MENDED = (
    *KEYS_MENDED,
    Besides("Alarms", ("cloudwatch:UntagResource",), HAND),
    Besides(
        "Balancers",
        (
            "elasticloadbalancing:ModifyListener",
            "elasticloadbalancing:RemoveTags",
            "elasticloadbalancing:SetSecurityGroups",
            "elasticloadbalancing:SetSubnets",
        ),
        HAND,
    ),
    Besides("Databases", ("rds:ModifyDBSubnetGroup", "rds:RemoveTagsFromResource"), HAND),
    Besides("Functions", ("lambda:UntagResource",), HAND),
    Besides("GlobalDatabases", ("rds:ModifyGlobalCluster",), HAND),
    Besides("Groups", ("autoscaling:DeleteTags",), HAND),
    Besides("Images", ("ec2:DeleteTags", "ec2:ModifyImageAttribute"), HAND),
    Besides("Journal", ("dynamodb:UntagResource",), HAND),
    Besides("Logs", ("logs:AssociateKmsKey", "logs:UntagResource"), HAND),
    Besides(
        "Network",
        ("ec2:DeleteTags", "ec2:ModifyVpcEndpoint", "ec2:ReplaceRoute", "ec2:ReplaceRouteTableAssociation"),
        HAND,
    ),
    Besides("Queue", ("sqs:UntagQueue",), HAND),
    Besides("Roles", ("iam:UntagInstanceProfile", "iam:UntagRole"), HAND),
    Besides("Topic", ("sns:UntagResource",), HAND),
)
VAULT_KEY_USED = Besides("VaultKeys", ("kms:Decrypt", "kms:GenerateDataKey"), VAULT_KEY)

EVERYWHERE: dict[str, tuple[Besides, ...]] = {
    DEPLOYER: (
        Besides("StateObjects", ("s3:DeleteObject", "s3:GetObject", "s3:PutObject"), STATE),
        Besides("Keys", ("kms:Encrypt",), STATE),
        Besides("Keys", ("kms:Decrypt", "kms:GenerateDataKey"), KEY),
        Besides(
            "Keys",
            ("kms:CreateGrant", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
            GRANT,
        ),
        Besides("TheirKeys", ("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:ReEncryptFrom"), THEIR_KEY),
        Besides("Any", ("autoscaling:DescribeScalingActivities",), PROVIDER),
        Besides("Any", ("ec2:DescribeSecurityGroupRules", "ec2:DescribeTags"), UNSEEN),
        Besides("Functions", ("lambda:GetFunctionConfiguration",), UNSEEN),
        Besides(
            "Any",
            ("ec2:DescribeInstances",),
            "the survey asks for the order of launch where several instances have volumes; the example has one",
        ),
        Besides(
            "DatabaseDefaults",
            ("rds:CreateDBCluster", "rds:CreateDBInstance"),
            "RDS asks it of the default groups too, where none are named (Service Authorization Reference)",
        ),
        Besides(
            "ServiceRoles",
            ("iam:CreateServiceLinkedRole",),
            "the first group, balancer or cluster of an account makes the role that its service acts with "
            '(IAM User Guide, "Create a service-linked role"); the embedded cloud has none',
        ),
        *MENDED,
    ),
    OPERATOR: (
        Besides("Keys", ("kms:Decrypt", "kms:GenerateDataKey"), KEY),
        Besides("TheirKeys", ("kms:Decrypt", "kms:GenerateDataKey"), THEIR_KEY),
        Besides(
            "Copies", ("s3:AbortMultipartUpload",), "a large object that cannot be copied to its end leaves no parts"
        ),
        Besides(
            "Groups",
            ("autoscaling:SuspendProcesses",),
            "a failback fences the group at home, unless the schedule was there before it and has fenced it already",
        ),
        Besides("Copies", ("s3:GetObjectVersionTagging",), TAGS_COPIED),
        Besides("Originals", ("s3:PutObjectTagging",), TAGS_COPIED),
        Besides("RestoredVolumes", ("ec2:CreateTags", "ec2:CreateVolume"), VOLUMES_AT_HOME),
        Besides("TheirImages", ("ec2:CreateVolume",), VOLUMES_AT_HOME),
    ),
}
WITHIN: dict[str, tuple[Besides, ...]] = {DEPLOYER: (BUCKETS_UNSEEN, BUCKETS_TAGGED)}
"""Where the vault is in the workload's own account."""
APART: dict[str, tuple[Besides, ...]] = {
    DEPLOYER: (VAULT_KEY_USED,),
    OPERATOR: (VAULT_KEY_USED,),
    VAULT: (
        BUCKETS_UNSEEN,
        BUCKETS_TAGGED,
        *KEYS_MENDED,
    ),
}
"""Where it has an account of its own."""


def besides(who: str, apart: bool) -> tuple[Besides, ...]:
    """What this person needs and no rehearsal shows."""
    return EVERYWHERE.get(who, ()) + (APART if apart else WITHIN).get(who, ())
