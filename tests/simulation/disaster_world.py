"""The AWS of a disaster: the FakeAws of tests in virtual time, with AWS's refusals where acts of several runs meet."""
# ruff: noqa: N803 - parameters are named as AWS names them

from __future__ import annotations

import json
import pickle
from functools import cache
from typing import Any

from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.kinds.buckets.fencing import FENCE
from pilotlight.runtime.records.inventory import Keep
from pilotlight.runtime.runs.run import run_failover
from support.fake_aws import CORPUS, MODELS, NAMES, PRIMARY, STANDBY, FakeAws, recovery_of, save
from support.fake_s3 import Buckets, Version

FLEET = {PRIMARY: "inference-fleet", STANDBY: NAMES.group("fleet")}
BUCKETS = {PRIMARY: (CORPUS, MODELS), STANDBY: (NAMES.standby_bucket("corpus"), NAMES.standby_bucket("checkpoints"))}


class DisasterBuckets(Buckets):
    """Of a key, the version that was written last is the current one, however late its replica arrives."""

    def arrive(self) -> None:
        """As Buckets, with replicas below what is newer."""
        if not self.queue or (min(self.queue, key=lambda each: each[0])[0] > self.clock.now()):
            return
        before = {(bucket, key): len(self.objects[bucket].get(key, ())) for _, bucket, key, _ in self.queue}
        super().arrive()
        for (bucket, key), count in before.items():
            versions = self.objects[bucket].get(key, [])
            if len(versions) > count:
                versions.sort(key=lambda each: each.at)


class DisasterAws(FakeAws):
    """FakeAws, where what two runs do to one thing is refused as AWS refuses it, not asserted."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        buckets = DisasterBuckets(clock, self.s3.regions)
        buckets.rules = self.s3.rules
        self.s3 = buckets

    def at_rest(self) -> None:
        """Nobody acts any more while its own changes last: the first look sees them done."""
        self.promotion_seconds = self.start_seconds = self.health_seconds = self.copy_seconds = 0.5

    def _note(self, service: str, operation: str, region: str) -> None:
        """The judge holds every act against its lease."""

    def fenced(self, bucket: str) -> bool:
        """Whether nobody but a run may write there."""
        statements = json.loads(self.s3.policies.get(bucket, '{"Statement": []}'))["Statement"]
        return any(each.get("Sid") == FENCE for each in statements)

    def ssm_delete_parameter(self, region: str, Name: str) -> dict[str, Any]:
        if (region, Name) not in self.parameters:
            raise refused("ssm", "delete_parameter", region, "ParameterNotFound", "there is none")
        return super().ssm_delete_parameter(region, Name)

    def rds_failover_global_cluster(self, region: str, AllowDataLoss: bool, **which: str) -> dict[str, Any]:
        self._is_secondary(region, "failover_global_cluster", STANDBY)
        return super().rds_failover_global_cluster(region, AllowDataLoss, **which)

    def rds_switchover_global_cluster(self, region: str, **which: str) -> dict[str, Any]:
        self._is_secondary(region, "switchover_global_cluster", PRIMARY)
        if PRIMARY in self.dark:
            code = "InvalidDBClusterStateFault"
            raise refused("rds", "switchover_global_cluster", region, code, "the target does not answer")
        return super().rds_switchover_global_cluster(region, **which)

    def _is_secondary(self, region: str, operation: str, target: str) -> None:
        """RDS API reference: the target of a switchover or failover has to be a secondary cluster."""
        if self.writer == target and self.clock.now() >= self.moving_until:
            raise refused("rds", operation, region, "InvalidParameterValue", "the target is the writer already")

    def autoscaling_update_auto_scaling_group(self, region: str, **parameters: Any) -> dict[str, Any]:
        policy = parameters.get("MixedInstancesPolicy")
        if policy:
            named = policy["LaunchTemplate"]["LaunchTemplateSpecification"]["LaunchTemplateName"]
            if named not in self.templates:
                operation = "update_auto_scaling_group"
                raise refused("autoscaling", operation, region, "ValidationError", "the template does not exist")
        return super().autoscaling_update_auto_scaling_group(region, **parameters)

    def ec2_create_launch_template(self, region: str, LaunchTemplateName: str, **parameters: Any) -> dict[str, Any]:
        made = self.templates.get(LaunchTemplateName, [])
        if made and made[0].token != parameters["ClientToken"]:
            code = "InvalidLaunchTemplateName.AlreadyExistsException"
            raise refused("ec2", "create_launch_template", region, code, "it is there already")
        return super().ec2_create_launch_template(region, LaunchTemplateName, **parameters)

    def ec2_create_launch_template_version(self, region: str, LaunchTemplateName: str, **parameters: Any) -> Any:
        if LaunchTemplateName not in self.templates:
            code = "InvalidLaunchTemplateName.NotFoundException"
            raise refused("ec2", "create_launch_template_version", region, code, "there is none")
        return super().ec2_create_launch_template_version(region, LaunchTemplateName, **parameters)

    def ec2_delete_launch_template(self, region: str, LaunchTemplateName: str) -> dict[str, Any]:
        if LaunchTemplateName not in self.templates:
            code = "InvalidLaunchTemplateName.NotFoundException"
            raise refused("ec2", "delete_launch_template", region, code, "there is none")
        del self.templates[LaunchTemplateName]
        return {}

    def _grow(self, group: Any) -> None:
        """Nothing can be launched from a template that is gone; what runs stays."""
        if group.names[0] in self.templates:
            super()._grow(group)
        else:
            group.instances = group.instances[: group.desired]

    def ec2_delete_snapshot(self, region: str, SnapshotId: str) -> dict[str, Any]:
        if SnapshotId not in self.snapshots[region]:
            raise refused("ec2", "delete_snapshot", region, "InvalidSnapshot.NotFound", "there is none")
        return super().ec2_delete_snapshot(region, SnapshotId)

    def ec2_copy_snapshot(self, region: str, SourceSnapshotId: str, TagSpecifications: Any, **rest: Any) -> Any:
        if SourceSnapshotId not in self.snapshots[PRIMARY]:
            raise refused("ec2", "copy_snapshot", region, "InvalidSnapshot.NotFound", "there is none")
        return super().ec2_copy_snapshot(region, SourceSnapshotId, TagSpecifications, **rest)

    def ec2_deregister_image(self, region: str, ImageId: str, DeleteAssociatedSnapshots: bool) -> dict[str, Any]:
        if ImageId not in self.images:
            raise refused("ec2", "deregister_image", region, "InvalidAMIID.NotFound", "there is none")
        return super().ec2_deregister_image(region, ImageId, DeleteAssociatedSnapshots)

    def rds_data_execute_statement(self, region: str, sql: str, parameters: list[Any], **where: str) -> dict[str, Any]:
        if self.writer != region:
            raise refused("rds-data", "execute_statement", region, "BadRequestException", "it is a reader")
        return super().rds_data_execute_statement(region, sql, parameters, **where)


PROTECTED, FAILED_OVER = "protected", "failed-over"
"""The moments at which a disaster begins: the primary serves; or the standby does, and the primary is back."""
OLD_POINTS, NEW_POINTS = 3, 9
"""Points on an older scheduled run's snapshots, and on the newest: with one more, the ladder lets go of the first."""
BETWEEN_RUNS_SECONDS = 3600.0
KEEP = Keep(hourly=1, daily=1, weekly=1)
"""So little that a disaster of minutes sees points let go."""


