"""What a user loses when this fails: after the day of the disaster, `pulumi up` undoes the recovery."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pilotlight.demo import after, before, disaster
from pilotlight.demo.scene import Options, Scene
from pilotlight.demo.stage import open_stage
from pilotlight.deploy import archive
from pilotlight.deploy.command import Command
from pilotlight.deploy.current import current_inventory
from pilotlight.deploy.destroy import Destroy
from pilotlight.deploy.operations import Operations
from pilotlight.deploy.pulumi import Backend, PulumiEngine
from pilotlight.engine.results import Deployment, Held
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.naming import STACKS
from pilotlight.workload.load import load
from support.pulumi_engine import linked, provided

EXAMPLE = Path(__file__).parents[2] / "examples/inference-service"
REGIONS = ("us-east-1", "us-west-2")

pytestmark = [pytest.mark.engine, pytest.mark.timeout(500)]


class RealScene(Scene):
    """The rehearsal, deployed by Pulumi's own engine."""

    engine: PulumiEngine

    def operations(self) -> Operations:
        """The three stacks as they must be now."""
        inventory = current_inventory(self.workload, self.stage.account, BotoClient(), self.stage.clock)
        return Operations(inventory, self.engine)

    def up(self) -> Deployment:
        """`pilotlight up`."""
        return self.operations().up(BotoClient(), archive.build(self.engine.folder))


@dataclass
class Rehearsed:
    """What each `up` did, stack by stack, and what was left in the end."""

    ups: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)
    active: dict[str, str] = field(default_factory=dict)
    deleted: dict[str, dict[str, int]] = field(default_factory=dict)
    kept: list[Held] = field(default_factory=list)
    left: int = -1

    def note(self, when: str, scene: RealScene) -> None:
        made = scene.up()
        self.ups[when], self.changes[when] = made.counts(), made.changes
        self.active[when] = scene.recovery.active().region


@pytest.fixture(scope="module")
def rehearsed(pulumi: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    folder, found = tmp_path_factory.mktemp("recovery"), Rehearsed()
    with open_stage(7, False, REGIONS) as stage, provided(folder) as variables:
        scene = RealScene(Options(EXAMPLE, seed=7), stage, load(EXAMPLE / "workload.yaml"), lambda text: None)
        (folder / "states").mkdir()
        scene.engine = PulumiEngine(
            project="pilotlight-inference",
            backend=Backend(f"file://{folder}/states", "passphrase"),
            folder=folder / "settings",
            command=Command(str(linked(pulumi, folder))),
            environment=variables,
        )
        before.deploy_example(scene)
        before.protect(scene)
        before.backfill(scene)
        before.start_traffic(scene)
        before.await_points(scene)
        found.note("before", scene)
        disaster.darken(scene)
        disaster.await_recovery(scene)
        disaster.follow_run(scene)
        after.write_in_standby(scene)
        after.return_region(scene)
        found.note("after the failover", scene)
        after.go_home(scene)
        found.note("after the failback", scene)
        stage.close_traffic()
        acts = scene.operations()
        found.deleted = Destroy(acts.inventory, BotoClient(), BotoClient(), acts).run(STACKS).counts()
        found.kept = [each for stack in STACKS for each in scene.engine.held(stack)]
        scene.engine.unprotect("primary", [each.urn for each in found.kept])
        scene.engine.destroy("primary", REGIONS[0])
        found.left = sum(len(scene.engine.held(stack)) for stack in STACKS)
        yield found


@pytest.mark.parametrize("when", ["before", "after the failover", "after the failback"])
def test_an_up_changes_nothing(rehearsed: Rehearsed, when: str, tell: Callable[[str], None]) -> None:
    tell(f"up {when}: {rehearsed.ups[when]}")
    assert rehearsed.changes[when] == 0 and set(rehearsed.ups[when]) == set(STACKS)


def test_the_ups_were_of_different_worlds(rehearsed: Rehearsed) -> None:
    """Else nothing was shown: between them the workload served from the other region."""
    assert rehearsed.active["after the failover"] == REGIONS[1]
    assert {rehearsed.active["before"], rehearsed.active["after the failback"]} == {REGIONS[0]}


def test_a_destroy_leaves_the_key_of_what_came_home_and_without_protection_nothing(
    rehearsed: Rehearsed, tell: Callable[[str], None]
) -> None:
    tell(
        f"destroy --vault: {rehearsed.deleted}, {len(rehearsed.kept)} left; its protection taken away: {rehearsed.left}"
    )
    assert [each.type for each in rehearsed.kept] == ["aws:kms/key:Key"]
    assert rehearsed.left == 0
