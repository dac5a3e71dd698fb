"""Every resource type against a server of AWS's APIs: made once, found the same, read the same, gone after destroy."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from aws_program import PASSWORD, TRUST, everything

from pilotlight.engine.embedded import Engine
from pilotlight.engine.resources import TYPES
from pilotlight.runtime.aws.session import client
from pilotlight.runtime.errors import DeploymentFailed

REGION = "us-east-1"
START_SECONDS = 60.0


@pytest.fixture
def aws_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """moto alone, in a process of its own: what a cloud of another test left of itself in this one is not there."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", url.rpartition(":")[2]]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            await_answer(url)
            monkeypatch.setenv("AWS_ENDPOINT_URL", url)
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
            yield url
        finally:
            server.kill()


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def await_answer(url: str) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "main.py").write_text("def handler(event, context):\n    return event\n")
    return folder


def changes(counts: dict[str, int]) -> dict[str, int]:
    return {kind: number for kind, number in counts.items() if kind != "same" and number}


def test_every_type_is_made_left_alone_and_taken_away(tmp_path: Path, aws_server: str, code: Path) -> None:
    engine = Engine(tmp_path / "state", "all")
    program = lambda: everything(code)  # noqa: E731
    planned = engine.preview("dev", program, region=REGION)
    made = engine.update("dev", program, region=REGION)
    assert set(changes(made.counts)) == {"create"}
    assert planned.counts == made.counts
    state = engine.export("dev")["deployment"]["resources"]
    assert {each["type"] for each in state} >= set(TYPES)
    assert PASSWORD not in (tmp_path / "state" / "dev.json").read_text()
    again = engine.update("dev", program, region=REGION)
    assert changes(again.counts) == {}
    refreshed = engine.refresh("dev")
    assert changes(refreshed.counts) == {}, [each for each in refreshed.operations if each.operation != "same"]
    gone = engine.destroy("dev")
    assert set(changes(gone.counts)) == {"delete"}
    assert engine.export("dev")["deployment"].get("resources", []) == []
    assert left_over() == {}


