"""What a call needs to be allowed besides its own action: tagging what it makes, and what AWS does for it on the way.

Source: Service Authorization Reference, the column "Dependent actions"; KMS API Reference, "CreateKey"; S3 API
Reference, "CreateBucket"; SQS API Reference, "CreateQueue"; Auto Scaling User Guide, "Tag Auto Scaling groups". EC2
has its own list (needs_of_ec2.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pilotlight.local.iam.resources import Place
from pilotlight.local.wire.operations import Operation
from pilotlight.local.wire.signature import signed_region

Item = tuple[str, str, Mapping[str, tuple[str, ...]]]

TAGGING = {
    ("autoscaling", "CreateAutoScalingGroup"): "autoscaling:CreateOrUpdateTags",
    ("cloudwatch", "PutMetricAlarm"): "cloudwatch:TagResource",
    ("dynamodb", "CreateTable"): "dynamodb:TagResource",
    ("elbv2", "CreateListener"): "elasticloadbalancing:AddTags",
    ("elbv2", "CreateLoadBalancer"): "elasticloadbalancing:AddTags",
    ("elbv2", "CreateTargetGroup"): "elasticloadbalancing:AddTags",
    ("iam", "CreateInstanceProfile"): "iam:TagInstanceProfile",
    ("iam", "CreateRole"): "iam:TagRole",
    ("kms", "CreateKey"): "kms:TagResource",
    ("lambda", "CreateFunction"): "lambda:TagResource",
    ("logs", "CreateLogGroup"): "logs:TagResource",
    ("rds", "CreateDBCluster"): "rds:AddTagsToResource",
    ("rds", "CreateDBInstance"): "rds:AddTagsToResource",
    ("rds", "CreateDBSubnetGroup"): "rds:AddTagsToResource",
    ("rds", "RestoreDBClusterFromSnapshot"): "rds:AddTagsToResource",
    ("rds", "RestoreDBClusterToPointInTime"): "rds:AddTagsToResource",
    ("secretsmanager", "CreateSecret"): "secretsmanager:TagResource",
    ("sns", "CreateTopic"): "sns:TagResource",
    ("sqs", "CreateQueue"): "sqs:TagQueue",
    ("ssm", "PutParameter"): "ssm:AddTagsToResource",
}
"""Operation -> the action that giving tags to what it makes needs."""
LOCKING = ("s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning")
"""Of a bucket that is made with Object Lock."""


def needs(operation: Operation, place: Place, own: Sequence[Item]) -> Iterator[Item]:
    """On the same resource as the first of its own; a key has none before it is made."""
    params, key = operation.params, (operation.service, operation.name)
    _, resource, context = own[0] if own else ("", "*", {})
    if key in TAGGING and (params.get("Tags") or params.get("tags")):
        yield TAGGING[key], place.arn("kms", "key/*") if key[0] == "kms" else resource, context
    if key == ("s3", "CreateBucket") and params.get("ObjectLockEnabledForBucket"):
        yield from ((action, resource, context) for action in LOCKING)
    if key == ("rds", "CreateDBCluster") and params.get("PreSignedUrl"):
        source = Place(signed_region(str(params["PreSignedUrl"])), place.account)
        yield "rds:CreateDBCluster", source.arn("rds", f"cluster:{params['DBClusterIdentifier']}"), {}
    if key == ("rds", "DeleteDBCluster") and params.get("FinalDBSnapshotIdentifier"):
        named = str(params["FinalDBSnapshotIdentifier"])
        for each in (resource, place.arn("rds", f"cluster-snapshot:{named}")):
            yield "rds:CreateDBClusterSnapshot", each, {}
