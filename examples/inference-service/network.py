"""A network with two public subnets in two zones and one security group for each part."""

import pulumi_aws as aws

ANYWHERE = "0.0.0.0/0"
SERVER_PORT = 8080
DATABASE_PORT = 5432


class Network:
    """VPC, subnets, routes, and the security groups `front`, `servers` and `database`."""

    def __init__(self, region: str) -> None:
        self.vpc = aws.ec2.Vpc("vpc", cidr_block="10.10.0.0/16", enable_dns_hostnames=True, tags={"Name": "inference"})
        gateway = aws.ec2.InternetGateway("gateway", vpc_id=self.vpc.id)
        table = aws.ec2.RouteTable("routes", vpc_id=self.vpc.id)
        aws.ec2.Route("way-out", route_table_id=table.id, destination_cidr_block=ANYWHERE, gateway_id=gateway.id)
        self.zones = aws.get_availability_zones(state="available").names[:2]
        self.subnets = [self._subnet(index, zone, table) for index, zone in enumerate(self.zones)]
        self.front = self._group("front", "Clients to the balancer", 80, cidr_blocks=[ANYWHERE])
        self.servers = self._group("servers", "The balancer to the servers", SERVER_PORT, groups=[self.front.id])
        self.database = self._group("database", "The servers to the registry", DATABASE_PORT, groups=[self.servers.id])

    def _subnet(self, index: int, zone: str, table: aws.ec2.RouteTable) -> aws.ec2.Subnet:
        subnet = aws.ec2.Subnet(
            f"subnet-{index}",
            vpc_id=self.vpc.id,
            availability_zone=zone,
            cidr_block=f"10.10.{index}.0/24",
            map_public_ip_on_launch=True,
        )
        aws.ec2.RouteTableAssociation(f"subnet-{index}-routes", subnet_id=subnet.id, route_table_id=table.id)
        return subnet

    def _group(self, name, description, port, cidr_blocks=None, groups=None) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(
            name,
            vpc_id=self.vpc.id,
            description=description,
            ingress=[
                aws.ec2.SecurityGroupIngressArgs(
                    protocol="tcp", from_port=port, to_port=port, cidr_blocks=cidr_blocks, security_groups=groups
                )
            ],
            egress=[aws.ec2.SecurityGroupEgressArgs(protocol="-1", from_port=0, to_port=0, cidr_blocks=[ANYWHERE])],
        )

    @property
    def subnet_ids(self) -> list:
        return [subnet.id for subnet in self.subnets]
