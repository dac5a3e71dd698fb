"""A plan promises no more than its mechanisms do, and says where an objective is below what AWS stands in for."""

from pathlib import Path

from pilotlight.planning.plan import Plan, plan
from pilotlight.records.codec import dumps, loads
from pilotlight.workload.load import load
from pilotlight.workload.model import Vault

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
