"""Settings of an Auto Scaling group (Auto Scaling API Reference, AutoScalingGroup), and what is attached to one and
read by calls of its own, each with its fate."""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.stacks.settings import Table, answer, carried, left_out, replaced, table

SIZES = "zero until a run raises it; the declaration's `count` says how far"
SPOT = "the standby starts on-demand instances alone: spot capacity is what is short on the day of a disaster"
ON_DEMAND = "on-demand instances, in the order of the types"
ROLE = "the role of the account with which Auto Scaling acts"

GROUP: Table = table(
    replaced("AutoScalingGroupName", "a name of the standby's own"),
    answer("AutoScalingGroupARN"),
    replaced("LaunchConfigurationName", "a survey refuses it: launch configurations are retired"),
    replaced("LaunchTemplate", "a template of the standby's own; see the settings of the template"),
    replaced("MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification", "a template of the standby's own"),
    carried("MixedInstancesPolicy.LaunchTemplate.Overrides.InstanceType", "unless declared, in their order"),
    replaced("MixedInstancesPolicy.LaunchTemplate.Overrides.WeightedCapacity", "the declaration's `count`"),
    replaced("MixedInstancesPolicy.LaunchTemplate.Overrides.LaunchTemplateSpecification", "refused, or declared types"),
    replaced("MixedInstancesPolicy.LaunchTemplate.Overrides.InstanceRequirements", "refused, or declared types"),
    left_out(
        "MixedInstancesPolicy.LaunchTemplate.Overrides.ImageId",
        "all types start from the template's image",
        "use one image for all types, or declare types that the template's image fits",
    ),
    replaced("MixedInstancesPolicy.InstancesDistribution.OnDemandAllocationStrategy", ON_DEMAND),
    replaced("MixedInstancesPolicy.InstancesDistribution.OnDemandBaseCapacity", ON_DEMAND),
    left_out(
        "MixedInstancesPolicy.InstancesDistribution.OnDemandPercentageAboveBaseCapacity",
        SPOT,
        "plan for what `count` instances cost on demand",
        ("100",),
    ),
    replaced("MixedInstancesPolicy.InstancesDistribution.SpotAllocationStrategy", SPOT),
    replaced("MixedInstancesPolicy.InstancesDistribution.SpotInstancePools", SPOT),
    replaced("MixedInstancesPolicy.InstancesDistribution.SpotMaxPrice", SPOT),
    left_out(
        "MixedInstancesPolicy.InstancesDistribution.DistributionSegments", ON_DEMAND, "plan for on-demand capacity"
    ),
    replaced("MinSize", SIZES),
    replaced("MaxSize", SIZES),
    replaced("DesiredCapacity", SIZES),
    replaced("DesiredCapacityType", "`count` is a number of instances"),
    answer("PredictedCapacity"),
    carried("DefaultCooldown", "as it is"),
    carried("DefaultInstanceWarmup", "as it is"),
    replaced("AvailabilityZones", "the standby has subnets of its own in two zones"),
    replaced("AvailabilityZoneIds", "the standby has subnets of its own in two zones"),
    replaced("VPCZoneIdentifier", "the standby has subnets of its own in two zones"),
    left_out("LoadBalancerNames", "the standby has no classic balancer", "put a target group in front of the group"),
    carried(
        "TargetGroupARNs",
        "the first, as the target group of the standby's balancer where `traffic` is declared",
        "let clients reach the standby by the one target group",
    ),
    replaced("TrafficSources.Identifier", "see TargetGroupARNs and LoadBalancerNames"),
    left_out(
        "TrafficSources.Type",
        "the standby has the target group of its own balancer",
        "attach the group there by hand after a failover",
        ("elb", "elbv2"),
    ),
    carried("HealthCheckType", "EC2 and ELB; others are not carried over", "add it by hand after a failover"),
    carried("HealthCheckGracePeriod", "at least 300 seconds: volumes there are read from their snapshots at first"),
    answer("Instances", "the members"),
    answer("CreatedTime"),
    answer("Status"),
    answer("Operator", "the AWS service that manages the group"),
    left_out(
        "SuspendedProcesses.ProcessName",
        "nothing is suspended there but what a run suspends",
        "suspend it there by hand after a failover",
    ),
    answer("SuspendedProcesses.SuspensionReason"),
    left_out("PlacementGroup", "placement groups belong to a region", "make the group there name one after a failover"),
    left_out(
        "EnabledMetrics.Metric", "the group there publishes no metrics", "enable-metrics-collection by hand there"
    ),
    replaced("EnabledMetrics.Granularity", "told with the metrics"),
    carried("Tags", "besides those of Pilotlight, which win; AWS keeps those that begin with aws:"),
    carried(
        "TerminationPolicies", "those of Auto Scaling; a function belongs to a region", "deploy the function there"
    ),
    left_out(
        "NewInstancesProtectedFromScaleIn",
        "instances there can be scaled in, or no failback could bring the group to zero",
        "protect them by hand after a failover, and end that before the failback",
    ),
    left_out(
        "ServiceLinkedRoleARN",
        ROLE,
        "see that the keys and images of the standby need no other",
        ("arn:*:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",),
    ),
    left_out(
        "MaxInstanceLifetime",
        "instances there are not replaced for their age: a replacement begins from the point's snapshots",
        "replace them by hand where that loses nothing",
        ("0",),
    ),
    left_out("CapacityRebalance", SPOT, "nothing: on-demand instances are not interrupted"),
    left_out(
        "WarmPoolConfiguration", "no instances wait there: they would cost money all the time", "forecast the boot"
    ),
    answer("WarmPoolSize", "told with the configuration"),
    left_out("Context", "reserved by AWS", "ask AWS what it means for the group"),
    left_out(
        "InstanceMaintenancePolicy",
        "instances there are replaced as AWS does by default: terminated first",
        "set it there by hand after a failover",
        ("-1",),
    ),
    left_out("DeletionProtection", "`destroy` has to be able to delete the group", "nothing", ("none",)),
    left_out(
        "AvailabilityZoneDistribution.CapacityDistributionStrategy",
        "a zone without capacity is left for another",
        "nothing: on the day any zone will do",
        ("balanced-best-effort",),
    ),
    left_out("AvailabilityZoneImpairmentPolicy.ZonalShiftEnabled", "zones are not shifted there", "enable it there"),
    answer("AvailabilityZoneImpairmentPolicy.ImpairedZoneHealthCheckBehavior", "told with the zonal shift"),
    left_out(
        "CapacityReservationSpecification.CapacityReservationPreference",
        "instances there take any open reservation that fits",
        "reserve there what has to be there on the day, as open",
        ("default",),
    ),
    left_out(
        "CapacityReservationSpecification.CapacityReservationTarget",
        "reservations belong to a region",
        "reserve there what has to be there on the day, as open: instances take it by themselves",
    ),
    left_out(
        "InstanceLifecyclePolicy", "instances there are terminated when a hook is abandoned", "set it with the hooks"
    ),
)


