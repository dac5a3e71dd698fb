"""Functions of the AWS provider that programs call: who and where am I, which zones, which image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pilotlight.engine.provider import Place
from pilotlight.runtime.errors import ImageNotFound


def caller_identity(place: Place, arguments: dict[str, Any]) -> dict[str, Any]:
    """aws.get_caller_identity."""
    found = place.client("sts").get_caller_identity()
    return {"accountId": found["Account"], "arn": found["Arn"], "userId": found["UserId"], "id": found["Account"]}


def region(place: Place, arguments: dict[str, Any]) -> dict[str, Any]:
    """aws.get_region."""
    name = place.region
    return {"region": name, "name": name, "id": name, "endpoint": f"ec2.{name}.amazonaws.com", "description": name}


def partition(place: Place, arguments: dict[str, Any]) -> dict[str, Any]:
    """aws.get_partition."""
    return {"partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws", "id": "aws"}


def availability_zones(place: Place, arguments: dict[str, Any]) -> dict[str, Any]:
    """aws.get_availability_zones."""
    zones = place.client("ec2").describe_availability_zones()["AvailabilityZones"]
    wanted = arguments.get("state")
    kept = [each for each in zones if wanted is None or each["State"] == wanted]
    return {
        "id": place.region,
        "names": sorted(each["ZoneName"] for each in kept),
        "zoneIds": sorted(each["ZoneId"] for each in kept),
        "groupNames": sorted({each.get("GroupName", place.region) for each in kept}),
    }


def image(place: Place, arguments: dict[str, Any]) -> dict[str, Any]:
    """aws.ec2.get_ami."""
    filters = [{"Name": each["name"], "Values": each["values"]} for each in arguments.get("filters") or []]
    request: dict[str, Any] = {"Filters": filters} if filters else {}
    if arguments.get("owners"):
        request["Owners"] = arguments["owners"]
    found = place.client("ec2").describe_images(**request)["Images"]
    if not found:
        raise ImageNotFound(filters=filters, region=place.region)
    newest = max(found, key=lambda each: (each.get("CreationDate", ""), each["ImageId"]))
    return {
        "id": newest["ImageId"],
        "imageId": newest["ImageId"],
        "name": newest.get("Name"),
        "architecture": newest.get("Architecture"),
        "creationDate": newest.get("CreationDate"),
        "rootDeviceName": newest.get("RootDeviceName"),
    }


INVOKES: dict[str, Callable[[Place, dict[str, Any]], dict[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": caller_identity,
    "aws:index/getRegion:getRegion": region,
    "aws:index/getPartition:getPartition": partition,
    "aws:index/getAvailabilityZones:getAvailabilityZones": availability_zones,
    "aws:ec2/getAmi:getAmi": image,
}
