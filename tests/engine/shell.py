"""Commands as a user types them, against the embedded cloud as if it were AWS; and the example that they are about."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[2] / "examples/inference-service"
DECLARATION = str(EXAMPLE / "workload.yaml")
CONFIG = {"inference-service:standbyRegion": "us-west-2"}
SECONDS = 300


@dataclass
class Shell:
    """One environment, and the folder that commands are given in."""

    environment: dict[str, str]
    folder: Path | None = None

    def call(self, *words: str, code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        """Any command; its exit code must be this one."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def run(self, *words: str, code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        """`pilotlight` with these words."""
        return self.call(sys.executable, "-m", "pilotlight", *words, code=code, **more)

    def json(self, *words: str, code: int = 0, **more: str) -> dict[str, Any]:
        """The same, and what it prints as JSON."""
        return dict(json.loads(self.run(*words, "--json", code=code, **more).stdout))
