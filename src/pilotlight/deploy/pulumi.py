"""Pulumi's own engine through its Automation API: inline programs, one call a stack, whatever backend keeps the state.

Source: Pulumi docs, "Automation API"; pulumi/pulumi, sdk/python/lib/pulumi/automation. Each stack's settings lie in a
folder of their own beside nothing else; a folder that is lost is made anew from the state.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pulumi import automation

from pilotlight.deploy.command import Command
from pilotlight.deploy.workspace import Stack, Workspace
from pilotlight.engine.diff import OPERATIONS
from pilotlight.engine.results import PARALLEL, Event, Held, Program, Result, Tell, silent
from pilotlight.engine.urns import STACK_TYPE
from pilotlight.runtime.errors import BackendUnusable, DeploymentFailed, PassphraseWrong, ResourceProtected, StackLocked

UNWANTED_MARKUP = re.compile(r"<\{%[a-z0-9 -]*%\}>")
"""The engine's colours in diagnostics (pulumi/pulumi, sdk/go/common/diag/colors)."""
PROTECTED = re.compile("because it is protected|marked for protection")
"""pulumi/pulumi, pkg/resource/deploy/step_generator.go and step.go."""
FOLDED = {"create-replacement": None, "delete-replaced": None, "discard-replaced": None, "read": None,
          "read-replacement": None, "read-discard": None, "discard": None, "refresh": None,
          "remove-pending-replace": None}  # fmt: skip
"""Operations that belong to another one which is told itself, or that change nothing."""

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key by which Pulumi's states mark special values, secrets among them (pulumi sdk, `resource/sig`)."""
SEALED = "[secret]"


@dataclass(frozen=True)
class Backend:
    """Where state is kept and what its secrets are encrypted with, both as Pulumi's own URLs.

    Source: Pulumi docs, "State and backends" and "Secrets". `secrets` is `passphrase`, a KMS URL, or `default`.
    """

    url: str
    secrets: str


