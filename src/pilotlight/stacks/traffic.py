"""Traffic: the standby balancer, and one DNS name that follows an alarm.

Route 53's control plane is in us-east-1, so nothing of it is called in a failover: both records exist beforehand, and
the health check of the first follows the CloudWatch alarm `standby-active` of the standby region (Route 53 Developer
Guide, "How Route 53 determines the status of health checks that monitor CloudWatch alarms"). Alarm on means primary
unhealthy means answers from the standby balancer. The balancers' own health does not decide: moving traffic before
the old primary is fenced would make two writers.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.runtime.records.inventory import Compute, Inventory
from pilotlight.runtime.records.inventory import Traffic as Front

HEALTH_INTERVAL_SECONDS = 10
HEALTH_TIMEOUT_SECONDS = 5
HEALTH_THRESHOLD = 2
DEREGISTRATION_SECONDS = 10
"""Predictions are short; the default of 300 s would only slow a failback."""


@dataclass(frozen=True)
class TrafficSpec:
    """One DNS name. `port` is where the balancer listens (HTTP), `target_port` where the instances do."""

    region: str
    name: str
    zone_id: str
    record: str
    check: str
    port: int
    target_port: int
    primary_dns: str
    primary_zone_id: str
    tags: dict[str, str]


@dataclass(frozen=True)
class TrafficArgs:
    """`alarm`: name of the alarm that says that the standby is active; it must exist before the health check."""

    spec: TrafficSpec
    vpc_id: pulumi.Input[str]
    subnet_ids: list[pulumi.Output[str]]
    security_group: pulumi.Input[str]
    alarm: pulumi.Input[str]


def traffic_spec(inventory: Inventory, front: Front, behind: Compute) -> TrafficSpec:
    """The front of this inventory, with the compute group behind it (pure)."""
    names = inventory.names
    return TrafficSpec(
        region=names.standby,
        name=names.load_balancer(),
        zone_id=front.zone_id,
        record=front.record,
        check=front.check,
        port=front.port,
        target_port=behind.port,
        primary_dns=front.primary_balancer_dns,
        primary_zone_id=front.primary_balancer_zone,
        tags=names.tags(),
    )


class Traffic(pulumi.ComponentResource):
    """Creates balancer, health check and the failover pair. Outputs: `target_group` (ARN), `balancer_dns`."""

    target_group: pulumi.Output[str]
    balancer_dns: pulumi.Output[str]

    def __init__(self, name: str, args: TrafficArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Traffic", name, None, opts)
        self._spec, self._name = args.spec, name
        target = self._target_group(args)
        balancer = self._balancer(args)
        self._listener(balancer, target)
        check = self._health_check(args)
        spec = args.spec
        self._record("primary", "PRIMARY", spec.primary_dns, spec.primary_zone_id, check.id)
        self._record("standby", "SECONDARY", balancer.dns_name, balancer.zone_id, None)
        self.target_group, self.balancer_dns = target.arn, balancer.dns_name
        self.register_outputs({"targetGroup": self.target_group, "balancerDns": self.balancer_dns})

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _target_group(self, args: TrafficArgs) -> aws.lb.TargetGroup:
        spec = self._spec
        return aws.lb.TargetGroup(
            f"{self._name}-targets",
            region=spec.region,
            name=spec.name,
            port=spec.target_port,
            protocol="HTTP",
            target_type="instance",
            vpc_id=args.vpc_id,
            deregistration_delay=DEREGISTRATION_SECONDS,
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                enabled=True,
                path=spec.check,
                protocol="HTTP",
                matcher="200",
                interval=HEALTH_INTERVAL_SECONDS,
                timeout=HEALTH_TIMEOUT_SECONDS,
                healthy_threshold=HEALTH_THRESHOLD,
                unhealthy_threshold=HEALTH_THRESHOLD,
            ),
            tags=spec.tags,
            opts=self._child(),
        )

    def _balancer(self, args: TrafficArgs) -> aws.lb.LoadBalancer:
        spec = self._spec
        return aws.lb.LoadBalancer(
            f"{self._name}-balancer",
            region=spec.region,
            name=spec.name,
            load_balancer_type="application",
            internal=False,
            subnets=args.subnet_ids,
            security_groups=[args.security_group],
            drop_invalid_header_fields=True,
            tags=spec.tags,
            opts=self._child(),
        )

    def _listener(self, balancer: aws.lb.LoadBalancer, target: aws.lb.TargetGroup) -> None:
        spec = self._spec
        aws.lb.Listener(
            f"{self._name}-listener",
            region=spec.region,
            load_balancer_arn=balancer.arn,
            port=spec.port,
            protocol="HTTP",
            default_actions=[aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=target.arn)],
            tags=spec.tags,
            opts=self._child(),
        )

    def _health_check(self, args: TrafficArgs) -> aws.route53.HealthCheck:
        """Missing data leaves things as they are: silence moves no traffic, in either direction."""
        return aws.route53.HealthCheck(
            f"{self._name}-check",
            type="CLOUDWATCH_METRIC",
            cloudwatch_alarm_name=args.alarm,
            cloudwatch_alarm_region=self._spec.region,
            insufficient_data_health_status="LastKnownStatus",
            invert_healthcheck=False,
            tags=self._spec.tags,
            opts=self._child(),
        )

    def _record(
        self,
        side: str,
        role: str,
        dns: pulumi.Input[str],
        zone_id: pulumi.Input[str],
        check: pulumi.Output[str] | None,
    ) -> None:
        """Written over what is there: a record that was handed over (survey/front_record.py) is the first half."""
        spec = self._spec
        aws.route53.Record(
            f"{self._name}-{side}",
            zone_id=spec.zone_id,
            name=spec.record,
            type="A",
            set_identifier=f"{spec.name}-{side}",
            allow_overwrite=True,
            failover_routing_policies=[aws.route53.RecordFailoverRoutingPolicyArgs(type=role)],
            aliases=[aws.route53.RecordAliasArgs(name=dns, zone_id=zone_id, evaluate_target_health=False)],
            health_check_id=check,
            opts=self._child(),
        )
