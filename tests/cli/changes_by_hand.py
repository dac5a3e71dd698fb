"""What somebody changes by hand of everything that the stacks of the example own, through AWS's own calls."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pilotlight.local.handle import LocalCloud
from pilotlight.runtime.naming import Names

NAMES = Names("inference", "123456789012", "us-east-1", "us-west-2")
COPY = NAMES.standby_bucket("corpus")
CORPUS = "inference-corpus-123456789012"
OPEN = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
TRUST_ALL = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "glue.amazonaws.com"}}],
    }
)
BY_HAND = {"Key": "by", "Value": "hand"}


@dataclass(frozen=True)
class Hands:
    """Somebody with a console: clients of both regions, and the ids of what the stacks made, by logical name."""

    cloud: LocalCloud
    ids: dict[str, str]

    def at(self, service: str, region: str = "us-west-2") -> Any:
        return self.cloud.client(service, region)


Change = Callable[[Hands], Any]


def _bucket_policy(hands: Hands) -> None:
    s3 = hands.at("s3")
    policy = json.loads(s3.get_bucket_policy(Bucket=COPY)["Policy"])
    policy["Statement"] = [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{COPY}/*"}
    ]
    s3.put_bucket_policy(Bucket=COPY, Policy=json.dumps(policy))


def _rules(hands: Hands, bucket: str, region: str, change: Callable[[dict[str, Any]], Any]) -> None:
    s3 = hands.at("s3", region)
    found = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    change(found)
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=found)


def _alarm(hands: Hands, name: str, **changed: Any) -> None:
    alarms = hands.at("cloudwatch")
    found = alarms.describe_alarms(AlarmNames=[hands.ids[name]])["MetricAlarms"][0]
    kept = {
        key: found[key]
        for key in (
            "AlarmName", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "MetricName", "Namespace",
            "Statistic", "Dimensions", "Period", "EvaluationPeriods", "DatapointsToAlarm", "Threshold",
            "ComparisonOperator", "TreatMissingData",
        )
        if key in found
    }  # fmt: skip
    alarms.put_metric_alarm(**kept | changed)


def _schedule(hands: Hands, name: str, **changed: Any) -> None:
    scheduler = hands.at("scheduler")
    found = scheduler.get_schedule(Name=hands.ids[name].partition("/")[2])
    kept = {key: found[key] for key in ("Name", "ScheduleExpression", "State", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**kept | changed)


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("pilotlight/runtime/handlers/probe.py", "def handler(event, context):\n    return 'by hand'\n")
    return buffer.getvalue()


def _record(hands: Hands, **changed: Any) -> None:
    zone, name, _, identifier = hands.ids["traffic-primary"].split("_")
    route53 = hands.at("route53")
    sets = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    found = next(each for each in sets if each.get("SetIdentifier") == identifier and each["Name"] == f"{name}.")
    found["AliasTarget"]["EvaluateTargetHealth"] = True
    found.pop("HealthCheckId")
    changes = [{"Action": "UPSERT", "ResourceRecordSet": found | changed}]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


def _permission(hands: Hands) -> None:
    functions = hands.at("lambda")
    function = NAMES.function("recover")
    functions.remove_permission(FunctionName=function, StatementId=hands.ids["monitoring-permission"])
    functions.add_permission(
        FunctionName=function, StatementId=hands.ids["monitoring-permission"], Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com", SourceArn="arn:aws:events:us-west-2:123456789012:rule/by-hand",
    )  # fmt: skip


def _security_group(hands: Hands) -> None:
    ec2, group = hands.at("ec2"), hands.ids["network-database"]
    wide = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[wide])
    out = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_egress(GroupId=hands.ids["network-fleet"], IpPermissions=[out])


def _listener(hands: Hands) -> None:
    lb = hands.at("elbv2")
    targets = lb.create_target_group(Name="by-hand", Protocol="HTTP", Port=81, VpcId=hands.ids["network-vpc"])
    action = {"Type": "forward", "TargetGroupArn": targets["TargetGroups"][0]["TargetGroupArn"]}
    lb.modify_listener(ListenerArn=hands.ids["traffic-listener"], Port=81, DefaultActions=[action])


def _route(hands: Hands) -> None:
    ec2 = hands.at("ec2")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    other = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=other)
    table = hands.ids["network-routes"]
    ec2.replace_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)


def _association(hands: Hands) -> None:
    ec2 = hands.at("ec2")
    table = ec2.create_route_table(VpcId=hands.ids["network-vpc"])["RouteTable"]["RouteTableId"]
    ec2.replace_route_table_association(AssociationId=hands.ids["network-us-west-2a-routes"], RouteTableId=table)


def _health_check(hands: Hands) -> None:
    hands.at("route53").update_health_check(
        HealthCheckId=hands.ids["traffic-check"], Inverted=True, InsufficientDataHealthStatus="Healthy"
    )


def _tag_ec2(name: str) -> Change:
    return lambda hands: hands.at("ec2").create_tags(Resources=[hands.ids[name]], Tags=[BY_HAND])


def _tag_lb(name: str) -> Change:
    return lambda hands: hands.at("elbv2").add_tags(ResourceArns=[hands.ids[name]], Tags=[BY_HAND])


def _tag_rds(arn: str) -> Change:
    return lambda hands: hands.at("rds").add_tags_to_resource(
        ResourceName=f"arn:aws:rds:us-west-2:123456789012:{arn}", Tags=[BY_HAND]
    )


def _group(hands: Hands) -> None:
    scaling, name = hands.at("autoscaling"), hands.ids["fleet"]
    scaling.update_auto_scaling_group(
        AutoScalingGroupName=name, HealthCheckType="ELB", HealthCheckGracePeriod=30, DefaultCooldown=77,
        TerminationPolicies=["OldestInstance"],
    )  # fmt: skip
    tag = {"ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True}
    scaling.create_or_update_tags(Tags=[tag | BY_HAND])


STANDBY_CLUSTER = NAMES.standby_cluster("registry")
PROBE = NAMES.function("probe")

CHANGES: dict[tuple[str, str], Change] = {
    ("vault-corpus", "tags"): lambda h: h.at("s3").put_bucket_tagging(Bucket=COPY, Tagging={"TagSet": [BY_HAND]}),
    ("vault-papers-versioning", "versioningConfiguration"): lambda h: h.at("s3").put_bucket_versioning(
        Bucket=NAMES.vault_bucket, VersioningConfiguration={"Status": "Suspended"}
    ),
    ("vault-corpus-ownership", "rule"): lambda h: h.at("s3").put_bucket_ownership_controls(
        Bucket=COPY, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    ),
    **{
        ("vault-corpus-private", key): lambda h: h.at("s3").put_public_access_block(
            Bucket=COPY,
            PublicAccessBlockConfiguration=dict.fromkeys(
                ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), False
            ),
        )
        for key in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    },
    ("vault-corpus-policy", "policy"): _bucket_policy,
    ("vault-corpus-encryption", "rules"): lambda h: h.at("s3").put_bucket_encryption(
        Bucket=COPY,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    ),
    ("vault-corpus-lifecycle", "rules"): lambda h: h.at("s3").put_bucket_lifecycle_configuration(
        Bucket=COPY,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "old-versions",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                }
            ]
        },
    ),
    ("vault-key", "description"): lambda h: h.at("kms").update_key_description(
        KeyId=h.ids["vault-key"], Description="x"
    ),
    ("vault-key", "policy"): lambda h: h.at("kms").put_key_policy(
        KeyId=h.ids["vault-key"],
        PolicyName="default",
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}],
            }
        ),
    ),
    ("vault-key", "enableKeyRotation"): lambda h: h.at("kms").disable_key_rotation(KeyId=h.ids["vault-key"]),
    ("vault-key", "tags"): lambda h: h.at("kms").tag_resource(
        KeyId=h.ids["vault-key"], Tags=[{"TagKey": "by", "TagValue": "hand"}]
    ),
    ("vault-key-alias", "targetKeyId"): lambda h: h.at("kms").update_alias(
        AliasName=NAMES.key_alias, TargetKeyId=h.at("kms").create_key()["KeyMetadata"]["KeyId"]
    ),
    ("vault-journal", "deletionProtectionEnabled"): lambda h: h.at("dynamodb").update_table(
        TableName=NAMES.journal_table, DeletionProtectionEnabled=False
    ),
    ("vault-journal", "pointInTimeRecovery"): lambda h: h.at("dynamodb").update_continuous_backups(
        TableName=NAMES.journal_table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    ),
    ("vault-journal", "billingMode"): lambda h: h.at("dynamodb").update_table(
        TableName=NAMES.journal_table,
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    ),
    ("vault-journal", "tags"): lambda h: h.at("dynamodb").tag_resource(
        ResourceArn=f"arn:aws:dynamodb:us-west-2:123456789012:table/{NAMES.journal_table}", Tags=[BY_HAND]
    ),
    ("vault-log-probe", "retentionInDays"): lambda h: h.at("logs").delete_retention_policy(
        logGroupName=h.ids["vault-log-probe"]
    ),
    ("vault-log-probe", "tags"): lambda h: h.at("logs").tag_resource(
        resourceArn=f"arn:aws:logs:us-west-2:123456789012:log-group:{h.ids['vault-log-probe']}", tags={"by": "hand"}
    ),
    ("corpus-forward", "rules"): lambda h: _rules(
        h, CORPUS, "us-east-1", lambda found: found["Rules"][0].update(Status="Disabled")
    ),
    ("corpus-reverse", "rules"): lambda h: _rules(
        h,
        COPY,
        "us-west-2",
        lambda found: found["Rules"][0]["Destination"].update(
            Bucket=f"arn:aws:s3:::{NAMES.standby_bucket('checkpoints')}"
        ),
    ),
    ("corpus-reverse", "role"): lambda h: _rules(
        h, COPY, "us-west-2", lambda found: found.update(Role=f"arn:aws:iam::123456789012:role/{NAMES.role('probe')}")
    ),
    ("checkpoints-forward", "gone"): lambda h: h.at("s3", "us-east-1").delete_bucket_replication(
        Bucket="inference-models-123456789012"
    ),
    ("corpus-forward-role", "assumeRolePolicy"): lambda h: h.at("iam").update_assume_role_policy(
        RoleName=h.ids["corpus-forward-role"], PolicyDocument=TRUST_ALL
    ),
    ("corpus-forward-role", "tags"): lambda h: h.at("iam").tag_role(
        RoleName=h.ids["corpus-forward-role"], Tags=[BY_HAND]
    ),
    ("corpus-batch-role-policy", "policy"): lambda h: h.at("iam").put_role_policy(
        RoleName=NAMES.role("batch-corpus"), PolicyName="initiate", PolicyDocument=OPEN
    ),
    ("fleet-profile", "role"): lambda h: h.at("iam").remove_role_from_instance_profile(
        InstanceProfileName=h.ids["fleet-profile"], RoleName=h.ids["fleet-role"]
    ),
    ("fleet-profile", "tags"): lambda h: h.at("iam").tag_instance_profile(
        InstanceProfileName=h.ids["fleet-profile"], Tags=[BY_HAND]
    ),
    ("network-vpc", "enableDnsHostnames"): lambda h: h.at("ec2").modify_vpc_attribute(
        VpcId=h.ids["network-vpc"], EnableDnsHostnames={"Value": False}
    ),
    ("network-vpc", "enableDnsSupport"): lambda h: h.at("ec2").modify_vpc_attribute(
        VpcId=h.ids["network-vpc"], EnableDnsSupport={"Value": False}
    ),
    ("network-us-west-2a", "mapPublicIpOnLaunch"): lambda h: h.at("ec2").modify_subnet_attribute(
        SubnetId=h.ids["network-us-west-2a"], MapPublicIpOnLaunch={"Value": False}
    ),
    ("network-gateway", "vpcId"): lambda h: h.at("ec2").detach_internet_gateway(
        InternetGatewayId=h.ids["network-gateway"], VpcId=h.ids["network-vpc"]
    ),
    ("network-way-out", "gatewayId"): _route,
    ("network-us-west-2a-routes", "gone"): _association,
    ("network-database", "ingress"): _security_group,
    ("network-fleet", "egress"): lambda h: None,
    ("network-s3", "routeTableIds"): lambda h: h.at("ec2").modify_vpc_endpoint(
        VpcEndpointId=h.ids["network-s3"], RemoveRouteTableIds=[h.ids["network-routes"]]
    ),
    **{
        (name, "tags"): _tag_ec2(name)
        for name in (
            "network-vpc",
            "network-us-west-2a",
            "network-gateway",
            "network-routes",
            "network-database",
            "network-s3",
            "fleet-image",
        )
    },
    ("probe", "code"): lambda h: h.at("lambda").update_function_code(FunctionName=PROBE, ZipFile=_zip()),
    **{
        ("probe", key): lambda h: h.at("lambda").update_function_configuration(
            FunctionName=PROBE,
            Timeout=9,
            MemorySize=129,
            Handler="other.handler",
            Runtime="python3.11",
            Environment={"Variables": {"PILOTLIGHT_WORKLOAD": "another"}},
            Role=f"arn:aws:iam::123456789012:role/{NAMES.role('protect')}",
        )
        for key in ("timeout", "memorySize", "handler", "runtime", "environment", "role")
    },
    ("probe", "tags"): lambda h: h.at("lambda").tag_resource(
        Resource=f"arn:aws:lambda:us-west-2:123456789012:function:{PROBE}", Tags={"by": "hand"}
    ),
    ("monitoring-topic", "kmsMasterKeyId"): lambda h: h.at("sns").set_topic_attributes(
        TopicArn=h.ids["monitoring-topic"], AttributeName="KmsMasterKeyId", AttributeValue=""
    ),
    ("monitoring-topic", "tags"): lambda h: h.at("sns").tag_resource(
        ResourceArn=h.ids["monitoring-topic"], Tags=[BY_HAND]
    ),
    ("monitoring-topic-policy", "policy"): lambda h: h.at("sns").set_topic_attributes(
        TopicArn=h.ids["monitoring-topic"], AttributeName="Policy", AttributeValue=OPEN
    ),
    **{
        ("events-queue", key): lambda h: h.at("sqs", "us-east-1").set_queue_attributes(
            QueueUrl=h.ids["events-queue"],
            Attributes={"MessageRetentionPeriod": "60", "VisibilityTimeout": "0", "SqsManagedSseEnabled": "false"},
        )
        for key in ("messageRetentionSeconds", "visibilityTimeoutSeconds", "sqsManagedSseEnabled")
    },
    ("events-queue", "tags"): lambda h: h.at("sqs", "us-east-1").tag_queue(
        QueueUrl=h.ids["events-queue"], Tags={"by": "hand"}
    ),
    ("events-queue-policy", "policy"): lambda h: h.at("sqs", "us-east-1").set_queue_attributes(
        QueueUrl=h.ids["events-queue"], Attributes={"Policy": OPEN}
    ),
    ("monitoring-subscription", "gone"): lambda h: h.at("sns").unsubscribe(
        SubscriptionArn=h.ids["monitoring-subscription"]
    ),
    **{
        ("monitoring-probe-silent", key): lambda h: _alarm(
            h,
            "monitoring-probe-silent",
            AlarmDescription="x",
            OKActions=[],
            AlarmActions=[],
            MetricName="Other",
            Namespace="Other",
            Statistic="Sum",
            Dimensions=[],
            Period=900,
            EvaluationPeriods=9,
            DatapointsToAlarm=8,
            Threshold=77.0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
        )
        for key in (
            "alarmDescription",
            "alarmActions",
            "metricName",
            "namespace",
            "statistic",
            "dimensions",
            "period",
            "evaluationPeriods",
            "datapointsToAlarm",
            "threshold",
            "comparisonOperator",
            "treatMissingData",
        )
    },
    ("monitoring-unreplicated", "tags"): lambda h: h.at("cloudwatch").tag_resource(
        ResourceARN=f"arn:aws:cloudwatch:us-west-2:123456789012:alarm:{h.ids['monitoring-unreplicated']}",
        Tags=[BY_HAND],
    ),
    **{
        ("monitoring-protect", key): lambda h: _schedule(
            h,
            "monitoring-protect",
            State="DISABLED",
            ScheduleExpression="rate(9 hours)",
            FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
            Target={
                "Arn": f"arn:aws:lambda:us-west-2:123456789012:function:{PROBE}",
                "RoleArn": f"arn:aws:iam::123456789012:role/{NAMES.role('scheduler')}",
            },
        )
        for key in ("state", "scheduleExpression", "flexibleTimeWindow", "target")
    },
    **{("monitoring-permission", key): _permission for key in ("principal", "sourceArn")},
    ("registry", "backupRetentionPeriod"): lambda h: h.at("rds").modify_db_cluster(
        DBClusterIdentifier=STANDBY_CLUSTER,
        BackupRetentionPeriod=1,
        DeletionProtection=False,
        CopyTagsToSnapshot=False,
        VpcSecurityGroupIds=[h.ids["network-fleet"]],
        ApplyImmediately=True,
    ),
    **{
        ("registry", key): lambda h: None for key in ("deletionProtection", "copyTagsToSnapshot", "vpcSecurityGroupIds")
    },
    ("registry", "tags"): _tag_rds(f"cluster:{STANDBY_CLUSTER}"),
    **{
        ("registry-1", key): lambda h: h.at("rds").modify_db_instance(
            DBInstanceIdentifier=f"{STANDBY_CLUSTER}-1",
            DBInstanceClass="db.r6g.xlarge",
            AutoMinorVersionUpgrade=True,
            PubliclyAccessible=True,
            ApplyImmediately=True,
        )
        for key in ("instanceClass", "autoMinorVersionUpgrade", "publiclyAccessible")
    },
    ("registry-1", "tags"): _tag_rds(f"db:{STANDBY_CLUSTER}-1"),
    ("registry-subnets", "subnetIds"): lambda h: h.at("rds").modify_db_subnet_group(
        DBSubnetGroupName=NAMES.subnet_group("registry"),
        SubnetIds=[h.ids["network-us-west-2a"]],
        DBSubnetGroupDescription="by hand",
    ),
    ("registry-subnets", "description"): lambda h: None,
    ("registry-subnets", "tags"): _tag_rds(f"subgrp:{NAMES.subnet_group('registry')}"),
    ("traffic-balancer", "dropInvalidHeaderFields"): lambda h: h.at("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=h.ids["traffic-balancer"],
        Attributes=[{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "false"}],
    ),
    ("traffic-balancer", "securityGroups"): lambda h: h.at("elbv2").set_security_groups(
        LoadBalancerArn=h.ids["traffic-balancer"], SecurityGroups=[h.ids["network-fleet"]]
    ),
    ("traffic-targets", "healthCheck"): lambda h: h.at("elbv2").modify_target_group(
        TargetGroupArn=h.ids["traffic-targets"], HealthCheckPath="/other"
    ),
    ("traffic-targets", "deregistrationDelay"): lambda h: h.at("elbv2").modify_target_group_attributes(
        TargetGroupArn=h.ids["traffic-targets"],
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "299"}],
    ),
    ("traffic-listener", "port"): _listener,
    ("traffic-listener", "defaultActions"): lambda h: None,
    **{(name, "tags"): _tag_lb(name) for name in ("traffic-balancer", "traffic-targets", "traffic-listener")},
    ("traffic-check", "invertHealthcheck"): _health_check,
    ("traffic-check", "insufficientDataHealthStatus"): lambda h: None,
    ("traffic-check", "tags"): lambda h: h.at("route53").change_tags_for_resource(
        ResourceType="healthcheck", ResourceId=h.ids["traffic-check"], AddTags=[BY_HAND]
    ),
    **{
        ("fleet", key): _group
        for key in ("healthCheckType", "healthCheckGracePeriod", "defaultCooldown", "terminationPolicies", "tags")
    },
    ("traffic-primary", "aliases"): _record,
    ("traffic-primary", "healthCheckId"): lambda h: None,
}
"""(logical name, property) -> how somebody changes it; one call often changes several."""
