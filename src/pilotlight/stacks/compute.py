"""Compute: image copy, launch template and Auto Scaling group at zero in the standby region.

Activation is data, not a redeploy: a run makes a launch template of its own from this one's data, with the snapshots in
its block devices, points the group at it and raises the group's size. Which template a group names, and its sizes, are
left out of comparison, so that deploying after a failover does not stop what serves, nor blank its disks. The list of
instance types is a prioritized on-demand list (Auto Scaling User Guide, "Allocation strategies for multiple instance
types"). AMI ids, endpoints and bucket names are bound to a region, so the image is copied and the user data translated.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from pilotlight.runtime.naming import TAG_PROTECTS
from pilotlight.runtime.records.inventory import Compute as Asset
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.records.settings import GroupSettings, LaunchSettings
from pilotlight.stacks import launch_template, placeholders, policies
from pilotlight.stacks.launch_template import DeviceSpec

HEALTH_GRACE_SECONDS = 300
"""What an instance gets at least to boot and load weights before the balancer's verdict counts; the primary's group may
give more. Volumes from snapshots are slow at first (EBS User Guide, "Initialize Amazon EBS volumes")."""
NAMED_TEMPLATE = "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification"
IGNORED_GROUP = ["desired_capacity", "min_size", "max_size", NAMED_TEMPLATE]
"""What runs change on the day. Of the policy only the template that it names: instance types still deploy. Paths below
a property are in the wire's words, which the SDK does not translate."""


@dataclass(frozen=True)
class ComputeSpec:
    """One Auto Scaling group at zero. `user_data` is plain text and may hold marks of databases."""

    asset: str
    region: str
    image: str
    image_region: str
    image_name: str
    template: str
    group: str
    protects: str
    """The primary's group; told by a tag, so that no other workload takes it as well."""
    instance_types: tuple[str, ...]
    count: int
    user_data: str
    devices: tuple[DeviceSpec, ...]
    launch: LaunchSettings
    settings: GroupSettings
    key_arn: str
    """The alias ARN of the standby key."""
    role: str
    role_trust: str
    role_policy: str
    tags: dict[str, str]


@dataclass(frozen=True)
class ComputeArgs:
    """`target_groups`: ARNs the group registers with, may be empty. `marks`: values of the marks in the user data."""

    spec: ComputeSpec
    subnet_ids: list[pulumi.Output[str]]
    security_group: pulumi.Input[str]
    target_groups: list[pulumi.Output[str]]
    marks: Mapping[str, pulumi.Output[str]]


def compute_spec(inventory: Inventory, asset: Asset) -> ComputeSpec:
    """The group of this asset (pure)."""
    names = inventory.names
    own = json.loads(asset.instance_profile_policy or "{}")
    return ComputeSpec(
        asset=asset.name,
        region=names.standby,
        image=asset.image,
        image_region=names.primary,
        image_name=f"{asset.standby_launch_template}-{asset.image}",
        template=asset.standby_launch_template,
        group=asset.standby_group,
        protects=asset.primary_group,
        instance_types=asset.instance_types,
        count=asset.count,
        user_data=base64.b64decode(asset.user_data).decode(),
        devices=launch_template.devices(inventory, asset),
        launch=asset.launch,
        settings=asset.group,
        key_arn=policies.alias_arn(names, names.standby),
        role=names.role(f"instance-{asset.name}"),
        role_trust=policies.text(policies.assume_by_own_resources("ec2.amazonaws.com")),
        role_policy=policies.text(policies.instance(names, own)),
        tags=names.tags(asset.name),
    )


def user_data(text: str, values: Mapping[str, str]) -> str:
    """The text with its marks filled, as Base64, which a launch template takes."""
    return base64.b64encode(placeholders.fill(text, dict(values)).encode()).decode()


