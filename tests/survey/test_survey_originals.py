"""An original that cannot be copied as it is now is refused by its name, and not found missing after a disaster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from surveyed_account import ACCOUNT, Account, a_cluster, a_volume, problems, surveyed

from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.naming import STACKS
from pilotlight.survey.survey import survey
from pilotlight.workload.model import Workload

KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/one"


def _encrypted(account: Account, key: str = KEY) -> None:
    account.answers["describe_volumes"] = {"Volumes": [a_volume("vol-a", "/dev/sdf", 8) | {"KmsKeyId": key}]}
    account.answers["describe_db_clusters"] = {"DBClusters": [a_cluster() | {"KmsKeyId": key}]}


@pytest.mark.parametrize(
    ("state", "way_out"),
    [("Disabled", "aws kms enable-key"), ("PendingDeletion", "aws kms cancel-key-deletion"), ("Unavailable", "usable")],
)
def test_a_key_that_decrypts_nothing_is_refused_for_each_original_that_it_encrypts(
    account: Account, workload: Workload, state: str, way_out: str
) -> None:
    _encrypted(account)
    account.answers["describe_key"] = {"KeyMetadata": {"KeyState": state}}
    told = problems(account, workload)
    assert f"index (us-east-1): key {KEY} of volume vol-a is {state}" in told and way_out in told
    assert f"registry (us-east-1): key {KEY} of cluster inference-registry is {state}" in told


def test_a_key_is_asked_for_once_however_much_it_encrypts(account: Account, workload: Workload) -> None:
    _encrypted(account)
    surveyed(account, workload)
    assert [each[1] for each in account.asked].count("describe_key") == 1


def test_a_key_that_may_not_be_looked_at_is_not_taken_for_a_good_one(account: Account, workload: Workload) -> None:
    _encrypted(account)
    del account.answers["describe_key"]
    assert "of volume vol-a cannot be read" in problems(account, workload)


def test_a_key_of_another_account_is_refused_because_what_copies_may_not_use_it(
    account: Account, workload: Workload
) -> None:
    _encrypted(account, "arn:aws:kms:us-east-1:999999999999:key/one")
    assert "of volume vol-a is of account 999999999999" in problems(account, workload)


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ({"EngineMode": "serverless"}, "is in engine mode serverless, which global databases do not take"),
        ({"Status": "backing-up"}, "is backing-up; it can be put into a global database when it is available"),
        ({"ReplicationSourceIdentifier": "arn:source"}, "is a replica of arn:source"),
        ({"ReadReplicaIdentifiers": ["arn:replica"]}, "has replicas of its own (arn:replica)"),
    ],
)
def test_a_cluster_that_no_global_database_takes_is_refused_before_the_vault_is_built(
    account: Account, workload: Workload, cluster: dict[str, Any], said: str
) -> None:
    account.answers["describe_db_clusters"] = {"DBClusters": [a_cluster() | cluster]}
    assert said in problems(account, workload)


def test_a_cluster_that_is_protected_already_may_be_busy_and_has_its_replica(
    account: Account, workload: Workload
) -> None:
    built = replace(surveyed(account, workload), stacks=STACKS)
    busy = {"Status": "modifying", "ReadReplicaIdentifiers": [built.databases[0].standby_arn]}
    account.answers["describe_db_clusters"] = {"DBClusters": [a_cluster() | busy]}
    assert survey(account, workload, ACCOUNT, FakeClock(), built).databases


def test_the_secondary_of_an_up_that_was_left_half_done_is_in_nobodys_way(account: Account, workload: Workload) -> None:
    ours = surveyed(account, workload).databases[0].standby_arn
    account.answers["describe_db_clusters"] = {"DBClusters": [a_cluster() | {"ReadReplicaIdentifiers": [ours]}]}
    assert surveyed(account, workload).databases


def _listens(account: Account, *listeners: tuple[int, str]) -> None:
    found = [{"Port": port, "Protocol": protocol} for port, protocol in listeners]
    account.answers["describe_listeners"] = {"Listeners": found}


@pytest.mark.parametrize(
    ("listeners", "said"),
    [
        ([(80, "HTTPS")], "listens on port 80 by HTTPS, and the standby's by HTTP alone"),
        ([(8080, "HTTP")], "does not listen on port 80, but on 8080 (HTTP)"),
        ([], "does not listen on port 80, but on nowhere"),
    ],
)
def test_a_port_that_clients_could_not_use_after_a_failover_is_refused(
    account: Account, workload: Workload, listeners: list[tuple[int, str]], said: str
) -> None:
    _listens(account, *listeners)
    assert said in problems(account, workload)


def test_a_port_that_the_standby_lacks_is_told(account: Account, workload: Workload) -> None:
    _listens(account, (80, "HTTP"), (443, "HTTPS"))
    (remark,) = surveyed(account, workload).remarks
    assert remark.startswith("traffic: port 443 (HTTPS) of the balancer is not in the standby")


def test_listeners_that_cannot_be_read_are_not_taken_for_good_ones(account: Account, workload: Workload) -> None:
    del account.answers["describe_listeners"]
    assert "listeners cannot be read" in problems(account, workload)
