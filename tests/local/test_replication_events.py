"""Events of replication: what nobody is told of, or is told of falsely, is a copy that is believed to be there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from bucket_pairs import EVERYTHING, VERSION, Pair, held

from pilotlight.local.kernel.cloud import ACCOUNT, Cloud
from pilotlight.local.kernel.faults import Deliveries
from pilotlight.local.s3.notification_rules import overlap
from pilotlight.local.s3.replication import Replication
from pilotlight.runtime.clock import FakeClock
from pilotlight.runtime.context import RecoveryContext
from pilotlight.runtime.kinds.buckets.comparisons import FAILED
from pilotlight.runtime.kinds.buckets.events import take_in
from pilotlight.runtime.records.inventory import Datasets
from support.data_cloud import EAST, WEST, buckets, client, eventually, refusal, running
from support.fake_aws import FakeAws, inventory

TOLD = ["s3:Replication:*"]
MINUTE_SECONDS = 1.0
"""Of AWS, at the pace of this cloud."""
QUIET_SECONDS = 1.0


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), buckets()) as started:
        yield started


@pytest.fixture
def told(cloud: Cloud) -> Iterator[Told]:
    cloud.behaviour(Replication).set_delay(0.05)
    yield Told(Pair(cloud))
    for region in (EAST, WEST):
        cloud.lighten(region)
        cloud.faults.deliver(region, Deliveries())


class Told:
    """A pair of buckets whose replication is told to a queue; S3 may send to it, for this bucket."""

    def __init__(self, pair: Pair) -> None:
        self.pair, self.cloud = pair, pair.cloud
        self.sqs = client(self.cloud, "sqs", EAST)
        self.name = f"events-of-{pair.source}"
        self.arn = f"arn:aws:sqs:{EAST}:{ACCOUNT}:{self.name}"
        self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.let(pair.source)

    def let(self, bucket: str) -> None:
        """Let S3 send for this bucket alone."""
        send = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
        only = {
            "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        }
        policy = {"Version": VERSION, "Statement": [send | {"Resource": self.arn, "Condition": only}]}
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": json.dumps(policy)})

    def ask(self, events: list[str] | None = None, prefix: str = "", skip: bool = True) -> None:
        """Have the bucket tell its queue."""
        rules = {"Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": prefix}]}}} if prefix else {}
        entry = {"Id": "ours", "QueueArn": self.arn, "Events": events or TOLD, **rules}
        self.pair.east.put_bucket_notification_configuration(
            Bucket=self.pair.source,
            NotificationConfiguration={"QueueConfigurations": [entry]},
            SkipDestinationValidation=skip,
        )

    def replicate(self, minutes: int = 0) -> None:
        """By a rule with metrics, and with a threshold where minutes are given."""
        metrics: dict[str, Any] = {"Status": "Enabled"}
        control = {}
        if minutes:
            metrics["EventThreshold"] = {"Minutes": minutes}
            control = {"ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": minutes}}}
        self.pair.replicate(Destination={"Metrics": metrics, **control})

    def bodies(self, count: int = 1, seconds: float = 10.0) -> list[dict[str, Any]]:
        """What the queue has by the time that it has so many, or that the time is up."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=60)
            found.extend(json.loads(each["Body"]) for each in answer.get("Messages", []))
            return len(found) >= count

        eventually(look, seconds)
        return found

    def records(self, count: int = 1, seconds: float = 10.0) -> list[dict[str, Any]]:
        return [record for body in self.bodies(count, seconds) for record in body["Records"]]

    def names(self, count: int = 1, seconds: float = 10.0) -> list[str]:
        return [each["eventName"].removeprefix("Replication:") for each in self.records(count, seconds)]


