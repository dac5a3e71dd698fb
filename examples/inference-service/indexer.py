"""The indexer: one instance that appends to an index on two volumes."""

import pulumi_aws as aws
import user_data
from network import Network
from roles import JOURNAL_TABLE, active_record, instance_profile

DEVICES = ("sdf", "sdg")
DEVICE_WAIT_SECONDS = 600
SIZE_GIB = 8


class Indexer:
    """Instance `indexer` with its volumes at /dev/sdf and /dev/sdg, tagged backup=index."""

    def __init__(self, network: Network, image: str, region: str, standby_region: str, account: str) -> None:
        environment = {"REGION": region, "JOURNAL_TABLE": JOURNAL_TABLE, "JOURNAL_REGION": standby_region}
        instance = aws.ec2.Instance(
            "indexer",
            ami=image,
            instance_type="t3.small",
            subnet_id=network.subnets[0].id,
            vpc_security_group_ids=[network.servers.id],
            iam_instance_profile=instance_profile("indexer", active_record(standby_region, account)).name,
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(http_endpoint="enabled", http_tokens="required"),
            user_data=user_data.script("indexer.py", environment, DEVICES, DEVICE_WAIT_SECONDS),
            tags={"Name": "indexer"},
        )
        for device in DEVICES:
            volume = aws.ebs.Volume(
                f"index-{device}",
                availability_zone=network.zones[0],
                size=SIZE_GIB,
                type="gp3",
                encrypted=True,
                tags={"Name": f"index-{device}", "backup": "index"},
            )
            aws.ec2.VolumeAttachment(
                f"index-{device}", device_name=f"/dev/{device}", instance_id=instance.id, volume_id=volume.id
            )
