"""EC2's network: VPC, subnets, gateways, routes, security groups, endpoints."""

from __future__ import annotations

from typing import Any

from pilotlight.engine.provider import Place, Properties, ResourceType
from pilotlight.engine.resources.shape import absent, alike, pick, removed, tag_list, tag_map, tagged, unlike, with_tags
from pilotlight.runtime.arns import PARTITION


class _Ec2(ResourceType):
    """A thing of EC2 with an id, found by describing it; tags are all that most of them can change."""

    def create(self, place: Place, inputs: Properties) -> tuple[str, Properties]:
        ec2 = place.client("ec2")
        id_ = self.make(ec2, inputs)
        self.arrange(ec2, id_, {}, inputs)
        return id_, self.read(place, id_, inputs) or inputs

    def read(self, place: Place, id_: str, inputs: Properties) -> Properties | None:
        ec2 = place.client("ec2")
        found = absent(lambda: self.find(ec2, id_))
        if not found:
            return None
        known = {"id": id_, "region": place.region, **self.known(place, found)}
        there = {"tags": tag_map(found.get("Tags")), **self.settings(ec2, found, inputs)}
        return {**inputs, **with_tags(inputs), **known, **unlike(inputs, there)}

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

    def settings(self, ec2: Any, found: Any, inputs: Properties) -> Properties:
        """Its settings as they are, by the inputs' names."""
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
        return {"arn": f"arn:{PARTITION}:ec2:{place.region}:{found['OwnerId']}:vpc/{found['VpcId']}"}

    def settings(self, ec2: Any, found: Any, inputs: Properties) -> Properties:
        there = {"cidrBlock": found["CidrBlock"], "instanceTenancy": found.get("InstanceTenancy")}
        for key in ("enableDnsSupport", "enableDnsHostnames"):
            name = key[:1].upper() + key[1:]
            there[key] = ec2.describe_vpc_attribute(VpcId=found["VpcId"], Attribute=key)[name]["Value"]
        return there

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

    def settings(self, ec2: Any, found: Any, inputs: Properties) -> Properties:
        return {"cidrBlock": found["CidrBlock"], "mapPublicIpOnLaunch": found.get("MapPublicIpOnLaunch")}

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

    def settings(self, ec2: Any, found: Any, inputs: Properties) -> Properties:
        attached = [each["VpcId"] for each in found.get("Attachments", [])]
        return {"vpcId": attached[0] if attached else ""}

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

    def settings(self, ec2: Any, found: Any, inputs: Properties) -> Properties:
        routes = [
            {"cidrBlock": each["DestinationCidrBlock"], **_target(each)}
            for each in found["Routes"]
            if each.get("DestinationCidrBlock") and each.get("GatewayId") != "local"
        ]
        return {"vpcId": found["VpcId"], "routes": routes}

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        return ec2.delete_route_table(RouteTableId=id_)


def _target(route: Properties) -> Properties:
    found: Properties = {key: route[name] for key, name in ROUTE_TARGETS.items() if route.get(name)}
    return found


