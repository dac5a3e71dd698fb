"""With which arguments the real provider asks what the embedded engine's resource classes do not: by operation, from
what is known of the resource."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Answers = dict[str, Any]
"""Operation -> the arguments and the answer of its last call in this act."""


@dataclass(frozen=True)
class Known:
    """A resource's id (empty before it is made) and its properties, inputs and outputs."""

    id: str
    properties: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.properties[name]

    def get(self, name: str) -> Any:
        return self.properties.get(name)


Arguments = Callable[[Known, Answers], dict[str, Any]]


def _bucket(known: Known, answers: Answers) -> dict[str, Any]:
    return {"Bucket": known["bucket"]}


def _made(operation: str, *path: str) -> Callable[[Known, Answers], str]:
    """The id, or what the call that made it answered."""

    def found(known: Known, answers: Answers) -> str:
        if known.id or operation not in answers:
            return known.id
        value = answers[operation][1]
        for part in path:
            value = value[int(part) if part.isdecimal() else part]
        return str(value)

    return found


def _one(name: str, operation: str, *path: str, many: bool = True) -> Arguments:
    """Ask for one resource by its id."""
    id_ = _made(operation, *path)
    return lambda known, answers: {name: [id_(known, answers)] if many else id_(known, answers)}


def _filtered(name: str, key: str = "") -> Arguments:
    """Ask by one filter of EC2."""
    return lambda known, answers: {"Filters": [{"Name": name, "Values": [known[key] if key else known.id]}]}


def _balancers(known: Known, answers: Answers) -> dict[str, Any]:
    if known.id or "elbv2.CreateLoadBalancer" in answers:
        return _one("LoadBalancerArns", "elbv2.CreateLoadBalancer", "LoadBalancers", "0", "LoadBalancerArn")(
            known, answers
        )
    return {"Names": [known["name"]]}


def _of_balancer(known: Known, answers: Answers) -> dict[str, Any]:
    """Its network interfaces are described as the balancer's own (Elastic Load Balancing User Guide)."""
    return {"Filters": [{"Name": "description", "Values": [f"ELB {known.id.partition('loadbalancer/')[2]}"]}]}


def _subscription(known: Known, answers: Answers) -> dict[str, Any]:
    return {"SubscriptionArn": known.id}


def _queue(known: Known, answers: Answers) -> dict[str, Any]:
    return {"QueueUrl": known.get("queueUrl") or _made("sqs.CreateQueue", "QueueUrl")(known, answers)}


def _tags_of_alarm(known: Known, answers: Answers) -> dict[str, Any]:
    return {"ResourceARN": known["arn"]}


def _record(known: Known, answers: Answers) -> dict[str, Any]:
    return {"HostedZoneId": known["zoneId"], "StartRecordName": known["name"], "StartRecordType": known["type"]}


BUCKET_READS = (
    "HeadBucket", "GetBucketPolicy", "GetBucketAcl", "GetBucketCors", "GetBucketWebsite", "GetBucketVersioning",
    "GetBucketAccelerateConfiguration", "GetBucketRequestPayment", "GetBucketLogging",
    "GetBucketLifecycleConfiguration",
    "GetBucketReplication", "GetBucketEncryption", "GetObjectLockConfiguration", "GetPublicAccessBlock",
    "GetBucketOwnershipControls",
)  # fmt: skip
KEY = _one("KeyId", "kms.CreateKey", "KeyMetadata", "KeyId", many=False)
GROUP = _one("GroupIds", "ec2.CreateSecurityGroup", "GroupId")
TABLES = "ec2.DescribeRouteTables"

