"""Infrastructure that somebody has already, made by boto3 alone: three workloads of other people, one function each.

`smallest` is one bucket of checkpoints; `training` two buckets and a group that nobody asks anything; `serving` two
databases, two groups, three buckets, and six volumes on the two instances of one group. The declarations lie beside it.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from typing import Any

from pilotlight.local.handle import LocalCloud

REGION = "us-east-1"
ZONE = "us-east-1a"
VERSIONED = {"Status": "Enabled"}
IDLE = "#!/bin/bash\nwhile true; do sleep 5; done\n"
ATTACHED = ("f", "g", "h")
"""Letters of the devices that each instance of the serving workload has."""
LATER = ("i", "j", "k")
"""Letters of the second instance's devices, where the two differ."""
LAUNCH_SECONDS = 20.0
ROOT_GIB = 500
"""Of every instance; the image's root volume is far smaller."""
AS_AT_HOME = {(ROOT_GIB, 2, "acme")}
"""What `settings` tells of instances as the primary's launch templates make them."""
SERVER = """#!/bin/bash
cat > server.py <<'PROGRAM'
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(b'hello from ' + os.environ['AWS_REGION'].encode())
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer((os.environ['PRIVATE_IP'], 8080), Handler).serve_forever()
PROGRAM
python3 server.py
"""


def smallest(cloud: LocalCloud) -> None:
    """One versioned bucket with three checkpoints in it."""
    _buckets(cloud, "acme-checkpoints")
    for step in (100, 200, 300):
        checkpoint(cloud, "acme-checkpoints", step)


def training(cloud: LocalCloud) -> None:
    """Shards, checkpoints, and two instances that train."""
    _buckets(cloud, "acme-train-data", "acme-train-ckpt")
    for number in range(30):
        _put(cloud, "acme-train-data", f"shard-{number:05d}.tar", b"x" * 1000)
    for step in (100, 200):
        checkpoint(cloud, "acme-train-ckpt", step)
    subnets, firewall = _network(cloud, "training")
    _profile(cloud, "acme-trainer")
    _group(cloud, "acme-trainers", "p4d.24xlarge", 2, subnets, firewall, "acme-trainer", IDLE)


def serving(cloud: LocalCloud, second: Sequence[str] = ATTACHED) -> None:
    """Weights, features, logs, two databases, a gateway behind a balancer, two workers with three volumes each.

    `second` are the letters of the second worker's devices: by default those of the first.
    """
    _buckets(cloud, "acme-weights", "acme-features", "acme-logs")
    for step in (1, 2):
        checkpoint(cloud, "acme-weights", step)
    for number in range(20):
        _put(cloud, "acme-features", f"f{number}", b"x" * 100)
        _put(cloud, "acme-logs", f"prod/{number}", b"x" * 100)
        _put(cloud, "acme-logs", f"dev/{number}", b"x" * 100)
    subnets, firewall = _network(cloud, "serving")
    _profile(cloud, "acme-serve")
    _databases(cloud, subnets, firewall)
    targets = _front_door(cloud, subnets, firewall)
    _group(cloud, "acme-gateway", "m6i.large", 1, subnets, firewall, "acme-serve", SERVER, targets)
    _group(cloud, "acme-workers", "g5.12xlarge", 2, subnets, firewall, "acme-serve", IDLE)
    for instance, letters in zip(members(cloud, REGION, "acme-workers", 2), (ATTACHED, second), strict=True):
        for letter in letters:
            _volume(cloud, instance, f"/dev/sd{letter}")


def checkpoint(cloud: LocalCloud, bucket: str, step: int) -> None:
    """One folder as a trainer leaves it: metrics, configuration, weights last."""
    body = bytes([step % 256]) * 50_000
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(body)], "data_offsets": [0, len(body)]}}).encode()
    folder = f"step-{step:06d}/"
    _put(cloud, bucket, folder + "metrics.json", json.dumps({"loss": 1.0, "step": step}).encode())
    _put(cloud, bucket, folder + "config.json", b"{}")
    _put(cloud, bucket, folder + "model.safetensors", len(header).to_bytes(8, "little") + header + body)


