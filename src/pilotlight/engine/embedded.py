"""The embedded engine: runs a Pulumi program against our own monitor and keeps its state in a folder.

It serves the embedded cloud and tests; the state is in Pulumi's own format. `update`, `preview`, `refresh` and
`destroy` each take one stack; programs are plain functions, or a folder with Pulumi.yaml and __main__.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import runpy
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pulumi.runtime import mocks, settings
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_in_stack

from pilotlight.engine import order
from pilotlight.engine.acts import Invokes
from pilotlight.engine.diff import DELETE, OPERATIONS, SAME, UPDATE, keep_ignored
from pilotlight.engine.invokes import INVOKES
from pilotlight.engine.monitor import FEATURES, Monitor
from pilotlight.engine.provider import Place, ResourceType
from pilotlight.engine.providers import is_provider
from pilotlight.engine.resources import TYPES
from pilotlight.engine.resources.waiting import CANCELLED
from pilotlight.engine.results import Held, Program, Result, Tell, silent
from pilotlight.engine.state import Resource, Stack, open_stack
from pilotlight.engine.steps import Steps
from pilotlight.engine.urns import STACK_TYPE
from pilotlight.engine.values import canonical, plain, reveal
from pilotlight.runtime.errors import DeploymentFailed, PilotlightError

PASSPHRASE_VARIABLE = "PULUMI_CONFIG_PASSPHRASE"
PASSPHRASE_DEFAULT = "pilotlight-local"
"""For states of the embedded cloud, whose secrets are made up and die with it."""

ASIDE = ".torn"
"""How the name of a state file ends that another one took the place of."""


class Engine:
    """Deployments of one project; `folder` keeps one state file per stack."""

    _running = threading.Lock()
    """The SDK's settings are global to the process: one program at a time."""

    def __init__(
        self,
        folder: Path,
        project: str,
        passphrase: str | None = None,
        types: Mapping[str, ResourceType] = TYPES,
        invokes: Invokes = INVOKES,
        rng: random.Random | None = None,
    ) -> None:
        self.folder, self.project = folder, project
        self.passphrase = passphrase or os.environ.get(PASSPHRASE_VARIABLE) or PASSPHRASE_DEFAULT
        self.types, self.invokes = types, invokes
        self.rng = rng or random.Random()

    # -- operations --------------------------------------------------------------------------------------------

    def update(
        self,
        stack: str,
        program: Program,
        config: Mapping[str, str] | None = None,
        region: str = "us-east-1",
        on_event: Tell = silent,
    ) -> Result:
        """Make AWS what the program says."""
        return self._run(stack, program, config or {}, region, False, on_event)

    def preview(
        self,
        stack: str,
        program: Program,
        config: Mapping[str, str] | None = None,
        region: str = "us-east-1",
        on_event: Tell = silent,
    ) -> Result:
        """What an update would do; changes nothing."""
        return self._run(stack, program, config or {}, region, True, on_event)

    def refresh(self, stack: str, region: str = "us-east-1", on_event: Tell = silent, keep: bool = True) -> Result:
        """Read every resource again; what is gone is `delete` in the counts, an input that changed `update`. With
        `keep` the state takes it over, else nothing is changed."""
        started = time.monotonic()
        steps = self._steps(self._open(stack), stack, region, not keep, on_event)
        for resource in list(steps.stack.resources):
            if resource.custom and not is_provider(resource.type):
                self._refresh_one(steps, resource)
        return self._result(steps, stack, started)

    def destroy(self, stack: str, region: str = "us-east-1", on_event: Tell = silent) -> Result:
        """Delete everything but what is protected and what that stands on, dependents first."""
        started = time.monotonic()
        steps = self._steps(self._open(stack), stack, region, False, on_event)
        steps.seen = order.kept_with((each for each in steps.stack.resources if each.protect), steps.stack.resources)
        steps.finish()
        return self._result(steps, stack, started)

    def unprotect(self, stack: str, urns: Iterable[str]) -> None:
        """Let these be deleted by a destroy; changes nothing in AWS."""
        state, wanted = self._open(stack), set(urns)
        for resource in state.resources:
            resource.protect = resource.protect and resource.urn not in wanted
        state.write()

    def let_go(self, stack: str, urns: Iterable[str]) -> None:
        """Forget these; they stay in AWS as they are."""
        state, wanted = self._open(stack), set(urns)
        for resource in [each for each in state.resources if each.urn in wanted]:
            state.drop(resource)

    def held(self, stack: str) -> tuple[Held, ...]:
        """The AWS resources that the state has, in the order of their creation."""
        found = self._open(stack).resources
        return tuple(
            Held(each.urn, each.type, each.id, each.protect)
            for each in found
            if each.custom and not is_provider(each.type)
        )

    def pending(self, stack: str) -> tuple[str, ...]:
        """URNs of what was begun and whose outcome the state does not know."""
        return tuple(each["resource"]["urn"] for each in self._open(stack).pending)

    def outputs(self, stack: str) -> dict[str, Any]:
        """What the stack exports, secrets revealed."""
        found = next((each for each in self._open(stack).resources if each.type == STACK_TYPE), None)
        return dict(reveal(found.outputs)) if found else {}

    def export(self, stack: str) -> dict[str, Any]:
        """The state, as `pulumi stack export` prints it."""
        return self._open(stack).export()

    def restore(self, stack: str, document: dict[str, Any]) -> None:
        """Let the state be what `export` gave; a file that is there already is put aside."""
        path = self._path(stack)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.replace(path.with_suffix(ASIDE))
        path.write_text(json.dumps(document, indent=1))

    def location(self, stack: str) -> str:
        """The file of the state."""
        return str(self._path(stack))

    # -- parts -------------------------------------------------------------------------------------------------

    def _open(self, stack: str) -> Stack:
        return open_stack(self._path(stack), stack, self.passphrase)

    def _path(self, stack: str) -> Path:
        return self.folder / f"{stack}.json"

    def _steps(self, state: Stack, stack: str, region: str, preview: bool, on_event: Tell) -> Steps:
        return Steps(state, stack, self.types, self.invokes, Place(region, self.rng), preview, on_event)

    def _run(
        self,
        stack: str,
        program: Program,
        config: Mapping[str, str],
        region: str,
        preview: bool,
        on_event: Tell,
    ) -> Result:
        started = time.monotonic()
        steps = self._steps(self._open(stack), stack, region, preview, on_event)
        with self._running:
            _configure(self.project, stack, preview, Monitor(stack, self.project, steps), config, region)
            _execute(program, steps, stack)
        steps.finish()
        return self._result(steps, stack, started)

    def _refresh_one(self, steps: Steps, resource: Resource) -> None:
        kind = steps.kind(resource.type, resource.urn)
        place, inputs = steps.at(resource.inputs, resource.provider), plain(resource.inputs)
        found = steps.act("read", resource.urn, lambda: kind.read(place, resource.id, inputs), [resource.inputs])
        if found is None:
            steps.note(DELETE, resource.urn, resource.type)
            if not steps.preview:
                steps.stack.drop(resource)
            return
        before = reveal(resource.outputs)
        changed = {key: value for key, value in found.items() if value is not None and value != before.get(key)}
        given = {key: value for key, value in changed.items() if key in resource.inputs}
        told = _not_ignored(resource, inputs, given)
        steps.note(UPDATE if told else SAME, resource.urn, resource.type, told)
        if changed and not steps.preview:
            resource.outputs |= steps.sealed_again(resource, kind, changed)
            resource.inputs |= steps.sealed_again(resource, kind, given)
            steps.stack.write()

    def _result(self, steps: Steps, stack: str, started: float) -> Result:
        counts = dict.fromkeys(OPERATIONS, 0) | Counter(event.operation for event in steps.events)
        return Result(stack, counts, tuple(steps.events), reveal(steps.exports), time.monotonic() - started)


