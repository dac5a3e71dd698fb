"""What a user loses when one of these fails: minutes, for every further group and database that they have."""

from __future__ import annotations

import pytest
from many_of_each import failed_over, fleet

from pilotlight.runtime.aws.boto import CONNECTIONS_MAX
from pilotlight.runtime.runs import forecast, runbooks
from pilotlight.runtime.runs.engine import SIDE_BY_SIDE_MAX, at_once
from pilotlight.stacks.functions import MEMORY_MANY_MIB, MEMORY_MIB, recover_spec


def test_twenty_of_each_fail_over_in_the_time_of_one() -> None:
    (one, _), (twenty, aws) = failed_over(1), failed_over(20)
    assert twenty <= 1.1 * one
    described = sum(count for call, count in aws.calls.items() if call.startswith("rds:describe"))
    assert described <= 4 * twenty, "two calls a look and kind, whatever the number of databases"


@pytest.mark.parametrize("count", [60])
def test_what_is_described_of_databases_does_not_grow_with_them(count: int) -> None:
    (_, few), (_, many) = failed_over(20), failed_over(count)
    for call in ("rds:describe_db_clusters", "rds:describe_global_clusters"):
        assert many.calls[call] <= 2 * few.calls[call]


def test_steps_connections_and_the_functions_memory_are_sized_by_the_runbook() -> None:
    sizes = {count: recover_spec(fleet(count)).memory_mib for count in (1, 200)}
    assert sizes == {1: MEMORY_MIB, 200: MEMORY_MANY_MIB}
    assert at_once(runbooks.failover(fleet(20))) >= 40 and at_once(runbooks.failover(fleet(1000))) == SIDE_BY_SIDE_MAX
    assert CONNECTIONS_MAX >= SIDE_BY_SIDE_MAX


@pytest.mark.parametrize("count", [20, 200])
def test_a_dry_run_says_what_is_asked_of_ec2_and_how_long_that_takes_at_the_least(count: int) -> None:
    took, aws = failed_over(count)
    of = fleet(count)
    for operation, calls in forecast.ec2_calls(runbooks.failover(of), of).items():
        assert calls == pytest.approx(aws.calls[f"ec2:{operation}"], rel=0.05)
    bound = forecast.lower_bound(runbooks.failover(of), of)
    assert bound is not None and bound.operation == "describe_launch_template_versions"
    assert bound.seconds == max(0, count * 9 - 100) / 20 and bound.seconds <= took


def test_a_run_that_waits_for_a_token_bucket_takes_hardly_longer_than_one_of_each_beside_it() -> None:
    (one, _), (many, _) = failed_over(1), failed_over(200)
    of = fleet(200)
    bound = forecast.lower_bound(runbooks.failover(of), of)
    assert bound is not None and many <= one + 1.05 * bound.seconds
