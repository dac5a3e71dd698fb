"""The Automation API's workspace and stack with fewer commands: each starts `pulumi`, which reads the backend anew.

Of what the SDK asks around an operation three things are left out: to select a stack that was selected before, the
outputs a second time with their secrets hidden, and the summary of the update, which is heard as events.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

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
