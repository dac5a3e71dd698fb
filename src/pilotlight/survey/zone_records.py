"""The records of one DNS name in a hosted zone: all of them, however many there are, and none of its neighbours."""

from __future__ import annotations

from typing import Any

from pilotlight.runtime.arns import GLOBAL_REGION
from pilotlight.runtime.aws import paging
from pilotlight.runtime.aws.client import AwsClient


def records_of(client: AwsClient, zone: str, name: str) -> list[dict[str, Any]]:
    """Every record set of this name. A listing that is asked to begin with it is in the order of the names (Route 53
    API, ListResourceRecordSets), so it is read until another name comes; refusals are raised."""
    found: list[dict[str, Any]] = []
    about = {"HostedZoneId": zone, "StartRecordName": name}
    for page in paging.pages(client.call, "route53", "list_resource_record_sets", GLOBAL_REGION, about):
        sets = page["ResourceRecordSets"]
        named = [each for each in sets if same_name(each["Name"], name)]
        found += named
        if len(named) < len(sets):
            break
    return found


def same_name(one: str, other: str) -> bool:
    """DNS names are the same in any case, and with or without the dot at their end (pure)."""
    return one.rstrip(".").lower() == other.rstrip(".").lower()
