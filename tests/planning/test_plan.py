"""A plan promises no more than its mechanisms do, and says where an objective is below what AWS stands in for."""

from pathlib import Path

import pytest

from pilotlight.planning.plan import Plan, plan
from pilotlight.runtime.readiness.looking import _questions
from pilotlight.runtime.records.codec import dumps, loads
from pilotlight.workload.load import load
from pilotlight.workload.model import Notify, Vault
from support.fake_aws import inventory

EXAMPLE = Path(__file__).parents[2] / "examples" / "inference-service" / "workload.yaml"


def test_every_asset_gets_a_mechanism_and_a_reason():
    found = plan(load(EXAMPLE))
    assert {each.name: each.mechanism for each in found.assets} == {
        "corpus": "replication",
        "checkpoints": "replication",
        "index": "snapshot-copies",
        "registry": "global-database",
        "fleet": "warm-capacity",
    }
    assert all(each.because for each in found.assets)


def test_an_objective_that_is_not_promised_is_warned_of_by_asset():
    warnings = " ".join(plan(load(EXAMPLE)).warnings)
    assert "index: RPO is forecast" in warnings
    assert "corpus: typically" in warnings
    assert "RTO is forecast" in warnings


def test_a_plan_can_be_written_down_and_read_back():
    found = plan(load(EXAMPLE))
    assert loads(Plan, dumps(found), "plan") == found


def test_a_vault_in_another_account_is_said_to_make_the_way_home_longer():
    apart = load(EXAMPLE).model_copy(update={"vault": Vault(account="210987654321")})
    assert any("in account 210987654321" in each for each in plan(apart).warnings)
    assert not any("account" in each for each in plan(load(EXAMPLE)).warnings)


def test_a_plan_says_what_is_watched_and_who_is_told():
    found = plan(load(EXAMPLE))
    assert "models.example.internal" in found.watched[0] and "from outside" in found.watched[0]
    assert any("EC2, RDS, DynamoDB, S3, Auto Scaling" in each for each in found.watched)
    assert any(each.startswith("checkpoints: the newest checkpoint") for each in found.watched)
    quiet = load(EXAMPLE).model_copy(update={"traffic": None, "trigger": "approval", "notify": None})
    assert "a loss when all but one are silent" in plan(quiet).watched[0], (
        "what nobody asks from outside is watched, too"
    )
    assert any("waits for a word that nobody is asked for" in each for each in plan(quiet).warnings)
    told = plan(quiet.model_copy(update={"notify": Notify(email=("oncall@example.com",))}))
    assert told.told == ("oncall@example.com",) and not any("notify" in each for each in told.warnings)


def test_a_plan_promises_to_watch_what_the_probe_looks_at():
    built = inventory()
    services = ", ".join(_questions(built, built.primary))
    assert f"({services})" in " ".join(plan(load(EXAMPLE)).watched), "the plan and the probe name the same services"


def test_a_plan_does_not_say_that_anything_is_there_before_it_is_deployed():
    told = [each.because for each in plan(load(EXAMPLE)).assets]
    assert not [each for each in told if "in place" in each or "is there" in each]


def test_an_asset_of_a_kind_without_a_forecast_is_not_promised_a_databases():
    known = load(EXAMPLE)
    odd = known.assets["corpus"].model_copy(update={"kind": "tape"})
    with pytest.raises(KeyError, match="tape"):
        plan(known.model_copy(update={"assets": {"odd": odd}}))
