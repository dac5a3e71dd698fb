"""The inference service in one region: network, data, registry, indexer, fleet, DNS zone."""

import pulumi
import pulumi_aws as aws
from data import Buckets, Registry
from fleet import Fleet
from indexer import Indexer
from network import Network

config = pulumi.Config()
standby_region = config.get("standbyRegion") or ""
account = aws.get_caller_identity().account_id
region = aws.get_region().region
image = aws.ec2.get_ami(
    most_recent=True,
    owners=["amazon"],
    filters=[aws.ec2.GetAmiFilterArgs(name="name", values=["al2023-ami-2023.*-x86_64"])],
)

network = Network(region)
buckets = Buckets(account)
registry = Registry(network, standby_region)
indexer = Indexer(network, image.id, region, standby_region, account)
fleet = Fleet(network, buckets, registry, image.id, region, standby_region, account)
zone = aws.route53.Zone("zone", name="example.internal", comment="Names of the inference service")

pulumi.export("corpus_bucket", buckets.corpus.bucket)
pulumi.export("model_bucket", buckets.models.bucket)
pulumi.export("database_cluster", registry.cluster.cluster_identifier)
pulumi.export("database_name", registry.cluster.database_name)
pulumi.export("database_secret", registry.secret.name)
pulumi.export("balancer_dns", fleet.balancer.dns_name)
pulumi.export("zone_id", zone.zone_id)
