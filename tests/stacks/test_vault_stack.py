"""The vault must survive everything else: what it holds is the only copy on the day it is needed."""

from __future__ import annotations

from stack_recording import Recording
from stack_samples import NAMES, inventory


def test_everything_of_the_vault_is_in_the_standby_region(vault: Recording) -> None:
    assert {each.inputs["region"] for each in vault.custom} == {"us-west-2"}


def test_what_holds_data_cannot_be_deleted_by_mistake(vault: Recording) -> None:
    holders = [*vault.all("Bucket"), *vault.all("Table"), *vault.all("Key")]
    assert len(holders) == 5
    assert all(each.protect for each in holders)


def test_every_dataset_and_checkpoints_asset_has_its_bucket_and_records_have_theirs(vault: Recording) -> None:
    names = {each.inputs["bucket"] for each in vault.all("Bucket")}
    assert names == {NAMES.vault_bucket, NAMES.standby_bucket("corpus"), NAMES.standby_bucket("checkpoints")}


def test_no_bucket_receives_replicas_before_it_is_versioned(vault: Recording) -> None:
    versioned = {each.inputs["bucket"]: each.inputs for each in vault.all("BucketVersioning")}
    assert set(versioned) == {each.inputs["bucket"] for each in vault.all("Bucket")}
    assert all(each["versioningConfiguration"] == {"status": "Enabled"} for each in versioned.values())


def test_current_versions_never_expire(vault: Recording) -> None:
    for lifecycle in vault.all("BucketLifecycleConfiguration"):
        for rule in lifecycle.inputs["rules"]:
            assert "expiration" not in rule
            assert rule["noncurrentVersionExpiration"]["noncurrentDays"] == 35


def test_the_journal_has_the_keys_that_runs_write(vault: Recording) -> None:
    journal = vault.one("vault-journal").inputs
    assert (journal["name"], journal["hashKey"], journal["rangeKey"]) == (NAMES.journal_table, "pk", "sk")
    assert journal["attributes"] == [{"name": "pk", "type": "S"}, {"name": "sk", "type": "S"}]
    assert journal["billingMode"] == "PAY_PER_REQUEST"


def test_logs_of_every_function_are_there_before_the_function(vault: Recording, standby: Recording) -> None:
    groups = {each.inputs["name"] for each in vault.all("LogGroup")}
    assert groups == {f"/aws/lambda/{each.inputs['name']}" for each in standby.all("Function")}


def test_exports_name_every_standby_bucket(vault: Recording) -> None:
    assert vault.exports["vault_bucket_name"] == NAMES.vault_bucket
    assert vault.exports["standby_bucket_names"] == {each.name: each.standby_bucket for each in inventory().datasets}
