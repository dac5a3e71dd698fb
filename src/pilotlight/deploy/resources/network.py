"""EC2's network: VPC, subnets, gateways, routes, security groups, endpoints."""

from __future__ import annotations

from typing import Any

from pilotlight.deploy.provider import Place, Properties, ResourceType
from pilotlight.deploy.resources.shape import absent, pick, removed, tag_list, tagged, with_tags


class _Ec2(ResourceType):
    """A thing of EC2 with an id, found by describing it; tags are all that most of them can change."""

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        ec2 = place.client("ec2")
        id_ = self.make(ec2, inputs)
        self.arrange(ec2, id_, {}, inputs)
        return id_, self.read(place, id_, inputs) or inputs

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        found = absent(lambda: self.find(place.client("ec2"), id_))
        if not found:
            return None
        return {**inputs, **with_tags(inputs), "id": id_, "region": place.region, **self.known(place, found)}

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        ec2 = place.client("ec2")
        gone = removed(old.get("tags"), new.get("tags"))
        if gone:
            ec2.delete_tags(Resources=[id_], Tags=[{"Key": key} for key in gone])
        if new.get("tags") and new.get("tags") != old.get("tags"):
            ec2.create_tags(Resources=[id_], Tags=tag_list(new["tags"]))
        self.arrange(ec2, id_, old, new)
        return self.read(place, id_, new) or new

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: self.remove(place.client("ec2"), id_, outputs))

    def make(self, ec2: Any, inputs: Properties) -> str:
        raise NotImplementedError(self.type)

    def arrange(self, ec2: Any, id_: str, old: Properties, new: Properties) -> None:
        """What is set after creation, and what can be changed."""

    def find(self, ec2: Any, id_: str) -> Any:
        raise NotImplementedError(self.type)

    def known(self, place: Place, found: Any) -> Properties:
        return {}

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        raise NotImplementedError(self.type)


class Vpc(_Ec2):
    """aws.ec2.Vpc."""

    type = "aws:ec2/vpc:Vpc"
    replace_on = frozenset({"cidrBlock", "instanceTenancy"})

    def make(self, ec2: Any, inputs: Properties) -> str:
        tags = tagged("vpc", inputs.get("tags"))
        return str(ec2.create_vpc(CidrBlock=inputs["cidrBlock"], TagSpecifications=tags)["Vpc"]["VpcId"])

    def arrange(self, ec2: Any, id_: str, old: Properties, new: Properties) -> None:
        for key, name in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
            if new.get(key) is not None and new.get(key) != old.get(key):
                ec2.modify_vpc_attribute(VpcId=id_, **{name: {"Value": bool(new[key])}})

    def find(self, ec2: Any, id_: str) -> Any:
        return ec2.describe_vpcs(VpcIds=[id_])["Vpcs"][0]

    def known(self, place: Place, found: Any) -> Properties:
        return {"arn": f"arn:aws:ec2:{place.region}:{found['OwnerId']}:vpc/{found['VpcId']}"}

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        return ec2.delete_vpc(VpcId=id_)


class Subnet(_Ec2):
    """aws.ec2.Subnet."""

    type = "aws:ec2/subnet:Subnet"
    replace_on = frozenset({"vpcId", "cidrBlock", "availabilityZone"})

    def make(self, ec2: Any, inputs: Properties) -> str:
        request = pick(inputs, {"vpcId": "VpcId", "cidrBlock": "CidrBlock", "availabilityZone": "AvailabilityZone"})
        made = ec2.create_subnet(**request, TagSpecifications=tagged("subnet", inputs.get("tags")))
        return str(made["Subnet"]["SubnetId"])

    def arrange(self, ec2: Any, id_: str, old: Properties, new: Properties) -> None:
        wanted = bool(new.get("mapPublicIpOnLaunch"))
        if wanted != bool(old.get("mapPublicIpOnLaunch")):
            ec2.modify_subnet_attribute(SubnetId=id_, MapPublicIpOnLaunch={"Value": wanted})

    def find(self, ec2: Any, id_: str) -> Any:
        return ec2.describe_subnets(SubnetIds=[id_])["Subnets"][0]

    def known(self, place: Place, found: Any) -> Properties:
        return {"arn": found["SubnetArn"], "availabilityZone": found["AvailabilityZone"], "vpcId": found["VpcId"]}

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        return ec2.delete_subnet(SubnetId=id_)


