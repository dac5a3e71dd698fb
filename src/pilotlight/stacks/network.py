"""The standby network: two subnets in two zones, a way out, gateway endpoints, and three security groups.

Nothing here costs money while it waits: no NAT gateway and no interface endpoints. Instances reach AWS through the
internet gateway and are reached through the balancer alone; S3 and DynamoDB stay on gateway endpoints (VPC User
Guide, "Gateway endpoints"). The database answers to the fleet alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.runtime.records.inventory import Compute, Inventory

CIDR = "10.91.0.0/16"
"""Give another one where the standby network is peered with one that overlaps."""
SUBNET_CIDRS = ("10.91.0.0/20", "10.91.16.0/20")
ZONES = len(SUBNET_CIDRS)
"""Two zones are what an Aurora subnet group and an Application Load Balancer need at least."""
DATABASE_PORT = 5432
"""Aurora PostgreSQL's default (Aurora User Guide, "Settings for Aurora DB clusters")."""
ANYWHERE = "0.0.0.0/0"
GATEWAY_SERVICES = ("s3", "dynamodb")


@dataclass(frozen=True)
class NetworkSpec:
    """`front_port` is where the balancer listens, `fleet_port` where the instances do; 0 where there are none."""

    region: str
    cidr: str
    subnets: dict[str, str]
    """Availability zone -> CIDR block."""
    front_port: int
    fleet_port: int
    database_port: int
    tags: dict[str, str]


@dataclass(frozen=True)
class NetworkArgs:
    """The network takes nothing but its spec."""

    spec: NetworkSpec


def served(inventory: Inventory) -> Compute | None:
    """The compute group behind the balancer: the first that listens on a port."""
    return next((each for each in inventory.computes if each.port), None)


def network_spec(inventory: Inventory) -> NetworkSpec:
    """The standby network of this inventory (pure)."""
    names, behind = inventory.names, served(inventory)
    zones = inventory.zones or default_zones(names.standby)
    return NetworkSpec(
        region=names.standby,
        cidr=CIDR,
        subnets=dict(zip(zones, SUBNET_CIDRS, strict=True)),
        front_port=inventory.traffic.port if inventory.traffic else 0,
        fleet_port=behind.port if behind else 0,
        database_port=DATABASE_PORT,
        tags=names.tags(),
    )


def default_zones(region: str) -> tuple[str, ...]:
    """Those of inventories that tell none: older editions looked at no zone (pure)."""
    return tuple(region + letter for letter in "ab")


class Network(pulumi.ComponentResource):
    """Creates the network. Outputs: `vpc_id`, `subnet_ids`, and the groups `balancer`, `fleet` and `database`."""

    vpc_id: pulumi.Output[str]
    subnet_ids: list[pulumi.Output[str]]
    balancer_group: pulumi.Output[str]
    fleet_group: pulumi.Output[str]
    database_group: pulumi.Output[str]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Network", name, None, opts)
        self._spec, self._name = args.spec, name
        self.vpc_id = self._vpc()
        table = self._way_out()
        self.subnet_ids = [self._subnet(zone, cidr, table) for zone, cidr in args.spec.subnets.items()]
        self._endpoints(table)
        self._groups()
        self.register_outputs({"vpcId": self.vpc_id, "subnetIds": self.subnet_ids})

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _vpc(self) -> pulumi.Output[str]:
        spec = self._spec
        return aws.ec2.Vpc(
            f"{self._name}-vpc",
            region=spec.region,
            cidr_block=spec.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=spec.tags,
            opts=self._child(),
        ).id

    def _way_out(self) -> pulumi.Output[str]:
        """The route table, once it leads out: a public balancer cannot be created before."""
        spec = self._spec
        gateway = aws.ec2.InternetGateway(
            f"{self._name}-gateway", region=spec.region, vpc_id=self.vpc_id, tags=spec.tags, opts=self._child()
        )
        table = aws.ec2.RouteTable(
            f"{self._name}-routes", region=spec.region, vpc_id=self.vpc_id, tags=spec.tags, opts=self._child()
        )
        route = aws.ec2.Route(
            f"{self._name}-way-out",
            region=spec.region,
            route_table_id=table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
            opts=self._child(),
        )
        return route.route_table_id

    def _subnet(self, zone: str, cidr: str, table: pulumi.Output[str]) -> pulumi.Output[str]:
        """The subnet, once its route table is in force."""
        spec = self._spec
        subnet = aws.ec2.Subnet(
            f"{self._name}-{zone}",
            region=spec.region,
            vpc_id=self.vpc_id,
            availability_zone=zone,
            cidr_block=cidr,
            map_public_ip_on_launch=True,
            tags=spec.tags,
            opts=self._child(),
        )
        routed = aws.ec2.RouteTableAssociation(
            f"{self._name}-{zone}-routes",
            region=spec.region,
            subnet_id=subnet.id,
            route_table_id=table,
            opts=self._child(),
        )
        return pulumi.Output.all(subnet.id, routed.id).apply(lambda ids: str(ids[0]))

    def _endpoints(self, table: pulumi.Output[str]) -> None:
        spec = self._spec
        for service in GATEWAY_SERVICES:
            aws.ec2.VpcEndpoint(
                f"{self._name}-{service}",
                region=spec.region,
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{spec.region}.{service}",
                vpc_endpoint_type="Gateway",
                route_table_ids=[table],
                tags=spec.tags,
                opts=self._child(),
            )

    def _groups(self) -> None:
        """The balancer's way out is the network's address range: naming the fleet's group would be a circle."""
        spec = self._spec
        front = [_ingress(spec.front_port, cidr_blocks=[ANYWHERE])] if spec.front_port else []
        inside = [_egress(spec.fleet_port, [spec.cidr])] if spec.fleet_port else []
        self.balancer_group = self._group("balancer", "Clients to the balancer", front, inside)
        fleet = [_ingress(spec.fleet_port, security_groups=[self.balancer_group])] if spec.fleet_port else []
        everywhere = [aws.ec2.SecurityGroupEgressArgs(protocol="-1", from_port=0, to_port=0, cidr_blocks=[ANYWHERE])]
        self.fleet_group = self._group("fleet", "The balancer to the instances", fleet, everywhere)
        data = [_ingress(spec.database_port, security_groups=[self.fleet_group])]
        self.database_group = self._group("database", "The instances to the database", data, [])

    def _group(
        self,
        purpose: str,
        description: str,
        ingress: list[aws.ec2.SecurityGroupIngressArgs],
        egress: list[aws.ec2.SecurityGroupEgressArgs],
    ) -> pulumi.Output[str]:
        return aws.ec2.SecurityGroup(
            f"{self._name}-{purpose}",
            region=self._spec.region,
            vpc_id=self.vpc_id,
            description=description,
            ingress=ingress,
            egress=egress,
            tags=self._spec.tags,
            opts=self._child(),
        ).id


def _ingress(
    port: int,
    cidr_blocks: list[str] | None = None,
    security_groups: list[pulumi.Output[str]] | None = None,
) -> aws.ec2.SecurityGroupIngressArgs:
    return aws.ec2.SecurityGroupIngressArgs(
        protocol="tcp", from_port=port, to_port=port, cidr_blocks=cidr_blocks, security_groups=security_groups
    )


def _egress(port: int, cidr_blocks: list[str]) -> aws.ec2.SecurityGroupEgressArgs:
    return aws.ec2.SecurityGroupEgressArgs(protocol="tcp", from_port=port, to_port=port, cidr_blocks=cidr_blocks)
