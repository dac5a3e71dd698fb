"""Auto Scaling groups keep every setting that they are given, and who is told of what happens in them.

Auto Scaling API Reference, CreateAutoScalingGroup and UpdateAutoScalingGroup (what an update does not name stays),
PutNotificationConfiguration and DescribeNotificationConfigurations. moto forgets the warm-up, changes neither cooldown
nor termination policies, takes a grace period of 0, which is the default of the API, for 300, and has no notifications.
"""

from __future__ import annotations

from typing import Any

from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import original, override

NUMBERS = {
    "DefaultCooldown": "default_cooldown",
    "DefaultInstanceWarmup": "default_instance_warmup",
    "HealthCheckGracePeriod": "health_check_grace_period",
}
"""Parameter -> what moto calls it on a group."""


class GroupSettings(Behaviour):
    """What moto leaves out of groups."""

    name = "group settings"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        self._told: dict[tuple[str, str], dict[str, list[str]]] = {}
        create = original(AutoScalingResponse, "create_auto_scaling_group")
        update = original(AutoScalingResponse, "update_auto_scaling_group")
        ours = self

        def create_auto_scaling_group(response: Any) -> Any:
            made = create(response)
            _group(response).health_check_grace_period = 0
            _set(response)
            return made

        def update_auto_scaling_group(response: Any) -> Any:
            made = update(response)
            _set(response)
            return made

        def put_notification_configuration(response: Any) -> Any:
            key = (response.region, response._get_param("AutoScalingGroupName"))
            topics = ours._told.setdefault(key, {})
            topics[response._get_param("TopicARN")] = list(response._get_param("NotificationTypes", []))
            return EmptyResult()

        def describe_notification_configurations(response: Any) -> Any:
            wanted = response._get_param("AutoScalingGroupNames", [])
            found = [
                {"AutoScalingGroupName": name, "TopicARN": topic, "NotificationType": kind}
                for (region, name), topics in sorted(ours._told.items())
                if region == response.region and (not wanted or name in wanted)
                for topic, kinds in sorted(topics.items())
                for kind in kinds
            ]
            return ActionResult({"NotificationConfigurations": found})

        override(
            AutoScalingResponse,
            create_auto_scaling_group=create_auto_scaling_group,
            update_auto_scaling_group=update_auto_scaling_group,
            put_notification_configuration=put_notification_configuration,
            describe_notification_configurations=describe_notification_configurations,
        )


def _set(response: Any) -> None:
    group = _group(response)
    for parameter, name in NUMBERS.items():
        given = response._get_int_param(parameter)
        if given is not None:
            setattr(group, name, given)
    policies = response._get_param("TerminationPolicies", [])
    if policies:
        group.termination_policies = policies


def _group(response: Any) -> Any:
    return response.autoscaling_backend.autoscaling_groups[response._get_param("AutoScalingGroupName")]
