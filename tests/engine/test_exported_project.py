"""What a user loses when this fails: a project in their own repository that does what `pilotlight up` does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import language_host
import pytest
from shell import CONFIG, DECLARATION, EXAMPLE, Shell

from pilotlight.engine.embedded import Engine
from pilotlight.local.handle import LocalCloud
from pilotlight.runtime.naming import STACKS
from support.pulumi_engine import RealEngine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]


def planned(project: Shell, stack: str) -> dict[str, int]:
    """What `pulumi preview` counts."""
    found = json.loads(project.call("pulumi", "preview", "--stack", stack, "--json", "--non-interactive").stdout)
    return dict(found["changeSummary"])


@pytest.fixture(scope="module")
def project(engine: RealEngine, cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Exported by the command; pulumi finds the language host and the state where the environment says."""
    Engine(tmp_path_factory.mktemp("theirs"), "inference-service").update("example", EXAMPLE, CONFIG)
    home = tmp_path_factory.mktemp("home")
    (home / "states").mkdir()
    path = [language_host.install(home / "bin"), engine.pulumi.parent, os.environ["PATH"]]
    more = {"HOME": str(home), "PATH": os.pathsep.join(map(str, path)), "PULUMI_BACKEND_URL": f"file://{home}/states"}
    folder = home / "infra"
    made = Shell({**os.environ, **engine.environment, **more})
    made.json("export-pulumi", str(folder), DECLARATION, "--target", "aws")
    yield Shell(made.environment, folder)


def test_pulumi_up_in_its_folder_makes_all_three_stacks_and_then_nothing(
    project: Shell, tell: Callable[[str], None]
) -> None:
    for stack in STACKS:
        project.call("pulumi", "stack", "init", stack, "--non-interactive")
        wanted = planned(project, stack)
        project.call("pulumi", "up", "--stack", stack, "--yes", "--skip-preview", "--non-interactive")
        again = planned(project, stack)
        tell(f"exported project, {stack}: preview {wanted}, after `pulumi up` {again}")
        assert set(wanted) == {"create"} and again == {"same": wanted["create"]}


def test_pilotlight_up_over_the_same_states_changes_nothing(project: Shell) -> None:
    assert project.json("up", DECLARATION, "--target", "aws", "--yes")["changes"] == 0


def test_an_export_again_leaves_the_stacks_configurations_as_pulumi_wrote_them(project: Shell) -> None:
    assert project.folder
    settings = project.folder / "Pulumi.vault.yaml"
    before = settings.read_text()
    assert "encryptionsalt" in before, "the key of the stack's secrets is there"
    project.json("export-pulumi", str(project.folder), DECLARATION, "--target", "aws")
    assert settings.read_text() == before
    assert planned(project, "vault").keys() == {"same"}