class Route(ResourceType):
    """aws.ec2.Route; its id is made of table and destination."""

    type = "aws:ec2/route:Route"
    replace_on = frozenset({"routeTableId", "destinationCidrBlock"})

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
        there = [each for each in found or [] if each.get("DestinationCidrBlock") == inputs["destinationCidrBlock"]]
        nowhere: Properties = dict.fromkeys(ROUTE_TARGETS, "")
        return {**inputs, "id": id_, **unlike(inputs, nowhere | _target(there[0]))} if there else None

    def update(self, place: Place, id_: str, old: Properties, new: Properties) -> Properties:
        table, destination = new["routeTableId"], new["destinationCidrBlock"]
        target = pick(new, ROUTE_TARGETS)
        place.client("ec2").replace_route(RouteTableId=table, DestinationCidrBlock=destination, **target)
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
        ec2 = place.client("ec2")
        before = self._other(ec2, inputs)
        if before:
            table = {"AssociationId": before, "RouteTableId": inputs["routeTableId"]}
            id_ = ec2.replace_route_table_association(**table)["NewAssociationId"]
        else:
            id_ = ec2.associate_route_table(**request)["AssociationId"]
        return id_, {**inputs, "id": id_}

    def _other(self, ec2: Any, inputs: Properties) -> str:
        """The association that the subnet has with another table: EC2 gives none beside it."""
        subnet = inputs.get("subnetId")
        wanted = [{"Name": "association.subnet-id", "Values": [subnet]}]
        tables = ec2.describe_route_tables(Filters=wanted)["RouteTables"] if subnet else []
        found = [each for table in tables for each in table["Associations"] if each.get("SubnetId") == subnet]
        return str(found[0]["RouteTableAssociationId"]) if found else ""

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
        arn = f"arn:{PARTITION}:ec2:{place.region}:{found['OwnerId']}:security-group/{found['GroupId']}"
        return {"arn": arn, "name": found["GroupName"], "vpcId": found.get("VpcId"), "ownerId": found["OwnerId"]}

    def settings(self, ec2: Any, found: Any, inputs: Properties) -> Properties:
        """Rules are compared one by one: EC2 gathers those of one port into one."""
        there: Properties = {"description": found["Description"]}
        for way, name in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")):
            wanted, rules = inputs.get(way) or [], [_rule(each, found["GroupId"]) for each in found.get(name, [])]
            same = alike(_singly(wanted), _singly(rules))
            there[way] = wanted if same else [one for each in rules for one in _apart(each)]
        return there

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        return ec2.delete_security_group(GroupId=id_)


ALL_OUT: Properties = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
"""The rule every new group has in EC2; Pulumi's provider takes it away, and so do we."""


def _rule(permission: Properties, own: str) -> Properties:
    """An IpPermission as pulumi-aws has a rule."""
    groups = [each["GroupId"] for each in permission.get("UserIdGroupPairs", [])]
    made: Properties = {
        "protocol": permission["IpProtocol"],
        "fromPort": permission.get("FromPort", 0),
        "toPort": permission.get("ToPort", 0),
        "cidrBlocks": [each["CidrIp"] for each in permission.get("IpRanges", [])],
        "securityGroups": [each for each in groups if each != own],
        "prefixListIds": [each["PrefixListId"] for each in permission.get("PrefixListIds", [])],
        "self": own in groups,
    }
    return {key: value for key, value in made.items() if value not in ([], False)}


def _apart(rule: Properties) -> list[Properties]:
    """The rule once for each of its sources, so that one that was added to it is one more."""
    ports = {key: rule[key] for key in ("protocol", "fromPort", "toPort")}
    sources: list[Properties] = [{key: [each]} for key in SOURCES for each in rule.get(key) or []]
    own: list[Properties] = [{"self": True}] if rule.get("self") else []
    return [ports | each for each in sources + own]


def _singly(rules: list[Properties]) -> list[list[str]]:
    """Each source of each rule by itself."""
    found = []
    for rule in rules:
        ports = [] if str(rule["protocol"]) == "-1" else [str(int(rule["fromPort"])), str(int(rule["toPort"]))]
        sources = [f"{key} {each}" for key in SOURCES for each in rule.get(key) or []]
        found += [[str(rule["protocol"]), *ports, each] for each in [*sources, *(["self"] if rule.get("self") else [])]]
    return found


SOURCES = ("cidrBlocks", "securityGroups", "prefixListIds")


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

    def settings(self, ec2: Any, found: Any, inputs: Properties) -> Properties:
        names = {"vpcId": "VpcId", "serviceName": "ServiceName", "vpcEndpointType": "VpcEndpointType",
                 "routeTableIds": "RouteTableIds", "policy": "PolicyDocument"}  # fmt: skip
        return {key: found.get(name) for key, name in names.items()}

    def remove(self, ec2: Any, id_: str, outputs: Properties) -> Any:
        return ec2.delete_vpc_endpoints(VpcEndpointIds=[id_])
