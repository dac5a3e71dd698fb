"""Auto Scaling: groups launch through the version of a launch template that they name, down its list of types.

Amazon EC2 Auto Scaling User Guide, "Allocation strategies for multiple instance types" (prioritized: overrides in their
order), and "Verify a scaling activity": an attempt without capacity is a failed activity with EC2's words.
"""

from __future__ import annotations

import copy
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG, FakeAutoScalingGroup
from moto.autoscaling.models import InstanceState as Member
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult

from pilotlight.local.ec2.capacity import Capacity, NoCapacity
from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override, override_properties

ACTIVITIES_MAX = 200
"""Kept per region; AWS keeps six weeks."""
TICK_SECONDS = 0.5


class Groups(Behaviour):
    """Keeps every group at its wish, and tells what it tried."""

    name = "groups"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        self._lock = threading.RLock()
        self._activities: list[dict[str, Any]] = []
        self._wrap()

    def start(self) -> None:
        self.cloud.every(TICK_SECONDS, self._keep, "auto scaling groups")

    # -- launching ---------------------------------------------------------------------------------------------

    def launch(self, group: Any, count: int, tags: dict[str, str]) -> None:
        """Start this many instances, each of the first type that has capacity."""
        if "Launch" in _suspended(group):
            return
        with self._lock:
            for _ in range(count):
                if not self._launch_one(group, dict(tags)):
                    break
        if group.name in group.autoscaling_backend.autoscaling_groups:
            group.autoscaling_backend.update_attached_target_groups(group.name)

    def _launch_one(self, group: Any, tags: dict[str, str]) -> bool:
        backend = group.autoscaling_backend.ec2_backend
        version = group.ec2_launch_template.get_version(group.launch_template_version)
        tags |= {ASG_NAME_TAG: group.name}
        subnets = (group.vpc_zone_identifier or "").split(",")
        subnet = subnets[len(group.instance_states) % len(subnets)] or None
        zone = backend.get_subnet(subnet).availability_zone if subnet else group.availability_zones[0]
        for kind in self._instance_types(group, version):
            try:
                self.cloud.behaviour(Capacity).require(backend.region_name, kind, zone)
            except NoCapacity as problem:
                self._note(group, "Failed", f"Launching a new EC2 instance: {kind}", problem.message)
                continue
            made = backend.run_instances(
                version.data.get("ImageId"),
                1,
                version.data.get("UserData"),
                [],
                instance_type=kind,
                tags={"instance": tags},
                launch_template={"LaunchTemplateId": group.ec2_launch_template.id, "Version": str(version.number)},
                is_instance_type_default=False,
                subnet_id=subnet,
            ).instances[0]
            made.autoscaling_group = group
            made.launched_from = _specification(group.ec2_launch_template, version.number)
            protected = group.new_instances_protected_from_scale_in
            group.instance_states.append(Member(made, protected_from_scale_in=protected))
            self._note(group, "Successful", f"Launching a new EC2 instance: {made.id}", f"{kind} in {zone}")
            return True
        return False

    def shrink(self, group: Any, wanted: int) -> None:
        """Tell what is about to be scaled in, and take it from the target groups."""
        leaving = [each for each in group.instance_states if not each.protected_from_scale_in]
        for member in leaving[: max(0, len(group.instance_states) - wanted)]:
            self._note(group, "Successful", f"Terminating EC2 instance: {member.instance.id}", "scaled in")
            self._deregister(group, member.instance.id)

    def _deregister(self, group: Any, instance_id: str) -> None:
        balancers = group.autoscaling_backend.elbv2_backend
        for arn in group.target_group_arns or []:
            balancers.deregister_targets(arn, [{"Id": instance_id}])

    def _instance_types(self, group: Any, version: Any) -> list[str]:
        policy = group.mixed_instances_policy or {}
        overrides = policy.get("LaunchTemplate", {}).get("Overrides") or []
        return [each["InstanceType"] for each in overrides] or [version.data.get("InstanceType") or "m5.large"]

    # -- keeping -----------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        """Members that are gone leave their group, and what is missing is launched again."""
        for region in self.cloud.regions:
            if self.cloud.is_dark(region):
                continue
            for group in list(self.cloud.backend("autoscaling", region).autoscaling_groups.values()):
                with self._lock:
                    alive = [each for each in group.instance_states if each.instance.state in ("pending", "running")]
                    for gone in set(group.instance_states) - set(alive):
                        self._deregister(group, gone.instance.id)
                    group.instance_states = alive
                    if len(alive) < (group.desired_capacity or 0) and group.ec2_launch_template is not None:
                        group.set_desired_capacity(group.desired_capacity)

    def _note(self, group: Any, status: str, description: str, message: str) -> None:
        now = datetime.now(UTC)
        activity = {
            "ActivityId": str(uuid.UUID(int=self.cloud.random.getrandbits(128))),
            "AutoScalingGroupName": group.name,
            "Region": group.autoscaling_backend.region_name,
            "Description": description,
            "Cause": f"At {now:%Y-%m-%dT%H:%M:%SZ} the group's size differed from its desired capacity.",
            "StartTime": now,
            "EndTime": now,
            "StatusCode": status,
            "StatusMessage": message,
            "Progress": 100,
        }
        last = next((each for each in reversed(self._activities) if each["AutoScalingGroupName"] == group.name), None)
        if last is not None and (last["StatusMessage"], last["StatusCode"]) == (message, "Failed") == (message, status):
            return
        self._activities = [*self._activities, activity][-ACTIVITIES_MAX:]

    # -- moto's operations -------------------------------------------------------------------------------------

    def _wrap(self) -> None:
        launch = original(FakeAutoScalingGroup, "replace_autoscaling_group_instances")
        ours = self

        def replace(group: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
            if group.ec2_launch_template is None:
                launch(group, count_needed, propagated_tags)
            else:
                ours.launch(group, count_needed, propagated_tags)

        def describe_scaling_activities(response: Any) -> Any:
            wanted = response._get_param("AutoScalingGroupName")
            here = [each for each in ours._activities if each["Region"] == response.region]
            found = [each for each in here if wanted in (None, each["AutoScalingGroupName"])]
            return ActionResult({"Activities": found[::-1]})

        update = original(FakeAutoScalingGroup, "update")

        def keep_policy(group: Any, *args: Any, **kwargs: Any) -> None:
            """What an update does not name stays; moto forgets the mixed instances policy."""
            kept = copy.deepcopy(group.mixed_instances_policy)
            if kept:
                kept["LaunchTemplate"]["LaunchTemplateSpecification"].pop("LaunchTemplateName", None)
            kwargs["mixed_instances_policy"] = kwargs.get("mixed_instances_policy") or kept
            update(group, *args, **kwargs)

        wish = original(FakeAutoScalingGroup, "set_desired_capacity")

        def set_desired_capacity(group: Any, new_capacity: int | None) -> None:
            wanted = group.min_size if new_capacity is None else new_capacity
            if wanted < len(group.instance_states) and "Terminate" in _suspended(group):
                group.desired_capacity = wanted
                return
            ours.shrink(group, wanted)
            wish(group, new_capacity)

        override_properties(Member, launch_template=_launched_from)
        override(FakeAutoScalingGroup, set_desired_capacity=set_desired_capacity)
        override(FakeAutoScalingGroup, update=keep_policy, replace_autoscaling_group_instances=replace)
        override(AutoScalingResponse, describe_scaling_activities=describe_scaling_activities)


def _specification(template: Any, version: Any) -> dict[str, str]:
    return {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": str(version)}


def _launched_from(member: Any) -> dict[str, str] | None:
    """The template and version that an instance was launched from, whatever its group names by now (Auto Scaling API
    Reference, Instance); moto gives the group's default."""
    found: dict[str, str] | None = getattr(member.instance, "launched_from", None)
    return found


def _suspended(group: Any) -> set[str]:
    """The processes of a group that are suspended."""
    return {each["ProcessName"] for each in group.suspended_processes}