class Compute(pulumi.ComponentResource):
    """Creates image copy, role, launch template and group. Outputs: `group`, `template_id`."""

    group: pulumi.Output[str]
    template_id: pulumi.Output[str]

    def __init__(self, name: str, args: ComputeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pilotlight:stacks:Compute", name, None, opts)
        self._spec, self._name = args.spec, name
        template = self._template(args, self._image(), self._profile())
        self.template_id = template.id
        self.group = self._group(args, template)
        self.register_outputs({"group": self.group, "templateId": self.template_id})

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _image(self) -> pulumi.Output[str]:
        spec = self._spec
        return aws.ec2.AmiCopy(
            f"{self._name}-image",
            region=spec.region,
            name=spec.image_name,
            description=f"Copy of {spec.image} of {spec.image_region}",
            source_ami_id=spec.image,
            source_ami_region=spec.image_region,
            encrypted=True,
            kms_key_id=spec.key_arn,
            tags=spec.tags,
            opts=self._child(),
        ).id

    def _profile(self) -> pulumi.Output[str]:
        spec = self._spec
        role = aws.iam.Role(
            f"{self._name}-role",
            name=spec.role,
            assume_role_policy=spec.role_trust,
            tags=spec.tags,
            opts=self._child(),
        )
        aws.iam.RolePolicy(
            f"{self._name}-role-policy", name="workload", role=role.name, policy=spec.role_policy, opts=self._child()
        )
        return aws.iam.InstanceProfile(
            f"{self._name}-profile", name=spec.role, role=role.name, tags=spec.tags, opts=self._child()
        ).name

    def _template(
        self, args: ComputeArgs, image: pulumi.Output[str], profile: pulumi.Output[str]
    ) -> aws.ec2.LaunchTemplate:
        spec = self._spec
        filled = pulumi.Output.all(**args.marks).apply(lambda values: user_data(spec.user_data, values))
        return aws.ec2.LaunchTemplate(
            f"{self._name}-template",
            region=spec.region,
            name=spec.template,
            image_id=image,
            instance_type=spec.instance_types[0],
            user_data=filled,
            iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(name=profile),
            vpc_security_group_ids=[args.security_group],
            metadata_options=launch_template.metadata(spec.launch.metadata),
            block_device_mappings=[launch_template.block_device(each, spec.key_arn) for each in spec.devices],
            tag_specifications=launch_template.tag_specifications(spec.launch, spec.tags),
            tags=spec.tags,
            opts=self._child(),
            **launch_template.taken_over(spec.launch),
        )

    def _group(self, args: ComputeArgs, template: aws.ec2.LaunchTemplate) -> pulumi.Output[str]:
        """`max_size` is the count, so that a run only has to raise the wish."""
        spec = self._spec
        return aws.autoscaling.Group(
            self._name,
            region=spec.region,
            name=spec.group,
            min_size=0,
            desired_capacity=0,
            max_size=spec.count,
            vpc_zone_identifiers=args.subnet_ids,
            mixed_instances_policy=_instance_types(spec, template),
            target_group_arns=args.target_groups,
            health_check_type=_health_check(spec.settings, bool(args.target_groups)),
            health_check_grace_period=max(HEALTH_GRACE_SECONDS, spec.settings.health_check_grace_seconds),
            default_cooldown=spec.settings.cooldown_seconds,
            default_instance_warmup=spec.settings.warmup_seconds,
            termination_policies=list(spec.settings.termination_policies) or None,
            wait_for_capacity_timeout="0",
            tags=_group_tags(spec),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=IGNORED_GROUP),
        ).name


def _health_check(settings: GroupSettings, balanced: bool) -> str:
    """The balancer's verdict counts where there is one, unless the primary's group is meant not to heed it."""
    return "ELB" if balanced and settings.health_check_type in ("ELB", "") else "EC2"


def _group_tags(spec: ComputeSpec) -> list[aws.autoscaling.GroupTagArgs]:
    theirs = [(each.key, each.value, each.propagate) for each in spec.settings.tags]
    ours = [(key, value, True) for key, value in spec.tags.items()]
    told = [*sorted(theirs), *sorted(ours), (TAG_PROTECTS, spec.protects, False)]
    return [aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=each) for key, value, each in told]


def _instance_types(
    spec: ComputeSpec, template: aws.ec2.LaunchTemplate
) -> aws.autoscaling.GroupMixedInstancesPolicyArgs:
    """On-demand only, the first type that has capacity; spot capacity is what is missing on the day of a disaster."""
    return aws.autoscaling.GroupMixedInstancesPolicyArgs(
        instances_distribution=aws.autoscaling.GroupMixedInstancesPolicyInstancesDistributionArgs(
            on_demand_allocation_strategy="prioritized",
            on_demand_base_capacity=0,
            on_demand_percentage_above_base_capacity=100,
        ),
        launch_template=aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateArgs(
            launch_template_specification=aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateLaunchTemplateSpecificationArgs(
                launch_template_id=template.id, version="$Latest"
            ),
            overrides=[
                aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateOverrideArgs(instance_type=kind)
                for kind in spec.instance_types
            ],
        ),
    )
