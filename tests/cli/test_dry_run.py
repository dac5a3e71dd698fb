"""What a user loses when one of these fails: the word, before anything runs, that EC2 does not let it be in time."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pilotlight.cli.telling import show_runbook
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.runtime.runs import forecast, runbooks
from support.fake_aws import inventory
from support.inventories import changed


def of_groups(count: int) -> Inventory:
    one = inventory()
    return changed(one, computes=[dataclasses.replace(one.computes[0], name=f"fleet-{each}") for each in range(count)])


def shown(of: Inventory, as_json: bool) -> None:
    book = runbooks.failover(of)
    show_runbook(book, forecast.lower_bound(book, of), as_json)


def test_a_dry_run_says_which_token_bucket_binds_and_how_long_that_takes(capsys: pytest.CaptureFixture[str]) -> None:
    shown(of_groups(200), False)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        "EC2's token buckets let it be done in 85 s at the earliest: 1800 calls of DescribeLaunchTemplateVersions, "
        "100 at once and 20 a second"
    )


def test_a_dry_run_of_little_says_that_nothing_is_held_up(capsys: pytest.CaptureFixture[str]) -> None:
    shown(of_groups(1), False)
    assert "EC2's token buckets hold nothing up" in capsys.readouterr().out


def test_programs_read_the_bound_beside_the_runbook(capsys: pytest.CaptureFixture[str]) -> None:
    shown(of_groups(200), True)
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "failover" and found["lower_bound"]["seconds"] == 85.0
    assert found["lower_bound"]["operation"] == "describe_launch_template_versions"


def test_a_workload_without_groups_asks_nothing_of_ec2(capsys: pytest.CaptureFixture[str]) -> None:
    shown(of_groups(0), True)
    assert json.loads(capsys.readouterr().out)["lower_bound"] is None