ARGUMENTS: dict[str, Arguments] = {
    **{f"s3.{each}": _bucket for each in BUCKET_READS},
    "kms.DescribeKey": KEY,
    "kms.GetKeyPolicy": lambda known, answers: {**KEY(known, answers), "PolicyName": "default"},
    "kms.GetKeyRotationStatus": KEY,
    "kms.ListResourceTags": KEY,
    "kms.ListAliases": lambda known, answers: {},
    "dynamodb.DescribeTable": lambda known, answers: {"TableName": known["name"]},
    "dynamodb.DescribeContinuousBackups": lambda known, answers: {"TableName": known["name"]},
    "dynamodb.DescribeTimeToLive": lambda known, answers: {"TableName": known["name"]},
    "dynamodb.ListTagsOfResource": lambda known, answers: {"ResourceArn": known["arn"]},
    "rds.DescribeDBSubnetGroups": lambda known, answers: {"DBSubnetGroupName": known.id},
    "rds.ListTagsForResource": lambda known, answers: {"ResourceName": known["arn"]},
    "rds.DescribeDBClusters": lambda known, answers: {"DBClusterIdentifier": known["clusterIdentifier"]},
    "rds.DescribeDBInstances": lambda known, answers: {"DBInstanceIdentifier": known["identifier"]},
    "rds.DescribeGlobalClusters": lambda known, answers: (
        {"GlobalClusterIdentifier": known.id}
        if known.get("sourceDbClusterIdentifier")
        else {"Filters": [{"Name": "db-cluster-id", "Values": [known["arn"]]}]}
    ),
    "ec2.DescribeVpcs": _one("VpcIds", "ec2.CreateVpc", "Vpc", "VpcId"),
    "ec2.DescribeVpcAttribute": lambda known, answers: {"VpcId": known.id, "Attribute": "enableDnsHostnames"},
    "ec2.DescribeNetworkAcls": _filtered("vpc-id"),
    "ec2.DescribeRouteTables": lambda known, answers: (
        {"RouteTableIds": [known["routeTableId"]]}
        if known.get("routeTableId")
        else _filtered("vpc-id")(known, answers)
        if known.id.startswith("vpc-")
        else _one("RouteTableIds", "ec2.CreateRouteTable", "RouteTable", "RouteTableId")(known, answers)
    ),
    "ec2.DescribeSecurityGroups": lambda known, answers: (
        _filtered("vpc-id")(known, answers) if known.id.startswith("vpc-") else GROUP(known, answers)
    ),
    "ec2.DescribeSubnets": _one("SubnetIds", "ec2.CreateSubnet", "Subnet", "SubnetId"),
    "ec2.DescribeInternetGateways": _one(
        "InternetGatewayIds", "ec2.CreateInternetGateway", "InternetGateway", "InternetGatewayId"
    ),
    "ec2.DescribeNetworkInterfaces": lambda known, answers: (
        _of_balancer(known, answers)
        if "loadbalancer" in known.id
        else _filtered("subnet-id" if known.id.startswith("subnet-") else "group-id")(known, answers)
    ),
    "ec2.DescribeVpcEndpoints": _one("VpcEndpointIds", "ec2.CreateVpcEndpoint", "VpcEndpoint", "VpcEndpointId"),
    "ec2.DescribePrefixLists": _filtered("prefix-list-name", "serviceName"),
    "ec2.DescribeLaunchTemplates": _one("LaunchTemplateIds", "ec2.CreateLaunchTemplate", "LaunchTemplate"),
    "ec2.DescribeLaunchTemplateVersions": lambda known, answers: {
        "LaunchTemplateId": known.id, "Versions": ["$Latest"]
    },
    "ec2.DescribeImages": _one("ImageIds", "ec2.CopyImage", "ImageId"),
    "autoscaling.DescribeAutoScalingGroups": lambda known, answers: {"AutoScalingGroupNames": [known["name"]]},
    "elbv2.DescribeLoadBalancers": _balancers,
    "elbv2.DescribeLoadBalancerAttributes": lambda known, answers: {"LoadBalancerArn": known.id},
    "elbv2.DescribeTargetGroups": _one(
        "TargetGroupArns", "elbv2.CreateTargetGroup", "TargetGroups", "0", "TargetGroupArn"
    ),
    "elbv2.DescribeTargetGroupAttributes": lambda known, answers: {"TargetGroupArn": known.id},
    "elbv2.DescribeListeners": _one("ListenerArns", "elbv2.CreateListener", "Listeners", "0", "ListenerArn"),
    "elbv2.DescribeListenerAttributes": lambda known, answers: {"ListenerArn": known.id},
    "elbv2.DescribeTags": lambda known, answers: {"ResourceArns": [known.id]},
    "route53.GetHealthCheck": lambda known, answers: {"HealthCheckId": known.id},
    "route53.ListTagsForResource": lambda known, answers: {"ResourceType": "healthcheck", "ResourceId": known.id},
    "route53.GetHostedZone": lambda known, answers: {"Id": known["zoneId"]},
    "route53.ListResourceRecordSets": _record,
    "route53.GetChange": lambda known, answers: {
        "Id": answers["route53.ChangeResourceRecordSets"][1]["ChangeInfo"]["Id"]
    },
    "iam.GetRole": lambda known, answers: {"RoleName": known.get("role") or known["name"]},
    "iam.ListRolePolicies": lambda known, answers: {"RoleName": known["name"]},
    "iam.ListAttachedRolePolicies": lambda known, answers: {"RoleName": known["name"]},
    "iam.ListInstanceProfilesForRole": lambda known, answers: {"RoleName": known["name"]},
    "iam.GetRolePolicy": lambda known, answers: {"RoleName": known["role"], "PolicyName": known["name"]},
    "iam.GetInstanceProfile": lambda known, answers: {"InstanceProfileName": known.id or known["name"]},
    "lambda.GetFunction": lambda known, answers: {"FunctionName": known["name"]},
    "lambda.ListVersionsByFunction": lambda known, answers: {"FunctionName": known["name"]},
    "lambda.GetFunctionCodeSigningConfig": lambda known, answers: {"FunctionName": known["name"]},
    "lambda.GetPolicy": lambda known, answers: {"FunctionName": known["function"]},
    "logs.DescribeLogGroups": lambda known, answers: {"logGroupNamePrefix": known.id},
    "logs.ListTagsForResource": lambda known, answers: {"resourceArn": known["arn"]},
    "cloudwatch.DescribeAlarms": lambda known, answers: {"AlarmNames": [known.id]},
    "cloudwatch.ListTagsForResource": _tags_of_alarm,
    "sns.GetTopicAttributes": lambda known, answers: {"TopicArn": known.id},
    "sns.ListTagsForResource": lambda known, answers: {"ResourceArn": known.id},
    "sns.GetSubscriptionAttributes": _subscription,
    "sqs.GetQueueAttributes": _queue,
    "sqs.ListQueueTags": _queue,
    "scheduler.GetSchedule": lambda known, answers: {"Name": known["name"]},
}  # fmt: skip