class InternetGateway(_Ec2):
    """aws.ec2.InternetGateway."""

    type = "aws:ec2/internetGateway:InternetGateway"

    def make(self, ec2: Any, inputs: Properties) -> str:
        tags = tagged("internet-gateway", inputs.get("tags"))
        return str(ec2.create_internet_gateway(TagSpecifications=tags)["InternetGateway"]["InternetGatewayId"])

    def arrange(self, ec2: Any, id_: str, old: Properties, new: Properties) -> None:
        if old.get("vpcId") != new.get("vpcId"):
            if old.get("vpcId"):
                ec2.detach_internet_gateway(InternetGatewayId=id_, VpcId=old["vpcId"])
            if new.get("vpcId"):
                ec2.attach_internet_gateway(InternetGatewayId=id_, VpcId=new["vpcId"])

    def find(self, ec2: Any, id_: str) -> Any:
        return ec2.describe_internet_gateways(InternetGatewayIds=[id_])["InternetGateways"][0]

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        if outputs.get("vpcId"):
            absent(lambda: ec2.detach_internet_gateway(InternetGatewayId=id_, VpcId=outputs["vpcId"]))
        return ec2.delete_internet_gateway(InternetGatewayId=id_)


ROUTE_TARGETS = {
    "gatewayId": "GatewayId",
    "natGatewayId": "NatGatewayId",
    "vpcPeeringConnectionId": "VpcPeeringConnectionId",
    "networkInterfaceId": "NetworkInterfaceId",
}


class RouteTable(_Ec2):
    """aws.ec2.RouteTable, with inline routes."""

    type = "aws:ec2/routeTable:RouteTable"
    replace_on = frozenset({"vpcId"})

    def make(self, ec2: Any, inputs: Properties) -> str:
        tags = tagged("route-table", inputs.get("tags"))
        return str(ec2.create_route_table(VpcId=inputs["vpcId"], TagSpecifications=tags)["RouteTable"]["RouteTableId"])

    def arrange(self, ec2: Any, id_: str, old: Properties, new: Properties) -> None:
        before, after = old.get("routes") or [], new.get("routes") or []
        for route in before:
            if route not in after:
                ec2.delete_route(RouteTableId=id_, DestinationCidrBlock=route["cidrBlock"])
        for route in after:
            if route not in before:
                target = pick(route, ROUTE_TARGETS)
                ec2.create_route(RouteTableId=id_, DestinationCidrBlock=route["cidrBlock"], **target)

    def find(self, ec2: Any, id_: str) -> Any:
        return ec2.describe_route_tables(RouteTableIds=[id_])["RouteTables"][0]

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        return ec2.delete_route_table(RouteTableId=id_)


