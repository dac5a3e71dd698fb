"""What a user loses when one of these fails: a stack they did not mean, or their only copy."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pilotlight.cli.main import run
from pilotlight.engine.embedded import Engine
from pilotlight.local.handle import LocalCloud
from pilotlight.runtime.naming import Names

EXAMPLE = Path(__file__).parents[2] / "examples/inference-service"
DECLARATION = str(EXAMPLE / "workload.yaml")
NAMES = Names("inference", "123456789012", "us-east-1", "us-west-2")


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """The example and its protection, in an embedded cloud that is this process's AWS."""
    folder = tmp_path_factory.mktemp("cloud")
    before = dict(os.environ)
    with LocalCloud.start(folder / "cloud") as cloud:
        cloud.hold_schedules()
        os.environ.update(cloud.environment())
        theirs = Engine(folder / "theirs", "inference-service")
        theirs.update("example", EXAMPLE, {"inference-service:standbyRegion": "us-west-2"}, region="us-east-1")
        assert run(["up", DECLARATION, "--directory", str(cloud.directory)]) == 0
        yield cloud
    os.environ.clear()
    os.environ.update(before)


def said(cloud: LocalCloud, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    """What a verb prints as JSON."""
    capsys.readouterr()
    assert run([words[0], DECLARATION, *words[1:], "--directory", str(cloud.directory), "--json"]) == code
    return dict(json.loads(capsys.readouterr().out))


def told(cloud: LocalCloud, capsys: pytest.CaptureFixture[str], *words: str, code: int) -> str:
    """What a verb that fails says."""
    capsys.readouterr()
    assert run([words[0], DECLARATION, *words[1:], "--directory", str(cloud.directory)]) == code
    return capsys.readouterr().err


def test_one_stack_alone_is_previewed_and_a_wrong_name_refused(
    deployed: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(said(deployed, capsys, "preview", "--only", "standby")["stacks"]) == ["standby"]
    assert "vault, primary, standby" in told(deployed, capsys, "up", "--only", "both", code=2)


def test_what_a_deployment_does_stands_in_the_file_it_is_piped_into(
    deployed: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["up", DECLARATION, "--only", "vault", "--directory", str(deployed.directory)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(each.startswith("  vault: ") and "same" in each for each in lines) and lines[-1] == "0 changes"


def test_a_setting_that_the_standby_will_lack_is_named_before_anything_is_made(
    deployed: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    scaling, at = deployed.client("autoscaling", "us-east-1"), ["--directory", str(deployed.directory)]
    before = said(deployed, capsys, "plan", "--target", "local")["left_out"]
    assert [each for each in before if not each.startswith("registry: cluster: ")] == []
    policy = {"AutoScalingGroupName": "inference-fleet", "PolicyName": "by-load"}
    scaling.put_scaling_policy(**policy, AdjustmentType="ChangeInCapacity", ScalingAdjustment=1)
    try:
        (sentence,) = set(said(deployed, capsys, "plan", "--target", "local")["left_out"]) - set(before)
        assert sentence.startswith("fleet: Auto Scaling group: scaling policy by-load is not carried over: ")
        assert run(["plan", DECLARATION, "--target", "local", *at]) == 0
        assert f"not carried over {sentence}" in capsys.readouterr().out
        for verb in ("preview", "up"):
            assert run([verb, DECLARATION, "--only", "vault", *at]) == 0
            lines = capsys.readouterr().out.splitlines()
            told_first = [each.strip().removeprefix("not carried over  ") for each in lines[: len(before) + 1]]
            assert told_first == [*before, sentence] and lines[-1] == "0 changes"
    finally:
        scaling.delete_policy(**policy)


def test_a_plan_that_has_not_looked_does_not_say_that_nothing_is_left_out(
    deployed: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(deployed, capsys, "plan")["left_out"] is None
    assert run(["plan", DECLARATION]) == 0
    assert "`pilotlight plan --target aws` looks" in capsys.readouterr().out


def test_drift_is_told_and_mended(deployed: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(deployed, capsys, "drift")["changes"] == 0
    s3 = deployed.client("s3", "us-west-2")
    s3.put_bucket_versioning(Bucket=NAMES.vault_bucket, VersioningConfiguration={"Status": "Suspended"})
    assert "versioningConfiguration" in told(deployed, capsys, "drift", code=7)
    assert said(deployed, capsys, "up")["changes"] == 0
    assert "`pilotlight drift` looks" in told(deployed, capsys, "up", code=0), "an up that did not look says so"
    assert said(deployed, capsys, "refresh")["changes"] == 1
    assert said(deployed, capsys, "up")["stacks"]["vault"]["update"] == 1
    assert s3.get_bucket_versioning(Bucket=NAMES.vault_bucket)["Status"] == "Enabled"


def test_the_names_of_both_buckets_are_there_for_other_programs(
    deployed: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    primary = said(deployed, capsys, "outputs")["stacks"]["primary"]
    assert primary["primary_bucket_name"] == "inference-corpus-123456789012"
    assert primary["secondary_bucket_name"] == primary["secondary_bucket_names"]["corpus"]
    assert set(primary["primary_bucket_names"]) == {"corpus", "checkpoints"}


CORPUS = "inference-corpus-123456789012"
INDEX = {"Id": "index", "Events": ["s3:ObjectCreated:*"], "QueueArn": "arn:aws:sqs:us-east-1:123456789012:index"}


def test_the_owners_notifications_stay_and_ours_is_back_with_the_next_up_where_their_stack_took_it_away(
    deployed: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    s3, sqs = deployed.client("s3", "us-east-1"), deployed.client("sqs", "us-east-1")
    (ours,) = _told(deployed, CORPUS)["QueueConfigurations"]
    assert (ours["Id"], ours["QueueArn"]) == (NAMES.rule("corpus", "events"), NAMES.events_queue_arn)
    sqs.create_queue(QueueName="index")
    theirs = {"QueueConfigurations": [INDEX], "EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(
        Bucket=CORPUS, NotificationConfiguration=theirs, SkipDestinationValidation=True
    )
    try:
        assert run(["up", DECLARATION, "--only", "primary", "--directory", str(deployed.directory)]) == 0
        assert f"bucket {CORPUS} tells queue {NAMES.events_queue}" in capsys.readouterr().out
        assert _told(deployed, CORPUS) == theirs | {"QueueConfigurations": [INDEX, ours]}
        before = time.time()
        assert run(["up", DECLARATION, "--only", "primary", "--directory", str(deployed.directory)]) == 0
        made = [each for each in deployed.calls(since=before, service="s3") if each.operation.startswith("PutBucket")]
        assert made == [] and "tells queue" not in capsys.readouterr().out
        assert "Messages" not in sqs.receive_message(QueueUrl="http://sqs/123456789012/index"), "no test message"
    finally:
        s3.put_bucket_notification_configuration(
            Bucket=CORPUS, NotificationConfiguration={"QueueConfigurations": [ours]}, SkipDestinationValidation=True
        )


def test_two_notifications_for_one_event_are_refused_and_up_says_what_is_lost(
    deployed: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    s3 = deployed.client("s3", "us-east-1")
    before = _told(deployed, CORPUS)
    theirs = {"QueueConfigurations": [INDEX | {"Events": ["s3:Replication:*"]}]}
    s3.put_bucket_notification_configuration(
        Bucket=CORPUS, NotificationConfiguration=theirs, SkipDestinationValidation=True
    )
    try:
        assert run(["up", DECLARATION, "--only", "primary", "--directory", str(deployed.directory)]) == 0
        assert "noticed by full comparisons alone" in capsys.readouterr().out
        assert _told(deployed, CORPUS) == theirs
    finally:
        s3.put_bucket_notification_configuration(
            Bucket=CORPUS, NotificationConfiguration=before, SkipDestinationValidation=True
        )


def _told(cloud: LocalCloud, bucket: str) -> dict[str, Any]:
    answer = cloud.client("s3", "us-east-1").get_bucket_notification_configuration(Bucket=bucket)
    return {name: each for name, each in answer.items() if name != "ResponseMetadata"}


@pytest.mark.parametrize(("who", "policies_min"), [("deployer", 3), ("operator", 1), ("runtime", 10)])
def test_the_policies_of_everybody_are_printed(
    deployed: LocalCloud, capsys: pytest.CaptureFixture[str], who: str, policies_min: int
) -> None:
    words = ["iam", who, DECLARATION, "--directory", str(deployed.directory)]
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["who"] == who and len(printed["policies"]) >= policies_min
    assert all(each["Version"] == "2012-10-17" and each["Statement"] for each in printed["policies"].values())
    assert run(words) == 0
    assert next(iter(printed["policies"])) in capsys.readouterr().out


SECOND = """version: 1
workload: analytics
regions: {{primary: us-east-1, standby: us-west-2}}
objectives: {{rpo: 15m, rto: 30m}}
assets:
  rows: {{kind: dataset, bucket: {bucket}}}
"""


def _second(cloud: LocalCloud, folder: Path, bucket: str, *words: str) -> int:
    declaration = folder / "second.yaml"
    declaration.write_text(SECOND.format(bucket=bucket))
    return run([words[0], str(declaration), *words[1:], "--directory", str(cloud.directory)])


def test_a_second_workload_over_one_bucket_is_refused_by_the_firsts_name_and_takes_nothing_from_it(
    deployed: LocalCloud, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    corpus = "inference-corpus-123456789012"
    assert _second(deployed, tmp_path, corpus, "up") == 5
    assert "asset corpus of workload inference" in capsys.readouterr().err
    rules = _rules(deployed, corpus)
    assert [each["ID"] for each in rules] == [NAMES.rule("corpus")]
    assert said(deployed, capsys, "drift")["changes"] == 0


def test_two_workloads_of_one_account_stand_beside_each_other_and_go_without_each_other(
    deployed: LocalCloud, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    s3 = deployed.client("s3", "us-east-1")
    s3.create_bucket(Bucket="analytics-rows")
    assert _second(deployed, tmp_path, "analytics-rows", "up") == 0
    assert said(deployed, capsys, "drift")["changes"] == 0
    third = _rules(deployed, "analytics-rows")[0] | {"ID": "pilotlight/third/rows/forward"}
    role = s3.get_bucket_replication(Bucket="analytics-rows")["ReplicationConfiguration"]["Role"]
    s3.put_bucket_replication(Bucket="analytics-rows", ReplicationConfiguration={"Role": role, "Rules": [third]})
    assert _second(deployed, tmp_path, "analytics-rows", "destroy", "--yes") == 0
    assert [each["ID"] for each in _rules(deployed, "analytics-rows")] == ["pilotlight/third/rows/forward"]
    assert said(deployed, capsys, "drift")["changes"] == 0


def _rules(cloud: LocalCloud, bucket: str) -> list[dict[str, Any]]:
    answer = cloud.client("s3", "us-east-1").get_bucket_replication(Bucket=bucket)
    return list(answer["ReplicationConfiguration"]["Rules"])


def test_nothing_is_destroyed_while_the_standby_may_be_all_there_is(
    deployed: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    key = {"pk": {"S": "active"}, "sk": {"S": "active"}}
    journal = deployed.client("dynamodb", "us-west-2")
    said_so = {"region": {"S": "us-west-2"}, "epoch": {"N": "2"}, "since": {"S": ""}, "run": {"S": "run-1"}}
    journal.put_item(TableName=NAMES.journal_table, Item=key | said_so)
    assert "serves from us-west-2" in told(deployed, capsys, "destroy", code=5)
    journal.delete_item(TableName=NAMES.journal_table, Key=key)
    deployed.dark("us-east-1")
    try:
        assert "may be the only copy" in told(deployed, capsys, "destroy", code=5)
    finally:
        deployed.light("us-east-1")
    assert said(deployed, capsys, "preview")["changes"] == 0


def test_destroy_takes_down_all_but_the_vault_and_the_key_of_what_came_home(
    deployed: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is not the workload's name" in told(deployed, capsys, "destroy", "--vault", "other", code=2)
    found = said(deployed, capsys, "destroy")
    assert _told(deployed, CORPUS) == {}
    assert set(found["stacks"]) == {"standby", "primary"}
    assert [each.split()[:2] for each in found["kept"]] == [["primary", "Key"]]
    assert deployed.client("s3", "us-west-2").head_bucket(Bucket=NAMES.vault_bucket)
    assert said(deployed, capsys, "up")["changes"] > 50, "it can be deployed again"
    last = said(deployed, capsys, "destroy", "--vault", "inference")
    assert last["stacks"]["vault"]["delete"] > 20
    left = [each["Name"] for each in deployed.client("s3", "us-west-2").list_buckets()["Buckets"]]
    assert not [name for name in left if name.startswith(NAMES.project)]
