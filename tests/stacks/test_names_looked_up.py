"""A name that a stack gives and the survey does not look for ends an `up` in the middle, with half of it made."""

from __future__ import annotations

import pytest
from stack_recording import Recording, Registered
from stack_samples import VAULT, inventory

from pilotlight.runtime.records.inventory import VaultAccount
from pilotlight.survey.named import named

GIVEN = {
    "Bucket": "bucket", "Cluster": "clusterIdentifier", "ClusterInstance": "identifier",
    "GlobalCluster": "globalClusterIdentifier", **dict.fromkeys(
        ("Alias", "Function", "Group", "InstanceProfile", "LaunchTemplate", "LoadBalancer", "LogGroup", "MetricAlarm",
         "Queue", "Role", "Schedule", "SubnetGroup", "Table", "TargetGroup", "Topic"), "name"),
}  # fmt: skip
"""Resource type -> the property that is its name in AWS."""
NO_NAMES = {
    "AmiCopy": "images may be named alike (EC2 API, CopyImage)",
    "Record": "the survey of the zone looks at records",
    "RolePolicy": "within a role of ours",
}
"""What has a `name` that need not be free, and why."""


def _names(recording: Recording) -> set[str]:
    return {str(each.inputs[GIVEN[each.kind]]) for each in recording.custom if each.kind in GIVEN}


def _looked_for(vault: VaultAccount | None) -> set[str]:
    one = inventory(vault)
    kinds = {each.name: each.kind for each in one.assets}
    return {each.name.rpartition(":")[2] for each in named(one.names, kinds, one.traffic is not None, {})}


@pytest.mark.parametrize("apart", [False, True])
def test_every_name_that_a_stack_gives_is_looked_for_before_anything_is_made(
    apart: bool, request: pytest.FixtureRequest
) -> None:
    stacks = [request.getfixturevalue(each + ("_apart" if apart else "")) for each in ("vault", "primary", "standby")]
    assert set().union(*map(_names, stacks)) == _looked_for(VAULT if apart else None)


def test_no_other_resource_bears_a_name(vault: Recording, primary: Recording, standby: Recording) -> None:
    everything: list[Registered] = [each for stack in (vault, primary, standby) for each in stack.custom]
    assert {each.kind for each in everything if "name" in each.inputs} <= {*GIVEN, *NO_NAMES}
