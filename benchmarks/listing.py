"""B1: two buckets are proven equal, but for 30 planted faults, at no latency and at 80 ms a page.

Ten objects lack in the copy, ten have another size, ten the same size and other bytes. The server lists as S3 does and
does nothing else (benchmarks/servers/s3_listing). Peers find what they look at: sizes, and some entity tags.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from measuring.results import QUICK, TIMES, Result, medians
from measuring.running import RCLONE, Missing, go_peer, measured, python_peer, server, serving, settings

PAIRS = 100_000 if QUICK else 1_000_000
MANY = 10_000_000
ADDRESS = "127.0.0.1:9123"
LATENCIES = {"0 ms": "0ms", "80 ms": "80ms"}
FAULTS = 30
RATIO_GOAL, PEAK_MB_GOAL = 15.0, 150.0
SETTINGS = settings(ADDRESS)
Run = Callable[[], dict[str, Any]]


class Nothing:
    """A vault in which no pair was proven yet."""

    def proofs(self, asset: str) -> bytes:
        return b""


@dataclass
class Context:
    """What a comparison needs of a scheduled run's context."""

    client: Any
    records: Nothing = field(default_factory=Nothing)


def once() -> None:
    """What `measured` starts of ours: one comparison, as a scheduled run makes it."""
    import random

    from pilotlight.runtime.aws.boto import BotoClient
    from pilotlight.runtime.clock import SystemClock
    from pilotlight.runtime.kinds.buckets.listing import Bucket
    from pilotlight.runtime.kinds.buckets.observe import Rules, compare
    from pilotlight.runtime.kinds.buckets.proofs import Proofs
    from pilotlight.runtime.recovery import wrapped

    client = wrapped(BotoClient(), SystemClock(), random.Random(1))
    source, copy = Bucket("us-east-1", "src"), Bucket("us-east-1", "dst")
    proofs = Proofs(Context(client), "b1", source, copy)  # type: ignore[arg-type]
    found = compare(client, source, copy, Rules(0.0, proofs=proofs))
    print(f"settled {found.settled} waiting {found.waiting}")


def ours() -> dict[str, Any]:
    """Seconds, peak, faults found."""
    told, printed = measured([sys.executable, __file__, "once"], SETTINGS)
    return told | {"faults": int(printed.rsplit("waiting", 1)[1])}


def peers() -> dict[str, Run]:
    """Those that can be had here."""
    found: dict[str, Run] = {}

    def peer(name: str, command: Callable[[], list[Any]], faults: Callable[[str], int]) -> None:
        try:
            asked = command()
        except Missing as problem:
            print(f"  {name} is left out: {problem}", file=sys.stderr)
            return

        def run() -> dict[str, Any]:
            told, printed = measured(asked, SETTINGS)
            return told | {"faults": faults(printed)}

        found[name] = run

    def lines(word: str) -> Callable[[str], int]:
        return lambda printed: sum(1 for each in printed.splitlines() if word in each)

    def rclone(printed: str) -> int:
        said = re.findall(r"(\d+) differences found", printed)
        return int(said[-1]) if said else 0

    check = ["check", "s:src", "s:dst", "--checkers", "64"]
    peer("rclone check", lambda: [go_peer(RCLONE, "rclone"), *check], rclone)
    peer("rclone check --fast-list", lambda: [go_peer(RCLONE, "rclone"), *check, "--fast-list"], rclone)
    sync = ["--endpoint-url", SETTINGS["AWS_ENDPOINT_URL"], "--dry-run", "sync", "s3://src/*", "s3://dst/"]
    peer("s5cmd sync --dry-run", lambda: [python_peer("s5cmd", "s5cmd"), *sync], lines("cp "))
    both = ["s3", "sync", "--dryrun", "--endpoint-url", SETTINGS["AWS_ENDPOINT_URL"], "s3://src", "s3://dst"]
    peer("aws s3 sync --dryrun", lambda: [python_peer("awscli", "aws"), *both], lines("(dryrun) copy"))
    return found


def main() -> int:
    """Every latency in turn; then ten times as many pairs, for the memory."""
    built, others = server("s3_listing"), peers()
    result = Result("B1", {}, goal={"faults": FAULTS, "peak MB": PEAK_MB_GOAL})
    for name, latency in LATENCIES.items():
        with serving([built, "-addr", ADDRESS, "-n", PAIRS, "-lat", latency]):
            taken = medians({"ours": ours, **others}, 1 if QUICK else TIMES)
        for who, measures in taken.items():
            into = result.ours if who == "ours" else result.peers.setdefault(who, {})
            into |= {f"{what} at {name}": value for what, value in measures.items()}
        rclone = min((each["seconds"] for who, each in taken.items() if who.startswith("rclone")), default=None)
        if rclone is not None:
            result.ratios[f"rclone / ours at {name}"] = rclone / taken["ours"]["seconds"]
            result.goal[f"rclone / ours at {name}"] = RATIO_GOAL
    result.ratios["faults"] = min(value for what, value in result.ours.items() if what.startswith("faults"))
    if not QUICK:
        with serving([built, "-addr", ADDRESS, "-n", MANY]):
            result.ours |= {f"{what} of {MANY}": value for what, value in ours().items()}
    result.ratios["peak MB"] = max(value for what, value in result.ours.items() if what.startswith("peak_mb"))
    enough = all(ratio >= RATIO_GOAL for what, ratio in result.ratios.items() if what.startswith("rclone"))
    result.met = enough and result.ratios["faults"] == FAULTS and result.ratios["peak MB"] <= PEAK_MB_GOAL
    return result.tell()


if __name__ == "__main__":
    sys.exit(once() if sys.argv[1:] == ["once"] else main())
