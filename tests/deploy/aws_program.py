"""One resource of every type the embedded engine knows, as a plain Pulumi program."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
import pulumi_aws as aws

STANDBY = "us-west-2"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": [f"{each}.amazonaws.com" for each in ("lambda", "s3", "scheduler")]},
            }
        ],
    }
)
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}
)
TAGS = {"pilotlight:workload": "inference"}
PASSWORD = "not-a-real-password-7261"


def everything(code: Path) -> None:
    """`code`: a folder with the function's source."""
    account = aws.get_caller_identity().account_id
    zones = aws.get_availability_zones(state="available").names
    image = aws.ec2.get_ami(
        most_recent=True, owners=["amazon"], filters=[{"name": "name", "values": ["al20*", "amzn2*"]}]
    )
    assert aws.get_partition().partition == "aws"
    key = aws.kms.Key("key", description="all", enable_key_rotation=True, deletion_window_in_days=7, tags=TAGS)
    aws.kms.Alias("alias", name="alias/all", target_key_id=key.key_id)
    role = aws.iam.Role("role", name="all-role", assume_role_policy=TRUST, tags=TAGS)
    aws.iam.RolePolicy("role-policy", role=role.name, policy=POLICY)
    profile = aws.iam.InstanceProfile("profile", role=role.name)
    buckets(key, role)
    network = Net(zones)
    machines(network, profile, image.id, key)
    databases(network, key)
    functions(role, code, account, key)
    traffic(network)


def buckets(key: aws.kms.Key, role: aws.iam.Role) -> None:
    source = aws.s3.Bucket("source", bucket="all-source", force_destroy=True, tags=TAGS)
    copy = aws.s3.Bucket("copy", bucket="all-copy", force_destroy=True, region=STANDBY)
    versions = [
        aws.s3.BucketVersioning(
            f"{name}-versions", bucket=each.bucket, region=place, versioning_configuration={"status": "Enabled"}
        )
        for name, each, place in (("source", source, None), ("copy", copy, STANDBY))
    ]
    default = {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn}
    aws.s3.BucketServerSideEncryptionConfiguration(
        "sse",
        bucket=source.bucket,
        rules=[{"apply_server_side_encryption_by_default": default, "bucket_key_enabled": True}],
    )
    block = aws.s3.BucketPublicAccessBlock(
        "block", bucket=source.bucket, block_public_acls=True, block_public_policy=True
    )
    aws.s3.BucketOwnershipControls("owner", bucket=source.bucket, rule={"object_ownership": "BucketOwnerEnforced"})
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutBucketAcl", "Resource": "arn:aws:s3:::all-source",
                 "Condition": {"Bool": {"aws:SecureTransport": "false"}}}  # fmt: skip
    aws.s3.BucketPolicy(
        "tls",
        bucket=source.bucket,
        policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        opts=pulumi.ResourceOptions(depends_on=[block]),
    )
    rule = {
        "id": "all", "status": "Enabled", "priority": 1, "filter": {"prefix": ""},
        "delete_marker_replication": {"status": "Disabled"}, "destination": {"bucket": copy.arn},
    }  # fmt: skip
    aws.s3.BucketReplicationConfig(
        "replication",
        bucket=source.bucket,
        role=role.arn,
        rules=[rule],
        opts=pulumi.ResourceOptions(depends_on=versions),
    )
    expiry = {
        "id": "old",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "noncurrent_version_expiration": {"noncurrent_days": 30},
    }
    aws.s3.BucketLifecycleConfiguration("expiry", bucket=source.bucket, rules=[expiry])
    aws.s3.BucketObjectv2(
        "record", bucket=source.bucket, key="record.json", content="{}", content_type="application/json"
    )


