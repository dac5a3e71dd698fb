"""Small HTTP servers on addresses of their own, standing for what instances run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from event_cloud import client, eventually

from pilotlight.local.kernel.cloud import Cloud

PORT = 8080
PROGRAM = """
import http.server, json, os, pathlib, sys
address, port, name, health = sys.argv[1], int(sys.argv[2]), sys.argv[3], pathlib.Path(sys.argv[4])
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        status = int(health.read_text()) if self.path == "/healthz" and health.exists() else 200
        length = int(self.headers.get("Content-Length") or 0)
        body = json.dumps({"name": name, "path": self.path, "host": self.headers["Host"], "method": self.command,
                           "forwarded": self.headers["X-Forwarded-For"],
                           "body": self.rfile.read(length).decode()}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Step", "7")
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer.request_queue_size = 64
http.server.ThreadingHTTPServer((address, port), Handler).serve_forever()
"""


class Instance:
    """A running moto instance whose address is really served by a process of its region."""

    def __init__(self, cloud: Cloud, region: str, name: str, subnet: str) -> None:
        self.cloud, self.region, self.name = cloud, region, name
        self.address = cloud.address(region)
        self.health = Path(cloud.directory) / f"{name}.health"
        ec2 = client(cloud, "ec2", region)
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet)
        self.id: str = made["Instances"][0]["InstanceId"]
        cloud.backend("ec2", region).get_instance_by_id(self.id).nics[0].private_ip_address = self.address
        self.process: Any = None
        self.serve()

    def serve(self) -> None:
        argv = [sys.executable, "-I", "-S", "-c", PROGRAM, self.address, str(PORT), self.name, str(self.health)]
        self.process = self.cloud.spawn(argv, {}, self.region)

    def fall(self) -> None:
        self.cloud.processes.kill(self.process)


class Site:
    """A load balancer of one region with a target group, and instances to put into it."""

    def __init__(self, cloud: Cloud, region: str, name: str) -> None:
        self.cloud, self.region, self.name = cloud, region, name
        ec2, self.elb = client(cloud, "ec2", region), client(cloud, "elbv2", region)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"][:2]]
        self.subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
            for n, zone in enumerate(zones)
        ]
        made = self.elb.create_load_balancer(Name=name, Subnets=self.subnets)["LoadBalancers"][0]
        self.arn, self.dns_name = made["LoadBalancerArn"], made["DNSName"]
        self.group = self.make_group(name, vpc)
        self.listener = self.elb.create_listener(
            LoadBalancerArn=self.arn,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )["Listeners"][0]["ListenerArn"]

    def make_group(self, name: str, vpc: str) -> str:
        made = self.elb.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=PORT,
            VpcId=vpc,
            HealthCheckPath="/healthz",
            HealthCheckIntervalSeconds=10,
            HealthCheckTimeoutSeconds=5,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def add(self, name: str) -> Instance:
        instance = Instance(self.cloud, self.region, name, self.subnets[0])
        self.elb.register_targets(TargetGroupArn=self.group, Targets=[{"Id": instance.id}])
        return instance

    def health(self, instance: Instance) -> dict[str, str]:
        found = self.elb.describe_target_health(TargetGroupArn=self.group, Targets=[{"Id": instance.id}])
        return dict(found["TargetHealthDescriptions"][0]["TargetHealth"])

    def becomes(self, instance: Instance, state: str) -> bool:
        return bool(eventually(lambda: self.health(instance)["State"] == state))
