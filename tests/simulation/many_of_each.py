"""A workload of many groups, databases and buckets in virtual time: what a failover of it takes, and what it asks."""
# ruff: noqa: N803 - parameters are named as AWS names them

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from disasters import World
from scheduling import Process, Scheduler, cooperative

from pilotlight.runtime.aws import paging
from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.records.runs import SUCCEEDED
from pilotlight.runtime.recovery import Recovery, wrapped
from support.fake_aws import ACCOUNT, PRIMARY, PROMOTION_SECONDS, STANDBY, FakeAws, inventory
from support.fake_machines import TEMPLATE, Group, Version

CALL_SECONDS = 0.1
"""Of every call; none is throttled but by the pacer's own buckets."""
LIMIT_SECONDS = 24 * 3600.0
TURNS_MAX = 3_000_000


def fleet(count: int) -> Inventory:
    """So many groups, each with a database and a bucket of its own."""
    one = inventory()
    data, base, group = one.datasets[0], one.databases[0], one.computes[0]
    numbers = [f"{number:04}" for number in range(count)]
    return inventory(
        datasets=[
            replace(data, name=f"data-{each}", primary_bucket=f"data-{each}", standby_bucket=f"data-{each}-copy")
            for each in numbers
        ],
        databases=[
            replace(
                base,
                name=f"base-{each}",
                primary_cluster=f"cluster-{each}",
                standby_cluster=f"cluster-{each}-standby",
                global_cluster=f"global-{each}",
                primary_arn=f"arn:aws:rds:{PRIMARY}:{ACCOUNT}:cluster:cluster-{each}",
                standby_arn=f"arn:aws:rds:{STANDBY}:{ACCOUNT}:cluster:cluster-{each}-standby",
                table="",
                uses=(),
            )
            for each in numbers
        ],
        computes=[
            replace(
                group,
                name=f"group-{each}",
                primary_group=f"primary-group-{each}",
                standby_group=f"standby-group-{each}",
                standby_launch_template=f"template-{each}",
                volumes=(),
                uses=(f"data-{each}", f"base-{each}"),
            )
            for each in numbers
        ],
        volumes=(),
    )


class FleetAws(FakeAws):
    """The small AWS with many of each, whose describing calls take names and filters as AWS's do."""

    def __init__(self, clock: FakeClock, of: Inventory) -> None:
        super().__init__(clock)
        self.calls: Counter[str] = Counter()
        buckets = {each.primary_bucket: PRIMARY for each in of.datasets}
        copies = {each.standby_bucket: STANDBY for each in of.datasets}
        self.s3.regions |= buckets | copies
        self.s3.objects |= {name: {} for name in buckets | copies}
        self.s3.rules |= {each.primary_bucket: each.standby_bucket for each in of.datasets}
        self.writers = {each.global_cluster: PRIMARY for each in of.databases}
        self.moving: dict[str, float] = {}
        self.members = {each.global_cluster: each for each in of.databases}
        self.groups.clear()
        for each in of.computes:
            self.groups[PRIMARY, each.primary_group] = Group(1, 4, names=(TEMPLATE, "$Latest"))
            self.groups[STANDBY, each.standby_group] = Group(names=(each.standby_launch_template, "$Latest"))
            self.templates[each.standby_launch_template] = [Version({"ImageId": "ami-2"})]

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        self.calls[f"{service}:{operation}"] += 1
        return super().call(service, operation, region, **parameters)

    def rds_describe_global_clusters(self, region: str, GlobalClusterIdentifier: str = "", **rest: Any) -> Any:
        names = [GlobalClusterIdentifier] if GlobalClusterIdentifier else list(self.members)
        return {"GlobalClusters": [self._global(each) for each in names]}

    def _global(self, name: str) -> dict[str, Any]:
        of, moves = self.members[name], self.clock.now() < self.moving.get(name, 0.0)
        members = [
            {"DBClusterArn": arn, "IsWriter": self.writers[name] == place and not moves}
            for place, arn in ((PRIMARY, of.primary_arn), (STANDBY, of.standby_arn))
        ]
        status = "failing-over" if moves else "available"
        return {"GlobalClusterIdentifier": name, "Status": status, "GlobalClusterMembers": members}

    def rds_describe_db_clusters(
        self, region: str, DBClusterIdentifier: str = "", Filters: Any = None, MaxRecords: int = 100
    ) -> Any:
        arns = {each.primary_cluster: each.primary_arn for each in self.members.values()}
        arns |= {each.standby_cluster: each.standby_arn for each in self.members.values()}
        names = [DBClusterIdentifier] if DBClusterIdentifier else Filters[0]["Values"]
        found = [
            {
                "DBClusterIdentifier": each,
                "Status": "available",
                "DBClusterArn": arns[each],
                "Endpoint": "db",
                "DBClusterMembers": [{}],
            }
            for each in names
        ]
        return {"DBClusters": found}

    def rds_failover_global_cluster(
        self, region: str, AllowDataLoss: bool, GlobalClusterIdentifier: str = "", **which: str
    ) -> Any:
        if self.writers[GlobalClusterIdentifier] == region:
            raise refused("rds", "failover_global_cluster", region, "InvalidParameterValue", "it is the writer")
        self.promotions += 1
        self.writers[GlobalClusterIdentifier] = STANDBY
        self.moving[GlobalClusterIdentifier] = self.clock.now() + PROMOTION_SECONDS
        return {}


class Timed:
    """Every call takes its moment."""

    def __init__(self, aws: FakeAws, scheduler: Scheduler) -> None:
        self._aws, self._scheduler = aws, scheduler

    def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
        """See AwsClient.call."""
        self._scheduler.sleep(CALL_SECONDS)
        return self._aws.call(service, operation, region, **parameters)

    def pages(self, service: str, operation: str, region: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """See AwsClient.pages."""
        return paging.pages(self.call, service, operation, region, parameters)


def protected(count: int) -> tuple[FleetAws, Inventory]:
    """Many of each with a complete point, and the primary gone."""
    of = fleet(count)
    aws = FleetAws(FakeClock(), of)
    recovery = Recovery(RecoveryContext(aws, of, aws.clock, aws.fetch), "protect")
    recovery.initialise()
    point = recovery.protect()
    assert point is not None and point.status == "complete", point
    aws.dark.add(PRIMARY)
    aws.calls.clear()
    return aws, of


def failed_over(count: int) -> tuple[float, FleetAws]:
    """(virtual seconds of a failover of so many of each, the AWS that saw it)."""
    import random

    aws, of = protected(count)
    scheduler = Scheduler(aws.clock.now(), TURNS_MAX)
    aws.clock = aws.s3.clock = World(scheduler)  # type: ignore[assignment]
    process, ended = Process("failover", scheduler), list[Any]()
    scheduler.processes.append(process)

    def run() -> None:
        client = wrapped(Timed(aws, scheduler), process, random.Random(1))
        ended.append(Recovery(RecoveryContext(client, of, process, aws.fetch), "failover").failover())

    began = scheduler.now
    with cooperative(scheduler):
        task = scheduler.spawn(process, run)
        scheduler.run(began + LIMIT_SECONDS, lambda: task.done)
        task.result()
        scheduler.end()
    assert ended[0].state == SUCCEEDED and set(aws.writers.values()) == {STANDBY}
    return scheduler.now - began, aws
