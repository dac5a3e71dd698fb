"""What a user loses when one of these fails: a lost state looks like "nothing to do", or is lost for good."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotlight.deploy.current import deployed_stacks
from pilotlight.deploy.operations import Operations
from pilotlight.engine.embedded import Engine
from pilotlight.engine.state import Resource
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.errors import StateMissing, StateTorn
from pilotlight.runtime.store.record_bucket import RecordBucket
from support.fake_aws import NAMES, STANDBY, FakeAws, inventory


def lost(tmp_path: Path) -> Operations:
    return Operations(inventory(), Engine(tmp_path, NAMES.project), deployed=("vault",))


def test_drift_of_what_is_deployed_without_a_state_is_no_zero(tmp_path: Path) -> None:
    with pytest.raises(StateMissing) as problem:
        lost(tmp_path).refresh(False)
    assert str(tmp_path / "vault.json") in problem.value.message and "state restore" in problem.value.advice


@pytest.mark.parametrize("act", ["preview", "destroy", "refresh"])
def test_nothing_is_done_to_what_the_state_does_not_know(tmp_path: Path, act: str) -> None:
    acts = lost(tmp_path)
    does = {
        "preview": lambda: acts.preview(tmp_path),
        "destroy": lambda: acts.destroy(["vault"]),
        "refresh": lambda: acts.refresh(True),
    }
    with pytest.raises(StateMissing):
        does[act]()


def test_a_copy_in_the_vault_brings_a_torn_state_back_and_keeps_the_torn_one(tmp_path: Path) -> None:
    records, engine = RecordBucket(FakeAws(FakeClock()), STANDBY, NAMES.vault_bucket), Engine(tmp_path, NAMES.project)
    state = engine._open("vault")
    state.put(Resource("urn:pulumi:vault::p::aws:s3/bucket:Bucket::a", "aws:s3/bucket:Bucket", id="a"))
    records.write_state("vault", engine.export("vault"))
    (tmp_path / "vault.json").write_text("{")
    with pytest.raises(StateTorn) as problem:
        engine.held("vault")
    assert "state restore" in problem.value.advice
    engine.restore("vault", records.state("vault"))
    assert [each.id for each in engine.held("vault")] == ["a"]
    assert (tmp_path / "vault.torn").read_text() == "{"


def test_an_inventory_from_before_stacks_were_told_still_says_that_there_is_a_vault() -> None:
    aws = FakeAws(FakeClock())
    RecordBucket(aws, STANDBY, NAMES.vault_bucket).write_inventory(inventory())
    assert deployed_stacks(NAMES, aws) == ("vault",)
