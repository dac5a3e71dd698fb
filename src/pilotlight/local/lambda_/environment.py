"""One Lambda execution environment: a clean process that holds the deployed archive and runs one event at a time.

Source: AWS Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle" and "Working with Lambda
environment variables". The process sees the standard library, the archive and boto3 with what boto3 needs, gets the
documented variables, is frozen between invocations and killed when its time is up. Stand-ins for the network are
AWS_ENDPOINT_URL, http_proxy and no_proxy.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from pilotlight.local.kernel.cloud import Cloud

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
LIBRARIES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
"""What the managed Python runtimes carry: boto3 and its dependencies."""
INIT_SECONDS_MAX = 10.0
"""The init phase is limited to ten seconds (Lambda lifecycle, "Init phase")."""
WATCH_SECONDS = 0.5
"""How often a waiting invocation looks whether its region is dark; answers are noticed at once."""
ENVIRONMENT_SECONDS_MAX = 45 * 60.0
"""An environment is replaced before its role credentials (one hour) expire."""
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Outcome:
    """What came of one invocation: the payload, the kind of function error if any, and what was logged."""

    request_id: str
    payload: bytes
    function_error: str | None
    log: str


@dataclass(frozen=True)
class Task:
    """One event for a function."""

    payload: bytes
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class FunctionSpec:
    """All of a function that an environment is made from; a changed one needs new environments."""

    arn: str
    name: str
    region: str
    version: str
    handler: str
    role: str
    code_sha256: str
    memory_megabytes: int
    timeout_seconds: float
    runtime: str
    variables: tuple[tuple[str, str], ...]

    @property
    def log_group(self) -> str:
        return f"/aws/lambda/{self.name}"


class Environment:
    """A running process with the function's code loaded; not to be used by two threads at once."""

    def __init__(self, cloud: Cloud, spec: FunctionSpec, code: Path, libraries: Path, folder: Path) -> None:
        self.spec = spec
        self.idle_since = self.started_at = time.monotonic()
        self.log_stream = f"{datetime.now(UTC):%Y/%m/%d}/[{spec.version}]{uuid.uuid4().hex}"
        self._cloud = cloud
        self._buffer = b""
        self._logged = 0
        self._begin = time.perf_counter()
        self._init_milliseconds: float | None = None
        self._log = folder / f"{spec.name}-{uuid.uuid4().hex[:8]}.log"
        self._log.touch(mode=0o600)
        self._process = self._spawn(code, libraries)

    def _spawn(self, code: Path, libraries: Path) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-I", "-S", str(BOOTSTRAP), str(self._log), str(libraries)]
        return self._cloud.spawn(
            argv,
            environment_variables(self._cloud, self.spec, code, libraries, self.log_stream),
            self.spec.region,
            cwd=code,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(self, task: Task) -> Outcome:
        """Run one event to its end, its error or its timeout; an environment that failed to stay alive ends."""
        deadline_seconds = self.spec.timeout_seconds
        self._signal(signal.SIGCONT)
        if self._init_milliseconds is None and (problem := self._initialise(task)):
            return problem
        begin = time.perf_counter()
        self._send(task, deadline_seconds)
        answer = self._receive(deadline_seconds)
        milliseconds = (time.perf_counter() - begin) * 1000
        if answer is None:
            return self._ended(task, milliseconds, deadline_seconds)
        error = None if answer["ok"] else "Unhandled"
        outcome = self._outcome(task, answer["payload"].encode(), error, milliseconds)
        self._freeze()
        return outcome

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def expired(self) -> bool:
        return time.monotonic() - self.started_at > ENVIRONMENT_SECONDS_MAX

    def end(self) -> None:
        """Kill the process and forget its log file; nothing of the environment is left."""
        self._cloud.processes.kill(self._process)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._log.unlink(missing_ok=True)

    def _initialise(self, task: Task) -> Outcome | None:
        """Wait for the handler to be loaded; an Outcome only when it was not."""
        answer = self._receive(INIT_SECONDS_MAX)
        self._init_milliseconds = (time.perf_counter() - self._begin) * 1000
        if answer is None:
            return self._ended(task, self._init_milliseconds, INIT_SECONDS_MAX)
        if answer["ok"]:
            return None
        outcome = self._outcome(task, answer["payload"].encode(), "Unhandled", self._init_milliseconds)
        self.end()
        return outcome

    def _send(self, task: Task, seconds: float) -> None:
        event = {
            "request_id": task.request_id,
            "arn": self.spec.arn,
            "deadline": time.time() + seconds,
            "payload": task.payload.decode() or "{}",
        }
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(json.dumps(event).encode() + b"\n")
            self._process.stdin.flush()

    def _receive(self, seconds: float) -> dict[str, Any] | None:
        """The next line of the process; None when it ended or the time was up. Time in the dark does not count."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        left = seconds
        while b"\n" not in self._buffer:
            begin = time.monotonic()
            readable, _, _ = select.select([descriptor], [], [], min(left, WATCH_SECONDS))
            if readable:
                piece = os.read(descriptor, MEBIBYTE)
                if not piece:
                    return None
                self._buffer += piece
            if not self._cloud.is_dark(self.spec.region):
                left -= time.monotonic() - begin
            if left <= 0:
                return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            return self._receive(left)
        return message

    def _ended(self, task: Task, milliseconds: float, seconds: float) -> Outcome:
        """The report of a process that was killed by its timeout or ended by itself."""
        if milliseconds >= seconds * 1000 * 0.98:
            kind, message = "Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds"
            self._cloud.processes.kill(self._process)
        else:
            self._process.wait(timeout=2)
            kind, message = "Runtime.ExitError", f"Runtime exited with error: {exit_words(self._process.returncode)}"
        report = {"errorType": kind, "errorMessage": f"RequestId: {task.request_id} Error: {message}"}
        stamp = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z {task.request_id} {message}"
        outcome = self._outcome(task, json.dumps(report).encode(), "Unhandled", milliseconds, stamp)
        self.end()
        return outcome

    def _outcome(
        self, task: Task, payload: bytes, error: str | None, milliseconds: float, last_line: str | None = None
    ) -> Outcome:
        lines = [f"START RequestId: {task.request_id} Version: {self.spec.version}", *self._new_log_lines()]
        if last_line:
            lines.append(last_line)
        lines += [f"END RequestId: {task.request_id}", self._report(task, milliseconds)]
        return Outcome(task.request_id, payload, error, "\n".join(lines))

    def _new_log_lines(self) -> list[str]:
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(self._logged)
            fresh = file.read()
            self._logged += len(fresh)
            return fresh.decode(errors="replace").splitlines()
        return []

    def _report(self, task: Task, milliseconds: float) -> str:
        billed = int(milliseconds) + 1
        text = (
            f"REPORT RequestId: {task.request_id}\tDuration: {milliseconds:.2f} ms\tBilled Duration: {billed} ms\t"
            f"Memory Size: {self.spec.memory_megabytes} MB\tMax Memory Used: {self._memory_megabytes()} MB"
        )
        if self._init_milliseconds is not None and self._init_milliseconds >= 0:
            text += f"\tInit Duration: {self._init_milliseconds:.2f} ms"
            self._init_milliseconds = -1.0
        return text

    def _memory_megabytes(self) -> int:
        with suppress(psutil.Error):
            return int(psutil.Process(self._process.pid).memory_info().rss // MEBIBYTE)
        return self.spec.memory_megabytes

    def _freeze(self) -> None:
        self.idle_since = time.monotonic()
        self._signal(signal.SIGSTOP)

    def _signal(self, number: int) -> None:
        """To the process and all it started; a region that is dark stays frozen."""
        if number == signal.SIGCONT and self._cloud.is_dark(self.spec.region):
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def environment_variables(
    cloud: Cloud, spec: FunctionSpec, code: Path, libraries: Path, log_stream: str
) -> dict[str, str]:
    """Exactly the variables of "Defined runtime environment variables", the function's own, and the stand-ins."""
    given: dict[str, str] = cloud.service_environment(spec.region, spec.role, spec.name)
    return given | dict(spec.variables) | _defined(spec, code, libraries, log_stream)


def _defined(spec: FunctionSpec, code: Path, libraries: Path, log_stream: str) -> dict[str, str]:
    return {
        "_HANDLER": spec.handler,
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_megabytes),
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "LAMBDA_TASK_ROOT": str(code),
        "LAMBDA_RUNTIME_DIR": str(libraries),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
    }


def exit_words(returncode: int | None) -> str:
    """How a process ended, in Lambda's words."""
    if returncode is not None and returncode < 0:
        return f"signal: {signal.Signals(-returncode).name.removeprefix('SIG').lower()}"
    return f"exit status {returncode}"
