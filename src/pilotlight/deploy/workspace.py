"""The Automation API's workspace and stack with fewer commands: each starts `pulumi`, which reads the backend anew.

Of what the SDK does around an operation four things are left out: to select a stack that was selected before, to set
configuration by a command and not in the file where it is kept, the outputs a second time with their secrets hidden,
and the summary of the update, which is heard as events.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pulumi import automation
from pulumi.automation._stack import StackInitMode

_UNREAD: Any = MappingProxyType({})
"""In the place of a summary that nobody reads."""


class Workspace(automation.LocalWorkspace):
    """`known` says that the stack has been selected, and is there."""

    known = False

    def select_stack(self, stack_name: str) -> None:
        """Once."""
        if not self.known:
            super().select_stack(stack_name)

    def set_all_config(self, stack_name: str, config: automation.ConfigMap, *, path: bool = False) -> None:
        """Plain values under whole keys, in the stack's file; what else it says stays (Pulumi docs, "Pulumi stack
        settings file")."""
        file = Path(self.work_dir) / f"Pulumi.{stack_name}.yaml"
        said = yaml.safe_load(file.read_text()) or {} if file.exists() else {}
        wanted = (said.get("config") or {}) | {key: each.value for key, each in dict(config).items()}
        if wanted != said.get("config"):
            file.write_text(yaml.safe_dump(said | {"config": wanted}))

    def stack_outputs(self, stack_name: str) -> Mapping[str, automation.OutputValue]:  # type: ignore[override]
        """With their secrets, which nothing but the caller's memory keeps."""
        told = self._run_pulumi_cmd_sync(["stack", "output", "--json", "--show-secrets", "--stack", stack_name]).stdout
        return {name: automation.OutputValue(value, secret=False) for name, value in json.loads(told).items()}


class Stack(automation.Stack):
    """One of a Workspace, made where there is none."""

    def __init__(self, name: str, workspace: Workspace) -> None:
        super().__init__(name, workspace, StackInitMode.CREATE_OR_SELECT)

    def info(self, show_secrets: bool = True) -> Any:
        """Nothing: see above."""
        return _UNREAD
