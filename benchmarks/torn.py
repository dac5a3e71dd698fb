"""B9: torn checkpoints among 10,000 of all formats, in a bucket whose copy is in sync with it.

What frameworks wrote (tests/fixtures/checkpoints), a hundred of it torn as saving or uploading leaves it when it is cut
off: a shard is missing, or ends early. Copies of torn checkpoints are equal to them, so peers that compare both sides
(rclone check, s5cmd sync --dry-run) find nothing. Limit: the listing of the bucket alone. The first look reads headers;
a later one only of what it did not find complete before.
"""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring.results import QUICK, Result, medians
from measuring.running import PLACE, RCLONE, Missing, go_peer, measured, python_peer, server, serving, settings

CHECKPOINTS = 1_000 if QUICK else 10_000
TORN = 100
TIMES = 1
"""One run takes minutes, and finds what every other one finds."""
ADDRESS = "127.0.0.1:9127"
SETTINGS = settings(ADDRESS)
FIXTURES = Path("tests/fixtures/checkpoints").resolve()
LISTED = PLACE / "torn.txt"
OF_LISTING_GOAL = 1.2
REMOVABLE = {
    "hf-sharded": "model-00002-of-00004.safetensors",
    "hf-bin-sharded": "pytorch_model-00002-of-00003.bin",
    "torch-dcp": "step-1200/__1_0.distcp",
    "deepspeed": "global_step2/zero_pp_rank_1_mp_rank_00_optim_states.pt",
}
"""Of a format in several files, one that is uploaded late; of the others the largest ends early."""
Run = Callable[[], dict[str, Any]]


def write() -> set[str]:
    """The list of objects, as the server reads it; the folders that are torn."""
    rng = random.Random(9)
    made = sorted(path.name for path in FIXTURES.iterdir() if path.is_dir())
    torn = set(rng.sample(range(CHECKPOINTS), TORN))
    lines, folders = list[str](), set[str]()
    for number in range(CHECKPOINTS):
        name = made[number % len(made)]
        sizes = {path: path.stat().st_size for path in sorted((FIXTURES / name).rglob("*")) if path.is_file()}
        folder = f"runs/{name}/{number:05d}/"
        if number in torn:
            folders.add(folder)
            if name in REMOVABLE and rng.random() < 0.5:
                del sizes[FIXTURES / name / REMOVABLE[name]]
            else:
                largest = max(sizes, key=lambda path: sizes[path])
                sizes[largest] = sizes[largest] // 2
        lines += [f"{folder}{path.relative_to(FIXTURES / name)}\t{path}\t{size}" for path, size in sizes.items()]
    PLACE.mkdir(parents=True, exist_ok=True)
    LISTED.write_text("\n".join(sorted(lines)) + "\n")
    return folders


def once() -> None:
    """What is measured of ours: the listing alone; then all checkpoints; then those that were not complete."""
    import random

    from pilotlight.runtime.aws.boto import BotoClient
    from pilotlight.runtime.checkpoints.readers import BucketReader
    from pilotlight.runtime.checkpoints.verify import find, fingerprint, verify
    from pilotlight.runtime.clock import SystemClock
    from pilotlight.runtime.recovery import wrapped

    reader = BucketReader(wrapped(BotoClient(), SystemClock(), random.Random(1)), "us-east-1", "dst", "runs/")
    next(iter(reader.files()))
    began = time.monotonic()
    files = sum(1 for _ in reader.files())
    listed = time.monotonic()
    known, torn = set[str](), Counter[str]()
    for each in find(reader):
        if verify(each, reader).complete:
            known.add(fingerprint(each.candidate))
        else:
            torn["runs/" + "/".join(each.candidate.prefix.removeprefix("runs/").split("/")[:2]) + "/"] += 1
    first = time.monotonic()
    again = [each for each in find(reader) if fingerprint(each.candidate) not in known]
    still = sum(1 for each in again if not verify(each, reader).complete)
    end = time.monotonic()
    print(f"files {files} listing {listed - began} first {first - listed} again {end - first} still {still}")
    print("\n".join(f"torn {each}" for each in torn))


def ours(folders: set[str]) -> Run:
    """Seconds of each look, what was found of what is torn, and what was accused that is not."""

    def run() -> dict[str, Any]:
        told, printed = measured([sys.executable, __file__, "once"], SETTINGS)
        found = {line.removeprefix("torn ") for line in printed.splitlines() if line.startswith("torn ")}
        words = dict(re.findall(r"(\w+) ([\d.]+)", printed.partition("\n")[0]))
        told |= {f"{each}_seconds": float(words[each]) for each in ("listing", "first", "again")}
        return told | {
            "found": len(found & folders),
            "false_alarms": len(found - folders),
            "files": int(words["files"]),
        }

    return run


def peers() -> dict[str, Run]:
    """Those that can be had here."""
    found: dict[str, Run] = {}

    def peer(name: str, command: Callable[[], list[Any]], count: Callable[[str], int]) -> None:
        try:
            asked = command()
        except Missing as problem:
            print(f"  {name} is left out: {problem}", file=sys.stderr)
            return

        def run() -> dict[str, Any]:
            told, printed = measured(asked, SETTINGS)
            return told | {"found": count(printed)}

        found[name] = run

    def differences(printed: str) -> int:
        said = re.findall(r"(\d+) differences found", printed)
        return int(said[-1]) if said else 0

    rclone = ["check", "s:src", "s:dst", "--checkers", "64", "--fast-list"]
    peer("rclone check", lambda: [go_peer(RCLONE, "rclone"), *rclone], differences)
    sync = ["--endpoint-url", SETTINGS["AWS_ENDPOINT_URL"], "--dry-run", "sync", "s3://src/*", "s3://dst/"]
    peer(
        "s5cmd sync --dry-run",
        lambda: [python_peer("s5cmd", "s5cmd"), *sync],
        lambda printed: sum(1 for line in printed.splitlines() if "cp " in line),
    )
    return found


def main() -> int:
    """One server for all."""
    folders = write()
    with serving([server("s3_files"), "-addr", ADDRESS, "-files", LISTED]):
        taken = medians({"ours": ours(folders), **peers()}, TIMES)
    mine = taken.pop("ours")
    result = Result("B9", mine, taken, limit={"listing_seconds": mine["listing_seconds"]})
    result.ratios = {
        "found of the torn": mine["found"] / len(folders),
        "false alarms": float(mine["false_alarms"]),
        "first look / listing": mine["first_seconds"] / mine["listing_seconds"],
        "later look / listing": mine["again_seconds"] / mine["listing_seconds"],
    }
    result.goal = {
        "found of the torn": 1.0,
        "false alarms": 0,
        "first look / listing": OF_LISTING_GOAL,
        "later look / listing": OF_LISTING_GOAL,
    }
    sound = result.ratios["found of the torn"] == 1 and not result.ratios["false alarms"]
    result.met = sound and all(
        result.ratios[f"{look} look / listing"] <= OF_LISTING_GOAL for look in ("first", "later")
    )
    return result.tell()


if __name__ == "__main__":
    sys.exit(once() if sys.argv[1:] == ["once"] else main())