class Route(ResourceType):
    """aws.ec2.Route; its id is made of table and destination."""

    type = "aws:ec2/route:Route"
    replace_on = frozenset({"routeTableId", "destinationCidrBlock", *ROUTE_TARGETS})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        table, destination = inputs["routeTableId"], inputs["destinationCidrBlock"]
        place.client("ec2").create_route(
            RouteTableId=table, DestinationCidrBlock=destination, **pick(inputs, ROUTE_TARGETS)
        )
        id_ = f"r-{table}{destination}"
        return id_, {**inputs, "id": id_}

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        ec2, table = place.client("ec2"), inputs["routeTableId"]
        found = absent(lambda: ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"])
        there = any(each.get("DestinationCidrBlock") == inputs["destinationCidrBlock"] for each in found or [])
        return {**inputs, "id": id_} if there else None

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        return {**new, "id": id_}

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        table, destination = outputs["routeTableId"], outputs["destinationCidrBlock"]
        ec2 = place.client("ec2")
        absent(lambda: ec2.delete_route(RouteTableId=table, DestinationCidrBlock=destination))


class RouteTableAssociation(ResourceType):
    """aws.ec2.RouteTableAssociation."""

    type = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    replace_on = frozenset({"subnetId", "gatewayId", "routeTableId"})

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        request = pick(inputs, {"subnetId": "SubnetId", "gatewayId": "GatewayId", "routeTableId": "RouteTableId"})
        id_ = place.client("ec2").associate_route_table(**request)["AssociationId"]
        return id_, {**inputs, "id": id_}

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        ec2, table = place.client("ec2"), inputs["routeTableId"]
        found = absent(lambda: ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Associations"])
        there = any(each["RouteTableAssociationId"] == id_ for each in found or [])
        return {**inputs, "id": id_} if there else None

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        return {**new, "id": id_}

    def delete(self, place: Place, id_: str, outputs: Properties) -> None:
        absent(lambda: place.client("ec2").disassociate_route_table(AssociationId=id_))


class SecurityGroup(_Ec2):
    """aws.ec2.SecurityGroup, with inline rules."""

    type = "aws:ec2/securityGroup:SecurityGroup"
    replace_on = frozenset({"name", "description", "vpcId"})
    name_key = "name"

    def make(self, ec2: Any, inputs: Properties) -> str:
        tags = tagged("security-group", inputs.get("tags"))
        request = pick(inputs, {"name": "GroupName", "vpcId": "VpcId"})
        described = inputs.get("description") or "Managed by Pulumi"
        made = ec2.create_security_group(**request, Description=described, TagSpecifications=tags)
        group = str(made["GroupId"])
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[ALL_OUT])
        return group

    def arrange(self, ec2: Any, id_: str, old: Properties, new: Properties) -> None:
        for way in ("ingress", "egress"):
            before, after = old.get(way) or [], new.get(way) or []
            gone = [_permission(rule, id_) for rule in before if rule not in after]
            added = [_permission(rule, id_) for rule in after if rule not in before]
            if gone:
                getattr(ec2, f"revoke_security_group_{way}")(GroupId=id_, IpPermissions=gone)
            if added:
                getattr(ec2, f"authorize_security_group_{way}")(GroupId=id_, IpPermissions=added)

    def find(self, ec2: Any, id_: str) -> Any:
        return ec2.describe_security_groups(GroupIds=[id_])["SecurityGroups"][0]

    def known(self, place: Place, found: Any) -> Properties:
        arn = f"arn:aws:ec2:{place.region}:{found['OwnerId']}:security-group/{found['GroupId']}"
        return {"arn": arn, "name": found["GroupName"], "vpcId": found.get("VpcId"), "ownerId": found["OwnerId"]}

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        return ec2.delete_security_group(GroupId=id_)


ALL_OUT: Properties = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
"""The rule every new group has in EC2; Pulumi's provider takes it away, and so do we."""


def _permission(rule: Properties, own: str) -> Properties:
    made: Properties = {"IpProtocol": str(rule["protocol"])}
    if made["IpProtocol"] != "-1":
        made |= {"FromPort": int(rule["fromPort"]), "ToPort": int(rule["toPort"])}
    ranges = [{"CidrIp": each} for each in rule.get("cidrBlocks") or []]
    groups = [{"GroupId": each} for each in rule.get("securityGroups") or []]
    groups += [{"GroupId": own}] if rule.get("self") else []
    if ranges:
        made["IpRanges"] = ranges
    if groups:
        made["UserIdGroupPairs"] = groups
    if rule.get("prefixListIds"):
        made["PrefixListIds"] = [{"PrefixListId": each} for each in rule["prefixListIds"]]
    return made


class VpcEndpoint(_Ec2):
    """aws.ec2.VpcEndpoint."""

    type = "aws:ec2/vpcEndpoint:VpcEndpoint"
    replace_on = frozenset({"vpcId", "serviceName", "vpcEndpointType"})

    def make(self, ec2: Any, inputs: Properties) -> str:
        names = {"vpcId": "VpcId", "serviceName": "ServiceName", "vpcEndpointType": "VpcEndpointType",
                 "routeTableIds": "RouteTableIds", "policy": "PolicyDocument"}  # fmt: skip
        kind = {"VpcEndpointType": "Gateway"}
        tags = tagged("vpc-endpoint", inputs.get("tags"))
        made = ec2.create_vpc_endpoint(**kind | pick(inputs, names), TagSpecifications=tags)
        return str(made["VpcEndpoint"]["VpcEndpointId"])

    def arrange(self, ec2: Any, id_: str, old: Properties, new: Properties) -> None:
        if old and old.get("routeTableIds") != new.get("routeTableIds"):
            before, after = set(old.get("routeTableIds") or []), set(new.get("routeTableIds") or [])
            ec2.modify_vpc_endpoint(
                VpcEndpointId=id_,
                AddRouteTableIds=sorted(after - before),
                RemoveRouteTableIds=sorted(before - after),
            )

    def find(self, ec2: Any, id_: str) -> Any:
        found = ec2.describe_vpc_endpoints(VpcEndpointIds=[id_])["VpcEndpoints"]
        return next((each for each in found if not str(each.get("State", "")).lower().startswith("delet")), None)

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        return ec2.delete_vpc_endpoints(VpcEndpointIds=[id_])
