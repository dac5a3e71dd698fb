"""What a user loses when one of these fails: a fleet of the wrong types, rights or user data in the standby region."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from surveyed_account import (
    ACCOUNT,
    Account,
    a_group,
    a_template,
    problems,
    surveyed,
)

from pilotlight.runtime.kinds.autoscaling.software import digests
from pilotlight.workload.model import Workload


def test_user_data_of_the_standby_names_nothing_of_the_primary(account: Account, workload: Workload) -> None:
    compute = surveyed(account, workload).computes[0]
    plain = base64.b64decode(compute.user_data).decode()
    assert "us-east-1" not in plain
    assert f"MODEL_BUCKET='pilotlight-inference-checkpoints-{ACCOUNT}-us-west-2'" in plain
    assert "DATABASE='{{pilotlight:database:registry:endpoint}}:{{pilotlight:database:registry:port}}'" in plain


def test_instances_may_do_there_what_they_may_do_here(account: Account, workload: Workload) -> None:
    policy = json.loads(surveyed(account, workload).computes[0].instance_profile_policy)
    resources = [each["Resource"] for each in policy["Statement"]]
    assert resources == [f"arn:aws:s3:::pilotlight-inference-checkpoints-{ACCOUNT}-us-west-2/*", "arn:aws:x"]
    assert all("Sid" not in each for each in policy["Statement"])


def test_what_the_template_said_is_kept_by_digest_so_that_later_changes_are_seen_and_no_value_is_told(
    account: Account, workload: Workload
) -> None:
    compute = surveyed(account, workload).computes[0]
    assert "UserData" in compute.template and "ImageId" not in compute.template
    data = a_template()
    assert not {str(value) for value in data.values()} & set(compute.template.values())
    assert compute.template == digests(data) != digests(data | {"UserData": "YW5vdGhlcg=="})


def test_a_group_with_a_mixed_instances_policy_is_read_too(account: Account, workload: Workload) -> None:
    group = a_group()
    named = group.pop("LaunchTemplate")
    group["MixedInstancesPolicy"] = {"LaunchTemplate": {"LaunchTemplateSpecification": named}}
    account.answers["describe_auto_scaling_groups"] = {"AutoScalingGroups": [group]}
    assert surveyed(account, workload).computes[0].image == "ami-1"


def _mixed(*overrides: dict[str, Any], **more: Any) -> dict[str, Any]:
    group = a_group() | more
    named = group.pop("LaunchTemplate")
    group["MixedInstancesPolicy"] = {
        "LaunchTemplate": {"LaunchTemplateSpecification": named, "Overrides": list(overrides)}
    }
    return group


def _starts(account: Account, group: dict[str, Any], **template: Any) -> None:
    """The account has this group, and a template without a type, unless `template` says one."""
    data = {key: value for key, value in a_template().items() if key != "InstanceType"} | template
    account.answers["describe_auto_scaling_groups"] = {"AutoScalingGroups": [group]}
    account.answers["describe_launch_template_versions"] = {"LaunchTemplateVersions": [{"LaunchTemplateData": data}]}


def _undeclared(workload: Workload, **update: Any) -> Workload:
    fleet = workload.assets["fleet"].model_copy(update={"instance_types": ()} | update)
    return workload.model_copy(update={"assets": workload.assets | {"fleet": fleet}})


def test_types_of_a_mixed_instances_policy_are_started_and_not_an_empty_one(
    account: Account, workload: Workload
) -> None:
    _starts(account, _mixed({"InstanceType": "p5.48xlarge"}, {"InstanceType": "p4d.24xlarge"}))
    assert surveyed(account, _undeclared(workload)).computes[0].instance_types == ("p5.48xlarge", "p4d.24xlarge")


def test_the_types_of_the_policy_win_over_the_templates_and_the_declared_ones_over_both(
    account: Account, workload: Workload
) -> None:
    _starts(account, _mixed({"InstanceType": "p5.48xlarge"}), InstanceType="g5.xlarge")
    assert surveyed(account, _undeclared(workload)).computes[0].instance_types == ("p5.48xlarge",)
    declared = _undeclared(workload, instance_types=("m6i.large",))
    assert surveyed(account, declared).computes[0].instance_types == ("m6i.large",)


@pytest.mark.parametrize(
    ("overrides", "template", "said"),
    [
        ([], {}, "neither its launch template nor the policy of its group names an instance type"),
        ([], {"InstanceRequirements": {"VCpuCount": {"Min": 4}}}, "(InstanceRequirements)"),
        (
            [{"InstanceRequirements": {"VCpuCount": {"Min": 4}}}],
            {"InstanceType": "g5.xlarge"},
            "(InstanceRequirements)",
        ),
        (
            [
                {"InstanceType": "p5.48xlarge"},
                {"InstanceType": "c7g.large", "LaunchTemplateSpecification": {"LaunchTemplateId": "lt-arm"}},
            ],
            {},
            "override c7g.large of its group has a launch template of its own (lt-arm)",
        ),
    ],
)
def test_types_that_the_standby_could_not_start_are_refused_before_anything_is_made(
    account: Account, workload: Workload, overrides: list[dict[str, Any]], template: dict[str, Any], said: str
) -> None:
    _starts(account, _mixed(*overrides), **template)
    (told,) = problems(account, _undeclared(workload)).splitlines()
    assert told.startswith("fleet (us-east-1): ") and said in told and "declare `instance_types`" in told
    assert surveyed(account, _undeclared(workload, instance_types=("m6i.large",))).computes


@pytest.mark.parametrize(
    "group",
    [
        _mixed({"InstanceType": "p5.48xlarge", "WeightedCapacity": "8"}, DesiredCapacity=16),
        _mixed({"InstanceType": "p5.48xlarge"}, DesiredCapacity=16, DesiredCapacityType="vcpu"),
    ],
)
def test_a_capacity_in_weights_is_not_taken_for_a_number_of_instances(
    account: Account, workload: Workload, group: dict[str, Any]
) -> None:
    _starts(account, group)
    assert "declare `count`, of instances" in problems(account, _undeclared(workload, count=None))
    assert surveyed(account, _undeclared(workload, count=1)).computes[0].count == 1


def test_a_version_of_the_template_that_is_gone_does_not_leave_the_group_out(
    account: Account, workload: Workload
) -> None:
    account.answers["describe_launch_template_versions"] = {"LaunchTemplateVersions": []}
    assert "launch template lt-1 has no version $Latest" in problems(account, workload)
