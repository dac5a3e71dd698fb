"""How long a person waits before a verb does anything. Peer: the same parser with a command of one line.

Each is started a few times in turn, and the median of each counts, in seconds of a core, to which what others do beside
it adds little. The aim is DESIGN's: `--help` within 0.15 s of a Python that does nothing.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

TIMES = 7
WORDS = (("--help",), ("failover", "--help"), ("status", "--help"))
ASKS = ("status", "examples/inference-service/workload.yaml", "--directory", "build/no-cloud-runs-here")
"""Ends where its first call would be made: there is no cloud that would answer."""
HANDLERS = ("probe", "protect", "recover")
CLIENT = "import boto3"
HANDLER_RATIO_MAX = 2.5
"""Of importing a handler to importing boto3, without which none runs."""
LIBRARIES = "import typer, rich.text, pydantic, yaml, botocore.config, botocore.exceptions"
"""What a verb of the day cannot do without before its first call, and nothing of ours."""
PEER = "import typer; app = typer.Typer(); app.command()(lambda: None); app(['--help'])"
RATIO_MAX = 1.6
"""Of --help to the peer's. Beyond it something is imported that help does not need."""
ASKS_RATIO_MAX = 2.5
"""Of `status` to the libraries' alone."""


def seconds(*command: str) -> float:
    """Of a core, of one process with all that it starts."""
    before = os.times()
    subprocess.run([sys.executable, *command], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> int:
    """Print the figures; 1 where the ratio is beyond its bound."""
    asked: dict[str, tuple[str, ...]] = {"nothing": ("-c", "pass"), "peer": ("-c", PEER)}
    asked |= {" ".join(each): ("-m", "pilotlight", *each) for each in WORDS}
    asked |= {each: ("-c", f"import pilotlight.runtime.handlers.{each}") for each in HANDLERS} | {
        "boto3": ("-c", CLIENT)
    }
    asked |= {"libraries": ("-c", LIBRARIES), "status": ("-m", "pilotlight", *ASKS)}
    taken: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(TIMES):
        for name, command in asked.items():
            taken[name].append(seconds(*command))
    medians = {name: statistics.median(each) for name, each in taken.items()}
    for name, each in medians.items():
        print(f"{name:16} {each:.3f} s, {each - medians['nothing']:.3f} s above nothing")
    ratio = medians["--help"] / medians["peer"]
    print(f"--help / peer: {ratio:.2f} (at most {RATIO_MAX})")
    asks = medians["status"] / medians["libraries"]
    print(f"status / libraries: {asks:.2f} (at most {ASKS_RATIO_MAX})")
    slowest = max(medians[each] for each in HANDLERS) / medians["boto3"]
    print(f"slowest handler / boto3: {slowest:.2f} (at most {HANDLER_RATIO_MAX})")
    return int(ratio > RATIO_MAX or asks > ASKS_RATIO_MAX or slowest > HANDLER_RATIO_MAX)


if __name__ == "__main__":
    sys.exit(main())
