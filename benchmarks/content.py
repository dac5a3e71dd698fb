"""B3: objects of 256 MiB are read and their content proven, at the speed of loopback and at S3's for one connection.

The server (benchmarks/servers/s3_content) computes bytes, and the checksums that S3 would keep of them. Peers: boto3
that reads to the end and compares the CRC64NVME by awscrt; boto3's transfer manager and s5cmd, which read in ranges and
compare nothing. The limit is what sockets give that are only read. Objects with one bit turned over must be found.
"""

from __future__ import annotations

import functools
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from measuring.results import QUICK, TIMES, Result, medians
from measuring.running import Missing, measured, python_peer, server, serving, settings

SIZE = (32 if QUICK else 256) << 20
OBJECTS = 4
ADDRESS = "127.0.0.1:9126"
SETTINGS = settings(ADDRESS)
OF_S3 = 90e6
"""Bytes a second of one connection: S3 User Guide, "Performance guidelines for Amazon S3"."""
RATES = {"loopback": 0.0, "90 MB/s a connection": OF_S3}
BOTO_GOAL, LOOPBACK_GOAL = 4.0, 0.65
LIMIT_CONNECTIONS = (2, 4, 16)
LIMIT_PIECE = 1 << 20
Run = Callable[[], dict[str, Any]]


def once(kind: str) -> None:
    """What is measured of ours: the objects of a kind, as `points verify --deep` reads them."""
    import random

    from pilotlight.runtime.aws.boto import BotoClient
    from pilotlight.runtime.clock import SystemClock
    from pilotlight.runtime.kinds.buckets.content import Content
    from pilotlight.runtime.kinds.buckets.listing import Bucket, Current
    from pilotlight.runtime.recovery import wrapped

    client = wrapped(BotoClient(), SystemClock(), random.Random(1))
    items = [Current(f"{kind}/{at}", "v1", 0.0, SIZE, '"0"') for at in range(OBJECTS)]
    client.call("s3", "head_object", "us-east-1", Bucket="b", Key=f"{kind}/0")  # boto3's client is made by then, too
    began = _now()
    with Content(client, Bucket("us-east-1", "b")) as content:
        states = [each.state for each in content.compared(items) if each]
    _tell(began, states.count("equal"), states.count("damaged"))


def by_boto3(kind: str, transfer: bool = False) -> None:
    """A peer: reads each object to its end, which compares its checksum; or by the transfer manager, in ranges."""
    import boto3
    from botocore.exceptions import FlexibleChecksumError

    s3 = boto3.client("s3")
    began, equal, damaged = _now(), 0, 0
    for at in range(OBJECTS):
        where = {"Bucket": "b", "Key": f"{kind}/{at}"}
        if transfer:
            with open("/dev/null", "wb") as nothing:  # noqa: PTH123
                s3.download_fileobj(**where, Fileobj=nothing)
            continue
        try:
            for _ in s3.get_object(**where)["Body"].iter_chunks(LIMIT_PIECE):
                pass
            equal += 1
        except FlexibleChecksumError:
            damaged += 1
    _tell(began, equal, damaged)


def _now() -> tuple[float, float]:
    return time.monotonic(), time.process_time()


def _tell(began: tuple[float, float], equal: int, damaged: int) -> None:
    seconds, core = (after - before for before, after in zip(began, _now(), strict=True))
    print(f"took {seconds} core {core} equal {equal} damaged {damaged}")


def reading(command: list[Any]) -> Run:
    """GiB a second of the reading alone, whoever started how long."""

    def run() -> dict[str, Any]:
        told, printed = measured(command, SETTINGS)
        words = printed.split()
        if "took" in words:
            told["seconds"] = float(words[words.index("took") + 1])
            told["reading_core_seconds"] = float(words[words.index("core") + 1])
            told |= {name: int(words[words.index(name) + 1]) for name in ("equal", "damaged")}
        return told | {"gib_a_second": OBJECTS * SIZE / 2**30 / told["seconds"]}

    return run


