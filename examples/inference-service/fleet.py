"""The fleet: an Auto Scaling group of model servers behind a load balancer."""

import base64

import pulumi
import pulumi_aws as aws
import user_data
from data import DATABASE, Buckets, Registry
from network import SERVER_PORT, Network
from roles import JOURNAL_TABLE, RECOVERED, active_record, allow, instance_profile

DEVICES = ("sdf", "sdg")
"""Index volumes, where the instance has them: servers that replace the indexer mount copies of its volumes."""
DEVICE_WAIT_SECONDS = 5


class Fleet:
    """Group `inference-fleet`, one server by default."""

    def __init__(
        self,
        network: Network,
        buckets: Buckets,
        registry: Registry,
        image: str,
        region: str,
        standby_region: str,
        account: str,
    ) -> None:
        targets = self._targets(network)
        self.balancer = self._balancer(network, targets)
        text = pulumi.Output.all(registry.address, registry.secret.name, buckets.models.bucket).apply(
            lambda known: self._script(known[0], known[1], known[2], region, standby_region)
        )
        statements = pulumi.Output.all(buckets.models.arn, registry.secret.arn).apply(
            lambda arns: self._statements(arns[0], arns[1], region, standby_region, account)
        )
        template = aws.ec2.LaunchTemplate(
            "fleet",
            name="inference-fleet",
            image_id=image,
            instance_type="g5.xlarge",
            user_data=text.apply(lambda plain: base64.b64encode(plain.encode()).decode()),
            iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(
                name=instance_profile("fleet", statements).name
            ),
            vpc_security_group_ids=[network.servers.id],
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(http_endpoint="enabled", http_tokens="required"),
        )
        aws.autoscaling.Group(
            "fleet",
            name="inference-fleet",
            min_size=1,
            max_size=4,
            desired_capacity=1,
            vpc_zone_identifiers=network.subnet_ids,
            launch_template=aws.autoscaling.GroupLaunchTemplateArgs(id=template.id, version="$Latest"),
            target_group_arns=[targets.arn],
            # Not ELB: a server without weights yet is left out by the balancer, and not worth a new instance.
            health_check_type="EC2",
            opts=pulumi.ResourceOptions(ignore_changes=["desired_capacity"]),
        )

    def _targets(self, network: Network) -> aws.lb.TargetGroup:
        return aws.lb.TargetGroup(
            "fleet",
            name="inference-fleet",
            port=SERVER_PORT,
            protocol="HTTP",
            target_type="instance",
            vpc_id=network.vpc.id,
            deregistration_delay=10,
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                path="/healthz", interval=10, timeout=5, healthy_threshold=2, unhealthy_threshold=2
            ),
        )

    def _balancer(self, network: Network, targets: aws.lb.TargetGroup) -> aws.lb.LoadBalancer:
        balancer = aws.lb.LoadBalancer(
            "fleet",
            name="inference-fleet",
            load_balancer_type="application",
            subnets=network.subnet_ids,
            security_groups=[network.front.id],
        )
        forward = aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=targets.arn)
        aws.lb.Listener("fleet", load_balancer_arn=balancer.arn, port=80, protocol="HTTP", default_actions=[forward])
        return balancer

    def _script(self, address: str, secret: str, bucket: str, region: str, standby_region: str) -> str:
        environment = {
            "REGION": region,
            "MODEL_BUCKET": bucket,
            "MODEL_PREFIX": "checkpoints/",
            "DATABASE": address,
            "DATABASE_NAME": DATABASE,
            "DATABASE_SECRET": secret,
            "RECOVERED_PARAMETER": RECOVERED,
            "JOURNAL_TABLE": JOURNAL_TABLE,
            "JOURNAL_REGION": standby_region,
        }
        return user_data.script("model_server.py", environment, DEVICES, DEVICE_WAIT_SECONDS, again=True)

    def _statements(self, bucket: str, secret: str, region: str, standby_region: str, account: str) -> list:
        recovered = f"arn:aws:ssm:{region}:{account}:parameter{RECOVERED}"
        return [
            allow(["s3:ListBucket"], [bucket]),
            allow(["s3:GetObject"], [f"{bucket}/*"]),
            allow(["secretsmanager:GetSecretValue"], [secret]),
            allow(["ssm:GetParameter"], [recovered]),
            *active_record(standby_region, account),
        ]
