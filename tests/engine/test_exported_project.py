"""What a user loses when this fails: a project in his own repository that does what `pilotlight up` does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import language_host
import pytest

from pilotlight.deploy.engine import Engine
from pilotlight.local.handle import LocalCloud
from pilotlight.naming import STACKS
from real_engine import RealEngine

EXAMPLE = Path(__file__).parents[2] / "examples/inference-service"
DECLARATION = str(EXAMPLE / "workload.yaml")
CONFIG = {"inference-service:standbyRegion": "us-west-2"}

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]


@dataclass
class Project:
    """The exported folder, and a shell in it."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str) -> str:
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def planned(self, stack: str) -> dict[str, int]:
        """What `pulumi preview` counts."""
        found = json.loads(self.run("pulumi", "preview", "--stack", stack, "--json", "--non-interactive"))
        return dict(found["changeSummary"])

    def pilotlight(self, *words: str) -> dict[str, Any]:
        return dict(json.loads(self.run(sys.executable, "-m", "pilotlight", *words, "--json")))


@pytest.fixture(scope="module")
def project(engine: RealEngine, cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Exported by the command; pulumi finds the language host and the state where the environment says."""
    Engine(tmp_path_factory.mktemp("theirs"), "inference-service").update("example", EXAMPLE, CONFIG)
    home = tmp_path_factory.mktemp("home")
    (home / "states").mkdir()
    path = [language_host.install(home / "bin"), engine.pulumi.parent, os.environ["PATH"]]
    more = {"HOME": str(home), "PATH": os.pathsep.join(map(str, path)), "PULUMI_BACKEND_URL": f"file://{home}/states"}
    made = Project(home, {**os.environ, **engine.environment, **more})
    made.pilotlight("export-pulumi", str(home / "infra"), DECLARATION, "--target", "aws")
    made.folder = home / "infra"
    yield made


def test_pulumi_up_in_its_folder_makes_all_three_stacks_and_then_nothing(
    project: Project, tell: Callable[[str], None]
) -> None:
    for stack in STACKS:
        project.run("pulumi", "stack", "init", stack, "--non-interactive")
        wanted = project.planned(stack)
        project.run("pulumi", "up", "--stack", stack, "--yes", "--skip-preview", "--non-interactive")
        again = project.planned(stack)
        tell(f"exported project, {stack}: preview {wanted}, after `pulumi up` {again}")
        assert set(wanted) == {"create"} and again == {"same": wanted["create"]}


def test_pilotlight_up_over_the_same_states_changes_nothing(project: Project) -> None:
    assert project.pilotlight("up", DECLARATION, "--target", "aws", "--yes")["changes"] == 0


def test_an_export_again_leaves_the_stacks_configurations_as_pulumi_wrote_them(project: Project) -> None:
    before = (project.folder / "Pulumi.vault.yaml").read_text()
    assert "encryptionsalt" in before, "the key of the stack's secrets is there"
    project.pilotlight("export-pulumi", str(project.folder), DECLARATION, "--target", "aws")
    assert (project.folder / "Pulumi.vault.yaml").read_text() == before
    assert project.planned("vault").keys() == {"same"}