def members(cloud: LocalCloud, region: str, group: str, count: int) -> list[str]:
    """The instances of a group, in launch order, once it has this many."""
    until = time.monotonic() + LAUNCH_SECONDS
    while True:
        found = _described(cloud, region, group)["Instances"]
        if len(found) >= count or time.monotonic() > until:
            break
        time.sleep(0.2)
    assert len(found) == count, f"{group} has {len(found)} instances, not {count}"
    versions = {each["InstanceId"]: int(each["LaunchTemplate"]["Version"]) for each in found}
    answer = cloud.client("ec2", region).describe_instances(InstanceIds=list(versions))
    launched = {i["InstanceId"]: i["LaunchTime"] for each in answer["Reservations"] for i in each["Instances"]}
    return sorted(versions, key=lambda each: (versions[each], launched[each], each))


def settings(cloud: LocalCloud, region: str, instances: Sequence[str]) -> set[tuple[int, int, str]]:
    """(size of the root volume in GiB, metadata hop limit, the team's tag) of these instances."""
    ec2 = cloud.client("ec2", region)
    found = set()
    for each in ec2.describe_instances(InstanceIds=list(instances))["Reservations"]:
        for one in each["Instances"]:
            volumes = {where["DeviceName"]: where["Ebs"]["VolumeId"] for where in one["BlockDeviceMappings"]}
            root = ec2.describe_volumes(VolumeIds=[volumes[one["RootDeviceName"]]])["Volumes"][0]["Size"]
            tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
            found.add((root, one["MetadataOptions"]["HttpPutResponseHopLimit"], tags.get("team", "")))
    return found


def _described(cloud: LocalCloud, region: str, group: str) -> dict[str, Any]:
    answer = cloud.client("autoscaling", region).describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    found: dict[str, Any] = answer["AutoScalingGroups"][0]
    return found


def _buckets(cloud: LocalCloud, *names: str) -> None:
    s3 = cloud.client("s3", REGION)
    for name in names:
        s3.create_bucket(Bucket=name)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=VERSIONED)


def _put(cloud: LocalCloud, bucket: str, key: str, body: bytes) -> None:
    cloud.client("s3", REGION).put_object(Bucket=bucket, Key=key, Body=body)


def _network(cloud: LocalCloud, name: str) -> tuple[list[str], str]:
    ec2 = cloud.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{REGION}{letter}")
        for number, letter in enumerate("ab")
    ]
    firewall = ec2.create_security_group(GroupName=f"{name}-sg", Description="all", VpcId=vpc)["GroupId"]
    return [each["Subnet"]["SubnetId"] for each in subnets], firewall


def _profile(cloud: LocalCloud, name: str) -> None:
    iam = cloud.client("iam", REGION)
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    reads = {"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    document = json.dumps({"Version": "2012-10-17", "Statement": [reads]})
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def _image(cloud: LocalCloud) -> str:
    ec2 = cloud.client("ec2", REGION)
    own = ec2.describe_images(Owners=["self"])["Images"]
    if own:
        return str(own[0]["ImageId"])
    base = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=base, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]
    image = ec2.create_image(InstanceId=made["InstanceId"], Name="acme-v1")["ImageId"]
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    return str(image)


