"""The primary stack attaches to what the user runs; it must neither replace it nor undo a failover."""

from __future__ import annotations

import dataclasses
from typing import Any

from stack_recording import Recording, record
from stack_samples import NAMES, inventory

from pilotlight.stacks import policies, program
from support.inventories import changed


def test_the_users_bucket_gets_versions_and_keeps_them_when_the_stack_goes(primary: Recording) -> None:
    versioning = primary.one("corpus-versioning")
    assert versioning.inputs["bucket"] == "inference-corpus-123456789012"
    assert versioning.inputs["region"] == "us-east-1"
    assert versioning.retain
    assert not primary.all("Bucket")


def test_a_rule_sends_every_object_below_the_prefix_to_the_standby_region(primary: Recording) -> None:
    forward = primary.one("checkpoints-forward").inputs
    assert forward["region"] == "us-east-1"
    rule = _rule(forward)
    assert rule["filter"] == {"prefix": "checkpoints/"}
    assert rule["destination"]["bucket"] == f"arn:aws:s3:::{NAMES.standby_bucket('checkpoints')}"


def test_deletions_and_encrypted_objects_are_replicated_too(primary: Recording) -> None:
    rule = _rule(primary.one("corpus-forward").inputs)
    assert rule["deleteMarkerReplication"] == {"status": "Enabled"}
    assert rule["sourceSelectionCriteria"] == {"sseKmsEncryptedObjects": {"status": "Enabled"}}
    key = rule["destination"]["encryptionConfiguration"]["replicaKmsKeyId"]
    assert key == f"arn:aws:kms:us-west-2:123456789012:{NAMES.key_alias}"


def test_replication_has_a_time_and_a_metric_so_that_a_broken_one_is_noticed(primary: Recording) -> None:
    destination = _rule(primary.one("corpus-forward").inputs)["destination"]
    assert destination["replicationTime"] == {"status": "Enabled", "time": {"minutes": 15}}
    assert destination["metrics"] == {"status": "Enabled", "eventThreshold": {"minutes": 15}}


def test_the_way_back_is_there_before_anybody_fails_over(primary: Recording) -> None:
    reverse = primary.one("corpus-reverse").inputs
    assert reverse["region"] == "us-west-2"
    assert reverse["bucket"] == NAMES.standby_bucket("corpus")
    assert _rule(reverse)["destination"]["bucket"] == "arn:aws:s3:::inference-corpus-123456789012"
    assert "replicaModifications" not in _rule(reverse)["sourceSelectionCriteria"]


def test_no_rule_is_written_before_both_its_ends_are_ready(primary: Recording) -> None:
    for way in ("corpus-forward", "corpus-reverse"):
        needs = primary.one(way).dependencies
        assert {"corpus-versioning", f"{way}-role-policy", "key-alias"} <= set(needs)


def test_each_direction_has_a_role_of_its_own(primary: Recording) -> None:
    roles = {primary.one(f"{asset}-{way}-role").inputs["name"] for asset in ("corpus", "checkpoints") for way in WAYS}
    assert len(roles) == 4


def test_the_global_cluster_is_put_around_the_users_and_a_failover_is_not_undone(primary: Recording) -> None:
    cluster = primary.one("registry")
    assert cluster.inputs["sourceDbClusterIdentifier"].endswith(":cluster:inference-registry")
    assert cluster.inputs["globalClusterIdentifier"] == NAMES.global_cluster("registry")
    assert "sourceDbClusterIdentifier" in cluster.ignored
    assert cluster.protect


def test_both_bucket_names_are_exported_for_every_dataset(primary: Recording) -> None:
    taken = inventory()
    assert primary.exports["primary_bucket_names"] == {each.name: each.primary_bucket for each in taken.datasets}
    assert primary.exports["standby_bucket_names"] == {each.name: each.standby_bucket for each in taken.datasets}
    assert primary.exports["primary_bucket_name"] == "inference-corpus-123456789012"
    assert primary.exports["standby_bucket_name"] == NAMES.standby_bucket("corpus")
    assert primary.exports["secondary_bucket_name"] == NAMES.standby_bucket("corpus")
    assert primary.exports["secondary_bucket_names"] == primary.exports["standby_bucket_names"]


def test_all_buckets_of_a_workload_have_one_queue_of_events_that_keeps_them_for_as_long_as_sqs_does(
    primary: Recording,
) -> None:
    queue = primary.one("events-queue").inputs
    assert (queue["name"], queue["messageRetentionSeconds"]) == (NAMES.events_queue, 1_209_600)
    assert 60 < queue["visibilityTimeoutSeconds"] < 900
    assert len(primary.all("Queue")) == len(primary.all("QueuePolicy")) == 1


def test_a_policy_that_would_be_longer_than_sqs_takes_lets_all_buckets_of_the_account_in() -> None:
    for count, narrow in ((50, True), (400, False)):
        policy = policies.queue(NAMES, [f"inference-{number:03}-123456789012" for number in range(count)])
        (condition,) = [each["Condition"] for each in policy["Statement"] if each["Effect"] == "Allow"]
        assert (condition["ArnLike"]["aws:SourceArn"] != ["arn:aws:s3:::*"]) is narrow
        assert condition["StringEquals"] == {"aws:SourceAccount": "123456789012"}
        assert len(policies.text(policy)) <= policies.QUEUE_POLICY_BYTES_MAX


def test_what_replicates_no_bucket_has_no_queue() -> None:
    assert not record(lambda: program.primary(changed(inventory(), datasets=()))).all("Queue")


def test_two_datasets_have_both_maps_and_the_plain_names_are_of_the_first() -> None:
    taken = inventory()
    other = dataclasses.replace(taken.datasets[0], name="eval", primary_bucket="inference-eval-123456789012")
    two = changed(taken, datasets=(taken.datasets[0], other))
    exports = record(lambda: program.primary(two)).exports
    assert exports["primary_bucket_name"] == taken.datasets[0].primary_bucket
    assert exports["secondary_bucket_name"] == taken.datasets[0].standby_bucket
    assert set(exports["secondary_bucket_names"]) == {"corpus", "eval"}
    assert set(exports["primary_bucket_names"]) == {"corpus", "eval"}


WAYS = ("forward", "reverse")


def _rule(inputs: dict[str, Any]) -> dict[str, Any]:
    assert len(inputs["rules"]) == 1
    rule: dict[str, Any] = inputs["rules"][0]
    assert rule["status"] == "Enabled"
    return rule
