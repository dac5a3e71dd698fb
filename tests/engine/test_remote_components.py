"""What a team with programs in TypeScript, Go or YAML loses: the components, served as a package to the real engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import language_host
import pulumi
import pytest
from pulumi import automation

from pilotlight.local.handle import LocalCloud
from pilotlight.local.kernel.cloud import ACCOUNT
from pilotlight.stacks.package import COMPONENTS
from support.pulumi_engine import RealEngine, changes

ROOT = Path(__file__).parents[2]
BUCKET = "their-corpus"
REPLICA = f"pilotlight-search-corpus-{ACCOUNT}-us-west-2"

pytestmark = [pytest.mark.engine, pytest.mark.timeout(200)]


class Remote(pulumi.ComponentResource):
    """A component of another process, asked for as the SDKs that Pulumi generates do."""

    standby_buckets: pulumi.Output[dict[str, str]]

    def __init__(self, name: str, kind: str, inputs: dict[str, Any], depends_on: list[pulumi.Resource]) -> None:
        options = pulumi.ResourceOptions(depends_on=depends_on)
        super().__init__(f"pilotlight:index:{kind}", name, {"standbyBuckets": None, **inputs}, options, remote=True)


class Theirs(pulumi.CustomResource):
    """A bucket of the calling program."""

    def __init__(self, name: str, bucket: str) -> None:
        super().__init__("aws:s3/bucket:Bucket", name, {"bucket": bucket, "region": "us-east-1"})


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's host as a program on the path, where the engine finds it by name and starts it itself."""
    made = tmp_path_factory.mktemp("plugin") / "pulumi-resource-pilotlight"
    made.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/__main__.py" "$@"\n')
    made.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def stack(engine: RealEngine, plugin: Path, cloud: LocalCloud) -> automation.Stack:
    engine.environment["PATH"] = f"{plugin.parent}{os.pathsep}{os.environ['PATH']}"

    def program() -> None:
        theirs = Theirs("theirs", BUCKET)
        datasets = [{"name": "corpus", "bucket": BUCKET}]
        inputs = {"primaryRegion": "us-east-1", "standbyRegion": "us-west-2", "datasets": datasets}
        made = Remote("search", "ProtectedDatasets", inputs, [theirs])
        pulumi.export("buckets", made.standbyBuckets)

    return engine.stack("package", program, "us-east-1", "theirs")


def quiet(line: str) -> None:
    """The engine's own words, which no test reads."""


def test_a_remote_component_is_made_and_stays_as_it_is(stack: automation.Stack, cloud: LocalCloud) -> None:
    planned = stack.preview(on_output=quiet).change_summary
    made = stack.up(on_output=quiet)
    assert dict(made.summary.resource_changes or {}) == {str(key): value for key, value in planned.items()}
    rules = cloud.client("s3", "us-east-1").get_bucket_replication(Bucket=BUCKET)["ReplicationConfiguration"]["Rules"]
    assert [each["Destination"]["Bucket"] for each in rules] == [f"arn:aws:s3:::{REPLICA}"]
    assert made.outputs["buckets"].value == {"corpus": REPLICA}
    assert changes(stack.up(on_output=quiet).summary.resource_changes) == 0


def test_a_wrong_input_fails_the_preview_and_names_it(engine: RealEngine, stack: automation.Stack) -> None:
    def program() -> None:
        inputs = {"primaryRegion": "us-east-1", "standbyRegion": "us-east-1", "datasets": []}
        Remote("search", "ProtectedDatasets", inputs, [])

    with pytest.raises(automation.CommandError) as caught:
        engine.stack("wrong", program, "us-east-1", "theirs").preview(on_output=quiet)
    assert "standbyRegion" in str(caught.value) and "is the primary region" in str(caught.value)


def test_the_command_reads_the_schema_of_this_repository(engine: RealEngine, tmp_path: Path) -> None:
    """`pulumi package get-schema` of the folder with PulumiPlugin.yaml: how `pulumi package add` begins."""
    path = f"{language_host.install(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [engine.pulumi, "package", "get-schema", str(ROOT)],
        env={**engine.environment, "PULUMI_DEBUG_PROVIDERS": "", "PATH": path},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["resources"]
    assert {f"pilotlight:index:{each.__name__}" for each in COMPONENTS} == set(found)
    assert "Time Control" in found["pilotlight:index:ProtectedDatasets"]["description"]
