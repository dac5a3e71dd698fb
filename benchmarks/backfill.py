"""B4: a hundred thousand small objects are copied by S3, which takes 3,500 a second for a prefix and says SlowDown.

The server (benchmarks/servers/s3_copy) counts what arrived. Killed twenty times and begun anew, nothing may be lost.
Peers copy the same: threads of boto3 with its adaptive retries, s5cmd, rclone with copies on the server's side.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from measuring.results import QUICK, TIMES, Result, medians
from measuring.running import RCLONE, Missing, go_peer, measured, python_peer, server, serving, settings

OBJECTS = 10_000 if QUICK else 100_000
LIMIT = 3_500
ADDRESS = "127.0.0.1:9125"
KILLS = 3 if QUICK else 20
OF_LIMIT_GOAL = 0.97
SETTINGS = settings(ADDRESS)
Run = Callable[[], dict[str, Any]]


def once() -> None:
    """What is measured of ours: one backfill, as `pilotlight backfill` makes it."""
    from dataclasses import dataclass

    from pilotlight.runtime.aws.boto import BotoClient
    from pilotlight.runtime.aws.client import AwsClient
    from pilotlight.runtime.clock import SystemClock
    from pilotlight.runtime.kinds.buckets.backfill import bring
    from pilotlight.runtime.kinds.buckets.listing import Bucket
    from pilotlight.runtime.recovery import wrapped

    @dataclass
    class Context:
        client: AwsClient

    client = wrapped(BotoClient(), SystemClock(), random.Random(1))
    bring(Context(client), Bucket("us-east-1", "src"), Bucket("us-east-1", "dst"))  # type: ignore[arg-type]


def by_boto3() -> None:
    """A peer: threads of boto3."""
    from concurrent.futures import ThreadPoolExecutor

    import boto3
    from botocore.config import Config

    s3 = boto3.client("s3", config=Config(retries={"mode": "adaptive", "max_attempts": 10}, max_pool_connections=64))
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="src")
    keys = [each["Key"] for page in pages for each in page["Contents"]]
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda key: s3.copy_object(Bucket="dst", Key=key, CopySource=f"src/{key}"), keys))


def counted(what: str) -> list[float]:
    """Of the server: copies, slowed, objects there, seconds from the first copy to the last; or forget them."""
    with urllib.request.urlopen(f"http://{ADDRESS}/__{what}", timeout=30) as answer:
        return [float(each) for each in answer.read().split()]


def copying(command: list[Any]) -> Run:
    def run() -> dict[str, Any]:
        counted("forget")
        told, _ = measured(command, SETTINGS)
        copies, slowed, there, seconds = counted("stats")
        return told | {
            "a_second": copies / max(seconds, 0.001),
            "of_limit": copies / max(seconds, 0.001) / LIMIT,
            "slowed": int(slowed),
            "lost": OBJECTS - int(there),
        }

    return run


def killed() -> dict[str, Any]:
    """Killed so many times and begun anew; what is not there at the end, and what was copied twice."""
    counted("forget")
    rng = random.Random(4)
    command = [sys.executable, __file__, "once"]
    for _ in range(KILLS):
        process = subprocess.Popen(command, env=os.environ | SETTINGS)
        time.sleep(rng.uniform(0.5, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    measured(command, SETTINGS)
    copies, _, there, _ = counted("stats")
    return {"kills": KILLS, "lost": OBJECTS - int(there), "twice": int(copies) - int(there)}


def peers() -> dict[str, Run]:
    """Those that can be had here."""
    found = {"boto3 threads": copying([sys.executable, __file__, "boto3"])}
    all_of_it = ["cp", "s3://src/*", "s3://dst/"]
    asked: dict[str, Callable[[], list[Any]]] = {
        "s5cmd cp": lambda: [python_peer("s5cmd", "s5cmd"), "--endpoint-url", f"http://{ADDRESS}", *all_of_it],
        "rclone copy": lambda: [
            go_peer(RCLONE, "rclone"),
            "copy",
            "s:src",
            "s:dst",
            "--transfers",
            "64",
            "--fast-list",
        ],
    }
    for name, command in asked.items():
        try:
            found[name] = copying(command())
        except Missing as problem:
            print(f"  {name} is left out: {problem}", file=sys.stderr)
    return found


def main() -> int:
    """Rates of all, then the kills."""
    with serving([server("s3_copy"), "-addr", ADDRESS, "-n", OBJECTS, "-limit", LIMIT]):
        taken = medians({"ours": copying([sys.executable, __file__, "once"]), **peers()}, 1 if QUICK else TIMES)
        ended = killed()
    ours = taken.pop("ours")
    best = max((each["a_second"] for each in taken.values() if not each["lost"]), default=0.0)
    result = Result("B4", ours | {f"killed: {what}": value for what, value in ended.items()}, taken)
    result.limit = {"a_second": LIMIT}
    result.ratios = {"of the limit": ours["of_limit"], "lost": float(ours["lost"] + ended["lost"])}
    result.ratios |= {"ours / best peer that loses nothing": ours["a_second"] / best} if best else {}
    result.goal = {"of the limit": OF_LIMIT_GOAL, "lost": 0}
    result.met = ours["of_limit"] >= OF_LIMIT_GOAL and not result.ratios["lost"]
    return result.tell()


if __name__ == "__main__":
    sys.exit({"once": once, "boto3": by_boto3}.get("".join(sys.argv[1:]), main)())