def left_over() -> dict[str, Any]:
    """What is still there of what the program made, by service."""
    ec2 = client("ec2", REGION)
    ended = {"terminated", "shutting-down"}
    instances = [each for r in ec2.describe_instances()["Reservations"] for each in r["Instances"]]
    found = {
        "buckets": client("s3", REGION).list_buckets()["Buckets"],
        "roles": client("iam", REGION).list_roles()["Roles"],
        "instances": [each["InstanceId"] for each in instances if each["State"]["Name"] not in ended],
        "volumes": [each["VolumeId"] for each in ec2.describe_volumes()["Volumes"] if not each["Attachments"]],
        "vpcs": [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"] if not each["IsDefault"]],
        "groups": client("autoscaling", REGION).describe_auto_scaling_groups()["AutoScalingGroups"],
        "clusters": client("rds", REGION).describe_db_clusters()["DBClusters"],
        "globals": client("rds", REGION).describe_global_clusters()["GlobalClusters"],
        "tables": client("dynamodb", REGION).list_tables()["TableNames"],
        "functions": client("lambda", REGION).list_functions()["Functions"],
        "topics": client("sns", REGION).list_topics()["Topics"],
        "alarms": client("cloudwatch", REGION).describe_alarms()["MetricAlarms"],
        "schedules": client("scheduler", REGION).list_schedules()["Schedules"],
        "balancers": client("elbv2", REGION).describe_load_balancers()["LoadBalancers"],
        "zones": client("route53", REGION).list_hosted_zones()["HostedZones"],
        "images": client("ec2", "us-west-2").describe_images(Owners=["self"])["Images"],
        "secrets": client("secretsmanager", REGION).list_secrets()["SecretList"],
    }
    return {name: each for name, each in found.items() if each}


def test_changed_code_is_an_update_of_the_function_alone(tmp_path: Path, aws_server: str, code: Path) -> None:
    def program() -> None:
        role = aws.iam.Role("role", assume_role_policy=TRUST)
        made = aws.lambda_.Function(
            "it", runtime="python3.12", handler="main.handler", role=role.arn, code=pulumi.FileArchive(str(code))
        )
        pulumi.export("name", made.name)

    engine = Engine(tmp_path / "state", "all")
    first = engine.update("dev", program, region=REGION)
    function = client("lambda", REGION)
    before = function.get_function(FunctionName=first.outputs["name"])["Configuration"]["CodeSha256"]
    (code / "main.py").write_text("def handler(event, context):\n    return 2\n")
    second = engine.update("dev", program, region=REGION)
    assert changes(second.counts) == {"update": 1}
    after = function.get_function(FunctionName=first.outputs["name"])["Configuration"]["CodeSha256"]
    assert before != after
    assert json.dumps(engine.export("dev")).count("main.handler") >= 1


def tagged(tags: dict[str, str]) -> None:
    """Types whose tags are changed by calls of their own."""
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", tags=tags)
    subnets = [
        aws.ec2.Subnet(
            f"s{i}", vpc_id=vpc.id, cidr_block=f"10.0.{i}.0/24", availability_zone=f"us-east-1{zone}", tags=tags
        )
        for i, zone in enumerate("ab")
    ]
    ids = [each.id for each in subnets]
    aws.rds.SubnetGroup("subnets", subnet_ids=ids, tags=tags)
    aws.rds.Cluster(
        "cluster", cluster_identifier="tagged", engine="aurora-postgresql", master_username="root_user",
        master_password=PASSWORD, skip_final_snapshot=True, tags=tags,
    )  # fmt: skip
    aws.dynamodb.Table(
        "table", billing_mode="PAY_PER_REQUEST", hash_key="pk", attributes=[{"name": "pk", "type": "S"}], tags=tags
    )
    aws.secretsmanager.Secret("secret", tags=tags)
    aws.ssm.Parameter("parameter", type="String", value="v", tags=tags)
    balancer = aws.lb.LoadBalancer("balancer", subnets=ids, tags=tags)
    targets = aws.lb.TargetGroup("targets", port=80, protocol="HTTP", vpc_id=vpc.id, tags=tags)
    forward = {"type": "forward", "target_group_arn": targets.arn}
    aws.lb.Listener(
        "listener", load_balancer_arn=balancer.arn, port=80, protocol="HTTP", default_actions=[forward], tags=tags
    )
    aws.cloudwatch.LogGroup("logs", tags=tags)
    aws.sns.Topic("topic", tags=tags)
    aws.kms.Key("key", tags=tags)
    aws.s3.Bucket("bucket", tags=tags)
    aws.ebs.Volume("volume", availability_zone="us-east-1a", size=1, tags=tags)


def test_changed_tags_reach_every_resource_or_snapshots_would_miss_volumes(tmp_path: Path, aws_server: str) -> None:
    engine = Engine(tmp_path / "state", "all")
    engine.update("dev", lambda: tagged({"backup": "no", "old": "1"}), region=REGION)
    before = tags_in_aws()
    assert set(map(str, before.values())) == {str({"backup": "no", "old": "1"})}
    result = engine.update("dev", lambda: tagged({"backup": "index"}), region=REGION)
    assert changes(result.counts) == {"update": 16}
    assert len(before) == 14, "the tagging API of the server used here lists neither subnet groups nor listeners"
    assert tags_in_aws() == {arn: {"backup": "index"} for arn in before}


def tags_in_aws() -> dict[str, dict[str, str]]:
    pages = client("resourcegroupstaggingapi", REGION).get_paginator("get_resources").paginate()
    found = [each for page in pages for each in page["ResourceTagMappingList"] if each["Tags"]]
    return {each["ResourceARN"]: dict(sorted((tag["Key"], tag["Value"]) for tag in each["Tags"])) for each in found}


def test_a_parameter_that_somebody_else_made_is_not_overwritten(tmp_path: Path, aws_server: str) -> None:
    client("ssm", REGION).put_parameter(Name="theirs", Value="precious", Type="String")
    engine = Engine(tmp_path / "state", "all")
    with pytest.raises(DeploymentFailed, match="ParameterAlreadyExists"):
        engine.update("dev", lambda: aws.ssm.Parameter("it", name="theirs", type="String", value="ours"), region=REGION)
    assert client("ssm", REGION).get_parameter(Name="theirs")["Parameter"]["Value"] == "precious"


def test_a_function_is_read_without_its_archive_which_may_be_gone(tmp_path: Path, aws_server: str, code: Path) -> None:
    def program() -> None:
        role = aws.iam.Role("role", assume_role_policy=TRUST)
        archive = pulumi.FileArchive(str(code))
        aws.lambda_.Function("it", runtime="python3.12", handler="main.handler", role=role.arn, code=archive)

    engine = Engine(tmp_path / "state", "all")
    engine.update("dev", program, region=REGION)
    (code / "main.py").unlink()
    code.rmdir()
    assert changes(engine.refresh("dev").counts) == {}
    assert engine.destroy("dev").counts["delete"] == 3
