"""S3 replication: what is in the other region after a loss, under which conditions, and what is told of it.

Every test is a thing that a user would lose, or believe protected when it is not, if S3's rules were only half kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from bucket_pairs import Pair, held

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.s3.replication import Replication
from support.data_cloud import EAST, WEST, buckets, client, eventually, refusal, running

PART = b"p" * (5 * 1024 * 1024)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), buckets()) as started:
        started.behaviour(Replication).set_delay(0.05)
        yield started


@pytest.fixture
def pair(cloud: Cloud) -> Iterator[Pair]:
    yield Pair(cloud)
    for region in (EAST, WEST):
        cloud.lighten(region)
    cloud.behaviour(Replication).set_delay(0.05)


def test_a_replica_has_the_bytes_version_metadata_tags_and_time_of_its_source(pair: Pair) -> None:
    pair.replicate()
    version = pair.put("a", b"weights", Metadata={"step": "7"}, ContentType="text/x", Tagging="team=ml")
    assert pair.is_completed("a")
    replica = pair.replica("a")
    assert replica is not None
    source = pair.east.head_object(Bucket=pair.source, Key="a")
    assert replica["Body"].read() == b"weights"
    assert replica["VersionId"] == version
    assert (replica["Metadata"], replica["ContentType"]) == ({"step": "7"}, "text/x")
    assert replica["LastModified"] == source["LastModified"]
    assert (replica["ETag"], replica["ReplicationStatus"]) == (source["ETag"], "REPLICA")
    tags = pair.west.get_object_tagging(Bucket=pair.target, Key="a", VersionId=version)["TagSet"]
    assert tags == [{"Key": "team", "Value": "ml"}]


def test_what_was_written_before_the_rule_is_not_replicated(pair: Pair) -> None:
    pair.put("before")
    pair.replicate()
    pair.put("after")
    assert pair.is_completed("after")
    assert pair.status("before") is None
    assert pair.replica("before") is None


def test_an_object_is_pending_until_its_replica_is_there(pair: Pair) -> None:
    pair.replicate()
    with held(pair.cloud):
        pair.put("slow")
        assert pair.status("slow") == "PENDING"
        assert pair.replica("slow") is None
    assert pair.is_completed("slow")
    assert pair.replica("slow") is not None


def test_the_order_in_which_objects_arrive_is_not_the_order_in_which_they_were_written(pair: Pair) -> None:
    pair.cloud.behaviour(Replication).set_delay(1.0)
    pair.replicate()
    for number in range(40):
        pair.put(f"{number:02}")
    names = eventually(lambda: names if len(names := _names(pair)) > 10 else [])
    assert 10 < len(names) < 40
    assert names != [f"{number:02}" for number in range(len(names))], "a marker file would prove its shards"


def _names(pair: Pair) -> list[str]:
    return [each["Key"] for each in pair.west.list_objects_v2(Bucket=pair.target).get("Contents", [])]


def test_an_older_version_that_arrives_late_does_not_become_the_current_one(pair: Pair) -> None:
    pair.replicate()
    for number in range(20):
        pair.put("same", str(number).encode())
    written = pair.versions(pair.east, pair.source, "same")
    assert eventually(lambda: pair.versions(pair.west, pair.target, "same") == written)
    replica = pair.replica("same")
    assert replica is not None
    assert replica["Body"].read() == b"19"


def test_a_delete_marker_is_replicated_and_the_deletion_of_a_version_is_not(pair: Pair) -> None:
    pair.replicate()
    kept, gone = pair.put("kept"), pair.put("gone")
    assert pair.is_completed("kept")
    assert pair.is_completed("gone")
    pair.east.delete_object(Bucket=pair.source, Key="kept")
    pair.east.delete_object(Bucket=pair.source, Key="gone", VersionId=gone)
    assert eventually(lambda: pair.replica("kept") is None)
    same = pair.versions(pair.west, pair.target, "kept")
    assert same == pair.versions(pair.east, pair.source, "kept")
    assert ("version", kept) in same
    assert pair.replica("gone") is not None, "malicious deletion of versions must not reach the copy"


def test_delete_markers_stay_when_the_rule_does_not_ask_for_them(pair: Pair) -> None:
    pair.replicate(DeleteMarkerReplication={"Status": "Disabled"})
    pair.put("a")
    assert pair.is_completed("a")
    pair.east.delete_object(Bucket=pair.source, Key="a")
    pair.put("later")
    assert pair.is_completed("later")
    assert pair.replica("a") is not None


def test_rules_in_both_directions_do_not_send_replicas_round_in_circles(pair: Pair) -> None:
    pair.replicate()
    pair.replicate_back()
    pair.put("east")
    pair.west.put_object(Bucket=pair.target, Key="west", Body=b"w")
    assert pair.is_completed("east")
    assert eventually(lambda: not refusal(lambda: pair.east.head_object(Bucket=pair.source, Key="west")))
    time.sleep(0.3)
    assert pair.status("west") == "REPLICA"
    assert len(pair.versions(pair.east, pair.source, "")) == len(pair.versions(pair.west, pair.target, "")) == 2


@pytest.mark.parametrize(
    ("scope", "tagging", "matches"),
    [
        ({"Prefix": "in/"}, "", True),
        ({"Prefix": "out/"}, "", False),
        ({"Tag": {"Key": "keep", "Value": "yes"}}, "keep=yes", True),
        ({"Tag": {"Key": "keep", "Value": "yes"}}, "keep=no", False),
        ({"And": {"Prefix": "in/", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}}, "a=1&b=2", True),
        ({"And": {"Prefix": "in/", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}}, "a=1", False),
    ],
)
def test_a_rule_takes_only_what_its_filter_selects(
    pair: Pair, scope: dict[str, Any], tagging: str, matches: bool
) -> None:
    off = {"Status": "Disabled"}
    pair.replicate(Filter=scope, DeleteMarkerReplication=off)
    pair.put("in/a", Tagging=tagging)
    assert pair.status("in/a") == ("PENDING" if matches else None)
    assert bool(eventually(lambda: pair.replica("in/a"), 2 if matches else 0.3)) is matches
    told = pair.east.get_bucket_replication(Bucket=pair.source)["ReplicationConfiguration"]
    assert told == pair.configuration(Filter=scope, DeleteMarkerReplication=off)


def test_a_disabled_rule_replicates_nothing(pair: Pair) -> None:
    pair.replicate(Status="Disabled")
    pair.put("a")
    assert pair.status("a") is None


@pytest.mark.parametrize("missing", ["s3:GetObjectVersionForReplication", "s3:ReplicateObject"])
def test_a_role_that_lacks_a_permission_fails_the_object_for_good(pair: Pair, missing: str) -> None:
    needed = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:ReplicateObject"]
    pair.allow(*[action for action in needed if action != missing])
    pair.replicate()
    pair.put("a")
    assert pair.is_failed("a")
    pair.allow(*needed)
    time.sleep(0.3)
    assert pair.status("a") == "FAILED"
    assert pair.replica("a") is None
    pair.put("a", b"again")
    assert pair.is_completed("a"), "a new version is the way out"


def test_without_permissions_for_tags_the_object_arrives_and_its_tags_do_not(pair: Pair) -> None:
    pair.allow("s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:ReplicateObject")
    pair.replicate()
    pair.put("a", Tagging="team=ml")
    assert pair.is_completed("a")
    assert pair.west.get_object_tagging(Bucket=pair.target, Key="a")["TagSet"] == []


def test_changed_tags_follow(pair: Pair) -> None:
    pair.replicate()
    pair.put("a")
    assert pair.is_completed("a")
    tags = [{"Key": "held", "Value": "yes"}]
    with held(pair.cloud):
        pair.east.put_object_tagging(Bucket=pair.source, Key="a", Tagging={"TagSet": tags})
        assert pair.status("a") == "PENDING"
    assert pair.is_completed("a")
    assert pair.west.get_object_tagging(Bucket=pair.target, Key="a")["TagSet"] == tags


@pytest.mark.parametrize("asked", [True, False])
def test_changes_to_a_replica_go_back_only_when_asked_for(pair: Pair, asked: bool) -> None:
    criteria = {"ReplicaModifications": {"Status": "Enabled"}}
    pair.replicate()
    pair.replicate_back(**({"SourceSelectionCriteria": criteria} if asked else {}))
    pair.put("a")
    assert pair.is_completed("a")
    tags = [{"Key": "seen", "Value": "yes"}]
    pair.west.put_object_tagging(Bucket=pair.target, Key="a", Tagging={"TagSet": tags})
    wait = 2 if asked else 0.4
    came_back = eventually(lambda: pair.east.get_object_tagging(Bucket=pair.source, Key="a")["TagSet"] == tags, wait)
    assert bool(came_back) is asked


@pytest.mark.parametrize("lost", [EAST, WEST])
def test_objects_wait_while_a_region_is_lost_and_go_on_when_it_is_back(pair: Pair, lost: str) -> None:
    pair.replicate()
    with held(pair.cloud):
        pair.put("a")
        pair.cloud.darken(lost)
    time.sleep(0.8)
    target = pair.cloud.backend("s3", "aws").buckets[pair.target]
    assert "a" not in target.keys, "a lost region would have sent or taken an object"
    pair.cloud.lighten(lost)
    assert pair.is_completed("a")


def test_a_multipart_upload_is_replicated_when_it_is_completed_and_not_before(pair: Pair) -> None:
    pair.replicate()
    upload = pair.east.create_multipart_upload(Bucket=pair.source, Key="big", Metadata={"step": "9"})["UploadId"]
    where = {"Bucket": pair.source, "Key": "big", "UploadId": upload}
    parts = [
        {"PartNumber": number, "ETag": pair.east.upload_part(PartNumber=number, Body=body, **where)["ETag"]}
        for number, body in ((1, PART), (2, b"tail"))
    ]
    time.sleep(0.2)
    assert pair.replica("big") is None
    pair.east.complete_multipart_upload(MultipartUpload={"Parts": parts}, **where)
    assert pair.is_completed("big")
    replica = pair.replica("big")
    assert replica is not None
    assert replica["Body"].read() == PART + b"tail"
    assert (replica["Metadata"], replica["ETag"][-3:]) == ({"step": "9"}, '-2"')


# -- keys -----------------------------------------------------------------------------------------------------


def encrypted(pair: Pair) -> tuple[dict[str, Any], str]:
    """Arguments of an upload under a key of the east, and the ARN of a key of the west."""
    keys = [client(pair.cloud, "kms", region).create_key()["KeyMetadata"] for region in (EAST, WEST)]
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": keys[0]["KeyId"]}, str(keys[1]["Arn"])


def by_kms(key: str) -> dict[str, Any]:
    return {
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": {"EncryptionConfiguration": {"ReplicaKmsKeyID": key}},
    }


def test_an_encrypted_object_is_encrypted_again_with_the_key_of_the_other_region(pair: Pair) -> None:
    upload, key = encrypted(pair)
    pair.replicate(**by_kms(key))
    pair.put("secret", **upload)
    assert pair.is_completed("secret")
    replica = pair.replica("secret")
    assert replica is not None
    assert (replica["ServerSideEncryption"], replica["SSEKMSKeyId"]) == ("aws:kms", key)
    assert replica["ETag"] != pair.east.head_object(Bucket=pair.source, Key="secret")["ETag"]


def test_an_object_under_awss_own_key_is_encrypted_with_the_key_of_the_other_region(pair: Pair) -> None:
    _, key = encrypted(pair)
    pair.replicate(**by_kms(key))
    pair.put("secret", ServerSideEncryption="aws:kms")
    assert pair.is_completed("secret")
    replica = pair.replica("secret")
    assert replica is not None and replica["SSEKMSKeyId"] == key


def test_encrypted_objects_are_left_out_when_the_rule_does_not_select_them(pair: Pair) -> None:
    upload, _ = encrypted(pair)
    pair.replicate()
    pair.put("secret", **upload)
    assert pair.status("secret") is None


@pytest.mark.parametrize("missing", ["kms:Decrypt", "kms:Encrypt"])
def test_a_role_that_may_not_use_a_key_fails_the_object(pair: Pair, missing: str) -> None:
    kms = {"kms:Decrypt", "kms:Encrypt"} - {missing}
    pair.allow("s3:GetObjectVersion*", "s3:Replicate*", *kms)
    upload, key = encrypted(pair)
    pair.replicate(**by_kms(key))
    pair.put("secret", **upload)
    assert pair.is_failed("secret")


def test_a_key_that_is_disabled_fails_the_object(pair: Pair) -> None:
    upload, key = encrypted(pair)
    pair.replicate(**by_kms(key))
    client(pair.cloud, "kms", WEST).disable_key(KeyId=key.rsplit("/")[-1])
    pair.put("secret", **upload)
    assert pair.is_failed("secret")


# -- configurations that S3 refuses ----------------------------------------------------------------------------


def test_both_buckets_must_keep_versions(pair: Pair) -> None:
    pair.east.create_bucket(Bucket=f"{pair.source}-plain")
    put = pair.east.put_bucket_replication
    configuration = pair.configuration()
    assert refusal(lambda: put(Bucket=f"{pair.source}-plain", ReplicationConfiguration=configuration))
    plain = pair.configuration(Destination={"Bucket": f"arn:aws:s3:::{pair.source}-plain"})
    assert refusal(lambda: put(Bucket=pair.source, ReplicationConfiguration=plain)) == "InvalidRequest"
    absent = pair.configuration(Destination={"Bucket": "arn:aws:s3:::there-is-none"})
    assert refusal(lambda: put(Bucket=pair.source, ReplicationConfiguration=absent)) == "InvalidRequest"
    assert refusal(lambda: pair.east.get_bucket_replication(Bucket=pair.source)).startswith("ReplicationConfiguration")


def test_a_bucket_with_object_lock_replicates_nothing_into_one_without_it(pair: Pair) -> None:
    """S3 User Guide, "Using Object Lock with S3 Replication": the destination must have Object Lock enabled, too."""
    pair.replicate()
    pair.east.put_object_lock_configuration(
        Bucket=pair.source, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )
    pair.put("locked")
    assert pair.is_failed("locked") and pair.replica("locked") is None


def test_versioning_cannot_be_suspended_under_a_rule(pair: Pair) -> None:
    pair.replicate()
    suspended = {"Status": "Suspended"}
    code = refusal(lambda: pair.east.put_bucket_versioning(Bucket=pair.source, VersioningConfiguration=suspended))
    assert code == "InvalidBucketState"


def test_selecting_encrypted_objects_needs_a_key_for_the_replicas(pair: Pair) -> None:
    criteria = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    assert refusal(lambda: pair.replicate(SourceSelectionCriteria=criteria)) == "InvalidRequest"


def test_what_fails_and_what_waits_is_told_to_cloudwatch(pair: Pair) -> None:
    pair.replicate(Destination={"Metrics": {"Status": "Enabled"}})
    pair.allow("s3:ListBucket")
    pair.put("fails", b"12345")
    assert pair.is_failed("fails")
    pair.cloud.behaviour(Replication).set_delay(30)
    pair.put("waits", b"123")
    pair.cloud.behaviour(Replication).measures.tell()
    told = {
        datum.name: datum.value
        for datum in pair.cloud.backend("cloudwatch", EAST).metric_data
        if any(each.value == pair.source for each in datum.dimensions)
    }
    waited = told.pop("ReplicationLatency")
    assert 0 < waited < 5
    assert told == {
        "OperationsFailedReplication": 1,
        "OperationsPendingReplication": 1,
        "BytesPendingReplication": 3,
    }
