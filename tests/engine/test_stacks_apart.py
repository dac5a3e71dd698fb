"""What a user loses when this fails: a vault in an account of its own, or their own account kept out of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pulumi import automation
from shell import CONFIG, EXAMPLE
from test_stacks import PROJECT, World, deployed, example, quiet, registered

from pilotlight.deploy import archive
from pilotlight.deploy.command import Command
from pilotlight.deploy.current import current_inventory
from pilotlight.deploy.destroy import Destroy
from pilotlight.deploy.operations import Operations
from pilotlight.deploy.pulumi import Backend, PulumiEngine
from pilotlight.engine.embedded import Engine
from pilotlight.local.handle import LocalCloud
from pilotlight.local.kernel.cloud import ACCOUNT, MEMBER
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.clock import SystemClock
from pilotlight.workload.load import load
from pilotlight.workload.model import Vault
from support.pulumi_engine import PASSPHRASE, RealEngine, changes, linked

STACKS = ("vault", "primary")
"""The standby is made as ever: its roles' policies alone are different."""

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def world(engine: RealEngine, cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The example, and its protection with the vault in the member's account."""
    theirs = deployed(engine.stack("example", example, "us-east-1", "inference-service", CONFIG))
    workload = load(EXAMPLE / "workload.yaml").model_copy(update={"vault": Vault(account=MEMBER)})
    inventory = current_inventory(workload, ACCOUNT, BotoClient(), SystemClock())
    made = World(engine, inventory, archive.build(tmp_path_factory.mktemp("archive")), {"example": theirs})
    for name in STACKS:
        made.stacks[name] = deployed(made.stack(name))
    yield made


def test_each_stack_is_made_once_and_then_left(world: World, tell: Callable[[str], None]) -> None:
    for name in STACKS:
        one = world.stacks[name]
        again = one.stack.up(on_output=quiet).summary.resource_changes
        refreshed = one.stack.refresh(on_output=quiet).summary.resource_changes
        tell(f"{name}, vault apart: up {one.up}, second up {dict(again or {})}, refresh {dict(refreshed or {})}")
        assert one.preview == one.up and set(one.up) == {"create"}
        assert changes(again) == 0 and changes(refreshed) == 0


def test_the_buckets_are_in_the_vaults_account_and_nothing_else(world: World) -> None:
    vault = world.inventory.vault
    assert vault is not None
    theirs = BotoClient.assuming(vault.role_arn, "us-west-2").call("s3", "list_buckets", "us-west-2")["Buckets"]
    ours = BotoClient().call("s3", "list_buckets", "us-west-2")["Buckets"]
    assert len(theirs) == 3 and not any("pilotlight-" in each["Name"] for each in ours)


@pytest.mark.parametrize("name", STACKS)
def test_both_engines_register_the_same(world: World, name: str, tmp_path: Path) -> None:
    stack = world.stacks[name].stack
    exported = stack.export_stack()
    state = tmp_path / f"{name}.json"
    state.write_text(json.dumps({"version": exported.version, "deployment": exported.deployment}))
    counts = Engine(tmp_path, PROJECT, PASSPHRASE).update(name, world.program(name), region=world.region(name)).counts
    assert counts["same"] and changes(counts) == 0
    ours = json.loads(state.read_text())
    assert registered(ours["deployment"]) == registered(exported.deployment)
    stack.import_stack(automation.Deployment(ours["version"], ours["deployment"]))
    assert changes(stack.up(on_output=quiet).summary.resource_changes) == 0


def test_a_destroy_leaves_nothing_in_either_account(world: World, tell: Callable[[str], None]) -> None:
    engine, vault = world.engine, world.inventory.vault
    assert vault is not None
    real = PulumiEngine(
        project=PROJECT,
        backend=Backend(f"file://{engine.folder}", "passphrase"),
        folder=engine.folder / "settings",
        command=Command(str(linked(engine.pulumi, engine.folder))),
        environment=engine.environment,
    )
    into_vault = BotoClient.assuming(vault.role_arn, "us-west-2")
    deleted = Destroy(world.inventory, BotoClient(), into_vault, Operations(world.inventory, real)).run(STACKS).counts()
    left = {name: len(real.held(name)) for name in STACKS}
    tell(f"destroy --vault, vault apart: {deleted}, left {left}")
    assert set(left.values()) == {0}
    assert into_vault.call("s3", "list_buckets", "us-west-2")["Buckets"] == []
