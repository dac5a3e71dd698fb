"""What AWS answers where a thing is not there: the only refusals that may be taken for "none".

Every other refusal (denied, a key that is disabled, a request that is malformed) says nothing about what there is, and
has to stop whoever asked. The codes are listed for each call, so that one that is new has to be decided on. Sources:
each service's API reference, "Errors" of the operation; S3 API reference, "List of error codes". HEAD has no body, so
its code is the status (S3 API, HeadBucket and HeadObject).
"""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.aws.client import AwsClient, aws_code
from pilotlight.runtime.errors import CallRefused

ABSENT: dict[str, frozenset[str]] = {
    "dynamodb:get_item": frozenset({"ResourceNotFoundException"}),
    "dynamodb:describe_table": frozenset({"ResourceNotFoundException"}),
    "dynamodb:update_table": frozenset({"ResourceNotFoundException"}),
    "ec2:delete_launch_template": frozenset({"InvalidLaunchTemplateName.NotFoundException"}),
    "ec2:describe_launch_template_versions": frozenset({"InvalidLaunchTemplateName.NotFoundException"}),
    "ec2:describe_launch_templates": frozenset({"InvalidLaunchTemplateName.NotFoundException"}),
    "elbv2:describe_load_balancers": frozenset({"LoadBalancerNotFound"}),
    "elbv2:describe_target_groups": frozenset({"TargetGroupNotFound"}),
    "iam:get_instance_profile": frozenset({"NoSuchEntity"}),
    "iam:get_role": frozenset({"NoSuchEntity"}),
    "kms:describe_key": frozenset({"NotFoundException"}),
    "lambda:get_function": frozenset({"ResourceNotFoundException"}),
    "rds:delete_db_cluster_snapshot": frozenset({"DBClusterSnapshotNotFoundFault"}),
    "rds:describe_db_clusters": frozenset({"DBClusterNotFoundFault"}),
    "rds:describe_db_instances": frozenset({"DBInstanceNotFound"}),
    "rds:describe_db_subnet_groups": frozenset({"DBSubnetGroupNotFoundFault"}),
    "rds:describe_global_clusters": frozenset({"GlobalClusterNotFoundFault"}),
    "s3:get_bucket_encryption": frozenset({"ServerSideEncryptionConfigurationNotFoundError"}),
    "s3:get_bucket_lifecycle_configuration": frozenset({"NoSuchLifecycleConfiguration"}),
    "s3:get_bucket_notification_configuration": frozenset({"NoSuchBucket"}),
    "s3:get_bucket_ownership_controls": frozenset({"OwnershipControlsNotFoundError"}),
    "s3:get_object_lock_configuration": frozenset({"ObjectLockConfigurationNotFoundError"}),
    "s3:get_bucket_policy": frozenset({"NoSuchBucketPolicy"}),
    "s3:get_bucket_replication": frozenset({"ReplicationConfigurationNotFoundError"}),
    "s3:get_bucket_tagging": frozenset({"NoSuchTagSet"}),
    "s3:get_object": frozenset({"NoSuchKey", "NoSuchBucket"}),
    "s3:get_public_access_block": frozenset({"NoSuchPublicAccessBlockConfiguration"}),
    "s3:head_bucket": frozenset({"404", "NoSuchBucket"}),
    "s3:head_object": frozenset({"404", "NoSuchKey"}),
    "s3:list_object_versions": frozenset({"NoSuchBucket"}),
    "s3control:describe_job": frozenset({"NotFoundException"}),
    "scheduler:get_schedule": frozenset({"ResourceNotFoundException"}),
    "sns:get_topic_attributes": frozenset({"NotFound"}),
    "sqs:get_queue_url": frozenset({"AWS.SimpleQueueService.NonExistentQueue"}),
    "sqs:receive_message": frozenset({"AWS.SimpleQueueService.NonExistentQueue"}),
    "ssm:delete_parameter": frozenset({"ParameterNotFound"}),
    "ssm:get_parameter": frozenset({"ParameterNotFound"}),
}
"""By `service:operation`. A bucket that is missing is not the same as a setting of it that is missing."""


def says_absent(refusal: CallRefused) -> bool:
    """Whether AWS said of exactly this call that what it asked for does not exist."""
    call = f"{refusal.facts['service']}:{refusal.facts['operation']}"
    return aws_code(refusal) in ABSENT.get(call, ())


def remove(client: AwsClient, service: str, operation: str, region: str, **parameters: Any) -> None:
    """A call that deletes; one that finds nothing to delete has found what was wanted."""
    try:
        client.call(service, operation, region, **parameters)
    except CallRefused as refusal:
        if not says_absent(refusal):
            raise