@dataclass
class PulumiEngine:
    """Deployments of one project. `folder` takes the settings of its stacks; every command gets `environment` too."""

    project: str
    backend: Backend
    folder: Path
    command: Command
    environment: Mapping[str, str] = field(default_factory=dict)
    parallel: int = PARALLEL
    _selected: set[str] = field(default_factory=set)
    _exports: dict[str, str] = field(default_factory=dict)
    """States as they were exported, until something is done to their stack."""

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
        heard, opened = Heard(on_event), self._open(stack, region, program, config)
        return self._run(stack, heard, lambda: opened.up(parallel=self.parallel, on_output=_no, on_event=heard.hear))

    def preview(
        self,
        stack: str,
        program: Program,
        config: Mapping[str, str] | None = None,
        region: str = "us-east-1",
        on_event: Tell = silent,
    ) -> Result:
        """What an update would do; changes nothing in AWS."""
        heard, opened = Heard(on_event), self._open(stack, region, program, config)
        return self._run(
            stack, heard, lambda: opened.preview(parallel=self.parallel, on_output=_no, on_event=heard.hear)
        )

    def refresh(self, stack: str, region: str = "us-east-1", on_event: Tell = silent, keep: bool = True) -> Result:
        """Read every resource again; with `keep` the state takes over what was found, else nothing is changed."""
        heard, opened = Heard(on_event), self._open(stack, region)
        act = opened.refresh if keep else opened.preview_refresh
        return self._run(stack, heard, lambda: act(parallel=self.parallel, on_output=_no, on_event=heard.hear))

    def destroy(self, stack: str, region: str = "us-east-1", on_event: Tell = silent) -> Result:
        """Delete everything but what is protected and what that stands on."""
        heard, opened = Heard(on_event), self._open(stack, region)
        # The command refuses --exclude-protected where nothing is protected or everything is.
        states = [each.protect for each in self.held(stack)]
        if states and all(states):
            return Result(stack, dict.fromkeys(OPERATIONS, 0), (), {}, 0.0)
        only = True if any(states) else None
        return self._run(
            stack,
            heard,
            lambda: opened.destroy(parallel=self.parallel, exclude_protected=only, on_output=_no, on_event=heard.hear),
        )

    # -- the state ---------------------------------------------------------------------------------------------

    def unprotect(self, stack: str, urns: Iterable[str]) -> None:
        """Let these be deleted by a destroy; changes nothing in AWS."""
        self._edit(stack, "unprotect", urns)

    def let_go(self, stack: str, urns: Iterable[str]) -> None:
        """Forget these; they stay in AWS as they are."""
        self._edit(stack, "delete", urns)

    def held(self, stack: str) -> tuple[Held, ...]:
        """The AWS resources that the state has, in the order of their creation."""
        found = self._deployment(stack).get("resources") or []
        return tuple(
            Held(each["urn"], each["type"], each.get("id", ""), bool(each.get("protect")))
            for each in found
            if each.get("custom") and not each["type"].startswith("pulumi:")
        )

    def pending(self, stack: str) -> tuple[str, ...]:
        """URNs of what was begun and whose outcome the state does not know."""
        found = self._deployment(stack).get("pending_operations") or []
        return tuple(each["resource"]["urn"] for each in found)

    def outputs(self, stack: str) -> dict[str, Any]:
        """What the stack exports; what is secret stays sealed."""
        found = self._deployment(stack).get("resources") or []
        root: dict[str, Any] = next((each for each in found if each["type"] == STACK_TYPE), {})
        return {name: SEALED if _sealed(value) else value for name, value in (root.get("outputs") or {}).items()}

    def export(self, stack: str) -> dict[str, Any]:
        """The state with its secrets sealed."""
        opened = self._open(stack)
        return dict(json.loads(self._said(stack, lambda: self._exported(opened.workspace, stack))))

    def restore(self, stack: str, document: dict[str, Any]) -> None:
        """Import it. Its settings are then those of the document: what opens its secrets is kept there."""
        opened = self._open(stack)
        made = automation.Deployment(document["version"], document["deployment"])
        self._said(stack, lambda: opened.import_stack(made))
        self._exports.pop(stack, None)
        (self.folder / stack / f"Pulumi.{stack}.yaml").unlink(missing_ok=True)

    def location(self, stack: str) -> str:
        """The backend."""
        return self.backend.url

    # -- parts -------------------------------------------------------------------------------------------------

    def _deployment(self, stack: str) -> dict[str, Any]:
        return dict(self.export(stack).get("deployment") or {})

    def _open(
        self, stack: str, region: str = "", program: Program | None = None, config: Mapping[str, str] | None = None
    ) -> Stack:
        work = self.folder / stack
        work.mkdir(parents=True, exist_ok=True)
        options = automation.LocalWorkspaceOptions(
            work_dir=str(work),
            program=program if callable(program) else _nothing,
            project_settings=automation.ProjectSettings(
                name=self.project,
                runtime="python",
                main=str(Path.cwd()),
                backend=automation.ProjectBackend(self.backend.url),
            ),
            secrets_provider=self.backend.secrets,
            env_vars=dict(self.environment),
            pulumi_command=self.command,
        )

        def select() -> Stack:
            workspace = Workspace(**vars(options))
            if not (work / f"Pulumi.{stack}.yaml").exists():
                self._restore(workspace, stack)
            workspace.known = stack in self._selected
            made = Stack(stack, workspace)
            self._selected.add(stack)
            values = {"aws:region": region} if region else {}
            wanted = {**values, **(config or {})}
            if wanted:
                made.set_all_config({key: automation.ConfigValue(value) for key, value in wanted.items()})
            return made

        opened: Stack = self._said(stack, select)
        if program is None:
            opened.workspace.program = None
        return opened

    def _restore(self, workspace: automation.LocalWorkspace, stack: str) -> None:
        """The settings of a stack that exists, from its state: what opens its secrets is kept there too."""
        try:
            found = json.loads(self._exported(workspace, stack))
        except automation.CommandError:
            return
        kept = (found.get("deployment") or {}).get("secrets_providers") or {}
        state = kept.get("state") or {}
        settings = automation.StackSettings(
            secrets_provider=state.get("url") or self.backend.secrets,
            encrypted_key=state.get("encryptedkey"),
            encryption_salt=state.get("salt"),
        )
        workspace.save_stack_settings(stack, settings)

    def _exported(self, workspace: automation.Workspace, stack: str) -> str:
        """The state with its secrets sealed: no key is needed to read it."""
        if stack not in self._exports:
            self._exports[stack] = self._call(workspace, stack, ["stack", "export"])
        return self._exports[stack]

    def _edit(self, stack: str, act: str, urns: Iterable[str]) -> None:
        opened = self._open(stack)
        for urn in urns:
            self._exports.pop(stack, None)
            words = ["state", act, urn, "--yes"]
            self._said(stack, partial(self._call, opened.workspace, stack, words))

    def _call(self, workspace: automation.Workspace, stack: str, arguments: list[str]) -> str:
        told = self.command.run([*arguments, "--stack", stack], str(workspace.work_dir), workspace.env_vars)
        return str(told.stdout)

    def _run(self, stack: str, heard: Heard, act: Callable[[], Any]) -> Result:
        started = time.monotonic()
        try:
            answer = self._said(stack, act, heard)
        finally:
            self._exports.pop(stack, None)
        counts = dict.fromkeys(OPERATIONS, 0) | Counter(event.operation for event in heard.events)
        outputs = {name: each.value for name, each in getattr(answer, "outputs", {}).items()}
        return Result(stack, counts, tuple(heard.events), outputs, time.monotonic() - started)

    def _said(self, stack: str, act: Callable[[], Any], heard: Heard | None = None) -> Any:
        """What the command answers; its failure as one of our errors, in the provider's own words where it has any."""
        try:
            return act()
        except automation.ConcurrentUpdateError as problem:
            raise StackLocked(stack=stack, backend=self.backend.url) from problem
        except automation.CommandError as problem:
            words = str(problem)
            if "incorrect passphrase" in words:
                raise PassphraseWrong(stack=stack) from problem
            if heard is None or not heard.failures:
                raise BackendUnusable(backend=self.backend.url, reason=_last_error(words)) from problem
            urn, reason = heard.failures[0]
            if PROTECTED.search(reason):
                raise ResourceProtected(stack=stack, urn=urn) from problem
            raise DeploymentFailed(stack=stack, urn=urn, act=heard.acts.get(urn, "run"), reason=reason) from problem