def _not_ignored(resource: Resource, inputs: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What has changed of what the program does not leave to others: that is no drift, as providers see it, which get
    the paths with every question (pulumi/pulumi, proto/pulumi/provider.proto, DiffRequest)."""
    kept = keep_ignored(resource.ignoreChanges, inputs, inputs | given)
    return {key: value for key, value in given.items() if canonical(kept.get(key)) != canonical(inputs.get(key))}


def _configure(
    project: str, stack: str, preview: bool, monitor: Monitor, config: Mapping[str, str], region: str
) -> None:
    """Give the SDK fresh settings with our monitor, as `set_mocks` does, but with no root made beforehand."""
    settings.ROOT.set(None)
    settings.configure(
        mocks.MockSettings(  # type: ignore[no-untyped-call]
            monitor=monitor,
            monitor_features=set(FEATURES),
            engine=mocks.MockEngine(None),
            project=project,
            stack=stack,
            dry_run=preview,
            organization="organization",
            callbacks=None,
        )
    )
    set_all_config({"aws:region": region, **config})


def _execute(program: Program, steps: Steps, stack: str) -> None:
    """Run the program to its end; the first failure is what is raised, in one sentence."""
    function = program if callable(program) else _from_folder(program)
    CANCELLED.clear()
    try:
        with asyncio.Runner() as runner:
            try:
                runner.run(_quietly(function))
            except BaseException:
                CANCELLED.set()
                raise
    except PilotlightError:
        if steps.failure is None:
            raise
        raise steps.failure from None
    except Exception as problem:
        if steps.failure is not None:
            raise steps.failure from problem
        raise DeploymentFailed(
            stack=stack, urn="the program", act="run", reason=f"{type(problem).__name__}: {problem}"
        ) from problem
    finally:
        CANCELLED.clear()


async def _quietly(function: Callable[[], None]) -> None:
    """What the SDK's other tasks say after the first failure is not told: asyncio would print tracebacks for them."""
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    await run_in_stack(function)


def _from_folder(folder: Path) -> Callable[[], None]:
    """A project folder as a function: its modules can be imported while it runs, and are forgotten afterwards."""

    def run() -> None:
        known = set(sys.modules)
        sys.path.insert(0, str(folder))
        try:
            runpy.run_path(str(folder / "__main__.py"), run_name="__main__")
        finally:
            sys.path.remove(str(folder))
            for name in set(sys.modules) - known:
                if str(getattr(sys.modules[name], "__file__", "") or "").startswith(str(folder)):
                    del sys.modules[name]

    return run
