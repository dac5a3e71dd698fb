"""Before the data is handed over to the primary: what a person would do without the journal is kept there; and taken
away once the primary serves (runtime/runs/by_hand.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pilotlight.runtime.kinds.action import Absent, Answer, Proven, Wait, Work
from pilotlight.runtime.kinds.autoscaling.observe import group
from pilotlight.runtime.kinds.autoscaling.steps import LAUNCH
from pilotlight.runtime.kinds.buckets.fencing import policy_of, without_fence
from pilotlight.runtime.points.observation import CHECKPOINTS
from pilotlight.runtime.records.inventory import Compute, Datasets, Traffic
from pilotlight.runtime.runs import by_hand
from pilotlight.runtime.runs.by_hand import Command, Left
from pilotlight.runtime.runs.choosing import choose_checkpoint

GLOBAL_REGION = "us-east-1"
"""Where Route 53's control plane is (AWS Fault Isolation Boundaries, "Route 53")."""


class KeepByHand:
    """The rest of the way home lies in the primary region, as commands."""

    wait = Wait(60, 1, "a few writes; SSM answers reads of them at once")

    def ask(self, work: Work) -> Answer:
        """Whether what is kept is of this run, and how many commands it has."""
        kept = by_hand.read(work.client, work.inventory.names)
        if kept is None or kept.run != work.run:
            return Absent(f"what is left to do is not kept in {work.inventory.primary} yet")
        return Proven({"parameter": work.inventory.names.by_hand(1), "commands": len(kept.commands)})

    def act(self, work: Work) -> None:
        """Write it."""
        inventory = work.inventory
        left = Left(work.run, work.epoch, inventory.primary, inventory.standby, tuple(_commands(work)))
        by_hand.write(work.client, inventory.names, left)


class ForgetByHand:
    """Nothing is left to do by hand."""

    wait = Wait(60, 1, "a few writes")

    def ask(self, work: Work) -> Answer:
        """Whether anything is kept."""
        kept = by_hand.read(work.client, work.inventory.names)
        return Absent(f"what was left of run {kept.run} is kept") if kept else Proven({"parameter": "removed"})

    def act(self, work: Work) -> None:
        """Remove it."""
        by_hand.forget(work.client, work.inventory.names)


def _commands(work: Work) -> Iterator[Command]:
    inventory = work.inventory
    for bucket in inventory.datasets:
        yield _opened(work, bucket)
    for bucket in (each for each in inventory.datasets if each.kind == CHECKPOINTS):
        yield _told(work, bucket)
    for compute in inventory.computes:
        yield from _started(work, compute)
    if inventory.traffic is not None:
        yield _moved(work, inventory.traffic)


def _opened(work: Work, asset: Datasets) -> Command:
    policy = without_fence(policy_of(work, asset.primary_bucket))
    where, region = {"Bucket": asset.primary_bucket}, work.inventory.primary
    what = f"{asset.name}: the bucket takes writes again"
    if policy["Statement"]:
        return Command(what, "s3", "put_bucket_policy", region, where | {"Policy": json.dumps(policy)})
    return Command(what, "s3", "delete_bucket_policy", region, where)


def _told(work: Work, asset: Datasets) -> Command:
    inventory = work.inventory
    found = choose_checkpoint(work, asset, inventory.primary, asset.primary_bucket)
    value = f"s3://{found['bucket']}/{found['prefix']}"
    given: dict[str, Any] = {"Name": inventory.names.parameter(asset.name), "Value": value, "Type": "String"}
    what = f"{asset.name}: the workload is told of its newest complete checkpoint"
    return Command(what, "ssm", "put_parameter", inventory.primary, given | {"Overwrite": True})


def _started(work: Work, asset: Compute) -> Iterator[Command]:
    region, where = work.inventory.primary, {"AutoScalingGroupName": asset.primary_group}
    largest = max(asset.count, int(group(work.client, region, asset.primary_group).get("MaxSize", 0)))
    sizes = {"MinSize": asset.count, "DesiredCapacity": asset.count, "MaxSize": largest}
    launching = where | {"ScalingProcesses": [LAUNCH]}
    yield Command(f"{asset.name}: may launch again", "autoscaling", "resume_processes", region, launching)
    yield Command(f"{asset.name}: starts", "autoscaling", "update_auto_scaling_group", region, where | sizes)


def _moved(work: Work, traffic: Traffic) -> Command:
    """The health check follows an alarm of the lost region and keeps its last status; one that is disabled counts as
    healthy (Route 53 API Reference, "UpdateHealthCheck"), so the record answers with the primary."""
    of_primary = f"ResourceRecordSets[?SetIdentifier=='{work.inventory.names.record('primary')}'].HealthCheckId"
    where = f"--hosted-zone-id {traffic.zone_id} --output text"
    query = f'aws route53 list-resource-record-sets {where} --query "{of_primary}"'
    what = f"{traffic.record}: answers from {work.inventory.primary}"
    return Command(what, "route53", "update_health_check", GLOBAL_REGION, {"Disabled": True}, {"HealthCheckId": query})
