"""What EC2 operations need: a permission on every resource that a call reads, changes or makes, and on tagging it.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2"; EC2 User Guide,
"Grant permission to tag Amazon EC2 resources during creation". Tags of what is named are condition keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pilotlight.local.iam.resources import Place, items
from pilotlight.local.wire.operations import Operation

Item = tuple[str, str, Mapping[str, tuple[str, ...]]]

TYPE_OF_PARAM = {
    "InstanceId": "instance",
    "InstanceIds": "instance",
    "VolumeId": "volume",
    "VolumeIds": "volume",
    "SnapshotId": "snapshot",
    "SnapshotIds": "snapshot",
    "SourceSnapshotId": "snapshot",
    "ImageId": "image",
    "SourceImageId": "image",
    "LaunchTemplateId": "launch-template",
    "SubnetId": "subnet",
    "VpcId": "vpc",
    "GroupId": "security-group",
    "RouteTableId": "route-table",
    "InternetGatewayId": "internet-gateway",
    "VpcEndpointIds": "vpc-endpoint",
    "AllocationId": "elastic-ip",
}
"""Parameter -> the type of resource that it names."""

MADE_BY = {
    "CreateSnapshot": ("snapshot",),
    "CreateSnapshots": ("snapshot",),
    "CopySnapshot": ("snapshot",),
    "CreateVolume": ("volume",),
    "CopyImage": ("image",),
    "CreateImage": ("image", "snapshot"),
    "CreateLaunchTemplate": ("launch-template",),
    "CreateVpc": ("vpc",),
    "CreateSubnet": ("subnet",),
    "CreateInternetGateway": ("internet-gateway",),
    "CreateRouteTable": ("route-table",),
    "CreateSecurityGroup": ("security-group",),
    "CreateVpcEndpoint": ("vpc-endpoint",),
    "RunInstances": ("instance", "volume", "network-interface"),
}
"""Operation -> types of resources that it makes; their ids are not known yet, so the resource is `type/*`."""

DESCRIBE_ONE = frozenset({"DescribeVpcAttribute", "DescribeInstanceAttribute", "DescribeImageAttribute",
                          "DescribeSnapshotAttribute", "DescribeVolumeAttribute"})  # fmt: skip
"""Of all that describes, these are asked on the resource that they name."""

WITHOUT_ACCOUNT = frozenset({"snapshot", "image"})
"""Their ARNs have no account."""


def needs(operation: Operation, place: Place) -> Iterator[Item]:
    """The operation on each resource, then ec2:CreateTags where it tags what it makes."""
    action = f"ec2:{operation.name}"
    if operation.name.startswith("Describe") and operation.name not in DESCRIBE_ONE:
        yield action, "*", {}
        return
    context = _request_tags(operation.params)
    named = list(_named(operation.params, place))
    made = [_arn(kind, "*", place) for kind in MADE_BY.get(operation.name, ())]
    for resource, tags in named:
        yield action, resource, context | tags
    for resource in made:
        yield action, resource, context
    if not named and not made:
        yield action, "*", context
    yield from _tagging(operation, place, context)


def profile_role(params: Mapping[str, Any], place: Place) -> str | None:
    """The role inside the instance profile that an instance gets, or None."""
    profile = params.get("IamInstanceProfile") or {}
    name = profile.get("Name") or str(profile.get("Arn", "")).rsplit("/", 1)[-1]
    profiles = place.backend("iam").instance_profiles.values() if name else ()
    roles = [role for each in profiles if each.name == name for role in each.roles]
    return str(roles[0].arn) if roles else None


def resource(identity: str, place: Place) -> tuple[str, dict[str, tuple[str, ...]]]:
    """ARN of what an id names, and its tags as condition keys."""
    tags = place.backend("ec2").tags.get(identity, {})
    return _arn(_kind_of(identity), identity, place), _resource_tags(tags)


def _named(params: Mapping[str, Any], place: Place) -> Iterator[tuple[str, dict[str, tuple[str, ...]]]]:
    for identity, kind in _identities(params, place):
        tags = place.backend("ec2").tags.get(identity, {})
        yield _arn(kind, identity, place, params), _resource_tags(tags)


def _identities(params: Mapping[str, Any], place: Place) -> Iterator[tuple[str, str]]:
    for name, kind in TYPE_OF_PARAM.items():
        for identity in items(params.get(name)):
            yield str(identity), kind
    for nested in ("InstanceSpecification", "LaunchTemplate"):
        yield from _identities(params[nested], place) if isinstance(params.get(nested), Mapping) else ()
    for table in place.backend("ec2").route_tables.values() if params.get("AssociationId") else ():
        if params["AssociationId"] in table.all_associations_ids:
            yield str(table.id), "route-table"
    if params.get("LaunchTemplateName"):
        yield from _template_by_name(str(params["LaunchTemplateName"]), place)
    for identity in items(params.get("Resources")):
        yield str(identity), _kind_of(str(identity))


def _template_by_name(name: str, place: Place) -> Iterator[tuple[str, str]]:
    known = place.backend("ec2").launch_template_name_to_ids.get(name)
    yield (str(known) if known else "*"), "launch-template"


PREFIXES = {
    "i": "instance",
    "vol": "volume",
    "snap": "snapshot",
    "ami": "image",
    "lt": "launch-template",
    "subnet": "subnet",
    "vpc": "vpc",
    "sg": "security-group",
    "rtb": "route-table",
    "igw": "internet-gateway",
    "vpce": "vpc-endpoint",
    "eni": "network-interface",
}
"""Resource ids begin with these (EC2 User Guide, "Resource IDs")."""


def _kind_of(identity: str) -> str:
    return PREFIXES.get(identity.split("-", 1)[0], "*")


def _arn(kind: str, identity: str, place: Place, params: Mapping[str, Any] | None = None) -> str:
    account = "" if kind in WITHOUT_ACCOUNT else place.account
    region = place.region
    if params and identity in (params.get("SourceSnapshotId"), params.get("SourceImageId")):
        region = str(params.get("SourceRegion") or region)
    return f"arn:aws:ec2:{region}:{account}:{kind}/{identity}"


def _tagging(operation: Operation, place: Place, context: Mapping[str, tuple[str, ...]]) -> Iterator[Item]:
    for each in items(operation.params.get("TagSpecifications")):
        kind = str(each.get("ResourceType", "*"))
        if operation.name != "CreateTags" and each.get("Tags"):
            yield "ec2:CreateTags", _arn(kind, "*", place), {**context, "ec2:createaction": (operation.name,)}


def _request_tags(params: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    given = [tag for spec in items(params.get("TagSpecifications")) for tag in items(spec.get("Tags"))]
    given += [tag for tag in items(params.get("Tags")) if isinstance(tag, Mapping)]
    tags = {str(tag.get("Key")): str(tag.get("Value", "")) for tag in given}
    context = {f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()}
    return context | ({"aws:tagkeys": tuple(tags)} if tags else {})


def _resource_tags(tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for key, value in tags.items():
        found[f"aws:resourcetag/{key.lower()}"] = (str(value),)
        found[f"ec2:resourcetag/{key.lower()}"] = (str(value),)
    return found
