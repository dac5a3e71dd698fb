"""What a component of the package stands on: the caller's account, and names that AWS takes."""

import dataclasses
import re
from collections.abc import Iterable

import pulumi
import pulumi_aws as aws

from pilotlight.runtime.naming import BUCKET_NAME_LENGTH_MAX
from pilotlight.runtime.records.inventory import Datasets, Inventory, Keep
from pilotlight.workload.asset import NAME
from pilotlight.workload.words import REGIONS


def bare_inventory(component: pulumi.ComponentResource, workload: str, primary: str, standby: str) -> Inventory:
    """An inventory with names and no assets; InputPropertyError for a name or regions that cannot be used."""
    checked("workload", workload)
    for name, region in (("primaryRegion", primary), ("standbyRegion", standby)):
        if region not in REGIONS:
            raise pulumi.InputPropertyError(name, f"{region!r} is no AWS region")
    if primary == standby:
        raise pulumi.InputPropertyError("standbyRegion", f"{standby} is the primary region: name another one")
    account = aws.get_caller_identity(opts=pulumi.InvokeOptions(parent=component)).account_id
    return Inventory(
        workload=workload,
        account=account,
        primary=primary,
        standby=standby,
        rpo_seconds=0.0,
        rto_seconds=0.0,
        trigger="manual",
        every_seconds=0.0,
        keep=Keep(),
    )


def with_datasets(bare: Inventory, datasets: Iterable[Datasets]) -> Inventory:
    """The same with these; InputPropertyError where a replica's name gets too long for S3, or stands twice."""
    found = tuple(datasets)
    for each in found:
        checked("datasets.name", each.name)
        if len(each.standby_bucket) > BUCKET_NAME_LENGTH_MAX:
            too_long = len(each.standby_bucket) - BUCKET_NAME_LENGTH_MAX
            reason = f"the replica {each.standby_bucket} is {too_long} characters too long: shorten workload or name"
            raise pulumi.InputPropertyError("datasets.name", reason)
    if len({each.name for each in found}) < len(found):
        raise pulumi.InputPropertyError("datasets.name", "two datasets have the same name")
    return dataclasses.replace(bare, assets=found)


def checked(property_: str, name: str) -> str:
    """The name; InputPropertyError where AWS would not take it as a part of its own names."""
    if not re.fullmatch(NAME, name):
        reason = f"{name!r} is no name: lower-case letters, digits and hyphens, a letter first"
        raise pulumi.InputPropertyError(property_, reason)
    return name