def test_an_object_that_fails_is_told_with_its_version_and_why(told: Told) -> None:
    told.replicate()
    told.ask()
    told.pair.allow("s3:GetObjectVersion*")
    version = told.pair.put("runs of may/ä+1", b"12345")
    (record,) = told.records()
    assert record["eventName"] == "Replication:OperationFailedReplication" and record["eventVersion"][:2] == "2."
    assert (record["awsRegion"], record["s3"]["bucket"]["name"]) == (EAST, told.pair.source)
    assert record["s3"]["configurationId"] == "ours"
    known = record["s3"]["object"]
    assert (known["key"], known["versionId"], known["size"]) == ("runs+of+may/%C3%A4%2B1", version, 5)
    head = told.pair.east.head_object(Bucket=told.pair.source, Key="runs of may/ä+1")
    assert f'"{known["eTag"]}"' == head["ETag"] and int(known["sequencer"], 16)
    about = record["replicationEventData"]
    assert about["replicationRuleId"] == "forward"
    assert about["destinationBucket"] == f"arn:aws:s3:::{told.pair.target}"
    assert (about["s3Operation"], about["failureReason"]) == ("OBJECT_PUT", "DstPutObjectNotPermitted")
    assert about["requestTime"] <= record["eventTime"]


@pytest.mark.parametrize(
    ("actions", "act", "reason"),
    [
        (["s3:Replicate*"], "put", "SrcGetObjectNotPermitted"),
        (["s3:GetObjectVersionForReplication", "s3:Replicate*"], "put", "SrcGetAclNotPermitted"),
        (["s3:GetObjectVersion*", "s3:ReplicateObject"], "delete", "DstDelObjNotPermitted"),
        (EVERYTHING, "unversioned", "DstBucketUnversioned"),
        (EVERYTHING, "gone", "DstBucketNotFound"),
        (EVERYTHING, "untrusted", "AssumeRoleNotPermitted"),
    ],
)
def test_each_failure_is_told_by_s3s_own_word(told: Told, actions: list[str], act: str, reason: str) -> None:
    told.replicate()
    told.ask()
    pair = told.pair
    pair.allow(*actions)
    if act == "unversioned":
        pair.west.put_bucket_versioning(Bucket=pair.target, VersioningConfiguration={"Status": "Suspended"})
    if act == "gone":
        pair.west.delete_bucket(Bucket=pair.target)
    if act == "untrusted":
        nobody = {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": VERSION, "Statement": [nobody]})
        client(told.cloud, "iam", EAST).update_assume_role_policy(RoleName=pair.role_name, PolicyDocument=document)
    pair.put("a")
    if act == "delete":
        pair.east.delete_object(Bucket=pair.source, Key="a")
    assert [each["replicationEventData"]["failureReason"] for each in told.records()] == [reason]


def test_what_arrives_in_time_tells_nothing(told: Told) -> None:
    told.replicate(minutes=15)
    told.ask()
    told.pair.put("a")
    assert told.pair.is_completed("a")
    assert told.bodies(seconds=QUIET_SECONDS) == []


def test_what_is_late_is_told_once_and_again_when_it_has_arrived(told: Told) -> None:
    told.replicate(minutes=1)
    told.ask()
    with held(told.cloud):
        told.pair.put("a")
        (missed,) = told.records(seconds=10 * MINUTE_SECONDS)
        assert missed["eventName"] == "Replication:OperationMissedThreshold"
        assert missed["replicationEventData"]["threshold"] == "PT1M0S"
        assert told.bodies(seconds=QUIET_SECONDS) == [], "it is told once"
    (arrived,) = told.records()
    assert arrived["eventName"] == "Replication:OperationReplicatedAfterThreshold"
    about = arrived["replicationEventData"]
    assert about["requestTime"] == missed["replicationEventData"]["requestTime"] and about["replicationTime"] > "PT1M"
    assert told.pair.status("a") == "COMPLETED"


def test_without_time_control_nothing_is_late_and_without_metrics_nothing_is_told(told: Told) -> None:
    told.replicate()
    told.ask()
    with held(told.cloud):
        told.pair.put("a")
        assert told.bodies(seconds=2 * MINUTE_SECONDS) == []
    told.pair.replicate()
    told.pair.allow("s3:ListBucket")
    told.pair.put("b")
    assert told.pair.is_failed("b")
    assert told.bodies(seconds=QUIET_SECONDS) == []


def test_a_version_that_is_deleted_before_its_replica_is_there_is_tracked_no_more(told: Told) -> None:
    told.replicate()
    told.ask()
    with held(told.cloud):
        version = told.pair.put("a")
        told.pair.east.delete_object(Bucket=told.pair.source, Key="a", VersionId=version)
    (record,) = told.records()
    assert record["eventName"] == "Replication:OperationNotTracked"
    assert record["s3"]["object"]["versionId"] == version


def test_so_is_what_waits_for_a_rule_that_is_taken_away(told: Told) -> None:
    told.replicate()
    told.ask()
    with held(told.cloud):
        told.pair.put("a")
        told.pair.east.delete_bucket_replication(Bucket=told.pair.source)
    assert told.names() == ["OperationNotTracked"]


def test_a_queue_gets_only_what_its_entry_asks_for(told: Told) -> None:
    told.replicate()
    told.ask(["s3:Replication:OperationFailedReplication"], prefix="runs+of+may/")
    told.pair.allow("s3:ListBucket")
    told.pair.put("other/a")
    told.pair.put("runs of may/a")
    assert [each["s3"]["object"]["key"] for each in told.records()] == ["runs+of+may/a"]
    told.ask(["s3:Replication:OperationMissedThreshold"])
    told.pair.put("b")
    assert told.pair.is_failed("b")
    assert told.bodies(seconds=QUIET_SECONDS) == []


def test_a_queue_that_does_not_let_s3_send_for_this_bucket_gets_nothing(told: Told) -> None:
    told.replicate()
    told.ask()
    told.let("another-bucket")
    told.pair.allow("s3:ListBucket")
    told.pair.put("a")
    assert told.pair.is_failed("a")
    assert told.bodies(seconds=QUIET_SECONDS) == []


def test_a_queues_policy_stays_when_something_else_of_it_is_set(told: Told) -> None:
    before = told.sqs.get_queue_attributes(QueueUrl=told.url, AttributeNames=["All"])["Attributes"]["Policy"]
    told.sqs.set_queue_attributes(QueueUrl=told.url, Attributes={"VisibilityTimeout": "77"})
    after = told.sqs.get_queue_attributes(QueueUrl=told.url, AttributeNames=["All"])["Attributes"]
    assert (after["Policy"], after["VisibilityTimeout"]) == (before, "77")
    told.sqs.set_queue_attributes(QueueUrl=told.url, Attributes={"Policy": ""})
    assert "Policy" not in told.sqs.get_queue_attributes(QueueUrl=told.url, AttributeNames=["All"])["Attributes"]


def test_a_lost_region_tells_what_it_has_to_tell_once_it_is_back(told: Told) -> None:
    told.replicate(minutes=1)
    told.ask()
    told.pair.allow("s3:ListBucket")
    told.cloud.faults.deliver(EAST, Deliveries(delay_seconds=0.5))
    with held(told.cloud):
        told.pair.put("a")
        told.cloud.darken(EAST)
        time.sleep(2 * MINUTE_SECONDS)
        assert not told.cloud.backend("sqs", EAST).queues[told.name].messages
        told.cloud.lighten(EAST)
    assert sorted(told.names(2)) == ["OperationFailedReplication", "OperationMissedThreshold"]


def test_events_come_twice_late_out_of_order_or_not_at_all_where_that_was_asked_for(told: Told) -> None:
    told.replicate()
    told.ask()
    told.pair.allow("s3:ListBucket")
    told.cloud.faults.deliver(EAST, Deliveries(doubled=1.0, delay_seconds=0.5))
    for number in range(8):
        told.pair.put(f"{number}")
    keys = [each["s3"]["object"]["key"] for each in told.records(16)]
    assert sorted(keys) == sorted([f"{number}" for number in range(8)] * 2)
    assert keys != sorted(keys)
    told.cloud.faults.deliver(EAST, Deliveries(dropped=1.0))
    told.pair.put("lost")
    assert told.pair.is_failed("lost")
    assert told.bodies(seconds=QUIET_SECONDS) == []
    assert told.cloud.faults.status()["deliveries"] == {EAST: {"dropped": 1.0, "doubled": 0.0, "delay_seconds": 0.0}}


def test_a_destination_is_tried_with_a_test_message_unless_the_request_says_no(told: Told) -> None:
    told.ask(skip=False)
    (trial,) = told.bodies()
    assert (trial["Event"], trial["Bucket"]) == ("s3:TestEvent", told.pair.source) and "Records" not in trial
    told.let("another-bucket")
    assert refusal(lambda: told.ask(["s3:Replication:OperationNotTracked"], skip=False)) == "InvalidArgument"
    (kept,) = told.pair.east.get_bucket_notification_configuration(Bucket=told.pair.source)["QueueConfigurations"]
    assert kept["Events"] == TOLD, "what was refused changed nothing"
    told.ask()
    assert told.bodies(seconds=QUIET_SECONDS) == []


def test_a_configuration_is_told_as_it_was_put_and_written_whole(told: Told) -> None:
    bucket, s3 = told.pair.source, told.pair.east
    filters = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "a/"}, {"Name": "suffix", "Value": ".b"}]}}
    given: dict[str, Any] = {
        "QueueConfigurations": [
            {"Id": "pilotlight/x/y/events", "QueueArn": told.arn, "Events": TOLD, "Filter": filters}
        ],
        "TopicConfigurations": [
            {"Id": "t", "TopicArn": f"arn:aws:sns:{EAST}:{ACCOUNT}:t", "Events": ["s3:ObjectCreated:Put"]}
        ],
        "LambdaFunctionConfigurations": [
            {
                "Id": "l",
                "LambdaFunctionArn": f"arn:aws:lambda:{EAST}:{ACCOUNT}:function:f",
                "Events": ["s3:ObjectRemoved:*", "s3:ObjectRestore:*"],
            }
        ],
        "EventBridgeConfiguration": {},
    }
    for wanted in (given, {"EventBridgeConfiguration": {}}, {}):
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration=wanted, SkipDestinationValidation=True
        )
        answer = s3.get_bucket_notification_configuration(Bucket=bucket)
        assert {name: each for name, each in answer.items() if name != "ResponseMetadata"} == wanted


