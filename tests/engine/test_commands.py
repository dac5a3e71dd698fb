"""What a user loses when one of these fails: the way to their own account, which no rehearsal walks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from shell import CONFIG, DECLARATION, EXAMPLE, Shell

from pilotlight.engine.embedded import Engine
from pilotlight.local.handle import LocalCloud
from support.pulumi_engine import RealEngine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def shell(engine: RealEngine, cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """The user's own infrastructure is there; their home is empty."""
    theirs = Engine(tmp_path_factory.mktemp("theirs"), "inference-service")
    theirs.update("example", EXAMPLE, CONFIG, region="us-east-1")
    home = tmp_path_factory.mktemp("home")
    path = f"{engine.pulumi.parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in engine.environment.items() if "PASSPHRASE" not in name}
    yield Shell({**os.environ, **kept, "HOME": str(home), "PATH": path})


def test_state_is_made_in_the_standby_region_and_twice_is_once(shell: Shell, cloud: LocalCloud) -> None:
    first = shell.json("state", "init", DECLARATION)
    assert first["made"] >= 8 and "us-west-2" in first["backend"]
    assert shell.json("state", "init", DECLARATION)["made"] == 0
    bucket = first["backend"].partition("//")[2].partition("?")[0]
    s3 = cloud.client("s3", "us-west-2")
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "us-west-2"
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_up_without_a_word_asks_and_changes_nothing(shell: Shell) -> None:
    told = shell.run("up", DECLARATION, "--target", "aws", code=2).stderr
    assert "was not confirmed" in told and "--yes" in told
    assert shell.json("preview", DECLARATION, "--target", "aws")["changes"] > 100


def test_up_again_changes_nothing(shell: Shell) -> None:
    made = shell.json("up", DECLARATION, "--target", "aws", "--yes")
    assert set(made["stacks"]) == {"vault", "primary", "standby"} and made["changes"] > 100
    assert shell.json("up", DECLARATION, "--target", "aws", "--yes")["changes"] == 0
    assert shell.json("drift", DECLARATION, "--target", "aws")["changes"] == 0


def test_what_somebody_changed_by_hand_is_drift_and_a_refresh_takes_it_over(shell: Shell, cloud: LocalCloud) -> None:
    logs = cloud.client("logs", "us-west-2")
    group = "/aws/lambda/pilotlight-inference-probe"
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    told = shell.run("drift", DECLARATION, "--target", "aws", "--only", "vault", code=7).stderr
    assert "vault-log-probe" in told and "retentionInDays" in told
    assert shell.json("up", DECLARATION, "--target", "aws", "--yes")["changes"] == 0, "a drift told changes nothing"
    assert shell.json("refresh", DECLARATION, "--target", "aws", "--yes", "--only", "vault")["changes"] == 1
    mended = shell.json("up", DECLARATION, "--target", "aws", "--yes", "--only", "vault")
    assert mended["stacks"]["vault"]["update"] == 1
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 400


def test_with_the_primary_dark_and_no_settings_left_the_standby_can_be_deployed(
    shell: Shell, cloud: LocalCloud, tmp_path: Path
) -> None:
    cloud.dark("us-east-1")
    try:
        words = ("up", DECLARATION, "--target", "aws", "--yes", "--only", "standby")
        assert shell.json(*words, HOME=str(tmp_path))["changes"] == 0
    finally:
        cloud.light("us-east-1")


def test_a_state_that_is_not_there_is_named(shell: Shell, tmp_path: Path) -> None:
    told = shell.run("preview", DECLARATION, "--target", "aws", "--backend", f"file://{tmp_path}/none", code=5).stderr
    assert "none" in told and "pilotlight state init" in told


def test_destroy_leaves_the_vault_unless_it_is_named(shell: Shell, cloud: LocalCloud) -> None:
    refused = shell.run("destroy", DECLARATION, "--target", "aws", "--yes", "--vault", "other", code=2).stderr
    assert "inference" in refused
    first = shell.json("destroy", DECLARATION, "--target", "aws", "--yes")
    assert set(first["stacks"]) == {"standby", "primary"} and [one.split()[1] for one in first["kept"]] == ["Key"]
    s3 = cloud.client("s3", "us-west-2")
    names = [each["Name"] for each in s3.list_buckets()["Buckets"]]
    replica = next(name for name in names if "corpus" in name and name.startswith("pilotlight-"))
    s3.put_object(Bucket=replica, Key="only-here", Body=b"precious")
    told = shell.run("destroy", DECLARATION, "--target", "aws", "--yes", "--vault", "inference", code=5).stderr
    assert "only-here" in told and "only copy" in told
    assert s3.get_object(Bucket=replica, Key="only-here")["Body"].read() == b"precious"
    s3.delete_object(Bucket=replica, Key="only-here")
    last = shell.json("destroy", DECLARATION, "--target", "aws", "--yes", "--vault", "inference")
    assert last["stacks"]["vault"]["delete"] > 20
    left = [each["Name"] for each in s3.list_buckets()["Buckets"] if each["Name"].startswith("pilotlight-")]
    assert ["-state-" in name for name in left] == [True], "the state's bucket stays"


def test_an_interrupt_lets_what_is_under_way_end_and_says_what_was_left(shell: Shell, tmp_path: Path) -> None:
    """From nothing again: everything was destroyed before."""
    (tmp_path / "states").mkdir()
    words = ["up", DECLARATION, "--target", "aws", "--yes", "--backend", f"file://{tmp_path}/states"]
    environment = {**shell.environment, "PULUMI_CONFIG_PASSPHRASE": "of a test", "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "pilotlight", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout and process.stderr
        for line in process.stdout:
            if "create" in line and "Key" in line:
                process.send_signal(signal.SIGINT)
                break
        told = process.stderr.read()
        assert process.wait(60) == 130, told
    assert "Interrupted in stack vault" in told and "Not begun: primary, standby" in told
    assert "Traceback" not in told