@dataclass
class Heard:
    """What the engine tells while it works: operations, counted, and what failed."""

    tell: Tell
    events: list[Event] = field(default_factory=list)
    acts: dict[str, str] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)

    def hear(self, event: automation.EngineEvent) -> None:
        """One event of the engine."""
        if event.resource_pre_event:
            self._begun(event.resource_pre_event.metadata, "refresh")
        if event.res_outputs_event:
            self._ended(event.res_outputs_event.metadata)
        problem = event.diagnostic_event
        if problem and problem.severity == "error":
            text = " ".join(UNWANTED_MARKUP.sub("", problem.message).split())
            self.failures.append((problem.urn or "the program", text))

    def _begun(self, step: Any, later: str) -> None:
        operation = str(getattr(step.op, "value", step.op))
        self.acts[step.urn] = f"{operation}d" if operation.endswith("e") else operation
        if operation != later:
            self._note(operation, step)

    def _ended(self, step: Any) -> None:
        """A refresh says what it found only at its end."""
        if self.acts.get(step.urn) == "refresh":
            self._note(str(getattr(step.op, "value", step.op)), step)

    def _note(self, operation: str, step: Any) -> None:
        if operation in FOLDED or _is_default_provider(step):
            return
        event = Event(operation, step.urn, step.type, tuple(sorted(step.diffs or step.detailed_diff or ())))
        self.events.append(event)
        self.tell(event)


def _is_default_provider(step: Any) -> bool:
    """Nobody asked for it: the engine makes it for resources that name none."""
    return str(step.type).startswith("pulumi:providers:") and step.urn.rpartition("::")[2].startswith("default")


def _last_error(words: str) -> str:
    """The sentence after `error:`, of all that the command printed."""
    found = [line.partition("error:")[2].strip() for line in words.splitlines() if "error:" in line]
    return " ".join((found or [words.strip().splitlines()[-1] if words.strip() else "it said nothing"])[-1].split())


def _nothing() -> None:
    """The program of acts that run none."""


def _no(line: str) -> None:
    """The engine's own words: what matters of them is heard as events."""


def _sealed(value: Any) -> bool:
    """Whether this is a secret as a state has it (Pulumi's deployment schema: its signature is a key)."""
    return isinstance(value, dict) and SIGNATURE in value