def _group(
    cloud: LocalCloud,
    name: str,
    kind: str,
    count: int,
    subnets: list[str],
    firewall: str,
    profile: str,
    script: str,
    targets: tuple[str, ...] = (),
) -> None:
    data = {
        "ImageId": _image(cloud),
        "InstanceType": kind,
        "SecurityGroupIds": [firewall],
        "IamInstanceProfile": {"Name": profile},
        "UserData": base64.b64encode(script.encode()).decode(),
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": ROOT_GIB, "VolumeType": "gp3"}}],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "acme"}]}],
    }
    ec2 = cloud.client("ec2", REGION)
    template = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"]
    cloud.client("autoscaling", REGION).create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=count,
        MaxSize=count * 2,
        DesiredCapacity=count,
        LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"], "Version": "$Latest"},
        VPCZoneIdentifier=",".join(subnets),
        TargetGroupARNs=list(targets),
    )


def release(cloud: LocalCloud, group: str, **changes: str) -> str:
    """A new image, and a new version of the group's launch template that names it; the image."""
    ec2 = cloud.client("ec2", REGION)
    running = _described(cloud, REGION, group)["Instances"][0]["InstanceId"]
    image: str = ec2.create_image(InstanceId=running, Name=f"{group}-{time.monotonic_ns()}")["ImageId"]
    data = {"ImageId": image} | changes
    ec2.create_launch_template_version(LaunchTemplateName=group, SourceVersion="$Latest", LaunchTemplateData=data)
    return image


def _databases(cloud: LocalCloud, subnets: list[str], firewall: str) -> None:
    rds = cloud.client("rds", REGION)
    rds.create_db_subnet_group(DBSubnetGroupName="acme", DBSubnetGroupDescription="all", SubnetIds=subnets)
    for name in ("registry", "sessions"):
        rds.create_db_cluster(
            DBClusterIdentifier=f"acme-{name}",
            Engine="aurora-postgresql",
            MasterUsername="acme",
            MasterUserPassword="secret-123456",
            DatabaseName=name,
            StorageEncrypted=True,
            DBSubnetGroupName="acme",
            VpcSecurityGroupIds=[firewall],
        )
        rds.create_db_instance(
            DBInstanceIdentifier=f"acme-{name}-1",
            DBClusterIdentifier=f"acme-{name}",
            Engine="aurora-postgresql",
            DBInstanceClass="db.r6g.large",
        )


def _front_door(cloud: LocalCloud, subnets: list[str], firewall: str) -> tuple[str, ...]:
    elb, dns = cloud.client("elbv2", REGION), cloud.client("route53", REGION)
    vpc = cloud.client("ec2", REGION).describe_subnets(SubnetIds=subnets)["Subnets"][0]["VpcId"]
    about = {"Protocol": "HTTP", "Port": 8080, "VpcId": vpc, "HealthCheckPath": "/health", "TargetType": "instance"}
    target = elb.create_target_group(Name="acme-gw", **about)["TargetGroups"][0]["TargetGroupArn"]
    made = elb.create_load_balancer(Name="acme-gw", Subnets=subnets, SecurityGroups=[firewall])["LoadBalancers"][0]
    forward = [{"Type": "forward", "TargetGroupArn": target}]
    elb.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=forward)
    zone = dns.create_hosted_zone(Name="acme.internal", CallerReference="serving")["HostedZone"]["Id"]
    alias = {
        "HostedZoneId": made["CanonicalHostedZoneId"],
        "DNSName": made["DNSName"],
        "EvaluateTargetHealth": True,
    }
    record = {"Name": "api.acme.internal", "Type": "A", "AliasTarget": alias}
    changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
    return (target,)


def front(cloud: LocalCloud) -> list[str]:
    """The set identifiers of the records that clients ask for; a simple one has none."""
    dns = cloud.client("route53", REGION)
    zone = dns.list_hosted_zones_by_name(DNSName="acme.internal")["HostedZones"][0]["Id"]
    found = dns.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return sorted(each.get("SetIdentifier", "") for each in found if each["Name"] == "api.acme.internal.")


def _volume(cloud: LocalCloud, instance: str, device: str) -> None:
    ec2 = cloud.client("ec2", REGION)
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "tier", "Value": "vectors"}]}]
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=10, TagSpecifications=tags)["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
