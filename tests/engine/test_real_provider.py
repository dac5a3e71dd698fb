"""`make test-provider` has to hand the real provider to the engine: else a maintainer who has it tests the stand-in
again and believes that it was the real one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pulumi_aws as aws
import pytest

from pilotlight.local.handle import LocalCloud
from support.pulumi_engine import PLUGIN, PROVIDER_VARIABLE, RealEngine, changes, environment, provided, real_engine

ROOT = Path(__file__).parents[2]
PLUGIN_OF_A_TEST = """#!{python}
import sys, time
sys.path[:0] = {paths!r}
from pathlib import Path
from support.provider_double import serving
with serving() as port:
    Path({started!r}).open("a").write(" ".join(sys.argv[1:]) + chr(10))
    print(port, flush=True)
    while True:
        time.sleep(1)
"""
"""A plugin prints the port that it serves on, and serves until it is ended (Pulumi docs, "Plugins")."""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """What stands for the real provider's command: it says when it was started."""
    made = tmp_path / "bin" / PLUGIN
    made.parent.mkdir()
    words = {"python": sys.executable, "paths": [str(ROOT / "tests"), *sys.path], "started": str(tmp_path / "started")}
    made.write_text(PLUGIN_OF_A_TEST.format(**words))
    made.chmod(0o755)
    return made


@pytest.fixture
def with_plugin(pulumi: Path, cloud: LocalCloud, plugin: Path, tmp_path: Path) -> Iterator[RealEngine]:
    with real_engine(pulumi, tmp_path, plugin) as made:
        yield made


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_engine_starts_the_provider_that_is_on_the_path(
    with_plugin: RealEngine, cloud: LocalCloud, tmp_path: Path
) -> None:
    stack = with_plugin.stack("real", lambda: topic(), "us-west-2", "real")
    try:
        made = stack.up(on_output=quiet)
        assert changes(made.summary.resource_changes) == 2
        assert (tmp_path / "started").read_text(), "the engine never started it"
        topics = cloud.client("sns", "us-west-2").list_topics()["Topics"]
        assert any(each["TopicArn"].endswith(":by-the-plugin") for each in topics), "its calls went elsewhere"
    finally:
        stack.destroy(on_output=quiet)


def topic() -> None:
    aws.sns.Topic("by-the-plugin", name="by-the-plugin")


def quiet(line: str) -> None:
    """The engine's own words, which no test reads."""


def test_nothing_else_serves_where_the_real_provider_is_named(plugin: Path, tmp_path: Path) -> None:
    with provided(tmp_path, plugin) as variables:
        assert "PULUMI_DEBUG_PROVIDERS" not in variables
        assert variables["PATH"].split(":")[0] == str(plugin.parent)
    assert "PULUMI_DEBUG_PROVIDERS" in environment(tmp_path, "aws:1")


def test_a_provider_that_cannot_be_run_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=PROVIDER_VARIABLE), provided(tmp_path, tmp_path / "no-provider"):
        pass


def test_without_the_provider_the_target_says_so_in_one_line_and_how_to_get_it() -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "-o", "setup", "test-provider"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert len(told.stdout.splitlines()) == 1
    assert "left out" in told.stdout and "pulumi plugin install resource aws 7." in told.stdout
