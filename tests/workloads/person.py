"""A person at a terminal: types commands, reads what they print, takes a workload through the loss of its region."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilotlight.local.handle import LocalCloud

PRIMARY, STANDBY = "us-east-1", "us-west-2"
COMMAND_SECONDS = 200
POINT_SECONDS = 90
EVERY_SECONDS = 0.5


@dataclass
class Person:
    """Somebody at a terminal with one declaration and one embedded cloud."""

    cloud: LocalCloud
    declaration: Path

    def types(self, *words: str, code: int = 0) -> str:
        """One command on the declaration; what it printed."""
        done = self.tries(*words)
        assert done.returncode == code, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def tries(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command, whatever its exit code."""
        where = [str(self.declaration), "--directory", str(self.cloud.directory)]
        command = [sys.executable, "-X", "faulthandler", "-m", "pilotlight", *words, *where]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as started:
            try:
                out, err = started.communicate(timeout=COMMAND_SECONDS)
            except subprocess.TimeoutExpired:
                started.send_signal(signal.SIGABRT)  # its threads tell where they stand
                out, err = started.communicate()
                raise AssertionError(f"{words} did not end within {COMMAND_SECONDS} s\n{out}\n{err}") from None
        return subprocess.CompletedProcess(command, started.returncode, out, err)

    def types_and_dies(self, at: str, *words: str) -> None:
        """One command whose process is killed as soon as it prints this."""
        where = [str(self.declaration), "--directory", str(self.cloud.directory)]
        command = [sys.executable, "-u", "-m", "pilotlight", *words, *where]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, text=True, **pipes) as started:
            assert started.stdout is not None
            heard = list[str]()
            for line in started.stdout:
                heard.append(line)
                if at in line:
                    started.kill()
                    return
        raise AssertionError(f"{words} never printed {at!r}:\n{''.join(heard)}")

    def copies_to_the_aws_cli(self, printed: str) -> list[str]:
        """Every `aws ...` line of what was printed, carried out as the AWS CLI would; the lines."""
        lines = [line.strip() for line in printed.splitlines() if line.strip().startswith("aws ")]
        for line in lines:
            _, service, operation, *options = shlex.split(line)
            by_the_aws_cli(self.cloud, {"s3api": "s3"}.get(service, service), operation, options)
        return lines

    def points(self) -> list[dict[str, Any]]:
        """The recovery points as the person sees them, the newest first."""
        found: list[dict[str, Any]] = json.loads(self.types("points", "list", "--json"))["points"]
        return found

    def awaits_point(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first point of the schedule that begins from now on and is as wanted."""
        known = {each["id"] for each in self.points()}
        until = time.monotonic() + POINT_SECONDS
        points: list[dict[str, Any]] = []
        while time.monotonic() < until:
            points = [each for each in self.points() if each["id"] not in known]
            if found := next((each for each in points if wanted(each)), None):
                return found
            time.sleep(EVERY_SECONDS)
        raise AssertionError(f"no such point within {POINT_SECONDS} s; the newest says {points[:1]}")


def by_the_aws_cli(cloud: LocalCloud, service: str, operation: str, options: list[str]) -> None:
    """The AWS CLI's own rule: --an-option is the parameter AnOption, of the type that the service's model says."""
    given: dict[str, list[str]] = {}
    for word in options:
        if word.startswith("--"):
            given[name := word[2:]] = []
        else:
            given[name].append(word)
    client = cloud.client(service, given.pop("region")[0])
    method = operation.replace("-", "_")
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape
    named = {"-".join(re.findall("[A-Z][a-z0-9]*", member)).lower(): member for member in shape.members}
    parameters: dict[str, Any] = {}
    for option, values in given.items():
        kind = shape.members[named[option]].type_name
        parameters[named[option]] = (
            values if kind == "list" else int(values[0]) if kind == "integer" else values[0] if values else True
        )
    getattr(client, method)(**parameters)


def complete(point: dict[str, Any]) -> bool:
    return bool(point["status"] == "complete")


def protected(person: Person) -> None:
    """Deploy, copy what was there before, wait until a point is complete."""
    person.types("up", "--yes")
    person.types("backfill")
    person.awaits_point(complete)


def lost_and_regained(person: Person) -> None:
    """The primary region goes dark and comes back; deploying in between changes nothing."""
    person.cloud.dark(PRIMARY)
    person.types("failover")
    assert json.loads(person.tries("status", "--json").stdout)["active"]["region"] == STANDBY
    person.cloud.light(PRIMARY)


def home(person: Person) -> None:
    person.types("failback", "--yes")
    status = json.loads(person.tries("status", "--json").stdout)
    assert (status["active"]["region"], status["active"]["state"]) == (PRIMARY, "serving")
    done = person.tries("up", "--yes")
    assert "0 changes" in done.stdout, done.stdout + done.stderr
