"""Live traffic of the rehearsal: the example's writer and trainer as processes, and a client at the front door.

The programs know AWS and the database only; this file starts them with the environment of one region and reads the
acknowledgements that they log.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pilotlight.demo.measure import read_log

ASK_EVERY_SECONDS = 0.15
ANSWER_TIMEOUT_SECONDS = 3.0
STOP_SECONDS = 5.0


@dataclass
class Program:
    """One traffic program in one region, with its log."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @staticmethod
    def start(name: str, script: Path, log: Path, environment: dict[str, str]) -> Program:
        """Run an example program in a process group of its own."""
        output = log.with_suffix(".out").open("ab")
        process = subprocess.Popen(
            [sys.executable, str(script)],
            env=os.environ | environment | {"LOG": str(log), "PYTHONPATH": str(script.parents[1] / "programs")},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        output.close()
        return Program(name, log, process)

    def events(self, event: str | None = None) -> list[dict[str, Any]]:
        """What it logged so far, of one kind or of all."""
        return [each for each in read_log(self.log) if event is None or each["event"] == event]

    def output(self) -> str:
        """What it printed: empty unless it broke."""
        path = self.log.with_suffix(".out")
        return path.read_text()[-2000:] if path.exists() else ""

    def freeze(self) -> None:
        """Its region is dark: it stands still, and knows nothing of it."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Its region is back: it goes on with what it was doing."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it; it holds nothing that a kill could harm."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            os.killpg(self.process.pid, signal.SIGCONT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)


@dataclass(frozen=True)
class Said:
    """One answer of the front door, or why there was none."""

    at: float
    region: str = ""
    step: int = 0
    sha256: str = ""
    problem: str = ""

    @property
    def good(self) -> bool:
        return not self.problem


def ask(url: str) -> Said:
    """Ask for one prediction."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_TIMEOUT_SECONDS) as response:
            body = json.load(response)
        return Said(time.time(), body["region"], int(body["step"]), body["sha256"])
    except (OSError, urllib.error.URLError, ValueError, KeyError) as problem:
        return Said(time.time(), problem=f"{type(problem).__name__}: {problem}")


@dataclass
class Client:
    """Asks the same URL again and again, and keeps every answer."""

    url: str
    said: list[Said] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def start(self) -> None:
        self.thread = threading.Thread(target=self._run, name="client", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while not self.ending.wait(ASK_EVERY_SECONDS):
            self.said.append(ask(self.url))

    def stop(self) -> None:
        self.ending.set()
        if self.thread:
            self.thread.join(ANSWER_TIMEOUT_SECONDS + 1)

    def first(self, after: float, region: str, known: dict[int, str]) -> Said | None:
        """The first correct answer from this region after this moment: weights of a step that was saved."""
        for said in list(self.said):
            if said.at > after and said.good and said.region == region and known.get(said.step) == said.sha256:
                return said
        return None

    def newest(self) -> Said | None:
        """The last good answer."""
        return next((said for said in reversed(self.said) if said.good), None)
