"""B10: how long a person waits before the command says anything. Peers: a Python that does nothing, `aws --version`.

Each is started a few times in turn, and the median of each counts, in seconds of a core, to which what others do beside
it adds little. `--help` of a verb is held against the same parser with a command of one line, `status` up to its first
call against the libraries that it cannot do without, a function against the client of AWS.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from measuring.results import TIMES, Result, medians
from measuring.running import Missing, python_peer

ASKS = ("status", "examples/inference-service/workload.yaml", "--directory", "build/no-cloud-runs-here")
"""Ends where its first call would be made: there is no cloud that would answer."""
HANDLERS = ("probe", "protect", "recover")
LIBRARIES = "import typer, rich.text, pydantic, yaml, botocore.config, botocore.exceptions"
PARSER = "import typer; app = typer.Typer(); app.command()(lambda: None); app(['--help'])"
FIRST_SECONDS_MAX = 0.15
"""Of --help and --version, above a Python that does nothing."""
GOAL = {"status / libraries": 2.5, "slowest handler / boto3": 2.5}


def seconds(*command: str) -> Callable[[], dict[str, Any]]:
    """Of a core, of one process with all that it starts."""

    def run() -> dict[str, Any]:
        before = os.times()
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = os.times()
        core = after.children_user - before.children_user + after.children_system - before.children_system
        return {"core_seconds": round(core, 3)}

    return run


def main() -> int:
    """Print the figures; 1 where one is beyond its bound."""
    ours = {" ".join(each): (sys.executable, "-m", "pilotlight", *each) for each in (("--help",), ("--version",))}
    ours |= {"failover --help": (sys.executable, "-m", "pilotlight", "failover", "--help")}
    ours |= {"status": (sys.executable, "-m", "pilotlight", *ASKS)}
    ours |= {each: (sys.executable, "-c", f"import pilotlight.runtime.handlers.{each}") for each in HANDLERS}
    codes = {"nothing": "pass", "parser": PARSER, "libraries": LIBRARIES, "boto3": "import boto3"}
    peers = {name: (sys.executable, "-c", code) for name, code in codes.items()}
    try:
        peers["aws --version"] = (str(python_peer("awscli", "aws")), "--version")
    except Missing as problem:
        print(f"  aws is left out: {problem}", file=sys.stderr)
    taken = {name: each["core_seconds"] for name, each in medians(
        {name: seconds(*command) for name, command in (ours | peers).items()}, max(TIMES, 3)).items()}  # fmt: skip
    above = max(taken["--help"], taken["--version"]) - taken["nothing"]
    result = Result(
        "B10",
        ours={name: taken[name] for name in ours},
        peers={name: {"core_seconds": taken[name]} for name in peers},
        ratios={
            "seconds of --help or --version above nothing": above,
            "verb --help / parser": taken["failover --help"] / taken["parser"],
            "status / libraries": taken["status"] / taken["libraries"],
            "slowest handler / boto3": max(taken[each] for each in HANDLERS) / taken["boto3"],
        },
        goal={"seconds of --help or --version above nothing": FIRST_SECONDS_MAX, **GOAL},
    )
    result.met = all(result.ratios[name] <= most for name, most in result.goal.items())
    return result.tell()


if __name__ == "__main__":
    sys.exit(main())