@cache
def _pickled(start: str) -> bytes:
    aws = _protected() if start == PROTECTED else _failed_over()
    aws.made.clear()
    return pickle.dumps(aws, protocol=pickle.HIGHEST_PROTOCOL)


def _protected() -> DisasterAws:
    """Its newest points are complete, on the snapshots of two scheduled runs."""
    aws = DisasterAws(FakeClock())
    recovery = recovery_of(aws)
    recovery.initialise()
    for number in range(2):
        aws.s3.write(CORPUS, f"shards/{number}", f"data {number}".encode())
    save(aws, 20)
    for count in (OLD_POINTS, NEW_POINTS):
        _points(aws, count)
        aws.clock.sleep(BETWEEN_RUNS_SECONDS if count == OLD_POINTS else 0)
    aws.s3.arrive()
    return aws


def _points(aws: DisasterAws, count: int) -> None:
    made = 0
    while made < count:
        aws.clock.sleep(20)
        point = recovery_of(aws).protect()
        made += point is not None and point.status == "complete"


def _failed_over() -> DisasterAws:
    """The standby serves since a minute, and the primary is back and not fenced yet."""
    aws: DisasterAws = pickle.loads(_pickled(PROTECTED))
    aws.dark.add(PRIMARY)
    run_failover(recovery_of(aws).context, "who failed over", side_by_side=1)
    aws.clock.sleep(60)
    aws.dark.clear()
    return aws


def world(start: str) -> DisasterAws:
    """The same moment for every disaster."""
    found: DisasterAws = pickle.loads(_pickled(start))
    return found


def current(aws: DisasterAws, bucket: str, key: str) -> Version | None:
    """What a reader gets, marker or not."""
    versions = aws.s3.objects[bucket].get(key)
    return versions[-1] if versions else None
