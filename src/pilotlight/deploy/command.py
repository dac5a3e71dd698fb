"""The `pulumi` command: found, or installed by the SDK where the network allows it; and ended cleanly by Ctrl-C.

It runs in a session of its own, so that an interrupt reaches it once, from us, and is a request: pulumi lets what is
under way in AWS end and writes it down (Pulumi docs, "pulumi up", on signals). A second interrupt ends it at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from pulumi import automation
from pulumi.automation.errors import InvalidVersionError, create_command_error

from pilotlight.runtime.errors import PulumiMissing

Line = Callable[[str], Any]
FIXED = {"PULUMI_AUTOMATION_API": "true", "PULUMI_SKIP_UPDATE_CHECK": "true"}


class Command(automation.PulumiCommand):
    """As the SDK's own, in its own session; `say` tells the person that an interrupt was heard."""

    def __init__(self, root: str | None = None, say: Line = lambda text: None) -> None:
        super().__init__(root=root)
        self._say = say

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Line | None = None,
        on_error: Line | None = None,
    ) -> automation.CommandResult:
        """Run it to its end, an interrupted one too; CommandError where it fails, KeyboardInterrupt where we were."""
        told: dict[str, list[str]] = {"out": [], "err": []}
        process = subprocess.Popen(
            [self.command, "--non-interactive", *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **additional_env, **FIXED},
            encoding="utf-8",
            start_new_session=True,
        )
        assert process.stdout and process.stderr
        readers = [
            _reading(process.stdout, on_output, told["out"]),
            _reading(process.stderr, on_error, told["err"]),
        ]
        interrupted = self._wait(process)
        for each in readers:
            each.join()
        if interrupted:
            raise KeyboardInterrupt
        result = automation.CommandResult("\n".join(told["out"]), "\n".join(told["err"]), process.returncode)
        if process.returncode != 0:
            raise create_command_error(result)
        return result

    def _wait(self, process: subprocess.Popen[str]) -> bool:
        """Until it ended; whether somebody interrupted."""
        interrupts = 0
        while True:
            try:
                process.wait()
                return interrupts > 0
            except KeyboardInterrupt:
                interrupts += 1
                self._say("interrupted: what is under way may end; once more ends it at once")
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGINT if interrupts == 1 else signal.SIGKILL)


def find_command(say: Line) -> Command:
    """The command on the path; else what the SDK installs below ~/.pulumi; PulumiMissing where neither can be."""
    try:
        return Command(say=say)
    except FileNotFoundError:
        say("there is no pulumi command on the path; Pulumi's own installer is asked for one")
    except (InvalidVersionError, subprocess.CalledProcessError) as problem:
        raise PulumiMissing(reason=_one_line(problem)) from problem
    try:
        installed = automation.PulumiCommand.install()
    except (OSError, subprocess.CalledProcessError, InvalidVersionError) as problem:
        raise PulumiMissing(reason=f"the installer: {_one_line(problem)}") from problem
    return Command(str(Path(installed.command).parents[1]), say)


def _reading(stream: IO[str], tell: Line | None, into: list[str]) -> threading.Thread:
    def read() -> None:
        for line in stream:
            into.append(line.rstrip())
            if tell:
                tell(into[-1])
        stream.close()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split())