def limit(connections: int) -> dict[str, Any]:
    """GiB a second of so many sockets that are read and nothing more."""
    mine = threading.local()
    host, port = ADDRESS.split(":")

    def read(job: tuple[int, int]) -> None:
        if not hasattr(mine, "socket"):
            mine.socket, mine.into = socket.create_connection((host, int(port))), bytearray(LIMIT_PIECE)
        at, start = job
        end = min(SIZE, start + step)
        asked = f"GET /b/crc64/{at} HTTP/1.1\r\nHost: {ADDRESS}\r\nRange: bytes={start}-{end - 1}\r\n\r\n"
        mine.socket.sendall(asked.encode())
        came = mine.socket.recv_into(mine.into)
        left = end - start - came + mine.into.index(b"\r\n\r\n", 0, came) + 4
        while left:
            left -= mine.socket.recv_into(mine.into)

    step = max(LIMIT_PIECE, SIZE // 4)
    began, core = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(read, [(at, start) for at in range(OBJECTS) for start in range(0, SIZE, step)]))
    seconds = time.monotonic() - began
    return {"gib_a_second": OBJECTS * SIZE / 2**30 / seconds, "reading_core_seconds": time.process_time() - core}


def peers() -> dict[str, Run]:
    """Those that can be had here."""
    script = [sys.executable, __file__]
    found = {
        "boto3": reading([*script, "boto3", "crc64"]),
        "boto3 transfer manager": reading([*script, "transfer", "crc64"]),
    }
    try:
        s5cmd = [python_peer("s5cmd", "s5cmd"), "--endpoint-url", SETTINGS["AWS_ENDPOINT_URL"]]
        found["s5cmd cat"] = reading(["sh", "-c", f"{' '.join(map(str, s5cmd))} cat 's3://b/crc64/*' > /dev/null"])
    except Missing as problem:
        print(f"  s5cmd is left out: {problem}", file=sys.stderr)
    return found


def main() -> int:
    """Both rates in turn; then what was turned over, and checksums of parts."""
    built, others = server("s3_content"), peers()
    result = Result("B3", {}, goal={"of loopback": LOOPBACK_GOAL, "torn found": 1})
    script = [sys.executable, __file__, "once"]
    for name, rate in RATES.items():
        with serving([built, "-addr", ADDRESS, "-size", SIZE, "-n", OBJECTS, "-rate", rate]):
            runs: dict[str, Run] = {"ours": reading([*script, "crc64"]), **others}
            if not rate:
                runs |= {"by parts": reading([*script, "sha256"])}
                runs |= {f"limit {each}": functools.partial(limit, each) for each in LIMIT_CONNECTIONS}
            taken = medians(runs, TIMES if not rate else min(TIMES, 3))
            torn = reading([*script, "torn"])()
        if not rate:
            limits = [taken.pop(f"limit {each}") for each in LIMIT_CONNECTIONS]
            result.limit = max(limits, key=lambda each: each["gib_a_second"]) | {"bytes": OBJECTS * SIZE}
            result.ratios["of loopback"] = taken["ours"]["gib_a_second"] / result.limit["gib_a_second"]
            cores = result.limit["reading_core_seconds"] / taken["ours"]["reading_core_seconds"]
            result.ratios["of loopback, by seconds of a core"] = cores
            result.ours |= {f"SHA-256 by parts: {what}": value for what, value in taken.pop("by parts").items()}
        for who, measures in taken.items():
            into = result.ours if who == "ours" else result.peers.setdefault(who, {})
            into |= {f"{what} at {name}": value for what, value in measures.items()}
        for who in others:
            ratio = taken["ours"]["gib_a_second"] / taken[who]["gib_a_second"]
            result.ratios[f"ours / {who} at {name}"] = ratio
        wrong = [each for each in ("equal", "damaged") if torn[each] != (OBJECTS if each == "damaged" else 0)]
        sound = taken["ours"]["equal"] == OBJECTS and not taken["ours"]["damaged"]
        result.ratios["torn found"] = min(result.ratios.get("torn found", 1.0), float(not wrong and sound))
    paced = f"ours / boto3 at {list(RATES)[-1]}"
    result.goal[paced] = BOTO_GOAL
    fast = result.ratios["of loopback"] >= LOOPBACK_GOAL and result.ratios[paced] >= BOTO_GOAL
    result.met = fast and result.ratios["torn found"] == 1
    return result.tell()


if __name__ == "__main__":
    asked = sys.argv[1:]
    if asked[:1] == ["once"]:
        sys.exit(once(asked[1]))
    if asked[:1] in (["boto3"], ["transfer"]):
        sys.exit(by_boto3(asked[1], asked[0] == "transfer"))
    sys.exit(main())
