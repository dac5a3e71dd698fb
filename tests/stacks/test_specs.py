"""A spec is decided without Pulumi: from the inventory alone, the same every time."""

from __future__ import annotations

import base64
import dataclasses

import pytest
from stack_samples import NAMES, USER_DATA, inventory

from pilotlight import stacks
from pilotlight.runtime.errors import PlaceholderUnfilled
from pilotlight.runtime.records.inventory import Keep
from pilotlight.stacks import buckets, compute, monitoring, network, placeholders
from support.inventories import changed


def test_every_spec_is_frozen_and_equal_when_computed_again() -> None:
    for first, second in zip(_specs(), _specs(), strict=True):
        assert first == second
        with pytest.raises(dataclasses.FrozenInstanceError):
            first.region = "elsewhere"


def test_when_the_inventory_was_taken_changes_nothing_that_is_deployed() -> None:
    later = dataclasses.replace(inventory(), taken_at="2030-01-01T00:00:00.000Z")
    assert stacks.vault_spec(later) == stacks.vault_spec(inventory())
    assert stacks.monitoring_spec(later) == stacks.monitoring_spec(inventory())


def test_old_versions_outlive_the_oldest_recovery_point_that_may_name_them() -> None:
    assert buckets.noncurrent_days(Keep(hourly=24, daily=7, weekly=4)) > 4 * 7
    assert buckets.noncurrent_days(Keep(hourly=24, daily=90, weekly=1)) > 90
    assert buckets.noncurrent_days(Keep(hourly=24 * 60, daily=1, weekly=0)) > 60


@pytest.mark.parametrize(
    ("seconds", "expression"), [(10, "rate(1 minute)"), (60, "rate(1 minute)"), (90, "rate(2 minutes)")]
)
def test_points_are_made_at_the_nearest_whole_minute_that_the_scheduler_can_do(seconds: float, expression: str) -> None:
    assert monitoring.rate(seconds) == expression


def test_a_mark_without_a_database_fails_instead_of_starting_a_fleet_that_cannot_connect() -> None:
    with pytest.raises(PlaceholderUnfilled) as refused:
        placeholders.fill(USER_DATA, {})
    assert "registry" in str(refused.value)


def test_marks_become_endpoint_and_port() -> None:
    values = {
        placeholders.database("registry", placeholders.ENDPOINT): "host",
        placeholders.database("registry", placeholders.PORT): "5432",
    }
    filled = base64.b64decode(compute.user_data(USER_DATA, values)).decode()
    assert "DATABASE=host:5432\n" in filled
    assert placeholders.used(USER_DATA) == ("registry",)


def test_the_volumes_an_instance_mounts_are_in_its_template() -> None:
    spec = stacks.compute_spec(inventory(), inventory().computes[0])
    mounted = [(each.device, each.size_gib) for each in spec.devices]
    assert mounted == [("/dev/sdf", 8), ("/dev/sdg", 9), ("/dev/xvda", 500)]


def test_a_workload_without_balancer_opens_no_port_to_the_world() -> None:
    alone = changed(inventory(), traffic=None, computes=())
    spec = network.network_spec(alone)
    assert (spec.front_port, spec.fleet_port) == (0, 0)


def test_each_direction_of_replication_encrypts_with_the_key_of_where_it_goes() -> None:
    spec = stacks.dataset_spec(inventory(), inventory().datasets[0])
    assert spec.forward.key_alias_arn == f"arn:aws:kms:us-west-2:{NAMES.account}:{NAMES.key_alias}"
    assert spec.reverse.key_alias_arn == f"arn:aws:kms:us-east-1:{NAMES.account}:{NAMES.key_alias}"
    assert (spec.reverse.source, spec.reverse.target) == (spec.forward.target, spec.forward.source)


def _specs() -> list[object]:
    taken = inventory()
    assert taken.traffic is not None
    return [
        stacks.vault_spec(taken),
        stacks.standby_key_spec(taken),
        stacks.primary_key_spec(taken),
        *(stacks.dataset_spec(taken, each) for each in taken.datasets),
        stacks.global_database_spec(taken, taken.databases[0]),
        stacks.database_spec(taken, taken.databases[0]),
        stacks.compute_spec(taken, taken.computes[0]),
        stacks.traffic_spec(taken, taken.traffic, taken.computes[0]),
        stacks.network_spec(taken),
        stacks.probe_spec(taken),
        stacks.protect_spec(taken),
        stacks.recover_spec(taken),
        stacks.copies_spec(taken),
        stacks.monitoring_spec(taken),
    ]
