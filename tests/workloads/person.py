"""A person at a terminal: types commands, reads what they print, takes a workload through the loss of its region."""

from __future__ import annotations

import json
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