class Entry:
    def __init__(self, events: list[str], **filters: str) -> None:
        self.events = events
        self.filters = {"S3Key": {"FilterRule": [{"Name": name, "Value": each} for name, each in filters.items()]}}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Entry(TOLD), Entry(["s3:Replication:OperationNotTracked"]), True),
        (Entry(TOLD), Entry(["s3:ObjectCreated:*"]), False),
        (Entry(TOLD, prefix="a"), Entry(TOLD, prefix="ab"), True),
        (Entry(TOLD, prefix="a"), Entry(TOLD, prefix="b"), False),
        (Entry(TOLD, prefix="a", suffix=".x"), Entry(TOLD, suffix=".y"), False),
        (Entry(TOLD, suffix="b"), Entry(TOLD, suffix="ab"), True),
        (Entry(TOLD, prefix="a+b"), Entry(TOLD, prefix="a%20b"), True),
    ],
)
def test_two_entries_for_one_event_and_one_key_are_refused(one: Entry, other: Entry, expected: bool) -> None:
    assert overlap([one, other]) is overlap([other, one]) is expected


def test_what_fails_is_known_by_its_key_to_whoever_looks_at_the_workload(told: Told) -> None:
    """The message that S3 sends is the one that is read."""
    told.replicate()
    told.ask()
    told.pair.allow("s3:GetObjectVersion*")
    told.pair.put("runs of may/ä+1", b"12345")

    class Queued(FakeAws):
        """The queue is the cloud's."""

        def call(self, service: str, operation: str, region: str, **parameters: Any) -> dict[str, Any]:
            if service != "sqs":
                return super().call(service, operation, region, **parameters)
            answer: dict[str, Any] = getattr(told.sqs, operation)(**parameters | {"QueueUrl": told.url})
            return answer

    asset = Datasets("corpus", "dataset", told.pair.source, told.pair.target)
    of = inventory(datasets=(asset,), volumes=(), databases=(), computes=(), traffic=None)
    aws = Queued(FakeClock())
    context = RecoveryContext(aws, of, aws.clock, aws.fetch)

    def heard() -> bool:
        assert take_in(context) == ()
        return context.ledger.sightings.awaited("corpus") == {"runs of may/ä+1": FAILED}

    eventually(heard, 10.0)
    left = told.sqs.get_queue_attributes(QueueUrl=told.url, AttributeNames=["All"])["Attributes"]
    assert (left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")