class Net:
    def __init__(self, zones: list[str]) -> None:
        self.vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", enable_dns_hostnames=True, tags=TAGS)
        self.subnets = [
            aws.ec2.Subnet(f"subnet-{i}", vpc_id=self.vpc.id, cidr_block=f"10.0.{i}.0/24", availability_zone=zones[i])
            for i in (0, 1)
        ]
        self.subnet_ids = [each.id for each in self.subnets]
        gateway = aws.ec2.InternetGateway("gateway", vpc_id=self.vpc.id)
        table = aws.ec2.RouteTable("table", vpc_id=self.vpc.id)
        aws.ec2.Route("out", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id)
        aws.ec2.RouteTableAssociation("association", route_table_id=table.id, subnet_id=self.subnets[0].id)
        rule = {"protocol": "tcp", "from_port": 80, "to_port": 80, "cidr_blocks": ["10.0.0.0/16"]}
        out = {"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]}
        self.group = aws.ec2.SecurityGroup("group", vpc_id=self.vpc.id, description="all", ingress=[rule], egress=[out])
        aws.ec2.VpcEndpoint(
            "endpoint", vpc_id=self.vpc.id, service_name="com.amazonaws.us-east-1.s3", route_table_ids=[table.id]
        )


def machines(network: Net, profile: aws.iam.InstanceProfile, image: str, key: aws.kms.Key) -> None:
    copied = aws.ec2.AmiCopy(
        "image", name="all-image", source_ami_id=image, source_ami_region="us-east-1", region=STANDBY
    )
    pulumi.export("image", copied.id)
    instance = aws.ec2.Instance(
        "instance",
        ami=image,
        instance_type="t3.micro",
        subnet_id=network.subnets[0].id,
        user_data="#!/bin/bash\ntrue\n",
    )
    volume = aws.ebs.Volume("volume", availability_zone=instance.availability_zone, size=1, type="gp3", encrypted=True)
    aws.ec2.VolumeAttachment("attached", device_name="/dev/sdf", instance_id=instance.id, volume_id=volume.id)
    template = aws.ec2.LaunchTemplate(
        "template",
        image_id=image,
        instance_type="t3.micro",
        user_data="IyEvYmluL2Jhc2gK",
        iam_instance_profile={"name": profile.name},
        vpc_security_group_ids=[network.group.id],
        metadata_options={"http_tokens": "required"},
        block_device_mappings=[{"device_name": "/dev/sdf", "ebs": {"volume_size": 1, "encrypted": "true"}}],
    )
    aws.autoscaling.Group(
        "fleet",
        min_size=0,
        max_size=2,
        desired_capacity=0,
        vpc_zone_identifiers=network.subnet_ids,
        launch_template={"id": template.id, "version": template.latest_version.apply(str)},
        tags=[{"key": "Name", "value": "all", "propagate_at_launch": True}],
    )


def databases(network: Net, key: aws.kms.Key) -> None:
    group = aws.rds.SubnetGroup("database-subnets", name="all-subnets", subnet_ids=network.subnet_ids)
    cluster = aws.rds.Cluster(
        "cluster",
        cluster_identifier="all-cluster",
        engine="aurora-postgresql",
        engine_version="16.6",
        database_name="registry",
        master_username="root_user",
        master_password=pulumi.Output.secret(PASSWORD),
        db_subnet_group_name=group.name,
        storage_encrypted=True,
        kms_key_id=key.arn,
        skip_final_snapshot=True,
        opts=pulumi.ResourceOptions(ignore_changes=["globalClusterIdentifier"]),
    )
    aws.rds.ClusterInstance(
        "database", identifier="all-database", cluster_identifier=cluster.id, instance_class="db.r6g.large",
        engine="aurora-postgresql",
    )  # fmt: skip
    aws.rds.GlobalCluster("global", global_cluster_identifier="all-global", source_db_cluster_identifier=cluster.arn)
    aws.dynamodb.Table(
        "journal",
        name="all-journal",
        billing_mode="PAY_PER_REQUEST",
        hash_key="pk",
        range_key="sk",
        attributes=[{"name": "pk", "type": "S"}, {"name": "sk", "type": "S"}],
        point_in_time_recovery={"enabled": True},
        server_side_encryption={"enabled": True, "kms_key_arn": key.arn},
    )
    secret = aws.secretsmanager.Secret("secret", name="all-secret", replicas=[{"region": STANDBY}])
    login = pulumi.Output.secret(PASSWORD).apply(lambda password: json.dumps({"password": password}))
    aws.secretsmanager.SecretVersion("login", secret_id=secret.id, secret_string=login)
    aws.ssm.Parameter("parameter", name="/all/parameter", type="String", value="none yet")


def functions(role: aws.iam.Role, code: Path, account: str, key: aws.kms.Key) -> None:
    function = aws.lambda_.Function(
        "function",
        name="all-function",
        runtime="python3.12",
        handler="main.handler",
        role=role.arn,
        code=pulumi.FileArchive(str(code)),
        timeout=10,
        environment={"variables": {"WORKLOAD": "inference"}},
    )
    topic = aws.sns.Topic("topic", name="all-topic", tags=TAGS)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": "*",
    }
    aws.sns.TopicPolicy(
        "topic-policy", arn=topic.arn, policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    aws.sns.TopicSubscription("subscription", topic=topic.arn, protocol="lambda", endpoint=function.arn)
    queue = aws.sqs.Queue(
        "queue", name="all-queue", message_retention_seconds=1_209_600, sqs_managed_sse_enabled=True, tags=TAGS
    )
    send = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
    aws.sqs.QueuePolicy(
        "queue-policy",
        queue_url=queue.url,
        policy=json.dumps({"Version": "2012-10-17", "Statement": [send | {"Resource": "*"}]}),
    )
    aws.lambda_.Permission(
        "permission",
        action="lambda:InvokeFunction",
        function=function.name,
        principal="sns.amazonaws.com",
        source_arn=topic.arn,
    )
    aws.cloudwatch.LogGroup("logs", name="/aws/lambda/all-function", retention_in_days=30)
    aws.cloudwatch.MetricAlarm(
        "alarm",
        name="all-alarm",
        comparison_operator="LessThanThreshold",
        evaluation_periods=3,
        metric_name="ActiveHealthy",
        namespace="Pilotlight",
        period=60,
        statistic="Minimum",
        threshold=1,
        dimensions={"Workload": "inference"},
        alarm_actions=[topic.arn],
    )
    aws.scheduler.Schedule(
        "schedule",
        name="all-schedule",
        schedule_expression="rate(1 minute)",
        flexible_time_window={"mode": "OFF"},
        target={"arn": function.arn, "role_arn": role.arn, "input": "{}"},
    )


def traffic(network: Net) -> None:
    balancer = aws.lb.LoadBalancer(
        "balancer", subnets=network.subnet_ids, security_groups=[network.group.id], internal=True
    )
    targets = aws.lb.TargetGroup(
        "targets", port=80, protocol="HTTP", vpc_id=network.vpc.id, health_check={"path": "/healthz", "interval": 10}
    )
    forward = {"type": "forward", "target_group_arn": targets.arn}
    aws.lb.Listener("listener", load_balancer_arn=balancer.arn, port=80, protocol="HTTP", default_actions=[forward])
    zone = aws.route53.Zone("zone", name="example.internal")
    check = aws.route53.HealthCheck(
        "check", type="CLOUDWATCH_METRIC", cloudwatch_alarm_name="all-alarm", cloudwatch_alarm_region="us-east-1",
        insufficient_data_health_status="LastKnownStatus",
    )  # fmt: skip
    aws.route53.Record(
        "record",
        zone_id=zone.zone_id,
        name="models.example.internal",
        type="A",
        set_identifier="primary",
        health_check_id=check.id,
        failover_routing_policies=[{"type": "PRIMARY"}],
        aliases=[{"name": balancer.dns_name, "zone_id": balancer.zone_id, "evaluate_target_health": False}],
    )
