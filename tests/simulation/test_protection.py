"""What a user loses when this fails: months of replication that is broken, under a bucket that is called protected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from test_simulation import environment
from world import ROLE, World, make_role

from pilotlight.local.cloudwatch.alarms import Alarms
from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.lambda_.runtime import LambdaRuntime
from pilotlight.local.sns.notifications import Notifications
from pilotlight.runtime.naming import UNREPLICATED
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks.monitoring import monitoring_spec
from support.data_cloud import EAST, WEST, buckets, client, eventually, running
from support.inventories import changed

OBJECTIVE_SECONDS = 2.0


class Buckets(World):
    """The same world without its database, and with an objective that passes while one waits."""

    def _inventory(self) -> Inventory:
        return changed(self._of_buckets(), databases=(), rpo_seconds=OBJECTIVE_SECONDS)


@pytest.fixture
def cloud(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    behaviours = [*buckets(), LambdaRuntime(), Notifications(), Alarms()]
    with running(tmp_path_factory.mktemp("cloud"), behaviours) as started:
        for name, value in environment(started).items():
            monkeypatch.setenv(name, value)
        make_role(started)
        yield started


def watch(cloud: Cloud, inventory: Inventory) -> str:
    """The alarm as the stack makes it."""
    spec = monitoring_spec(inventory)
    alarm = next(each for each in spec.alarms if each.purpose == UNREPLICATED)
    client(cloud, "cloudwatch", WEST).put_metric_alarm(
        AlarmName=alarm.name,
        Namespace="Pilotlight",
        MetricName=alarm.metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in spec.dimensions.items()],
        Statistic=alarm.statistic,
        ComparisonOperator=alarm.comparison,
        Threshold=alarm.threshold,
        Period=alarm.period_seconds,
        EvaluationPeriods=alarm.periods,
        DatapointsToAlarm=alarm.periods,
        TreatMissingData=alarm.missing,
    )
    return alarm.name


def state(cloud: Cloud, alarm: str) -> str:
    (found,) = client(cloud, "cloudwatch", WEST).describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return str(found["StateValue"])


def forbid(cloud: Cloud) -> None:
    """An explicit denial, as somebody tightens a role (the way in which such alarms are tested in the field)."""
    denied: dict[str, Any] = {"Effect": "Deny", "Action": "s3:ReplicateObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    client(cloud, "iam", EAST).put_role_policy(RoleName=ROLE, PolicyName="tightened", PolicyDocument=document)


def test_a_role_that_lost_its_permission_takes_the_word_away_and_rings_and_mending_gives_it_back(cloud: Cloud) -> None:
    world = Buckets(cloud, 1)
    world.client.at = 0
    alarm, (corpus, _) = watch(cloud, world.inventory), world.inventory.datasets
    world.write()
    world.recovery.backfill(corpus)
    assert world.recovery.protections()["corpus"].state == "PROTECTED"

    forbid(cloud)
    world.write()
    cloud.stopping.wait(OBJECTIVE_SECONDS + 1.5)

    def rings() -> bool:
        world.fire()
        return state(cloud, alarm) == "ALARM"

    assert eventually(rings, 30)
    lost = world.recovery.protections()["corpus"]
    assert lost.state == "UNPROTECTED" and "replication FAILED" in lost.why

    client(cloud, "iam", EAST).delete_role_policy(RoleName=ROLE, PolicyName="tightened")
    assert world.recovery.backfill(corpus).copied >= 1, "what has FAILED is not tried again by S3"
    assert world.recovery.protections()["corpus"].state == "PROTECTED"

    def is_quiet() -> bool:
        world.fire()
        return state(cloud, alarm) == "OK"

    assert eventually(is_quiet, 30)
