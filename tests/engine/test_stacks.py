"""What a user loses when one of these fails: a deployment by Pulumi's own engine that was never rehearsed."""

from __future__ import annotations

import dataclasses
import json
import runpy
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation
from shell import CONFIG, EXAMPLE

from pilotlight.deploy import archive
from pilotlight.deploy.current import current_inventory
from pilotlight.engine.embedded import Engine
from pilotlight.local.handle import LocalCloud
from pilotlight.local.kernel.cloud import ACCOUNT
from pilotlight.runtime.aws.boto import BotoClient
from pilotlight.runtime.clock import SystemClock
from pilotlight.runtime.naming import STACKS
from pilotlight.runtime.records.inventory import Inventory
from pilotlight.stacks import program
from pilotlight.workload.load import load
from support.pulumi_engine import PASSPHRASE, RealEngine, changes

PROJECT = "pilotlight-inference"

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


def example() -> None:
    """The user's own program, its modules read anew each time."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        for name in [name for name, module in sys.modules.items() if _is_of(module, EXAMPLE)]:
            del sys.modules[name]
        runpy.run_path(str(EXAMPLE / "__main__.py"), run_name="__main__")
    finally:
        sys.path.remove(str(EXAMPLE))


def _is_of(module: Any, folder: Path) -> bool:
    return str(getattr(module, "__file__", "") or "").startswith(str(folder))


@dataclass
class Deployed:
    """What a stack's first operations said, and the stack."""

    stack: automation.Stack
    preview: dict[str, int]
    up: dict[str, int]


@dataclass
class World:
    """The example and, in their order, the three stacks, deployed once through the real engine."""

    engine: RealEngine
    inventory: Inventory
    built: Path
    stacks: dict[str, Deployed] = field(default_factory=dict)

    def program(self, name: str, inventory: Inventory | None = None) -> Callable[[], None]:
        given = inventory or self.inventory
        return {
            "vault": lambda: program.vault(given),
            "primary": lambda: program.primary(given),
            "standby": lambda: program.standby(given, self.built),
        }[name]

    def region(self, name: str) -> str:
        return self.inventory.primary if name == "primary" else self.inventory.standby

    def stack(self, name: str, inventory: Inventory | None = None) -> automation.Stack:
        return self.engine.stack(name, self.program(name, inventory), self.region(name), PROJECT)


def deployed(stack: automation.Stack) -> Deployed:
    planned = stack.preview(on_output=quiet).change_summary
    made = stack.up(on_output=quiet).summary.resource_changes or {}
    return Deployed(stack, {str(key): value for key, value in planned.items()}, dict(made))


def quiet(line: str) -> None:
    """The engine's own words, which no test reads."""


@pytest.fixture(scope="module")
def world(engine: RealEngine, cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    theirs = deployed(engine.stack("example", example, "us-east-1", "inference-service", CONFIG))
    inventory = current_inventory(load(EXAMPLE / "workload.yaml"), ACCOUNT, BotoClient(), SystemClock())
    made = World(engine, inventory, archive.build(tmp_path_factory.mktemp("archive")), {"example": theirs})
    for name in STACKS:
        made.stacks[name] = deployed(made.stack(name))
    yield made


ALL = ("example", *STACKS)


@pytest.mark.parametrize("name", ALL)
def test_what_the_preview_promises_is_what_the_first_up_creates(
    world: World, name: str, tell: Callable[[str], None]
) -> None:
    one = world.stacks[name]
    tell(f"{name}: preview {one.preview}, up {one.up}")
    assert one.preview == one.up and set(one.up) == {"create"}


@pytest.mark.parametrize("name", ALL)
def test_a_second_up_and_a_refresh_change_nothing(world: World, name: str, tell: Callable[[str], None]) -> None:
    stack = world.stacks[name].stack
    again = stack.up(on_output=quiet).summary.resource_changes
    refreshed = stack.refresh(on_output=quiet).summary.resource_changes
    tell(f"{name}: second up {dict(again or {})}, refresh {dict(refreshed or {})}")
    assert changes(again) == 0 and changes(refreshed) == 0


def test_an_edit_of_one_value_touches_what_has_it_and_nothing_else(world: World) -> None:
    slower = dataclasses.replace(world.inventory, every_seconds=world.inventory.every_seconds * 2)
    events: list[Any] = []
    world.stack("standby", slower).preview(on_output=quiet, on_event=events.append)
    steps = [each.resource_pre_event.metadata for each in events if each.resource_pre_event]
    touched = {step.urn.rpartition("::")[2] for step in steps if str(step.op) not in ("same", "OpType.SAME")}
    about = ("unreplicated", "points-stale", "protect-silent", "protect-failing", "protect-errors")
    of_points = {f"monitoring-{each}" for each in about}
    assert touched == {"monitoring-protect", *of_points}


REGISTERED = ("type", "parent", "inputs", "dependencies", "propertyDependencies", "protect", "aliases", "custom")
"""What a program says of a resource, as both engines keep it in the state."""


@pytest.mark.parametrize("name", STACKS)
def test_a_state_of_the_real_engine_is_the_embedded_ones_own(world: World, name: str, tmp_path: Path) -> None:
    """Exported, opened by the embedded engine with the same passphrase: nothing to do, and the program registers the
    same resources with the same inputs and dependencies; sent back, the real engine finds nothing to do either."""
    stack = world.stacks[name].stack
    exported = stack.export_stack()
    state = tmp_path / f"{name}.json"
    state.write_text(json.dumps({"version": exported.version, "deployment": exported.deployment}))
    embedded = Engine(tmp_path, PROJECT, PASSPHRASE)
    counts = embedded.update(name, world.program(name), region=world.region(name)).counts
    assert counts["same"] and changes(counts) == 0
    ours = json.loads(state.read_text())
    assert registered(ours["deployment"]) == registered(exported.deployment)
    stack.import_stack(automation.Deployment(ours["version"], ours["deployment"]))
    assert changes(stack.up(on_output=quiet).summary.resource_changes) == 0


def registered(deployment: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """URN -> what the program said. Dependencies are sets; each engine encrypts secrets anew."""
    return {
        each["urn"]: {key: without_ciphers(each.get(key)) or None for key in REGISTERED}
        | {"dependencies": set(each.get("dependencies") or ())}
        | {
            "propertyDependencies": {
                name: set(urns) for name, urns in (each.get("propertyDependencies") or {}).items() if urns
            }
        }
        for each in deployment["resources"]
        if not each["type"].startswith("pulumi:providers:")
    }


def without_ciphers(value: Any) -> Any:
    """The value with the text of each secret left out."""
    if isinstance(value, dict):
        return {key: without_ciphers(each) for key, each in value.items() if key != "ciphertext"}
    return [without_ciphers(each) for each in value] if isinstance(value, list) else value