@dataclass(frozen=True)
class Attached:
    """Something attached to a group that the survey reads by an operation of its own, and names: none is carried."""

    operation: str
    """As botocore calls it."""
    field: str
    """The list in its answer."""
    name: str
    """The member that names each."""
    what: str
    instead: str
    advice: str
    by_list: bool = False
    """Whether the operation takes the names of several groups."""


ATTACHED: tuple[Attached, ...] = (
    Attached(
        "describe_policies",
        "ScalingPolicies",
        "PolicyName",
        "scaling policy",
        "the group there stays at `count`: alarms and metrics of policies belong to a region",
        "raise `count` for the load of the whole region, or put the policy there after a failover and raise MaxSize",
    ),
    Attached(
        "describe_scheduled_actions",
        "ScheduledUpdateGroupActions",
        "ScheduledActionName",
        "scheduled action",
        "a schedule would start instances while the primary serves",
        "put it there after a failover, and delete it before the failback",
    ),
    Attached(
        "describe_lifecycle_hooks",
        "LifecycleHooks",
        "LifecycleHookName",
        "lifecycle hook",
        "an instance goes into service without waiting: who answers the hook belongs to a region",
        "do at boot, in the user data, what the hook waits for",
    ),
    Attached(
        "describe_notification_configurations",
        "NotificationConfigurations",
        "NotificationType",
        "notification",
        "topics belong to a region; Pilotlight's own tell what a run does",
        "declare `notify`, and subscribe there to what else has to be known",
        by_list=True,
    ),
)

READ_OTHERWISE: dict[str, str] = {
    "DescribeAutoScalingGroups": "the group itself: the table above",
    "DescribeAutoScalingInstances": "members, not settings",
    "DescribeInstanceRefreshes": "acts of the past, not settings; a refresh there is started by a person",
    "DescribeLoadBalancers": "the group's LoadBalancerNames",
    "DescribeLoadBalancerTargetGroups": "the group's TargetGroupARNs",
    "DescribeScalingActivities": "acts of the past, not settings",
    "DescribeTags": "the group's Tags",
    "DescribeTrafficSources": "the group's TrafficSources",
    "DescribeWarmPool": "the group's WarmPoolConfiguration",
    "GetPredictiveScalingForecast": "what a scaling policy expects",
    "DescribeLaunchConfigurations": "refused: launch configurations are retired",
    "DescribeAccountLimits": "of the account",
    "DescribeAccountSettings": "of the account",
    "DescribeAdjustmentTypes": "what AWS offers",
    "DescribeAutoScalingNotificationTypes": "what AWS offers",
    "DescribeLifecycleHookTypes": "what AWS offers",
    "DescribeMetricCollectionTypes": "what AWS offers",
    "DescribeScalingProcessTypes": "what AWS offers",
    "DescribeTerminationPolicyTypes": "what AWS offers",
}
"""Every other operation of Auto Scaling that reads: where its answer is told, or why it is no setting of a group."""
